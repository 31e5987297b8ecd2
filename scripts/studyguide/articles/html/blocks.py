"""The body of a page to block tokens."""

import re
from collections.abc import Callable, Iterator, Sequence

from markdown_it.token import Token

from studyguide.articles import tokens as make
from studyguide.articles.html import boxes, codes, inlines, maths, tables
from studyguide.articles.html.context import Context
from studyguide.articles.html.dom import BLOCKS, Element, classes, has_block, has_class, text_of
from studyguide.myst import inline as written

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_CONTENTS = re.compile(r"(?i)^\s*(?:\[toc\]|@\[toc\].*|\{:toc\}|\[\[toc\]\])\s*$")
_LABEL = re.compile(r"\\label\s*\{([^{}]+)\}")
_DIAGRAMS = frozenset(["mermaid", "plantuml", "flowchart", "sequence-diagram", "flow-chart"])
_DEEPEST = 120


def read(element: Element, page: Context, depth: int = 0) -> list[Token]:
    """The block tokens of all that stands in an element."""
    if depth > _DEEPEST:
        page.lose(element, "items: nested too deep to be kept")
        return []
    out: list[Token] = []
    run: list[Token] = []

    def flush() -> None:
        if run:
            out.extend(paragraphs(inlines.finish(run, page)))
            run.clear()

    if element.text:
        run.append(make.text(inlines.visible(element.text)))
    for child in element:
        if isinstance(child.tag, str):
            if _is_block(child):
                flush()
                more = block(child, page, depth + 1)
                if _continues(child) and out and more and out[-1].type == more[0].type.replace("open", "close"):
                    out.pop()
                    del more[0]
                out += more
            else:
                run += inlines.one(child, page)
        if child.tail:
            run.append(make.text(inlines.visible(child.tail)))
    flush()
    return out


def _is_block(element: Element) -> bool:
    tag = element.tag
    if tag in BLOCKS:
        return True
    if tag in ("math", "script", "svg", "mjx-container", "code", "img", "br"):
        return tag == "code" and element.getparent().tag != "p" and "\n" in (element.text or "") and next(element.iter("br"), None) is None
    if tag == "noscript":
        return False
    return len(element) > 0 and has_block(element) and maths.read(element) is None


def _continues(element: Element) -> bool:
    """Whether a list goes on with the one before: some exports make a list for each item."""
    before = element.getprevious()
    if element.tag not in ("ul", "ol") or before is None or before.tag != element.tag or (before.tail or "").strip():
        return False
    return bool(element.get("class")) and before.get("class") == element.get("class") and bool(element.get("id")) and len(element) == 1


def block(element: Element, page: Context, depth: int) -> list[Token]:
    """The block tokens of one block element."""
    if element in page.notes.refs:
        return make.paragraph([make.footnote_ref(page.notes.refs[element])])
    if codes.is_code(element):
        return _code(element, page)
    formula = maths.read(element)
    if formula is not None:
        return _display(element, *formula, page)
    if kind := boxes.admonition(element):
        return _admonition(element, kind, page, depth)
    handler = _HANDLERS.get(element.tag)
    if handler:
        return handler(element, page, depth)
    if element.tag == "code":
        page.found["code"] += 1
        return make.fence("".join(element.itertext()).strip("\n") + "\n", codes.language(element, element))
    if not _DIAGRAMS.isdisjoint(classes(element)):
        page.found["code"] += 1
        return make.fence("".join(element.itertext()).strip() + "\n", "mermaid")
    if element.tag == "a":
        return _card(element, page)
    tabs = boxes.tab_labels(element)
    if tabs:
        return _tabs(element, *tabs, page, depth)
    return read(element, page, depth)


def paragraphs(tokens: Sequence[Token]) -> list[Token]:
    """Paragraphs of inline tokens: two breaks begin another one, a displayed formula stands by itself."""
    out: list[Token] = []
    run: list[Token] = []
    depth = 0

    def flush() -> None:
        body = inlines.squeeze(run)
        if body and not _CONTENTS.match("".join(token.content for token in body)):
            out.extend(make.paragraph(body))
        run.clear()

    for at, token in enumerate(tokens):
        depth += token.nesting
        if token.type == "math_inline_double" and not depth:
            flush()
            out += formula_block(token.content)
        elif token.type == "hardbreak" and not depth and at + 1 < len(tokens) and tokens[at + 1].type == "hardbreak":
            flush()
        elif token.type == "hardbreak" and not run:
            continue
        else:
            run.append(token)
    flush()
    return out


