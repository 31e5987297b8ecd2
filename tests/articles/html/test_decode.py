"""Bytes of pages in the encodings of Chinese."""

import pytest

from studyguide.articles.html import read_html
from studyguide.articles.html.decode import decode
from studyguide.problem import ProblemError

SIMPLIFIED = "大数据处理里，窗口函数是最常用的工具之一；这里我们把它讲清楚。" * 4
TRADITIONAL = "深度學習裡，注意力機制是最常用的工具之一；這裡我們把它講清楚。" * 4


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("gbk", SIMPLIFIED),
        ("gb18030", SIMPLIFIED + "𠮷"),
        ("big5", TRADITIONAL),
        ("utf-8", SIMPLIFIED),
        ("utf-8-sig", SIMPLIFIED),
    ],
)
def test_meta_says_the_encoding(encoding, text):
    """The meta element's encoding is used, in its widest variant."""
    name = encoding.removesuffix("-sig")
    data = f'<html><head><meta charset="{name}"></head><body><p>{text}</p></body></html>'.encode(encoding)
    assert text in decode(data, "page")


def test_gb2312_is_read_as_what_pages_mean_by_it():
    """A page that says gb2312 and uses a character beyond it is read as gb18030."""
    assert "镕" in decode('<meta charset="gb2312"><p>镕</p>'.encode("gb18030"), "page")


def test_header_names_the_encoding():
    """The charset of the HTTP header serves where the page says nothing."""
    assert decode(SIMPLIFIED.encode("gbk"), "page", charset="gbk") == SIMPLIFIED


@pytest.mark.parametrize(("encoding", "text"), [("gb18030", SIMPLIFIED), ("big5", TRADITIONAL)])
def test_encoding_is_detected(encoding, text):
    """Without any word about the encoding the bytes themselves tell."""
    assert decode(f"<html><body><p>{text}</p></body></html>".encode(encoding), "page").count(text) == 1


def test_utf8_beats_a_wrong_meta():
    """A page that was saved as UTF-8 but still says gbk is UTF-8."""
    assert SIMPLIFIED in decode(f'<meta charset="gbk">{SIMPLIFIED}'.encode(), "page")


def test_utf16_by_its_mark():
    """The byte order mark decides."""
    assert decode(SIMPLIFIED.encode("utf-16"), "page") == SIMPLIFIED


@pytest.mark.parametrize("data", [b"", b"  \n", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00"])
def test_no_text_is_refused(data):
    """An empty file and a picture end in one line that says what to do."""
    with pytest.raises(ProblemError, match=r"^a\.html:1: not-text .*"):
        read_html(data, "a.html")
