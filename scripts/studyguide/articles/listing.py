"""Reading a listing dump: the text of a blog's index page, one truncated article a line."""

import re
from collections import Counter

from markdown_it.token import Token

from studyguide.articles import tokens
from studyguide.articles.article import KINDS, Article, Loss
from studyguide.articles.flattened import Block, restore
from studyguide.articles.placeholders import PLACEHOLDER, marked, missing
from studyguide.articles.titles import find_title

_ELLIPSIS = re.compile(r"\s*(?:\.{3,}|…+)$")
_CUT = re.compile(r"(?<![.…])(?:\.{3}|…)$")
"""An ellipsis that a program wrote; authors let their sentences trail off with a double one."""
_PAGES = re.compile(r"(?i)(?:[«<‹]|上一页|prev(?:ious)?)?\s*\d+(?:\s+(?:\d+|…|\.{3}))*\s*(?:[»>›]|下一页|next)?")
_GLUED_PAGES = re.compile(r"(?<=[.…])\s*\d+(?:\s+\d+)+$")
_MARKUP = re.compile(r"(?:#{1,6} |```|~~~|>|[-*+] |\||<[a-zA-Z!])")
_LONG = 80
_SHORT = 30
"""So long at least are articles that were cut early; headings are shorter."""
_HEADER = 5


def is_listing(text: str) -> bool:
    """Whether a text is a listing dump, told by its shape alone.

    A few short lines, then hardly anything but long lines without markup, at least two of them and most ending in an
    ellipsis, then perhaps the page numbers. Where articles were cut early their lines are not long: then there are at
    least three, and three in four end in the ellipsis of a program.
    """
    entries = _entries(text)
    lines = [line for _, line in entries]
    header = [line for line in text.split("\n")[: entries[0][0] - 1] if line.strip()] if entries else []
    cut = sum(bool(_ELLIPSIS.search(line)) for line in lines)
    long = sum(len(line) >= _LONG for line in lines)
    if len(lines) < 2 or len(header) > _HEADER or any(map(_MARKUP.match, header + lines)):
        return False
    if cut * 2 > len(lines) and long * 5 >= len(lines) * 4:
        return True
    cut, long = sum(bool(_CUT.search(line)) for line in lines), sum(len(line) >= _SHORT for line in lines)
    return len(lines) >= 3 and cut * 4 >= len(lines) * 3 and long * 5 >= len(lines) * 4


def read_listing(text: str, source: str) -> list[Article]:
    """The articles of a listing dump, in its order; `source` becomes `source#1`, `source#2`, …"""
    return [_article(line, f"{source}#{n}", number) for n, (number, line) in enumerate(_entries(text), 1)]


def _entries(text: str) -> list[tuple[int, str]]:
    """The lines that are articles, with their numbers: without the header and the pagination."""
    lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1)]
    lines = [(number, line) for number, line in lines if line]
    if lines and _PAGES.fullmatch(lines[-1][1]):
        lines.pop()
    first = next((index for index, (_, line) in enumerate(lines) if _is_entry(line)), len(lines))
    return [(number, _GLUED_PAGES.sub("", line)) for number, line in lines[first:]]


def _is_entry(line: str) -> bool:
    """Whether a line is an article and not of the header."""
    return len(line) >= _LONG or (len(line) >= _SHORT and bool(_CUT.search(_GLUED_PAGES.sub("", line))))


def _article(line: str, source: str, number: int) -> Article:
    body = _ELLIPSIS.sub("", line)
    truncated = body != line
    blocks = restore(body)
    title = find_title(_sections(blocks))
    if title.is_heading:
        blocks = blocks[1:]
    stream = [token for block in blocks for token in _tokens(block)]
    losses = [Loss(number, missing(match[0])) for match in PLACEHOLDER.finditer(body)]
    if truncated:
        stream += _mark_of_truncation(stream)
        losses.append(Loss(number, "text: the source holds only the beginning of the article"))
    return Article(
        source=source,
        kind="listing",
        title=title.text,
        tokens=stream,
        text=body,
        truncated=truncated,
        line=number,
        found=_found(blocks, losses),
        losses=losses,
    )


def _sections(blocks: list[Block]) -> list[tuple[str, str]]:
    sections: list[tuple[str, list[str]]] = [("", [])]
    for block in blocks:
        if block.kind == "heading":
            sections.append((block.text, []))
        else:
            sections[-1][1].extend(block.items or [block.text])
    return [(heading, "\n".join(texts)) for heading, texts in sections]


def _tokens(block: Block) -> list[Token]:
    match block.kind:
        case "heading":
            return tokens.heading(2, marked(block.text))
        case "bullets":
            return tokens.bullet_list(tokens.paragraph(marked(item), hidden=True) for item in block.items)
        case "numbers":
            return tokens.ordered_list(tokens.paragraph(marked(item), hidden=True) for item in block.items)
        case _:
            return tokens.paragraph(marked(block.text))


def _mark_of_truncation(stream: list[Token]) -> list[Token]:
    """The mark that the text ends here; an ellipsis goes where it was cut."""
    if len(stream) > 1 and stream[-1].type != "heading_close":
        last = next(token for token in reversed(stream) if token.type == "inline")
        if last.children and last.children[-1].type == "text":
            last.children[-1].content += "……"
    return tokens.paragraph([tokens.gap("下文")])


def _found(blocks: list[Block], losses: list[Loss]) -> dict[str, int]:
    """What the source had: the blocks that were restored, and the formulas and code that it lost itself."""
    kinds = Counter(loss.what.partition(":")[0] for loss in losses)
    counts = dict.fromkeys(KINDS, 0) | {kind: kinds[kind] for kind in ("math", "code")}
    counts["headings"] = sum(block.kind == "heading" for block in blocks)
    counts["items"] = sum(len(block.items) for block in blocks)
    return counts
