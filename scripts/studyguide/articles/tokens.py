"""Constructors of the tokens that make up an article, shared by all readers.

A block is a list of tokens, an inline a single token or a list; every function returns fresh tokens.
"""

from collections.abc import Iterable, Mapping, Sequence

from markdown_it.token import Token

Block = list[Token]
Inline = list[Token]


def text(content: str) -> Token:
    """Plain text; the writer escapes whatever Markdown would read into it."""
    return Token("text", "", 0, content=content)


def code(content: str) -> Token:
    """A code span."""
    return Token("code_inline", "code", 0, content=content, markup="`")


def math(tex: str) -> Token:
    """A formula inside a line; `tex` without delimiters."""
    return Token("math_inline", "math", 0, content=tex, markup="$")


def hardbreak() -> Token:
    """A forced line break."""
    return Token("hardbreak", "br", 0)


def softbreak() -> Token:
    """A line break of the source that means a space, or nothing between Han characters."""
    return Token("softbreak", "br", 0)


def role(name: str, content: str) -> Token:
    """A MyST role; the writer knows which names are harmless and writes others as text."""
    return Token("role", "", 0, info=name, content=content)


def gap(what: str) -> Token:
    """The visible mark of something that the source lost, e.g. `[公式]`."""
    return Token("gap", "", 0, content=what)


def image(src: str, alt: str = "", title: str = "") -> Token:
    """An image; `src` is an http(s) address or a name in `Article.assets`."""
    attrs = {"src": src, "alt": ""} | ({"title": title} if title else {})
    return Token("image", "img", 0, attrs=attrs, content=alt, children=[text(alt)] if alt else [])


def wrap(name: str, tag: str, children: Iterable[Token]) -> Inline:
    """`children` between `name_open` and `name_close`."""
    return [Token(f"{name}_open", tag, 1), *children, Token(f"{name}_close", tag, -1)]


def em(children: Iterable[Token]) -> Inline:
    """Emphasis."""
    return wrap("em", "em", children)


def strong(children: Iterable[Token]) -> Inline:
    """Strong emphasis."""
    return wrap("strong", "strong", children)


def strike(children: Iterable[Token]) -> Inline:
    """Struck-out text."""
    return wrap("s", "s", children)


def link(href: str, children: Iterable[Token], title: str = "") -> Inline:
    """A link to an http(s) or mailto address, or to `#id` of a heading of the same article."""
    attrs = {"href": href} | ({"title": title} if title else {})
    return [Token("link_open", "a", 1, attrs=attrs), *children, Token("link_close", "a", -1)]


def checkbox(checked: bool) -> Token:
    """The box at the beginning of a task list item, as the task list plugin makes it."""
    state = 'checked="checked" ' if checked else ""
    content = f'<input class="task-list-item-checkbox" {state}disabled="disabled" type="checkbox">'
    return Token("html_inline", "", 0, content=content)


def footnote_ref(label: str) -> Token:
    """A reference `[^label]`."""
    return Token("footnote_ref", "", 0, meta={"label": label})


def inline(children: Sequence[Token]) -> Token:
    """The token that holds the inline tokens of a block."""
    return Token("inline", "", 0, children=list(children), content="".join(child.content for child in children))


def paragraph(children: Sequence[Token], hidden: bool = False) -> Block:
    """A paragraph; `hidden` in the items of a tight list."""
    return [
        Token("paragraph_open", "p", 1, block=True, hidden=hidden),
        inline(children),
        Token("paragraph_close", "p", -1, block=True, hidden=hidden),
    ]


def heading(level: int, children: Sequence[Token], id: str = "") -> Block:
    """A heading; links to `#id` of the article find it by `id`."""
    tag = f"h{level}"
    attrs = {"id": id} if id else {}
    return [
        Token("heading_open", tag, 1, block=True, attrs=attrs, markup="#" * level),
        inline(children),
        Token("heading_close", tag, -1, block=True, markup="#" * level),
    ]


def fence(content: str, language: str = "") -> Block:
    """A code block; `content` ends with a line end."""
    return [Token("fence", "code", 0, block=True, content=content, info=language, markup="```")]


def math_block(tex: str, label: str = "") -> Block:
    """A displayed formula, with a label that the text may refer to."""
    if label:
        return [Token("math_block_label", "math", 0, block=True, content=tex, info=label, markup="$$")]
    return [Token("math_block", "math", 0, block=True, content=tex, markup="$$")]


def rule() -> Block:
    """A thematic break."""
    return [Token("hr", "hr", 0, block=True, markup="***")]


def block(name: str, tag: str, blocks: Iterable[Token], **fields: object) -> Block:
    """`blocks` between `name_open` and `name_close`; `fields` are those of the opening token."""
    return [
        Token(f"{name}_open", tag, 1, block=True, **fields),
        *blocks,
        Token(f"{name}_close", tag, -1, block=True),
    ]


def blockquote(blocks: Iterable[Token]) -> Block:
    """A quotation."""
    return block("blockquote", "blockquote", blocks)


def bullet_list(items: Iterable[Sequence[Token]]) -> Block:
    """A bullet list; each item is its blocks."""
    return block("bullet_list", "ul", [token for item in items for token in block("list_item", "li", item)])


def ordered_list(items: Iterable[Sequence[Token]], start: int = 1) -> Block:
    """A numbered list; each item is its blocks."""
    attrs = {} if start == 1 else {"start": start}
    body = [token for item in items for token in block("list_item", "li", item)]
    return block("ordered_list", "ol", body, attrs=attrs)


def definition_list(entries: Iterable[tuple[Sequence[Token], Sequence[Sequence[Token]]]]) -> Block:
    """A definition list of (inline tokens of the term, blocks of each definition)."""
    body: Block = []
    for term, definitions in entries:
        body += block("dt", "dt", [inline(term)])
        for definition in definitions:
            body += block("dd", "dd", definition)
    return block("dl", "dl", body)


def table(
    head: Sequence[Sequence[Token]], rows: Iterable[Sequence[Sequence[Token]]], align: Sequence[str] = ()
) -> Block:
    """A table of inline cells; `align` holds `left`, `center`, `right` or nothing for each column."""

    def row(cells: Sequence[Sequence[Token]], tag: str) -> Block:
        body: Block = []
        for column, cell in enumerate(cells):
            side = align[column] if column < len(align) else ""
            attrs = {"style": f"text-align:{side}"} if side else {}
            body += block(tag, tag, [inline(cell)], attrs=attrs)
        return block("tr", "tr", body)

    body = [token for cells in rows for token in row(cells, "td")]
    return block(
        "table", "table", block("thead", "thead", row(head, "th")) + (block("tbody", "tbody", body) if body else [])
    )


def footnote(label: str, blocks: Iterable[Token]) -> Block:
    """The text of footnote `label`."""
    return block("footnote_reference", "", blocks, meta={"label": label})


def directive(
    name: str, blocks: Iterable[Token] = (), argument: str = "", options: Mapping[str, str] | None = None
) -> Block:
    """A MyST directive around blocks; the writer knows which names are harmless.

    `argument` is Markdown that is already written for admonitions (see `myst.inline.render`), a path for figures.
    """
    meta = {"argument": argument, "options": dict(options or {})}
    return block("directive", "div", blocks, info=name, meta=meta)
