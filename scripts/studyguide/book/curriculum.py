"""The plan of a book: parts in order, chapters written and planned, the terms each defines."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from studyguide.book import yaml_lines
from studyguide.files import read_text
from studyguide.problem import Problem, ProblemError

FILE = "chapters/curriculum.yml"


@dataclass(frozen=True, slots=True)
class Concept:
    """A term that the book uses for one idea, with its English and other names for it."""

    zh: str
    en: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedChapter:
    """What the curriculum knows of a chapter, whether or not its file exists."""

    id: str
    part: str
    title: str
    title_en: str = ""
    requires: tuple[str, ...] = ()
    minutes: int = 0
    elective: bool = False
    concepts: tuple[Concept, ...] = ()
    articles: tuple[dict, ...] = ()
    """Articles that a chapter not yet written will tell: {"fingerprint", "source"}."""
    line: int = 1


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the book; its folder is `chapters/<id>`."""

    id: str
    title: str
    title_en: str = ""
    appendix: bool = False
    chapters: tuple[PlannedChapter, ...] = ()


@dataclass(frozen=True, slots=True)
class Curriculum:
    """All parts in the order of the book."""

    title: str
    parts: tuple[Part, ...]
    path: str = FILE
    chapters: dict[str, PlannedChapter] = field(default_factory=dict)
    """Every planned chapter by id, in the order of the book."""

    def part(self, part_id: str) -> Part | None:
        """The part with this id, or None."""
        return next((part for part in self.parts if part.id == part_id), None)

    def numbers(self) -> Iterator[tuple[Part, str]]:
        """Each part with its number as the reader sees it: 第一部分 … or 附录."""
        count = 0
        for part in self.parts:
            if part.appendix:
                yield part, "附录"
            else:
                count += 1
                yield part, f"第{chinese_number(count)}部分"


def chinese_number(n: int) -> str:
    """`n` (1-99) in Chinese numerals: 一, 十二, 三十."""
    digits = "零一二三四五六七八九"
    tens, ones = divmod(n, 10)
    head = "" if tens == 0 else ("十" if tens == 1 else digits[tens] + "十")
    return head + (digits[ones] if ones or not tens else "")


_PART_KEYS = {"id", "title", "title_en", "appendix", "chapters"}
_CHAPTER_KEYS = {"id", "title", "title_en", "requires", "minutes", "elective", "concepts", "articles"}
_CONCEPT_KEYS = {"zh", "en", "aliases"}


def parse(text: str, path: str) -> Curriculum:
    """The curriculum written in `text`.

    Raises `ProblemError` with everything that is wrong: unknown keys, duplicate ids and terms, requirements that name
    no chapter or one that comes later (only the appendix may be required out of order), cycles.
    """
    data = yaml_lines.load(text, path)
    problems: list[Problem] = []

    def problem(line: int, code: str, message: str) -> None:
        problems.append(Problem(path, line, code, message))

    if not isinstance(data, dict) or not isinstance(data.get("parts"), list):
        raise ProblemError.at(path, 1, "no-parts", "a curriculum is a mapping with `title` and a list `parts`")

    def known(mapping, keys: set[str], what: str) -> None:
        for key in mapping:
            if key not in keys:
                line = mapping.line_of(key)
                problem(line, "unknown-key", f"`{key}` is no key of {what}; allowed: {', '.join(sorted(keys))}")

    known(data, {"title", "parts"}, "a curriculum")
    parts, chapters, terms = [], {}, {}
    for p in data["parts"]:
        known(p, _PART_KEYS, "a part")
        planned = []
        for c in p.get("chapters") or []:
            known(c, _CHAPTER_KEYS, "a chapter")
            concepts = []
            for k in c.get("concepts") or []:
                known(k, _CONCEPT_KEYS, "a concept")
                if k["zh"] in terms:
                    problem(k.line, "duplicate-term", f"`{k['zh']}` is defined by `{terms[k['zh']]}` too; keep one")
                terms[k["zh"]] = c["id"]
                concepts.append(Concept(k["zh"], k.get("en", ""), tuple(k.get("aliases") or ())))
            if c["id"] in chapters:
                problem(c.line_of("id"), "duplicate-id", f"chapter id `{c['id']}` stands twice; rename one")
            chapter = PlannedChapter(
                id=c["id"],
                part=p["id"],
                title=c.get("title", c["id"]),
                title_en=c.get("title_en", ""),
                requires=tuple(c.get("requires") or ()),
                minutes=int(c.get("minutes", 0)),
                elective=bool(c.get("elective", False)),
                concepts=tuple(concepts),
                articles=tuple(dict(a) for a in c.get("articles") or ()),
                line=c.line,
            )
            chapters[chapter.id] = chapter
            planned.append(chapter)
        if any(part.id == p["id"] for part in parts):
            problem(p.line_of("id"), "duplicate-id", f"part id `{p['id']}` stands twice; rename one")
        parts.append(
            Part(
                p["id"], p.get("title", p["id"]), p.get("title_en", ""), bool(p.get("appendix", False)), tuple(planned)
            )
        )
    curriculum = Curriculum(data.get("title", ""), tuple(parts), path, chapters)
    _check_requires(curriculum, problem)
    if problems:
        raise ProblemError(problems)
    return curriculum


def _check_requires(curriculum: Curriculum, problem) -> None:
    position = {chapter_id: n for n, chapter_id in enumerate(curriculum.chapters)}
    appendix = {c.id for part in curriculum.parts if part.appendix for c in part.chapters}
    for chapter in curriculum.chapters.values():
        for need in chapter.requires:
            if need not in position:
                problem(
                    chapter.line, "unknown-chapter", f"`{chapter.id}` requires `{need}`, which is no chapter; add it"
                )
            elif position[need] >= position[chapter.id] and (need not in appendix or chapter.id in appendix):
                message = f"`{chapter.id}` requires `{need}`, which does not come earlier; move one of them"
                problem(chapter.line, "late-requirement", message)


def load(book: Path) -> Curriculum:
    """The curriculum of the book in folder `book`. Raises `ProblemError`."""
    path = book / FILE
    return parse(read_text(path), str(path))
