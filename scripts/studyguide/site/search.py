"""The book's own search: the text of every section in one script, which the page scans.

Chinese has no spaces, so an index of words misses what its dictionary does not know. The whole text of a book of this
size is a few hundred kilobytes; scanning it finds everything, at once. Each page leaves its sections in a small file
beside the doctrees when it is written (by whichever process writes it), and these are joined when the build ends.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from docutils import nodes
from lxml import etree
from sphinx.application import Sphinx

from studyguide.files import read_text, write_atomic
from studyguide.site import tex
from studyguide.site.theming import sidebar_of

INDEX = "search-index.js"
# Reference lists repeat from chapter to chapter; a work is found where the text cites it.
_LEFT_OUT = (nodes.citation, nodes.comment, nodes.image, nodes.raw, nodes.system_message, nodes.target, nodes.meta)
_HAN = re.compile(r"[\u3400-\u9fff]")
_SENTENCE = re.compile(r"[^\x00-\x7f]+(?:[ \w,.()/+*=-]*[^\x00-\x7f]+)*")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{2,}")
TYPED = 24
"""Formulas of at most so many characters are found by what one types, longer ones by what the page shows."""
SHOWN = 12
"""Lines of an output that are searched; more are folded on the page."""
_QUIET_COMMANDS = {"left", "right", "mathbf", "mathrm", "mathcal", "mathbb", "boldsymbol", "operatorname", "text", "bm"}


@dataclass(slots=True)
class Unit:
    """A section as the search knows it."""

    anchor: str
    title: str
    blocks: list[str] = field(default_factory=list)
    """Paragraphs, cells, captions, code; a query is found inside one of them."""


def plain_tex(source: str) -> str:
    r"""TeX as somebody would type it into a search box: `\mathcal{O}(n^{2})` -> `O(n^2)`."""
    pieces = []
    for token in tex.tokens_of(source):
        name = token[1:].rstrip("*") if token.startswith("\\") else ""
        if name.isalpha():
            pieces.append("" if name in _QUIET_COMMANDS else name)
        elif token not in "{}" and not name:
            pieces.append("".join(token.split()))
    return "".join(pieces)


def shown_math(source: str) -> str:
    """The characters of a formula in the order in which the page has them."""
    try:
        markup = tex.to_mathml(tex.prepare(source).tex, False)
    except tex.TexError:
        return source
    text = "".join(etree.fromstring(markup).itertext())
    return "".join(char for char in text if char not in "\u2061\u2062\u2063\u2064")


def text_of(block: nodes.Element) -> list[str]:
    """The text of one block, then its formulas once more as they are typed."""
    pieces, formulas = [], []

    def walk(node: nodes.Node) -> None:
        if isinstance(node, (nodes.math, nodes.math_block)):
            pieces.append(shown_math(node.astext()))
            formulas.append(plain_tex(node.astext()))
        elif isinstance(node, nodes.footnote_reference):
            pieces.append(f"[{node.astext()}]")
        elif isinstance(node, nodes.Text):
            pieces.append(str(node))
        elif not isinstance(node, _LEFT_OUT):
            for child in node.children:
                walk(child)

    walk(block)
    whole = " ".join("".join(pieces).split())
    return [whole, *dict.fromkeys(f for f in formulas if len(f) <= TYPED and f not in whole)] if whole else []


def code_lines(code: str, seen: set[str]) -> list[str]:
    """What of a piece of code is searched: its Chinese, and of the rest the words new to the page.

    `seen`: words of the page so far; gains those of `code`. Whole programs would double the size of the index.
    """
    found = []
    for line in code.split("\n"):
        words = [word for word in _WORD.findall(line) if word not in seen]
        sentences = [sentence for sentence in _SENTENCE.findall(line) if _HAN.search(sentence)]
        found += [sentence for sentence in sentences if sentence not in seen]
        seen.update(sentences)
        if words:
            found.append(" ".join(dict.fromkeys(words)))
        seen.update(words)
    return found


def units_of(doctree: nodes.document) -> list[Unit]:
    """The sections of a page, in order; the first is the page itself."""
    first, seen = Unit("", ""), set()
    units = [first]

    def walk(node: nodes.Element, unit: Unit) -> None:
        for child in node.children:
            if isinstance(child, nodes.section):
                walk(child, open_section(child))
            elif isinstance(child, (nodes.literal_block, nodes.doctest_block)):
                if "output" in child["classes"]:
                    rows = child.astext().split("\n")[:SHOWN]
                    unit.blocks += [" ".join(row.split()) for row in rows if _HAN.search(row)]
                else:
                    unit.blocks += code_lines(child.astext(), seen)
            elif isinstance(child, nodes.TextElement):
                if not (isinstance(child, nodes.title) and isinstance(node, nodes.section)):
                    unit.blocks += text_of(child)
            elif not isinstance(child, _LEFT_OUT):
                walk(child, unit)

    def open_section(section: nodes.section) -> Unit:
        title = section.next_node(nodes.title)
        name = title.astext() if title is not None and title.parent is section else ""
        if not first.title:
            first.title = name
            return first
        units.append(Unit(section["ids"][0] if section["ids"] else "", name))
        return units[-1]

    walk(doctree, first)
    return units


def _leaf(app: Sphinx, docname: str) -> Path:
    return Path(app.doctreedir) / "search" / f"{docname}.json"


def leave(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """At `doctree-resolved`: write down the sections of this page."""
    if app.builder.name == "html":
        data = [[unit.anchor, unit.title, "\n".join(unit.blocks)] for unit in units_of(doctree)]
        # Written before the page itself: if the build stops in between, the page is written again next time.
        leaf = _leaf(app, docname)
        leaf.parent.mkdir(parents=True, exist_ok=True)
        leaf.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")


def _pages(app: Sphinx) -> Iterator[list]:
    order = [page.docname for section in sidebar_of(app).sections for page in section.pages]
    known = set(order)
    rest = sorted(doc for doc in app.env.found_docs if doc not in known)
    for docname in [*order, *rest]:
        path = _leaf(app, docname)
        if docname in app.env.found_docs and path.exists():
            section = sidebar_of(app).section_of(docname)
            yield [app.builder.get_target_uri(docname), section.accent if section else 0, json.loads(read_text(path))]


def write_index(app: Sphinx, exception: Exception | None) -> None:
    """At `build-finished`: join the pages' sections, in the order of the book."""
    if exception is None and app.builder.name == "html":
        pages = json.dumps(list(_pages(app)), ensure_ascii=False, separators=(",", ":"))
        write_atomic(Path(app.outdir) / INDEX, f"window.studyguidePages={pages};\n")


def replace_builtin(app: Sphinx) -> None:
    """At `builder-inited`: Sphinx's index of words is not made."""
    app.builder.search = False


def search_page(app: Sphinx):
    """At `html-collect-pages`: the page that shows results."""
    yield "search", {"title": "搜索"}, "search.html"


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("builder-inited", replace_builtin)
    app.connect("doctree-resolved", leave, priority=100)
    app.connect("html-collect-pages", search_page)
    app.connect("build-finished", write_index)
