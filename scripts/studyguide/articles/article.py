"""The document model: what every reader produces and the writer takes."""

from dataclasses import dataclass, field
from typing import Literal

from markdown_it.token import Token

KINDS = ("headings", "code", "math", "tables", "images", "links", "items")
"""What is counted, found in the source and kept in the chapter; the keys of the report."""


@dataclass(frozen=True, slots=True, order=True)
class Loss:
    """Something of the source that the chapter does not hold."""

    line: int
    """1-based line in the source (of a notebook: the number of the cell)."""
    what: str
    """Kind and gist, e.g. `math: formula missing in the source`."""

    def __str__(self) -> str:
        return f"{self.line}: {self.what}"


@dataclass(slots=True)
class Article:
    """One article as a stream of markdown-it block tokens, the same ones that MyST is parsed into.

    Beyond CommonMark's, GFM's table and strikethrough and mdit-py-plugins' footnote, deflist and task list tokens
    there are four: `math_inline`, `math_inline_double`, `math_block` and `math_block_label` (dollarmath, the TeX in
    `content`, a label in `info`); `directive_open`/`directive_close` (`info`: name, `meta`: {"argument": str,
    "options": dict}, children between them); `role` (inline; `info`: name, `content`: text); and `gap` (inline;
    `content`: what is missing here, e.g. `[公式]`).
    """

    source: str
    """Path or URL as the user gave it, with `#n` for the n-th article of a file that holds several."""
    kind: Literal["listing", "html", "markdown", "notebook"]
    title: str
    tokens: list[Token]
    """The body, without the title; heading levels are regular and start at 2."""
    text: str
    """The plain text of the article as the source had it: what fingerprints, placing and titles are made from."""
    truncated: bool = False
    """True when the source holds only the beginning."""
    line: int = 1
    """Line of `source` where the article begins."""
    date: str = ""
    """ISO date of publication, if the source states it."""
    tags: tuple[str, ...] = ()
    url: str = ""
    """Canonical address, if the source states it."""
    assets: dict[str, bytes] = field(default_factory=dict)
    """Local images and attachments by the name that tokens refer to them with."""
    found: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    """How many of each of `KINDS` the reader saw in the source, gaps included."""
    losses: list[Loss] = field(default_factory=list)
