"""What tests of several folders share."""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(__file__).resolve().parent / "data"


def copy_book(name: str, target: Path) -> Path:
    """Copy a test book to `target` and give it this project's `_config.yml`."""
    shutil.copytree(DATA / "books" / name, target)
    shutil.copy(ROOT / "_config.yml", target)
    return target
