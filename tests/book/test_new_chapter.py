"""A new chapter from the template is a valid chapter, in the table of contents, and never replaces one."""

from pathlib import Path

import pytest

from studyguide.book import chapter as chapters
from studyguide.book import new_chapter
from studyguide.problem import ProblemError


def test_planned_chapter_is_filled_in(mini: Path):
    """Title and requirements of a planned chapter come from the curriculum."""
    path = new_chapter.create(mini, "first", "plum", "")
    made = chapters.read(path)
    assert (made.title, made.requires, made.status) == ("李子", ("apple",), "draft")
    assert "chapters/first/plum" in (mini / "_toc.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("part", "chapter_id", "code"),
    [
        ("third", "fig", "unknown-part"),
        ("first", "Fig Tree", "bad-id"),
        ("first", "pear", "exists"),
        ("second", "plum", "wrong-part"),
    ],
)
def test_mistakes_write_nothing(mini: Path, part: str, chapter_id: str, code: str):
    """A wrong part or id, or one that is taken, is refused before anything is written."""
    before = sorted(mini.rglob("*"))
    with pytest.raises(ProblemError) as caught:
        new_chapter.create(mini, part, chapter_id, "标题")
    assert code in {problem.code for problem in caught.value.problems}
    assert sorted(mini.rglob("*")) == before
