"""Every kind of mistake in a book ends in one clear line, a failed status, and an untouched table of contents."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[1] / "data"
ROOT = DATA.parents[1]
CASES = sorted(path.parent.name for path in (DATA / "bad-books").glob("*/expected.txt"))


@pytest.mark.parametrize("case", CASES)
def test_mistake_gives_its_line(case: str, mini: Path):
    """The messages are those of expected.txt, in any order, and nothing else is said."""
    shutil.copytree(DATA / "bad-books" / case, mini, dirs_exist_ok=True, ignore=shutil.ignore_patterns("expected.txt"))
    # Run from inside the book, so that messages name its files as an author would.
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "build.py", "--quiet", "--jobs", "1", "--book", "."],
        cwd=mini,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
        check=False,
    )
    expected = (DATA / "bad-books" / case / "expected.txt").read_text(encoding="utf-8").splitlines()
    assert sorted(said(done.stderr)) == sorted(expected)
    assert done.returncode == 1


def said(stderr: str) -> list[str]:
    """The lines of an error output, without Sphinx's frame around ours."""
    return [line for line in stderr.splitlines() if line.strip() and not line.startswith("Problems in the book")]


def test_there_are_cases():
    """The folder is found, so that the test above cannot pass by testing nothing."""
    assert len(CASES) > 15


def test_good_book_builds(mini: Path):
    """The book that the mistakes are made in builds without a word on stderr."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "build.py", "--quiet", "--book", "."],
        cwd=mini,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert (mini / "_build/html/chapters/first/apple.html").exists()
