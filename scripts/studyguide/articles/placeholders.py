"""Placeholders that a dump of text has where the page had a formula or code, e.g. `[公式]`."""

import re
from collections.abc import Callable

from markdown_it.token import Token

from studyguide.articles import tokens

PLACEHOLDER = re.compile(r"\[(?:Math|math|公式|代码)\]")
IN_MARKDOWN = re.compile(r"(?<![A-Za-z0-9_!\]\\])\[(?:Math|公式|代码)\](?![\[(])")
"""Those that are no other thing in a post, such as the extra in `package[math]`."""


def gap(placeholder: str) -> str:
    """What the reader of the book sees for it."""
    return "代码" if placeholder == "[代码]" else "公式"


def missing(placeholder: str) -> str:
    """What is lost with it, kind first."""
    what = "code: a code block" if placeholder == "[代码]" else "math: a formula"
    return f"{what} is missing in the source, which has {placeholder}"


def marked(
    text: str, pattern: re.Pattern[str] = PLACEHOLDER, lose: Callable[[str], None] = lambda what: None
) -> list[Token]:
    """The inline tokens of a text: a visible mark for every placeholder, which `lose` is told of."""
    children, end = [], 0
    for match in pattern.finditer(text):
        if text[end : match.start()]:
            children.append(tokens.text(text[end : match.start()]))
        children.append(tokens.gap(gap(match[0])))
        lose(missing(match[0]))
        end = match.end()
    return [*children, tokens.text(text[end:])] if text[end:] else children
