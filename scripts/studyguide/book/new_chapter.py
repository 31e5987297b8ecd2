"""A new chapter from the template."""

from importlib.resources import files
from pathlib import Path

from studyguide.book import chapter as chapters
from studyguide.book import curriculum as curricula
from studyguide.book import toc
from studyguide.files import write_atomic
from studyguide.problem import ProblemError


def text_of(chapter_id: str, title: str, planned: curricula.PlannedChapter | None) -> str:
    """The file of a new chapter; what the curriculum knows of it is filled in."""
    fields = {
        "file_format": "mystnb",
        "kernelspec": chapters.KERNELSPEC,
        "title": title or (planned.title if planned else chapter_id),
        "requires": list(planned.requires) if planned else [],
        "minutes": planned.minutes if planned else 30,
        "status": "draft",
    }
    body = files("studyguide.book").joinpath("template.md").read_text(encoding="utf-8")
    return chapters.front_matter(fields) + "\n" + body.replace("CHAPTER_ID", chapter_id)


def create(book: Path, part: str, chapter_id: str, title: str) -> Path:
    """Write the new chapter and put it into the table of contents; the path of its file.

    Raises `ProblemError`: `unknown-part`, `bad-id`, `exists`, `wrong-part`, and whatever is wrong in the book already.
    """
    plan = curricula.load(book)
    path = book / "chapters" / part / f"{chapter_id}.md"
    if plan.part(part) is None:
        known = ", ".join(p.id for p in plan.parts)
        raise ProblemError.at(path, 1, "unknown-part", f"the curriculum has no part `{part}`; parts: {known}")
    taken = [p for p in chapters.find(book) if p.stem == chapter_id]
    if taken:
        raise ProblemError.at(taken[0], 1, "exists", f"there is a chapter `{chapter_id}` already; choose another id")
    text = text_of(chapter_id, title, plan.chapters.get(chapter_id))
    new = chapters.parse(text, path)
    toc.arrange([*toc.read_all(book), new], plan)
    write_atomic(path, text)
    toc.refresh(book)
    return path