def formula_block(tex: str) -> list[Token]:
    """A displayed formula; a single `\\label` becomes the label of the block."""
    names = _LABEL.findall(tex)
    if len(names) == 1:
        return make.math_block(_LABEL.sub("", tex).strip(), names[0])
    return make.math_block(tex)


def _display(element: Element, tex: str, display: bool, page: Context) -> list[Token]:
    if not tex:
        return []
    page.found["math"] += 1
    return formula_block(tex) if display else make.paragraph([make.math(tex)])


def _code(element: Element, page: Context) -> list[Token]:
    formula = next((inner for inner in element.iter("math", "mjx-container")), None)
    if formula is not None and element.tag == "div":
        return read(element, page)
    content, language, caption = codes.read(element)
    if not content.strip():
        return []
    page.found["code"] += 1
    if language in ("math", "latex-math"):
        page.found["code"] -= 1
        page.found["math"] += 1
        return formula_block(content.strip())
    title = make.paragraph(make.strong([make.text(caption)])) if caption and caption.lower() != language else []
    return title + make.fence(content, language)


def _paragraph(element: Element, page: Context, depth: int) -> list[Token]:
    if has_block(element):
        return read(element, page, depth)
    return paragraphs(inlines.read(element, page))


def _heading(element: Element, page: Context, depth: int) -> list[Token]:
    if next(element.iterdescendants("pre", "table", "p", "ul", "ol"), None) is not None:
        return read(element, page, depth)
    tokens = [token for token in inlines.read(element, page) if token.type != "hardbreak"]
    tokens = inlines.squeeze([_flat(token) for token in tokens])
    while tokens and tokens[-1].type == "text" and tokens[-1].content.rstrip().endswith(("¶", "#\ufe0e")):
        tokens[-1].content = tokens[-1].content.rstrip().rstrip("¶#\ufe0e")
        tokens = inlines.squeeze(tokens)
    pictures = [token for token in tokens if token.type == "image"]
    if pictures and len(tokens) == len(pictures):
        return make.paragraph(tokens)
    if not any(token.content.strip() for token in tokens):
        return []
    page.found["headings"] += 1
    ids = [inner.get("id") or inner.get("name") for inner in element.iter() if inner.get("id") or inner.get("name")]
    outer = element.getparent()
    if outer is not None and outer.tag in ("section", "div") and outer.get("id") and next(iter(outer), None) is element:
        ids.append(outer.get("id"))
    out = make.heading(int(element.tag[1]), tokens)
    if ids:
        out[0].meta = {"ids": ids}
        out[0].attrs["id"] = ids[0]
    return out


def _flat(token: Token) -> Token:
    """A displayed formula inside a heading or a cell stays in its line."""
    if token.type == "math_inline_double":
        token.type, token.markup = "math_inline", "$"
    return token


def _list(element: Element, page: Context, depth: int) -> list[Token]:
    if len(element) and all(len(child) == 1 and child[0].tag == "details" for child in element):
        return [token for child in element for token in read(child, page, depth + 1)]
    items: list[list[Token]] = []
    for child in element:
        if child.tag == "li":
            page.found["items"] += 1
            items.append(_item(child, page, depth))
        elif child.tag in ("ul", "ol") and items:
            items[-1] += _list(child, page, depth + 1)
        elif isinstance(child.tag, str) and (extra := read(child, page, depth) if child.tag in BLOCKS else paragraphs(inlines.finish(inlines.one(child, page), page))):
            items.append(extra) if not items else items[-1].extend(extra)
            if len(items) == 1 and items[0] is extra:
                page.found["items"] += 1
        if (child.tail or "").strip():
            text = make.paragraph([make.text(" ".join(child.tail.split()))], hidden=True)
            items[-1].extend(text) if items else items.append(text)
    if not any(items):
        page.found["items"] -= len(items)
        return []
    if element.tag == "ol":
        start = element.get("start") or "1"
        return make.ordered_list(items, int(start) if start.isdigit() and len(start) < 9 else 1)
    return make.bullet_list(items)


