"""Chapter numbers that run through the whole book: 1, 2, 3 … and A, B, C … in the appendix.

Sphinx numbers each numbered toctree from one, and the parts of a Jupyter Book are toctrees of their own. The collector
that numbers sections (sphinx-external-toc's, which took the place of Sphinx's) is replaced by a subclass that starts
from the book's own chapter numbers; figures, tables, equations and exercises follow.
"""

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors.toctree import TocTreeCollector
from sphinx.errors import ExtensionError

from studyguide.book.curriculum import chinese_number
from studyguide.site.book import Book, book_of

Number = tuple[int | str, ...]


def chapter_numbers(book: Book) -> dict[str, int | str]:
    """docname -> 1, 2, 3 …, or A, B, C … in the appendix, for every written chapter."""
    numbers, count, letters = {}, 0, 0
    for part_id, members in book.arranged:
        appendix = book.plan.part(part_id).appendix
        for chapter in members:
            if appendix:
                numbers[f"chapters/{part_id}/{chapter.id}"] = letter(letters)
                letters += 1
            else:
                count += 1
                numbers[f"chapters/{part_id}/{chapter.id}"] = count
    return numbers


def letter(n: int) -> str:
    """0 -> A, 25 -> Z, 26 -> AA."""
    head, tail = divmod(n, 26)
    return (letter(head - 1) if head else "") + chr(ord("A") + tail)


def spoken(number: int | str) -> str:
    """A chapter's number as its heading says it: 第十二章, 附录 A."""
    if isinstance(number, str):
        return f"附录 {number}"
    return f"第{chinese_number(number)}章" if number < 100 else f"第 {number} 章"


def number_sections(toc: nodes.Node, chapter: int | str) -> dict[str, Number]:
    """Anchor -> number for the sections of one chapter, "" being the chapter itself.

    `toc`: the chapter's entry in `env.tocs`; its references learn their numbers too.
    """
    numbers: dict[str, Number] = {}

    def walk(node: nodes.Element, prefix: Number) -> None:
        count = 0
        for item in node.children:
            if not isinstance(item, nodes.list_item):
                continue
            count += 1
            number = (*prefix, count) if prefix else (chapter,)
            for child in item.children:
                if isinstance(child, addnodes.compact_paragraph):
                    reference = child[0]
                    numbers[reference["anchorname"]] = number
                    reference["secnumber"] = number
                elif isinstance(child, nodes.bullet_list):
                    walk(child, number)

    walk(toc, ())
    return numbers


class ChapterNumbers(TocTreeCollector):
    """Sphinx's collector with the book's chapter numbers in place of the toctrees' own."""

    book: Book

    def assign_section_numbers(self, env: BuildEnvironment) -> list[str]:
        """Number every chapter and its sections; returns the pages whose numbers changed."""
        before, env.toc_secnumbers = env.toc_secnumbers, {}
        for docname, number in chapter_numbers(self.book).items():
            if docname in env.tocs:
                env.toc_secnumbers[docname] = number_sections(env.tocs[docname], number)
                env.titles[docname]["secnumber"] = (number,)
        return [doc for doc in env.tocs if env.toc_secnumbers.get(doc) != before.get(doc)]


def replace_collector(app: Sphinx) -> None:
    """At `builder-inited`: our collector takes the place of Sphinx's.

    Raises `ExtensionError` if Sphinx no longer numbers sections in that collector.
    """
    handlers = [listener.handler for listener in app.events.listeners.get("env-get-updated", ())]
    owners = [owner for h in handlers if isinstance(owner := getattr(h, "__self__", None), TocTreeCollector)]
    if len(owners) != 1:
        raise ExtensionError("numbers.py expects exactly one TocTreeCollector; see what this version of Sphinx does")
    owners[0].disable(app)
    ChapterNumbers.book = book_of(app)
    app.add_env_collector(ChapterNumbers)


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("builder-inited", replace_collector, priority=200)
