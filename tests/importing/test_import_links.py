"""Links between articles become references, links elsewhere stay, dead ones go."""

import pytest
from importing.samples import convert

from studyguide.importing.links import key, resolver, table

KNOWN = table([(["posts/a/index.md", "https://example.org/2024/a/"], "one/a"), (["posts/b.html", ""], "two/b")])
FILE = ("posts/c.md", "")
PAGE = ("saved/c.html", "https://www.example.org/2024/c/index.html")


@pytest.mark.parametrize(
    ("page", "href", "expected"),
    [
        (FILE, "a/index.md", "../one/a.md"),
        (FILE, "./a/", "../one/a.md"),
        (FILE, "b.html#part", "../two/b.md"),
        (FILE, "b.md?x=1", "../two/b.md"),
        (FILE, "http://www.example.org/2024/a", "../one/a.md"),
        (PAGE, "../a/", "../one/a.md"),
        (PAGE, "/2024/a/index.html", "../one/a.md"),
        (PAGE, "/2024/other/", "https://www.example.org/2024/other"),
        (FILE, "https://elsewhere.org/a/", "https://elsewhere.org/a/"),
        (FILE, "//elsewhere.org/a/", "//elsewhere.org/a/"),
        (FILE, "mailto:someone@example.org", "mailto:someone@example.org"),
        (FILE, "#here", "#here"),
        (FILE, "missing.md", ""),
        (FILE, "../../etc/passwd", ""),
        (FILE, "", ""),
    ],
)
def test_resolve(page: tuple[str, str], href: str, expected: str):
    """Files and addresses of other articles are found however the link spells them."""
    assert resolver(KNOWN, page)(href) == expected


def test_key_of_an_index_page():
    """A folder, its index page and the page without suffix are one."""
    assert len({key(a) for a in ("https://e.org/a/", "https://e.org/a", "http://www.e.org/a/index.html#x")}) == 1


def test_posts_that_link_to_each_other(tmp_path):
    """Posts find each other by relative path and wiki link; a link to nothing is a loss and keeps its text."""
    posts = tmp_path / "posts"
    posts.mkdir()
    head = "---\ntitle: {}\n---\n\n"
    lora, adapter = "LoRA 见[适配器](adapter.md#瓶颈)和[没有](none.md)。\n", "适配器是瓶颈层，另见 [[lora]]。\n"
    (posts / "lora.md").write_text(head.format("LoRA 微调") + lora, "utf-8")
    (posts / "adapter.md").write_text(head.format("Adapter 适配器") + adapter, "utf-8")
    entries = convert(posts, tmp_path / "guide")
    texts = {entry.title: (tmp_path / "guide" / entry.chapter).read_text("utf-8") for entry in entries.values()}
    assert "[lora](../fine-tuning/lora.md)" in texts["Adapter 适配器"]
    assert "[适配器](../fine-tuning/adapter.md)和没有。" in texts["LoRA 微调"]
    lost = [loss for entry in entries.values() for loss in entry.losses]
    assert len(lost) == 1
    assert "none.md" in str(lost[0])
