"""Lists of every kind: nested in the right place or beside it, tight and loose, with boxes to tick, of terms."""

from collections.abc import Callable

from markdown_it.token import Token

from studyguide.articles import tokens as make
from studyguide.articles.html import inlines
from studyguide.articles.html.context import Context
from studyguide.articles.html.dom import Element, has_class

Reader = Callable[[Element, Context, int], list[Token]]
"""Reads the blocks inside an element, at a depth."""


def read(element: Element, page: Context, depth: int, blocks: Reader) -> list[Token]:
    """A list; `blocks` reads what stands in its items."""
    if len(element) and all(len(child) == 1 and child[0].tag == "details" for child in element):
        return [token for child in element for token in blocks(child, page, depth + 1)]
    items: list[list[Token]] = []
    for child in element:
        if child.tag == "li":
            page.found["items"] += 1
            items.append(_item(child, page, depth, blocks))
        elif child.tag in ("ul", "ol") and items:
            items[-1] += read(child, page, depth + 1, blocks)
        elif extra := _stray(child, page, depth, blocks):
            if items:
                items[-1] += extra
            else:
                page.found["items"] += 1
                items.append(extra)
        if (child.tail or "").strip():
            text = make.paragraph([make.text(" ".join(child.tail.split()))], hidden=True)
            items[-1].extend(text) if items else items.append(text)
    if not items:
        return []
    if element.tag == "ol":
        start = element.get("start") or "1"
        return make.ordered_list(items, int(start) if start.isdigit() and len(start) < 10 else 1)
    return make.bullet_list(items)


def _item(element: Element, page: Context, depth: int, blocks: Reader) -> list[Token]:
    tight = next(element.iterchildren("p", "div"), None) is None
    box = next((inner for inner in element.iter("input", "div", "span") if _is_checkbox(inner)), None)
    tokens = blocks(element, page, depth + 1)
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


def _stray(element: Element, page: Context, depth: int, blocks: Reader) -> list[Token]:
    """What stands in a list without being an item."""
    holder = element.makeelement("div")
    tail, element.tail = element.tail, None
    holder.append(element)
    tokens = blocks(holder, page, depth)
    element.tail = tail
    return tokens


def tight(tokens: list[Token]) -> list[Token]:
    """Blocks with their paragraph hidden, if there is only one."""
    if sum(token.type == "paragraph_open" for token in tokens) == 1:
        for token in tokens:
            token.hidden = token.type in ("paragraph_open", "paragraph_close")
    return tokens


def definitions(element: Element, page: Context, depth: int, blocks: Reader) -> list[Token]:
    """A definition list; a term without a definition becomes a strong line."""
    entries: list[tuple[list[Token], list[list[Token]]]] = []
    parts = [
        part for child in element for part in (child if child.tag == "div" else [child]) if part.tag in ("dt", "dd")
    ]
    for part in parts:
        if part.tag == "dt":
            term = [inlines.flat(token) for token in inlines.read(part, page) if token.type != "hardbreak"]
            if entries and not entries[-1][1]:
                entries[-1][0].extend([make.text("、"), *term])
            else:
                entries.append((term, []))
        else:
            body = blocks(part, page, depth)
            if not body:
                continue
            if not entries or not entries[-1][0]:
                return blocks(element, page, depth) if not entries else body
            entries[-1][1].append(body if next(part.iterchildren("p"), None) is not None else tight(body))
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
