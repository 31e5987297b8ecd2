"""Every kind of bad input ends in one clear line, a failed status, and no book half begun."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import DATA, ROOT

CASES = sorted(path.parent.name for path in (DATA / "bad-sources").glob("*/expected.txt"))


@pytest.mark.parametrize("case", CASES)
def test_bad_source_gives_its_line(case: str, tmp_path: Path):
    """expected.txt has the exit status and the lines, arguments.txt the command line."""
    folder = tmp_path / case
    shutil.copytree(DATA / "bad-sources" / case, folder)
    arguments = (folder / "arguments.txt").read_text(encoding="utf-8").split()
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "convert.py", *arguments, "--book", "guide"],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if not line.startswith(("usage:", " "))]
    assert [f"exit {done.returncode}", *said] == (folder / "expected.txt").read_text(encoding="utf-8").splitlines()
    assert not (folder / "guide").exists()


def test_there_are_cases():
    """The folder is found, so that the test above cannot pass by testing nothing."""
    assert len(CASES) >= 12
