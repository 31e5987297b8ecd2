"""The table of contents: from the curriculum and the chapters' front matter to `_toc.yml`."""

from collections.abc import Iterable, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import yaml

from studyguide.book import chapter as chapters
from studyguide.book import curriculum as curricula
from studyguide.book.chapter import Chapter
from studyguide.book.curriculum import Curriculum
from studyguide.files import write_atomic
from studyguide.problem import Problem, ProblemError

ABOUT = "关于本书"
"""Caption of the pages below `chapters/about`, which are no chapters."""
ABOUT_ORDER = ("how-to-add", "articles", "claims", "glossary", "status")


def order(part_chapters: Sequence[Chapter], position: dict[str, int]) -> list[Chapter]:
    """The chapters of one part in reading order: topological by `requires`, then weight, place in the plan, id.

    `position`: place of each planned chapter. Raises `ProblemError` (`cycle`).
    """
    here = {chapter.id: chapter for chapter in part_chapters}

    def rank(chapter_id: str):
        return (here[chapter_id].weight, position.get(chapter_id, len(position)), chapter_id)

    sorter = TopologicalSorter({c.id: [r for r in c.requires if r in here] for c in part_chapters})
    try:
        sorter.prepare()
    except CycleError as error:
        ring = error.args[1]
        first = here[ring[0]]
        message = f"`requires` runs in a circle: {' -> '.join(reversed(ring))}; remove one of these"
        raise ProblemError.at(first.path, first.lines.get("requires", 1), "cycle", message) from None
    result, ready = [], []
    while sorter.is_active():
        ready = sorted([*ready, *sorter.get_ready()], key=rank)
        result.append(here[ready.pop(0)])
        sorter.done(result[-1].id)
    return result


def check(found: Iterable[Chapter], plan: Curriculum) -> list[Problem]:
    """What is wrong between chapters: unknown parts, duplicate ids, requirements that are unknown or come too late."""
    problems = []
    parts = {part.id: n for n, part in enumerate(plan.parts)}
    appendix = {part.id for part in plan.parts if part.appendix}
    by_id: dict[str, Chapter] = {}

    def problem(chapter: Chapter, key: str, code: str, message: str) -> None:
        problems.append(Problem(str(chapter.path), chapter.lines.get(key, 1), code, message))

    found = list(found)
    for chapter in found:
        if chapter.part not in parts:
            known = ", ".join(parts)
            problem(chapter, "title", "unknown-part", f"the curriculum has no part `{chapter.part}`; parts: {known}")
        if chapter.id in by_id:
            other = by_id[chapter.id].path
            problem(chapter, "title", "duplicate-id", f"`{other}` has the same id; rename one of the files")
        by_id[chapter.id] = chapter
        planned = plan.chapters.get(chapter.id)
        if planned and planned.part != chapter.part:
            problem(
                chapter, "title", "wrong-part", f"the curriculum has `{chapter.id}` in `{planned.part}`; move the file"
            )
    for chapter in found:
        for need in chapter.requires:
            part = by_id[need].part if need in by_id else getattr(plan.chapters.get(need), "part", None)
            if part is None:
                message = f"requires `{need}`, which is neither a chapter nor planned; correct the id or add it"
                problem(chapter, "requires", "unknown-chapter", message)
            elif need == chapter.id:
                problem(chapter, "requires", "cycle", f"`{need}` requires itself; remove it")
            elif part in parts and chapter.part in parts and part not in appendix and parts[part] > parts[chapter.part]:
                message = f"requires `{need}`, which comes in a later part; remove it or move the chapter"
                problem(chapter, "requires", "late-requirement", message)
    return problems


def arrange(found: Iterable[Chapter], plan: Curriculum) -> list[tuple[str, list[Chapter]]]:
    """Parts that have chapters, in the curriculum's order: (part id, its chapters in reading order).

    Raises `ProblemError` with all that `check` finds.
    """
    found = list(found)
    problems = check(found, plan)
    if problems:
        raise ProblemError(problems)
    position = {chapter_id: n for n, chapter_id in enumerate(plan.chapters)}
    arranged = []
    for part in plan.parts:
        members = order([c for c in found if c.part == part.id], position)
        if members:
            arranged.append((part.id, members))
    return arranged


def render(arranged: list[tuple[str, list[Chapter]]], plan: Curriculum, about: Sequence[str]) -> str:
    """`_toc.yml` in Jupyter Book's form. `about`: names of the pages below `chapters/about`, in order."""
    parts = [
        {
            "caption": plan.part(part_id).title,
            "chapters": [{"file": f"chapters/{part_id}/{chapter.id}"} for chapter in members],
        }
        for part_id, members in arranged
    ]
    if about:
        parts.append({"caption": ABOUT, "chapters": [{"file": f"chapters/about/{name}"} for name in about]})
    data = {"format": "jb-book", "root": "chapters/index", "parts": parts}
    head = "# Made by scripts/toc.py from chapters/curriculum.yml and the chapters' front matter; edit those.\n"
    return head + yaml.safe_dump(data, allow_unicode=True, sort_keys=False)


def about_pages(book: Path) -> list[str]:
    """Names of the pages below `chapters/about`: the known ones in their order, then others by name."""
    names = {path.stem for path in (book / "chapters" / "about").glob("*.md")}
    return [n for n in ABOUT_ORDER if n in names] + sorted(names - set(ABOUT_ORDER))


def read_all(book: Path) -> list[Chapter]:
    """Every chapter of the book. Raises `ProblemError` with the problems of all files together."""
    found, problems = [], []
    for path in chapters.find(book):
        try:
            found.append(chapters.read(path))
        except ProblemError as error:
            problems += error.problems
    if problems:
        raise ProblemError(problems)
    return found


def refresh(book: Path) -> bool:
    """Bring `_toc.yml` of the book up to date; True if it changed. Raises `ProblemError`, then nothing is written."""
    plan = curricula.load(book)
    text = render(arrange(read_all(book), plan), plan, about_pages(book))
    return write_atomic(book / "_toc.yml", text)
