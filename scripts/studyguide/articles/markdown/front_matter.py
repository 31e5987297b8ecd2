"""Front matter of Markdown posts: YAML, TOML or bare, as Hexo, Hugo, Jekyll and Obsidian write it."""

import datetime
import re
import tomllib
from dataclasses import dataclass
from typing import Any

import yaml

from studyguide.articles.article import Loss

_YAML = re.compile(r"\A---[ \t]*\n(?P<body>.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_TOML = re.compile(r"\A\+\+\+[ \t]*\n(?P<body>.*?)^\+\+\+[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
# Hexo also takes front matter that has no opening line.
_BARE = re.compile(r"\A(?P<body>(?:[A-Za-z_]+:(?: .*)?\n|[ \t]+.*\n|- .*\n){2,}?)---[ \t]*(?:\n|\Z)")
# Nothing closes it: the post would be read with its own head as text.
_UNCLOSED = re.compile(r"\A(?:---|\+\+\+)[ \t]*\n(?:title|date|tags|categories|author|layout|draft)[ \t]*[:=]")
# A line below a blank one that can be no part of it: what closed it was missing, and a rule of the text was taken.
_TEXT = re.compile(r"(?<=\n)[ \t]*\n(?!\w[\w-]*[ \t]*[:=]|\[\[?[\w.]+\]|[\]}]|- |#[^#\n]*$|[ \t])(?=.)", re.MULTILINE)
_PAIR = re.compile(r"^(\w+)[ \t]*[:=][ \t]*(.*?)[ \t]*$", re.MULTILINE)
_TAGS = ("tags", "tag", "categories", "category", "keywords", "series")


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What a post says about itself."""

    title: str = ""
    date: str = ""
    tags: tuple[str, ...] = ()
    url: str = ""
    lines: int = 0
    """Lines of the file that it takes."""
    losses: tuple[Loss, ...] = ()
    """What is wrong with it."""


class _BrokenError(Exception):
    """Front matter that does not parse: the language it should be, and the line (from 0) that is wrong."""

    def __init__(self, language: str, line: int):
        super().__init__(language)
        self.language, self.line = language, line


def split(text: str) -> tuple[FrontMatter, str]:
    """The front matter of a post and the text below it.

    Of front matter that is broken, what can be told is kept, and a loss names its line.
    """
    for pattern, load in ((_YAML, _load_yaml), (_TOML, _load_toml), (_BARE, _load_yaml)):
        if match := pattern.match(text):
            # A rule at the very beginning of a text is no front matter.
            try:
                values = load(match["body"]) if match["body"].strip() else {}
            except _BrokenError as error:
                return _salvage(match, error, text)
            if values or not match["body"].strip():
                return _read(values, match[0].count("\n")), text[match.end() :]
    if _UNCLOSED.match(text):
        message = "front-matter: the line that closes it is missing, so it is read as text"
        return FrontMatter(losses=(Loss(1, message),)), text
    return FrontMatter(), text


def _salvage(match: re.Match[str], error: _BrokenError, text: str) -> tuple[FrontMatter, str]:
    """What can be told of front matter that does not parse, and the text below it."""
    body, end = match["body"], match.end()
    if gap := _TEXT.search(body):
        body, end = body[: gap.end()], match.start("body") + gap.end()
    values = _pairs(body)
    if not values and error.language == "YAML":
        return FrontMatter(), text  # words between two rules
    line = match[0][: match.start("body")].count("\n") + error.line + 1
    message = f"front-matter: not valid {error.language}; only what can be told of it is kept"
    return _read(values, text[:end].count("\n"), Loss(line, message)), text[end:]


def _load_yaml(body: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(body.expandtabs(2))
    except yaml.MarkedYAMLError as error:
        # Of a bracket or a quote that is never closed the beginning says more than where its end was missed.
        opened = error.context_mark if re.search("flow|quoted", error.context or "") else None
        mark = opened or error.problem_mark
        raise _BrokenError("YAML", mark.line if mark else 0) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise _BrokenError("YAML", 0) from None
    return {str(key).lower(): value for key, value in values.items()} if isinstance(values, dict) else {}


def _load_toml(body: str) -> dict[str, Any]:
    try:
        values = tomllib.loads(body)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        at = re.search(r"at line (\d+)", str(error))
        raise _BrokenError("TOML", int(at[1]) - 1 if at else body.rstrip().count("\n")) from None
    taxonomies = values.get("taxonomies")  # where Zola keeps tags
    values |= taxonomies if isinstance(taxonomies, dict) else {}
    return {key.lower(): value for key, value in values.items()}


def _pairs(body: str) -> dict[str, Any]:
    """What can be told of front matter that does not parse, e.g. a title with a colon and no quotes."""
    pairs = {key.lower(): value.strip("\"'") for key, value in _PAIR.findall(body)}
    if any(pairs.get("title", "").count(left) != pairs.get("title", "").count(right) for left, right in ("[]", "{}")):
        del pairs["title"]
    return pairs


def _read(values: dict[str, Any], lines: int, *losses: Loss) -> FrontMatter:
    tags = [word for key in _TAGS for word in _words(values.get(key))]
    url = str(values.get("canonical_url") or values.get("permalink") or values.get("url") or "")
    return FrontMatter(
        title=" ".join(_scalar(values.get("title")).split()),
        date=next(filter(None, (iso_date(values.get(key)) for key in ("date", "created", "published", "updated"))), ""),
        tags=tuple(dict.fromkeys(tags)),
        url=url if re.match(r"https?://\S+$", url) else "",
        lines=lines,
        losses=losses,
    )


def _scalar(value: Any) -> str:
    return str(value).strip() if isinstance(value, (str, int, float, datetime.date)) else ""


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        return [word.strip().lstrip("#") for word in re.split(r"[,，;；]", value.strip("[]")) if word.strip()]
    if isinstance(value, list):
        flat = [inner for item in value for inner in (item if isinstance(item, list) else [item])]
        return [word for item in flat if (word := _scalar(item).lstrip("#"))]
    return [word] if (word := _scalar(value)) else []


def iso_date(value: Any) -> str:
    """`value` (a date or its text) as `YYYY-MM-DD`, "" if it is none."""
    if isinstance(value, datetime.date):
        return value.isoformat()[:10]
    match = re.match(r"\D{0,3}(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})", str(value or ""))
    if not match:
        return ""
    try:
        return datetime.date(*map(int, match.groups())).isoformat()
    except ValueError:
        return ""
