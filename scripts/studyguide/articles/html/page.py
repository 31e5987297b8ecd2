"""What a page says about itself: title, date, tags, address, and whether a script typesets its formulas."""

import json
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from studyguide.articles.html.dom import Element, text_of

_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})")
_SEPARATOR = re.compile(r"\s*(?:[|\u2013\u2014\u00b7\u00bb_]|\s-\s|\s:\s|-(?=[^-]*$))\s*")
_TYPESETTER = re.compile(r"(?i)mathjax|katex|renderMathInElement|tex2jax|TeX-AMS")
_INLINE_DOLLAR = re.compile(r"""\[\s*["'](\\?\$)["']\s*,\s*["']\\?\$["']\s*\]|left\s*:\s*["']\$["']""")


@dataclass(slots=True)
class Page:
    """The head of a page."""

    titles: tuple[str, ...]
    """Titles that the page gives itself, the best first."""
    window: str
    """The title of its window, with the name of the site."""
    date: str
    tags: tuple[str, ...]
    url: str
    typeset: bool
    """Whether a script of the page typesets TeX that stands in the text between delimiters."""


def read(root: Element) -> Page:
    """The page's own description of itself."""
    meta: dict[str, list[str]] = {}
    for element in root.iter("meta"):
        name = element.get("property") or element.get("name") or element.get("itemprop") or ""
        if element.get("content"):
            meta.setdefault(name.lower(), []).append(element.get("content").strip())
    linked = _linked(root)
    window = next((text_of(element) for element in root.iter("title")), "")
    headings = [text_of(element) for element in root.iter("h1")]
    titles = [*meta.get("og:title", []), *linked.get("headline", []), *meta.get("twitter:title", []), *headings]
    titles = [title for title in titles if title and (title in window or not window)] + [_shorten(window)]
    titles = sorted(filter(None, titles), key=lambda title: title not in headings)
    dates = [*meta.get("article:published_time", []), *linked.get("datePublished", []), *meta.get("date", [])]
    dates += [element.get("datetime") or "" for element in root.iter("time")]
    tags = [
        tag
        for name in ("article:tag", "keywords")
        for value in meta.get(name, [])
        for tag in re.split("[,，、]", value)
    ]
    tags += [text_of(element) for element in root.iter("a") if "tag" in (element.get("rel") or "").split()]
    return Page(
        titles=tuple(dict.fromkeys(titles)),
        window=window,
        date=next((_iso(match) for date in dates if (match := _DATE.search(date))), ""),
        tags=tuple(dict.fromkeys(tag for tag in (tag.strip(" #\ue000") for tag in tags) if tag))[:20],
        url=_address(root, meta),
        typeset=_typeset(root),
    )


def _linked(root: Element) -> dict[str, list[str]]:
    """Strings of the page's JSON-LD, by key."""
    out: dict[str, list[str]] = {}
    for element in root.iter("script"):
        if (element.get("type") or "").lower() != "application/ld+json":
            continue
        try:
            data = json.loads(element.text or "")
        except ValueError:
            continue
        for entry in data if isinstance(data, list) else [data]:
            if isinstance(entry, dict):
                for key, value in entry.items():
                    if isinstance(value, str):
                        out.setdefault(key, []).append(value)
    return out


def _address(root: Element, meta: dict[str, list[str]]) -> str:
    links = [
        element.get("href") or "" for element in root.iter("link") if (element.get("rel") or "").lower() == "canonical"
    ]
    for url in [*links, *meta.get("og:url", [])]:
        if urlsplit(url).scheme in ("http", "https"):
            return url.strip()
    return ""


def _typeset(root: Element) -> bool:
    for element in root.iter("script", "link"):
        source = element.get("src") or element.get("href") or ""
        kind = (element.get("type") or "").lower()
        body = element.text or ""
        if _TYPESETTER.search(source) or kind.startswith("text/x-mathjax-config"):
            return True
        if (
            element.tag == "script"
            and len(body) < 20_000
            and (_INLINE_DOLLAR.search(body) or "renderMathInElement" in body)
        ):
            return True
    return False


def _shorten(window: str) -> str:
    """The window's title without the name of the site at its end."""
    parts = _SEPARATOR.split(window)
    return window[: window.find(parts[0]) + len(parts[0])] if len(parts[0]) >= 4 else window


def _iso(match: re.Match[str]) -> str:
    year, month, day = map(int, match.groups())
    return f"{year:04}-{month:02}-{day:02}" if 1 <= month <= 12 and 1 <= day <= 31 else ""
