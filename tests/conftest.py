"""Fixtures that all tests share."""

from pathlib import Path

import pytest
from support import copy_book


@pytest.fixture
def mini(tmp_path: Path) -> Path:
    """A copy of the small book in tests/data/books/mini, with this project's configuration."""
    return copy_book("mini", tmp_path / "mini")
