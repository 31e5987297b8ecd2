"""White space as a browser shows it, and as Chinese wants it: no space where a line of the source ends between Han."""

import re
from collections.abc import Sequence

from markdown_it.token import Token

from studyguide.myst.inline import HAN

SPACE = re.compile(r"[ \t\r\n\f]+")
_HAN_LAST = re.compile(f"[{HAN}]$")
_HAN_FIRST = re.compile(f"^[{HAN}]")


def squeeze(tokens: Sequence[Token]) -> list[Token]:
    """Tokens with white space collapsed; a line break between Han characters is nothing, elsewhere a space."""
    out: list[Token] = []
    for token in tokens:
        if token.type == "text" and out and out[-1].type == "text":
            out[-1].content += token.content
        elif token.type != "text" or token.content:
            out.append(token)
    kept: list[Token] = []
    before = "\n"
    for at, token in enumerate(out):
        if token.type != "text":
            kept.append(token)
            if token.nesting == 0:
                before = "\n" if token.type == "hardbreak" else (token.content[-1:].strip() or "x")
            continue
        text = token.content
        if text[0] in " \t\r\n\f" and (
            before in " \n"
            or (before and "\n" in text[: len(text) - len(text.lstrip())] and _joins(before, text.lstrip()[:1]))
        ):
            text = text.lstrip(" \t\r\n\f")
        if not text:
            continue
        text = SPACE.sub(lambda m, text=text, at=at: _gap(m, text, out, at), text)
        if not text:
            continue
        token.content = text
        kept.append(token)
        before = text[-1]
    return _trim(kept)


def _joins(before: str, after: str) -> bool:
    return bool(before and after and _HAN_LAST.match(before) and _HAN_FIRST.match(after))


def _gap(match: re.Match[str], text: str, tokens: Sequence[Token], at: int) -> str:
    if "\n" not in match[0]:
        return " "
    before = text[match.start() - 1] if match.start() else ""
    after = text[match.end() : match.end() + 1] or _next(tokens, at)
    return "" if _joins(before, after) else " "


def _next(tokens: Sequence[Token], at: int) -> str:
    for token in tokens[at + 1 :]:
        if token.nesting == 0:
            return token.content[:1]
    return ""


def _trim(tokens: list[Token]) -> list[Token]:
    """Without spaces and breaks at the ends and around breaks."""
    while tokens and (tokens[0].type == "hardbreak" or (tokens[0].type == "text" and not tokens[0].content.strip())):
        tokens.pop(0)
    while tokens and (tokens[-1].type == "hardbreak" or (tokens[-1].type == "text" and not tokens[-1].content.strip())):
        tokens.pop()
    if tokens and tokens[0].type == "text":
        tokens[0].content = tokens[0].content.lstrip()
    if tokens and tokens[-1].type == "text":
        tokens[-1].content = tokens[-1].content.rstrip()
    for at, token in enumerate(tokens):
        if token.type == "hardbreak" and at and tokens[at - 1].type == "text":
            tokens[at - 1].content = tokens[at - 1].content.rstrip(" ")
    return tokens
