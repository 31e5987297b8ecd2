"""The book as the Sphinx extensions see it: plan and chapters, read once per build."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import SphinxError

from studyguide.book import checks, claims, outputs, toc
from studyguide.book import curriculum as curricula
from studyguide.book.cells import code_cells, notebook
from studyguide.book.chapter import Chapter
from studyguide.book.curriculum import Curriculum
from studyguide.commands import near
from studyguide.files import read_text
from studyguide.problem import ProblemError


class BookError(SphinxError):
    """What is wrong in the book, one line per problem."""

    category = "Problems in the book"


@dataclass
class Book:
    """A book on disk."""

    folder: Path
    plan: Curriculum
    arranged: list[tuple[str, list[Chapter]]]
    """(part id, its chapters in reading order) for the parts that have chapters."""

    @cached_property
    def chapters(self) -> dict[str, Chapter]:
        """Every written chapter by id, in reading order."""
        return {chapter.id: chapter for _, members in self.arranged for chapter in members}

    def members(self, part_id: str) -> list[Chapter]:
        """The chapters of a part in reading order."""
        return next((members for part, members in self.arranged if part == part_id), [])

    def evidence(self, chapter: Chapter) -> list[claims.Evidence]:
        """The chapter's claims with what was measured for them."""
        if not chapter.claims:
            return []
        cells = code_cells(notebook(read_text(chapter.path), chapter.path))
        frozen = outputs.load(outputs.path_of(self.folder, chapter))
        return claims.evidence(chapter, cells, frozen, self.folder)

    def measured(self, chapter: Chapter) -> dict[str, str]:
        """Measured value of each claim of the chapter by the claim's id."""
        return {proof.claim.id: proof.value for proof in self.evidence(chapter)}

    @cached_property
    def planned_terms(self) -> set[str]:
        """Terms of the plan that no chapter defines yet: their chapter is not written, or a draft."""
        defined = {term for chapter in self.chapters.values() for term in chapter.concepts}
        return {c.zh for planned in self.plan.chapters.values() for c in planned.concepts} - defined

    def chapter_at(self, docname: str) -> Chapter | None:
        """The chapter whose page is `docname`, or None for other pages."""
        parts = docname.split("/")
        found = self.chapters.get(parts[-1])
        return found if found and len(parts) == 3 and parts[1] == found.part else None


def load(app: Sphinx) -> None:
    """At `builder-inited`: read the book. Raises `BookError` with all that is wrong in it."""
    folder = Path(app.srcdir)
    try:
        plan = curricula.load(folder)
        found = toc.read_all(folder)
        arranged = toc.arrange(found, plan)
        problems = checks.check(found, plan, folder)
        if problems:
            raise ProblemError(problems)
    except ProblemError as error:
        here = f"{near(folder)}/".removeprefix("./")
        raise BookError(str(error).replace(f"{folder}/", here)) from None
    app.studyguide = Book(folder, plan, arranged)


def book_of(app: Sphinx) -> Book:
    """The book that `load` read."""
    return app.studyguide


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("builder-inited", load, priority=100)
