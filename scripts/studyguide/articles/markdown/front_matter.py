"""Front matter of Markdown posts: YAML, TOML or bare, as Hexo, Hugo, Jekyll and Obsidian write it."""

import datetime
import re
import tomllib
from dataclasses import dataclass
from typing import Any

import yaml

_YAML = re.compile(r"\A---[ \t]*\n(?P<body>.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_TOML = re.compile(r"\A\+\+\+[ \t]*\n(?P<body>.*?)^\+\+\+[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
# Hexo also takes front matter that has no opening line.
_BARE = re.compile(r"\A(?P<body>(?:[A-Za-z_]+:(?: .*)?\n|[ \t]+.*\n|- .*\n){2,}?)---[ \t]*(?:\n|\Z)")
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


def split(text: str) -> tuple[FrontMatter, str]:
    """The front matter of a post and the text below it."""
    for pattern, load in ((_YAML, _load_yaml), (_TOML, _load_toml), (_BARE, _load_yaml)):
        if match := pattern.match(text):
            # A rule at the very beginning of a text is no front matter.
            values = load(match["body"]) if match["body"].strip() else {}
            if values or not match["body"].strip():
                return _read(values, match[0].count("\n")), text[match.end() :]
    return FrontMatter(), text


def _load_yaml(body: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(body.expandtabs(2))
    except (yaml.YAMLError, ValueError, RecursionError):
        return _pairs(body)
    return {str(key).lower(): value for key, value in values.items()} if isinstance(values, dict) else {}


def _load_toml(body: str) -> dict[str, Any]:
    try:
        values = tomllib.loads(body)
    except tomllib.TOMLDecodeError:
        return _pairs(body)
    taxonomies = values.get("taxonomies")  # where Zola keeps tags
    values |= taxonomies if isinstance(taxonomies, dict) else {}
    return {key.lower(): value for key, value in values.items()}


def _pairs(body: str) -> dict[str, Any]:
    """What can be told of front matter that does not parse, e.g. a title with a colon and no quotes."""
    return {key.lower(): value.strip("\"'") for key, value in _PAIR.findall(body)}


def _read(values: dict[str, Any], lines: int) -> FrontMatter:
    tags = [word for key in _TAGS for word in _words(values.get(key))]
    url = str(values.get("canonical_url") or values.get("permalink") or values.get("url") or "")
    return FrontMatter(
        title=" ".join(_scalar(values.get("title")).split()),
        date=next(filter(None, (iso_date(values.get(key)) for key in ("date", "created", "published", "updated"))), ""),
        tags=tuple(dict.fromkeys(tags)),
        url=url if re.match(r"https?://\S+$", url) else "",
        lines=lines,
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
