"""Pages as the generators and platforms make them, beside the MyST that must come out."""

from pathlib import Path

import pytest

from studyguide.articles.html import read_html
from studyguide.myst.parse import check, count
from studyguide.myst.writer import render

PAGES = sorted((Path(__file__).parents[2] / "data" / "html").glob("*/before.html"))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.parent.name)
def test_page_becomes_the_myst_beside_it(path):
    """Body, code, formulas, tables, notes and boxes come out as in after.md, and nothing around them does."""
    article = read_html(path.read_bytes(), path.name)
    assert render(article.tokens) == path.with_name("after.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.parent.name)
def test_nothing_of_a_page_is_lost(path):
    """What was found is kept, after reading the written text again."""
    article = read_html(path.read_bytes(), path.name)
    assert check(article, render(article.tokens)) == []
    assert count(article.tokens) == article.found


def test_reading_twice_gives_the_same():
    """The same bytes give the same text."""
    data = PAGES[0].read_bytes()
    assert render(read_html(data, "a").tokens) == render(read_html(data, "a").tokens)


def test_title_date_tags_and_address_come_from_the_head():
    """What the page says about itself becomes the article's front matter."""
    article = read_html((PAGES[0].parents[1] / "hexo" / "before.html").read_bytes(), "a")
    assert article.title == "Hive 的 LATERAL VIEW"
    assert article.date == "2023-04-05"
    assert article.tags == ("Hive",)
    assert article.url == "https://example.org/2023/04/05/lateral-view/"


def page(body, head=""):
    return f"<html><head><meta charset='utf-8'><title>t</title>{head}</head><body>{body}</body></html>".encode()


def written(body, head=""):
    return render(read_html(page(body, head), "page").tokens)


def test_heading_levels_become_regular():
    """h1, h3, h6, h2 become 2, 3, 4, 3: one step at a time, beginning at 2."""
    text = written("<article><h1>a</h1><p>x</p><h3>b</h3><h6>c</h6><h2>d</h2><h1>e</h1></article>")
    assert [line.split()[0] for line in text.split("\n") if line.startswith("#")] == ["##", "###", "####", "###", "##"]


def test_title_is_not_repeated_but_a_different_first_heading_stays():
    """Only a heading that says the same as the page's title goes."""
    assert "## t" not in written("<article><h1>t</h1><p>x</p></article>")
    assert "## other" in written("<article><h1>other</h1><p>x</p></article>")


def test_local_links_follow_their_heading():
    """A link to a heading of the page leads to the slug that MyST gives it; one to nowhere becomes text."""
    text = written('<article><p><a href="#a1">go</a> <a href="#gone">lost</a></p><h2 id="a1">第 一 节</h2></article>')
    assert "[go](#第-一-节)" in text
    assert "lost" in text and "[lost]" not in text


def test_redirecting_links_are_unwrapped():
    """A link through a platform's own redirect page leads straight to its target."""
    href = "https://link.example.com/?target=https%3A//example.org/a"
    text = written(f'<article><p><a href="{href}">https://example.org/a</a></p></article>')
    assert text == "<https://example.org/a>\n"


def test_body_is_found_without_any_class():
    """Where no generator marks the body, the text itself shows where it is."""
    text = "<p>" + "很长的正文。" * 40 + "</p>"
    body = '<div><ul><li><a href="/">首页</a></li></ul></div>'
    body += f'<div><div>{text * 3}</div><div><a href="/b">别的</a></div></div>'
    out = written(body)
    assert "很长的正文" in out
    assert "首页" not in out


def test_line_breaks_between_han_characters_are_nothing():
    """A line end of the source is a space between words, nothing between Han characters."""
    assert written("<article><p>一行\n二行\nword\nword</p></article>") == "一行二行 word word\n"


def test_deep_nesting_is_cut_and_reported():
    """A page nested without end neither breaks the reader nor disappears in silence."""
    article = read_html(page("<article>" + "<div><p>x</p>" * 3000 + "</article>"), "page")
    assert any("nested" in loss.what for loss in article.losses)


def test_elements_without_content_swallow_no_text():
    """What follows a `wbr`, `source` or `embed` is not inside it."""
    assert written("<article><p>very<wbr>long<wbr/>word</p><video><source src='a'></video><p>after</p></article>") == (
        "verylongword\n\nafter\n"
    )
