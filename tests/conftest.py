"""Fixtures that all tests share."""

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(__file__).resolve().parent / "data"


@pytest.fixture
def mini(tmp_path: Path) -> Path:
    """A copy of the small book in tests/data/books/mini, with this project's configuration."""
    return copy_book("mini", tmp_path / "mini")


def copy_book(name: str, target: Path) -> Path:
    """Copy a test book to `target` and give it this project's `_config.yml`."""
    shutil.copytree(DATA / "books" / name, target)
    shutil.copy(ROOT / "_config.yml", target)
    return target
