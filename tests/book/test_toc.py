"""The order of chapters and the table of contents that comes of it."""

from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st

from studyguide.book import curriculum, toc
from studyguide.book.chapter import Chapter


def chapter(chapter_id: str, requires=(), weight=0) -> Chapter:
    """A chapter with nothing but what the order depends on."""
    return Chapter(
        Path(f"first/{chapter_id}.md"), "first", chapter_id, chapter_id, "", 1, tuple(requires), weight=weight
    )


@given(st.lists(st.tuples(st.integers(0, 5), st.sets(st.integers(0, 20), max_size=4)), min_size=1, max_size=15))
def test_requirements_come_first(spec):
    """Whatever the weights, every chapter stands after all that it requires, and none is lost."""
    members = [chapter(f"c{n}", [f"c{r}" for r in needs if r < n], weight) for n, (weight, needs) in enumerate(spec)]
    ordered = [c.id for c in toc.order(list(reversed(members)), {})]
    assert sorted(ordered) == sorted(c.id for c in members)
    for c in members:
        assert all(ordered.index(r) < ordered.index(c.id) for r in c.requires)


def test_weight_then_plan_then_id():
    """Among chapters that are free to come next the lighter one does, then the one planned earlier, then by id."""
    members = [chapter("d"), chapter("c"), chapter("b"), chapter("a", weight=1)]
    assert [c.id for c in toc.order(members, {"c": 0, "d": 1})] == ["c", "d", "b", "a"]


def test_heavy_requirement_does_not_hold_others_back():
    """A chapter that needs a heavy one waits for it; light ones that need nothing pass by."""
    members = [chapter("heavy", weight=9), chapter("needs", ["heavy"]), chapter("light", weight=1)]
    assert [c.id for c in toc.order(members, {})] == ["light", "heavy", "needs"]


def test_refresh_writes_jupyter_books_form(mini: Path):
    """`_toc.yml` has the root, a caption for each part that has chapters, and the pages about the book."""
    assert toc.refresh(mini)
    data = yaml.safe_load((mini / "_toc.yml").read_text(encoding="utf-8"))
    assert (data["format"], data["root"]) == ("jb-book", "chapters/index")
    assert [part["caption"] for part in data["parts"]] == ["第一篇", "第二篇", "附篇", "关于本书"]
    assert data["parts"][0]["chapters"] == [{"file": "chapters/first/apple"}, {"file": "chapters/first/pear"}]
    assert [c["file"] for c in data["parts"][-1]["chapters"]] == [
        "chapters/about/articles",
        "chapters/about/claims",
        "chapters/about/glossary",
        "chapters/about/status",
    ]
    assert not toc.refresh(mini), "a second run must change nothing"


def test_mistake_leaves_the_table_of_contents(mini: Path):
    """When a chapter is wrong, the table of contents stays as it was."""
    toc.refresh(mini)
    before = (mini / "_toc.yml").read_bytes()
    (mini / "chapters/first/plum.md").write_text("---\ntitle: x\n---\n\n# y\n", encoding="utf-8")
    try:
        toc.refresh(mini)
    except Exception as error:
        assert "heading-1" in str(error)
    else:
        raise AssertionError("a level-1 heading must be refused")
    assert (mini / "_toc.yml").read_bytes() == before


def test_part_numbers_are_chinese():
    """Parts are counted in Chinese numerals; the appendix has a name instead of a number."""
    assert [curriculum.chinese_number(n) for n in (1, 9, 10, 12, 20, 35)] == [
        "一",
        "九",
        "十",
        "十二",
        "二十",
        "三十五",
    ]
