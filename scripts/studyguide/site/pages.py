"""Pages that are made from data: articles and their chapters, claims and their evidence, the glossary."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from studyguide.book import outputs
from studyguide.site.book import Book, book_of

EVIDENCE_NAMES = {"cell": "本书代码", "lab": "GPU 实测", "cited": "文献"}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; a pipe inside a cell is escaped."""

    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cell.replace("\n", " ").replace("|", "\\|") or " " for cell in cells) + " |"

    head = list(head)
    return "\n".join([line(head), "|" + " --- |" * len(head), *map(line, rows)])


def articles(book: Book) -> str:
    """Markdown: per part, every article with its source, the chapter that tells it, and what was corrected."""
    sections = []
    for part, number in book.plan.numbers():
        rows = []
        for chapter in book.members(part.id):
            for article in chapter.articles:
                rows.append((f"`{article.source}`", f"{{chapter}}`{chapter.id}`", article.corrected))
        for planned in part.chapters:
            if planned.id not in book.chapters:
                rows += [(f"`{a['source']}`", f"{{chapter}}`{planned.id}`", "编写中") for a in planned.articles]
        if rows:
            body = table(("文章", "章节", "更正与补充"), rows)
            sections.append(f"## {number}　{part.title}\n\n{body}")
    return "\n\n".join(sections)


def claim_table(book: Book) -> str:
    """Markdown: every claim with its source, its evidence, the measured value, and where and when for labs."""
    rows = []
    for chapter in book.chapters.values():
        for proof in book.evidence(chapter):
            kind = EVIDENCE_NAMES[proof.claim.evidence]
            cite = f"{{cite}}`{proof.claim.cite}`" if proof.claim.cite else ""
            value = f"`` {proof.value} ``" if proof.value else ""
            rows.append((f"{{chapter}}`{chapter.id}`", proof.claim.text, cite, kind, value, proof.where))
    return table(("章节", "主张", "出处", "证据", "实测值", "设备与日期"), rows)


def glossary(book: Book) -> str:
    """Markdown: a glossary of the terms that chapters define, per part, with English and other names."""
    names = {c.zh: c for chapter in book.plan.chapters.values() for c in chapter.concepts}
    sections = []
    for part, number in book.plan.numbers():
        entries = []
        for chapter in book.members(part.id):
            for term, definition in chapter.concepts.items():
                concept = names.get(term)
                others = [n for n in (concept.en, *concept.aliases) if n and n != term] if concept else []
                english = f"*{'，'.join(dict.fromkeys(others))}*。" if others else ""
                entries.append(f"{term}\n  {english}{definition}（{{chapter}}`{chapter.id}`）")
        if entries:
            body = "\n\n".join(entries)
            sections.append(f"## {number}　{part.title}\n\n````{{glossary}}\n{body}\n````")
    return "\n\n".join(sections)


def status(book: Book) -> str:
    """Markdown: every chapter with when it last ran, how long, with how much memory and which libraries."""
    rows = []
    for chapter in book.chapters.values():
        path = outputs.path_of(book.folder, chapter)
        frozen, record = outputs.load(path), outputs.load_record(path)
        if frozen is None:
            continue
        versions = outputs.Key.from_json(frozen.metadata[outputs.META]).versions
        rows.append(
            (
                f"{{chapter}}`{chapter.id}`",
                record.get("date", ""),
                f"{record['seconds']} s" if "seconds" in record else "",
                f"{record['peak_bytes'] / 2**20:.0f} MiB" if "peak_bytes" in record else "",
                "，".join(f"{name} {version}" for name, version in sorted(versions.items())),
            )
        )
    return table(("章节", "日期", "用时", "内存峰值", "用到的库"), rows)


class _Page(SphinxDirective):
    """A directive whose content is Markdown made from the book's data."""

    def content_of(self, book: Book) -> str:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Parse the Markdown; the page is read again when any chapter or the plan changes."""
        book = book_of(self.env.app)
        for path in filter(Path.exists, self.files(book)):
            self.env.note_dependency(str(path))
        return self.parse_text_to_nodes(self.content_of(book), allow_section_headings=True)

    def files(self, book: Book) -> Iterator[Path]:
        yield book.folder / book.plan.path
        for chapter in book.chapters.values():
            yield chapter.path
            path = outputs.path_of(book.folder, chapter)
            yield path
            yield path.with_suffix(".json")


class ArticlesPage(_Page):
    """`{book-articles}`."""

    def content_of(self, book: Book) -> str:
        return articles(book)


class ClaimsPage(_Page):
    """`{book-claims}`: a table that the page's script makes sortable."""

    def content_of(self, book: Book) -> str:
        return claim_table(book)

    def run(self) -> list[nodes.Node]:
        """The table with the class that the script looks for."""
        made = super().run()
        for node in made:
            for found in node.findall(nodes.table):
                found["classes"].append("sortable")
        return made


class GlossaryPage(_Page):
    """`{book-glossary}`."""

    def content_of(self, book: Book) -> str:
        return glossary(book)


class StatusPage(_Page):
    """`{book-status}`."""

    def content_of(self, book: Book) -> str:
        return status(book)


def always_read(app: Sphinx, env, added, changed, removed) -> list[str]:
    """At `env-get-outdated`: a chapter that came or went changes these pages, though no file of theirs changed."""
    return [name for name in env.found_docs if name.startswith("chapters/about/")] if added or removed else []


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.add_directive("book-articles", ArticlesPage)
    app.add_directive("book-claims", ClaimsPage)
    app.add_directive("book-glossary", GlossaryPage)
    app.add_directive("book-status", StatusPage)
    app.connect("env-get-outdated", always_read)