def _item(element: Element, page: Context, depth: int) -> list[Token]:
    tight = next(element.iterchildren("p", "div"), None) is None
    box = next((inner for inner in element.iter("input", "div", "span") if _is_checkbox(inner)), None)
    tokens = read(element, page, depth + 1)
    if tight:
        depth = 0
        for token in tokens:
            depth -= token.nesting == -1
            if not depth and token.type in ("paragraph_open", "paragraph_close"):
                token.hidden = True
            depth += token.nesting == 1
    if box is not None and next(box.iterancestors("li"), None) is element:
        first = next((token for token in tokens if token.type == "inline"), None)
        if first is None:
            tokens = make.paragraph([], hidden=True) + tokens
            first = tokens[1]
        first.children.insert(0, make.checkbox(_is_checked(box)))
    return tokens


def _is_checkbox(element: Element) -> bool:
    return element.get("type") == "checkbox" if element.tag == "input" else has_class(element, "checkbox")


def _is_checked(box: Element) -> bool:
    return box.get("checked") is not None or has_class(box, "checkbox-on", "checked")


def _blockquote(element: Element, page: Context, depth: int) -> list[Token]:
    body = read(element, page, depth)
    return make.blockquote(body) if body else []


def _figure(element: Element, page: Context, depth: int) -> list[Token]:
    caption = next(element.iter("figcaption"), None)
    pictures = list(element.iter("img"))
    if caption is None or len(pictures) != 1 or next(element.iterdescendants("table", "pre"), None) is not None:
        return read(element, page, depth)
    if caption in pictures[0].iterancestors():
        return read(element, page, depth)
    shown = inlines.one(pictures[0], page)
    if not shown or shown[0].type != "image":
        return paragraphs(shown) + read(caption, page, depth)
    text = paragraphs(inlines.read(caption, page))
    if not text:
        return make.paragraph(shown)
    alt = shown[0].content
    options = {"alt": alt} if alt and alt != text_of(caption) else {}
    return make.directive("figure", text, argument=str(shown[0].attrs["src"]), options=options)


def _table(element: Element, page: Context, depth: int) -> list[Token]:
    grid = tables.grid(element)
    if grid is None:
        return [token for row in _cells(element) for token in read(row, page, depth)]
    page.found["tables"] += 1
    title = [] if grid.caption is None else [_flat(token) for token in inlines.read(grid.caption, page)]
    if grid.spans or grid.blocks or grid.head > 1:
        return _list_table(grid, written.render(title, one_line=True), page, depth)
    caption = make.paragraph(make.strong(title)) if title else []
    rows = [[[_flat(token) for token in inlines.read(cell, page)] if cell is not None else [] for cell in row] for row in grid.rows]
    if grid.head or tables.reads_as_head(grid):
        return caption + make.table(rows[0], rows[1:], grid.align)
    return caption + make.table([[] for _ in rows[0]], rows, grid.align)


def _cells(table: Element) -> Iterator[Element]:
    return (cell for cell in table.iter("td", "th", "caption") if next(cell.iterancestors("table"), None) is table)


def _list_table(grid: tables.Grid, title: str, page: Context, depth: int) -> list[Token]:
    rows = []
    for row in grid.rows:
        cells = [read(cell, page, depth + 1) if cell is not None else [] for cell in row]
        rows.append(make.bullet_list(_tight(cell) for cell in cells))
    return make.directive("list-table", make.bullet_list(rows), title, options={"header-rows": str(grid.head)})


def _tight(tokens: list[Token]) -> list[Token]:
    if sum(token.type == "paragraph_open" for token in tokens) == 1:
        for token in tokens:
            token.hidden = token.type in ("paragraph_open", "paragraph_close")
    return tokens


