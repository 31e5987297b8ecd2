"""Reading and writing files at the edge."""

from pathlib import Path

import pytest

from studyguide import files
from studyguide.problem import ProblemError


def test_unchanged_file_is_left_alone(tmp_path: Path):
    """Writing what is there already says so and keeps the file's time."""
    path = tmp_path / "a/b.txt"
    assert files.write_atomic(path, "x")
    before = path.stat().st_mtime_ns
    assert not files.write_atomic(path, "x")
    assert path.stat().st_mtime_ns == before


def test_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch):
    """When the last step fails, the old text is whole and no scrap is left."""
    path = tmp_path / "a.txt"
    files.write_atomic(path, "old")

    def fail(*_):
        raise OSError("disk gone")

    monkeypatch.setattr(files.os, "replace", fail)
    with pytest.raises(OSError, match="disk gone"):
        files.write_atomic(path, "new")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.txt", "old")]


def test_line_of_the_first_bad_byte(tmp_path: Path):
    """Bytes that are no UTF-8 are reported with their line."""
    path = tmp_path / "a.md"
    path.write_bytes(b"one\ntwo\n\xff")
    with pytest.raises(ProblemError) as caught:
        files.read_text(path)
    assert (caught.value.problems[0].line, caught.value.problems[0].code) == (3, "not-text")
