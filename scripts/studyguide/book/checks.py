"""Everything that must hold for a book before it is built."""

from pathlib import Path

from studyguide.book import bibliography, claims, outputs
from studyguide.book.cells import code_cells, notebook
from studyguide.book.chapter import Chapter
from studyguide.book.curriculum import Curriculum
from studyguide.files import read_text
from studyguide.problem import Problem


def check(chapters: list[Chapter], plan: Curriculum, book: Path) -> list[Problem]:
    """Problems of bibliography, claims, terms and articles over all chapters (those of the order: `toc.check`)."""
    keys, problems = bibliography.keys(book)
    terms: dict[str, Chapter] = {}
    for chapter in chapters:
        name = str(chapter.path)
        if chapter.claims or chapter.status == "complete":
            cells = code_cells(notebook(read_text(chapter.path), chapter.path))
            problems += claims.check(chapter, cells, keys)
        line = chapter.lines.get("concepts", 1)
        for term in chapter.concepts:
            if term in terms:
                message = f"`{term}` is defined by `{terms[term].id}` too; keep one definition"
                problems.append(Problem(name, line, "duplicate-term", message))
            terms[term] = chapter
        planned = plan.chapters.get(chapter.id)
        if planned and chapter.status == "complete":
            fixed = {concept.zh for concept in planned.concepts}
            problems += [
                Problem(name, line, "undefined-term", f"the curriculum gives `{term}` to this chapter; define it")
                for term in sorted(fixed - set(chapter.concepts))
            ]
            problems += [
                Problem(
                    name,
                    line,
                    "unknown-term",
                    f"`{term}` is not among this chapter's terms in the curriculum; add it there",
                )
                for term in sorted(set(chapter.concepts) - fixed)
            ]
            if planned.articles:
                message = f"`{chapter.id}` is written: move its `articles` to the chapter's front matter"
                problems.append(Problem(plan.path, planned.line, "article-twice", message))
    return problems


def stale(chapters: list[Chapter], book: Path) -> list[Problem]:
    """One problem per chapter whose frozen outputs do not belong to its cells."""
    problems = []
    for chapter in chapters:
        reason = outputs.stale(chapter, book)
        if reason:
            message = f"`{chapter.id}`: {reason}; run `make execute`"
            problems.append(Problem(str(chapter.path), 1, "stale-outputs", message))
    return problems
