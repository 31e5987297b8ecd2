"""Links between articles become references, links elsewhere stay, dead ones go."""

import pytest

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
