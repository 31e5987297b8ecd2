"""A folder becomes a book: this book's configuration and curriculum, and the pages that any guide needs."""

import re
from dataclasses import replace
from pathlib import Path

import yaml

from studyguide.book import curriculum
from studyguide.book.curriculum import Concept, Curriculum, PlannedChapter
from studyguide.files import read_text, write_atomic

TITLE = "我的学习指南"
TEMPLATE = Path(__file__).parent / "template"
"""Pages of a new guide, laid out as below `chapters`."""


def is_book(folder: Path) -> bool:
    """Whether the folder holds a book already."""
    return (folder / "_config.yml").exists() or (folder / curriculum.FILE).exists()


def plan(model: Path) -> Curriculum:
    """The curriculum that a new guide gets: the model's, without the articles that the model's chapters will tell."""
    own = curriculum.load(model)
    parts = tuple(replace(p, chapters=tuple(replace(c, articles=()) for c in p.chapters)) for p in own.parts)
    return replace(own, title=TITLE, parts=parts, chapters={c.id: c for p in parts for c in p.chapters})


def initialise(book: Path, model: Path) -> None:
    """Make `book` a book like `model`, without its chapters; files that are there stay as they are."""
    config = re.sub(r"(?m)^title:.*$", f"title: {TITLE}", read_text(model / "_config.yml"), count=1)
    pages = {"_config.yml": config, curriculum.FILE: _text(plan(model))}
    for page in sorted(TEMPLATE.rglob("*.md")):
        pages[f"chapters/{page.relative_to(TEMPLATE).as_posix()}"] = read_text(page)
    for name, text in pages.items():
        if not (book / name).exists():
            write_atomic(book / name, text)


def _text(plan: Curriculum) -> str:
    head = "# Parts and chapters of this guide; the terms of the chapters are the vocabulary that places articles.\n"
    data = {"title": plan.title, "parts": [_filled(_part(p)) for p in plan.parts]}
    return head + yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=10**6, default_flow_style=None)


def _part(part: curriculum.Part) -> dict:
    return {
        "id": part.id,
        "title": part.title,
        "title_en": part.title_en,
        "appendix": part.appendix,
        "chapters": [_filled(_chapter(c)) for c in part.chapters],
    }


def _chapter(chapter: PlannedChapter) -> dict:
    return {
        "id": chapter.id,
        "title": chapter.title,
        "title_en": chapter.title_en,
        "requires": list(chapter.requires),
        "minutes": chapter.minutes,
        "elective": chapter.elective,
        "concepts": [_filled(_concept(c)) for c in chapter.concepts],
    }


def _concept(concept: Concept) -> dict:
    return {"zh": concept.zh, "en": concept.en, "aliases": list(concept.aliases)}


def _filled(fields: dict) -> dict:
    """The fields that say something."""
    return {key: value for key, value in fields.items() if value}
