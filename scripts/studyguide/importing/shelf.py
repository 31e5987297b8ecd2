"""What a book holds before a conversion: its plan, its chapters, and which of them tells a given article."""

from dataclasses import dataclass, field
from pathlib import Path

from studyguide.articles import fingerprint
from studyguide.book import chapter as chapters
from studyguide.book import curriculum as curricula
from studyguide.book.chapter import Chapter
from studyguide.book.curriculum import Curriculum
from studyguide.files import read_text
from studyguide.importing import writing
from studyguide.problem import ProblemError


@dataclass(frozen=True, slots=True)
class Shelved:
    """A chapter of the book as a conversion sees it."""

    chapter: Chapter
    text: str

    @property
    def name(self) -> str:
        """`part/id`."""
        return f"{self.chapter.part}/{self.chapter.id}"

    @property
    def imported(self) -> bool:
        """Whether this tool made it."""
        return bool(writing.seals(self.text)[0])

    @property
    def sources(self) -> set[str]:
        """Names of the articles that it tells."""
        return {article.source for article in self.chapter.articles}


@dataclass(slots=True)
class Shelf:
    """The plan of a book and its chapters by id."""

    plan: Curriculum
    chapters: dict[str, Shelved] = field(default_factory=dict)

    def tellers(self, texts: fingerprint.Texts) -> dict[int, list[Shelved]]:
        """For each text (by its index) the chapters that tell it: those this tool made first, then by id.

        Raises `ProblemError` (`bad-fingerprint`) for an entry of `articles` that is none.
        """
        found: dict[int, list[Shelved]] = {}
        for _, shelved in sorted(self.chapters.items(), key=lambda item: (not item[1].imported, item[0])):
            for article in shelved.chapter.articles:
                try:
                    matches = texts.matches(article.fingerprint)
                except ValueError as error:
                    line = shelved.chapter.lines.get("articles", 1)
                    raise ProblemError.at(shelved.chapter.path, line, "bad-fingerprint", str(error)) from None
                for n in matches:
                    tellers = found.setdefault(n, [])
                    if shelved not in tellers:
                        tellers.append(shelved)
        return found


def load(book: Path) -> Shelf:
    """The shelf of the book in folder `book`. Raises `ProblemError` with what is wrong in all of its chapters."""
    shelf, problems = Shelf(curricula.load(book)), []
    for path in chapters.find(book):
        try:
            text = read_text(path)
            shelf.chapters[path.stem] = Shelved(chapters.parse(text, path), text)
        except ProblemError as error:
            problems += error.problems
    if problems:
        raise ProblemError(problems)
    return shelf
