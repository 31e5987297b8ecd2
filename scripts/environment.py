"""Imported first by every command: runs it in the project's own environment, which is made if it is not there.

So `python scripts/build.py` works in a fresh clone with any Python that can make a virtual environment.
"""

import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def enter() -> None:
    """Return if the project is installed for this Python; otherwise start this command again in `.venv`."""
    try:
        distribution("studyguide")  # its modules can be found beside the commands anyway, what they import cannot
        return
    except PackageNotFoundError:
        pass
    python = ROOT / ".venv" / "bin" / "python"
    if Path(sys.prefix) == ROOT / ".venv":
        sys.exit("the environment .venv is broken; run `make clean book`")
    made = subprocess.run(["make", "--silent", ".venv/book.stamp", f"PYTHON={sys.executable}"], cwd=ROOT, check=False)
    if made.returncode:
        sys.exit(made.returncode)
    os.execv(python, [str(python), *sys.argv])


enter()