def _definitions(element: Element, page: Context, depth: int) -> list[Token]:
    entries: list[tuple[list[Token], list[list[Token]]]] = []
    parts = [part for child in element for part in (child if child.tag == "div" else [child]) if part.tag in ("dt", "dd")]
    for part in parts:
        if part.tag == "dt":
            term = [_flat(token) for token in inlines.read(part, page) if token.type != "hardbreak"]
            if entries and not entries[-1][1]:
                entries[-1][0].extend([make.text("、"), *term])
            else:
                entries.append((term, []))
        else:
            body = read(part, page, depth)
            if not body:
                continue
            if not entries or not entries[-1][0]:
                return read(element, page, depth) if not entries else body
            entries[-1][1].append(body if next(part.iterchildren("p"), None) is not None else _tight(body))
    out: list[Token] = []
    for term, bodies in entries:
        if term and bodies:
            out += make.definition_list([(term, bodies)])
        elif term:
            out += make.paragraph(make.strong(term))
    return _merged(out)


def _merged(tokens: list[Token]) -> list[Token]:
    """Definition lists that follow each other made one."""
    out: list[Token] = []
    for token in tokens:
        if token.type == "dl_open" and out and out[-1].type == "dl_close":
            out.pop()
        else:
            out.append(token)
    return out


def _admonition(element: Element, kind: str, page: Context, depth: int) -> list[Token]:
    boxes.drop_icons(element)
    title = boxes.title(element)
    argument = ""
    if title is not None:
        tokens = [token for token in inlines.read(title, page) if token.type not in ("image", "hardbreak")]
        tail = title.tail
        title.clear()
        title.tail = tail
        label = "".join(token.content for token in tokens)
        argument = "" if boxes.says_only_kind(label) else written.render(tokens, one_line=True)
    body = read(element, page, depth)
    if not body:
        return make.paragraph([make.text(argument)]) if argument else []
    if argument:
        return make.directive("admonition", body, argument, {"class": kind})
    return make.directive(kind, body)


def _details(element: Element, page: Context, depth: int) -> list[Token]:
    summary = next(element.iterchildren("summary"), None)
    tokens: list[Token] = []
    if summary is not None:
        tokens = [_flat(token) for token in inlines.read(summary, page) if token.type not in ("image", "hardbreak")]
        tail = summary.tail
        summary.clear()
        summary.tail = tail
    argument = written.render(tokens, one_line=True) or "展开"
    body = read(element, page, depth)
    return make.directive("admonition", body, argument, {"class": "dropdown"}) if body else []


def _tabs(element: Element, row: Element, labels: list[str], page: Context, depth: int) -> list[Token]:
    """The panels one under the other, each under its label."""
    from_row = row.getnext()
    panels = [panel for panel in element if panel is not row]
    if len(panels) == 1 and len(labels) > 1:
        panels = [panel for panel in panels[0]]
    out: list[Token] = []
    for at, panel in enumerate(panels if from_row is not None else []):
        body = block(panel, page, depth + 1)
        if body and at < len(labels) and not (body[0].type == "fence" and len(body) == 1 and body[0].info == labels[at].lower()):
            out += make.paragraph(make.strong([make.text(labels[at])]))
        out += body
    return out


def _card(element: Element, page: Context) -> list[Token]:
    """A link around whole blocks: its pictures, then one line that leads where it leads."""
    out: list[Token] = []
    for picture in element.iter("img"):
        out += paragraphs(inlines.one(picture, page))
    text = " ".join(" ".join(part.split()) for part in element.itertext() if part.strip())
    if text:
        out += paragraphs(inlines.linked(element, [make.text(text)], page))
    return out


def _embed(element: Element, page: Context, depth: int) -> list[Token]:
    return paragraphs(inlines.one(element, page))


def _rule(element: Element, page: Context, depth: int) -> list[Token]:
    return make.rule()


_HANDLERS: dict[str, Callable[[Element, Context, int], list[Token]]] = {
    "p": _paragraph,
    **dict.fromkeys(_HEADINGS, _heading),
    "ul": _list,
    "ol": _list,
    "menu": _list,
    "dir": _list,
    "blockquote": _blockquote,
    "figure": _figure,
    "table": _table,
    "dl": _definitions,
    "details": _details,
    "hr": _rule,
    "iframe": _embed,
    "video": _embed,
    "audio": _embed,
}
