"""Reading MyST again with the parser of the book's own build, and counting what is in it."""

from collections.abc import Iterator, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

from studyguide.articles.article import KINDS

MYST_EXTENSIONS = (
    "amsmath",
    "attrs_block",
    "attrs_inline",
    "colon_fence",
    "deflist",
    "dollarmath",
    "strikethrough",
    "tasklist",
)
"""The extensions of MyST that chapters may use; the Sphinx configuration reads them here."""

_ONE = {
    "heading_open": "headings",
    "fence": "code",
    "code_block": "code",
    "math_inline": "math",
    "math_inline_double": "math",
    "math_block": "math",
    "math_block_label": "math",
    "amsmath": "math",
    "table_open": "tables",
    "image": "images",
    "link_open": "links",
    "list_item_open": "items",
}
_DIRECTIVE = {"figure": "images", "image": "images", "math": "math", "list-table": "tables"}


@cache
def parser() -> MarkdownIt:
    """MyST's own parser with the extensions of this book."""
    return create_md_parser(MdParserConfig(enable_extensions=set(MYST_EXTENSIONS)), RendererHTML)


def parse(text: str) -> list[Token]:
    """The tokens of a MyST text, as the build of the book sees them."""
    return parser().parse(text)


def directive_of(token: Token) -> tuple[str, str, str] | None:
    """Name, argument and body (without options) of the directive that a fence is, or None for code."""
    info = token.info.strip()
    if token.type not in ("fence", "colon_fence") or not info.startswith("{"):
        return None
    name, _, argument = info[1:].partition("}")
    lines = token.content.split("\n")
    start = 0
    while start < len(lines) and lines[start].startswith(":") and not lines[start].startswith(":::"):
        start += 1
    return name, argument.strip(), "\n".join(lines[start:])


def expand(tokens: Sequence[Token]) -> Iterator[Token]:
    """All tokens in reading order: those of inlines, and those inside directives that hold Markdown."""
    for token in tokens:
        yield token
        if token.children and token.type != "image":
            yield from expand(token.children)
        directive = directive_of(token)
        if directive and directive[0] not in ("math", "code-block", "code-cell"):
            yield from expand(parse(directive[2]))


def count(tokens: Sequence[Token]) -> dict[str, int]:
    """How many of each of `KINDS` the tokens hold, our own and MyST's alike.

    The cells of a list-table are no list items, and a gap counts as what it stands in for only in `Article.found`.
    """
    counts = dict.fromkeys(KINDS, 0)
    tables: list[int] = []
    depth = 0
    for token in expand(tokens):
        depth += token.nesting
        if tables and depth < tables[-1]:
            tables.pop()
        kind = _ONE.get(token.type)
        if token.type == "directive_open":
            kind = _DIRECTIVE.get(token.info)
            if token.info == "list-table":
                tables.append(depth)
        elif token.type in ("fence", "colon_fence") and (directive := directive_of(token)):
            kind = _DIRECTIVE.get(directive[0], "code" if directive[0].startswith("code") else None)
            if directive[0] == "list-table":
                counts["items"] -= sum(inner.type == "list_item_open" for inner in expand(parse(directive[2])))
        elif token.type == "list_item_open" and tables:
            kind = None
        elif token.type in ("role", "myst_role"):
            name = token.info or token.meta.get("name")
            kind = "math" if name == "math" else None
        if kind:
            counts[kind] += 1
    return counts
