"""A chapter file: front matter, body, and what must hold for it on its own."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from studyguide.book import yaml_lines
from studyguide.files import read_text
from studyguide.problem import Problem, ProblemError

STATUSES = ("complete", "draft", "excerpt")
EVIDENCE = ("cell", "lab", "cited")
KERNELSPEC = {"name": "python3", "display_name": "Python 3", "language": "python"}
KEYS = (
    "file_format",
    "kernelspec",
    "title",
    "requires",
    "concepts",
    "minutes",
    "status",
    "weight",
    "articles",
    "claims",
)
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Claim:
    """A headline sentence of a chapter and what it rests on."""

    id: str
    text: str
    evidence: str
    """One of `EVIDENCE`."""
    cite: str = ""
    """Key of a BibTeX entry; required for `cited`."""
    line: int = 1


@dataclass(frozen=True, slots=True)
class CoveredArticle:
    """An article that a chapter tells."""

    fingerprint: str
    source: str
    corrected: str = ""
    """What was wrong in the article and is right in the chapter."""
    hash: str = ""
    """For an imported chapter: what the source was when it was last converted."""


@dataclass(slots=True)
class Chapter:
    """A chapter as its file has it."""

    path: Path
    part: str
    id: str
    title: str
    body: str
    """Everything after the front matter."""
    body_line: int
    """Line of the file on which the body begins."""
    requires: tuple[str, ...] = ()
    concepts: dict[str, str] = field(default_factory=dict)
    """Term -> its definition in one sentence."""
    minutes: int = 0
    status: str = "draft"
    weight: int = 0
    articles: tuple[CoveredArticle, ...] = ()
    claims: tuple[Claim, ...] = ()
    lines: dict[str, int] = field(default_factory=dict)
    """Line of each front matter key."""


_FRONT = re.compile(r"\A---[ \t]*\n(.*?\n)---[ \t]*(?:\n|\Z)", re.S)


def parse(text: str, path: Path) -> Chapter:
    """The chapter written in `text`; part and id are the last two parts of `path`.

    Raises `ProblemError` with everything that is wrong in it: `no-front-matter`, `unknown-key`, `missing-key`,
    `bad-value`, `bad-id`, `heading-1`, `empty-body`.
    """
    name, problems = str(path), []

    def problem(line: int, code: str, message: str) -> None:
        problems.append(Problem(name, line, code, message))

    match = _FRONT.match(text)
    if not text.strip():
        raise ProblemError.at(name, 1, "empty-file", "the file is empty; write a chapter or remove it")
    if not match:
        raise ProblemError.at(name, 1, "no-front-matter", "a chapter begins with `---`, front matter, `---`")
    data = yaml_lines.load(match[1], name, first_line=2)
    if not isinstance(data, dict):
        raise ProblemError.at(name, 1, "no-front-matter", "the front matter must be `key: value` lines")
    body, body_line = text[match.end() :], text.count("\n", 0, match.end()) + 1
    for key in data:
        if key not in KEYS:
            problem(data.line_of(key), "unknown-key", f"`{key}` is no front matter key; allowed: {', '.join(KEYS)}")
    for key in ("file_format", "kernelspec", "title"):
        if key not in data:
            problem(1, "missing-key", f"`{key}` is missing from the front matter; add it")
    if data.get("file_format", "mystnb") != "mystnb":
        problem(data.line_of("file_format"), "bad-value", "`file_format` must be `mystnb`")
    kernelspec = data.get("kernelspec", KERNELSPEC)
    if not isinstance(kernelspec, dict) or set(kernelspec) != set(KERNELSPEC):
        problem(data.line_of("kernelspec"), "bad-value", "`kernelspec` needs name, display_name and language")
    for part in (path.stem, path.parent.name):
        if not _ID.fullmatch(part):
            problem(1, "bad-id", f"`{part}` must be lower-case ASCII words joined by hyphens; rename it")
    value = _typed(data, problem)
    chapter = Chapter(
        path=path,
        part=path.parent.name,
        id=path.stem,
        title=value("title", str, ""),
        body=body,
        body_line=body_line,
        requires=tuple(value("requires", list, [])),
        concepts=dict(value("concepts", dict, {})),
        minutes=value("minutes", int, 0),
        status=value("status", str, "draft"),
        weight=value("weight", int, 0),
        articles=tuple(_articles(value("articles", list, []), data.line_of("articles"), problem)),
        claims=tuple(_claims(value("claims", list, []), data.line_of("claims"), problem)),
        lines=dict(data.lines),
    )
    if "title" in data and not chapter.title.strip():
        problem(data.line_of("title"), "bad-value", "`title` is empty; give the chapter a title")
    if chapter.status not in STATUSES:
        problem(data.line_of("status"), "bad-value", f"`status` must be one of {', '.join(STATUSES)}")
    if not body.strip():
        problem(body_line, "empty-body", "the chapter has front matter only; write its text")
    for line in heading_1_lines(body):
        message = "a `#` heading; the title stands in the front matter, so begin sections with `##`"
        problem(body_line + line, "heading-1", message)
    if problems:
        raise ProblemError(problems)
    return chapter


def _typed(data, problem):
    names = {str: "text", list: "a list", dict: "a mapping", int: "a whole number"}

    def value(key, kind, default):
        got = data.get(key, default)
        if isinstance(got, kind) and not (kind is int and isinstance(got, bool)):
            return got
        if key in data:
            problem(data.line_of(key), "bad-value", f"`{key}` must be {names[kind]}")
        return default

    return value


def _articles(items, line, problem):
    for item in items:
        keys = {"fingerprint", "source", "corrected", "hash"}
        if not isinstance(item, dict) or not {"fingerprint", "source"} <= set(item) <= keys:
            at = getattr(item, "line", line)
            problem(at, "bad-value", "an entry of `articles` has `fingerprint`, `source` and, if any, `corrected`")
            continue
        yield CoveredArticle(
            str(item["fingerprint"]), str(item["source"]), str(item.get("corrected", "")), str(item.get("hash", ""))
        )


def _claims(items, line, problem):
    seen = set()
    for item in items:
        at = getattr(item, "line", line)
        if not isinstance(item, dict) or not {"id", "text", "evidence"} <= set(item) <= {
            "id",
            "text",
            "evidence",
            "cite",
        }:
            problem(at, "bad-value", "a claim has `id`, `text`, `evidence` and, if any, `cite`")
            continue
        claim = Claim(str(item["id"]), str(item["text"]), str(item["evidence"]), str(item.get("cite", "")), at)
        if claim.evidence not in EVIDENCE:
            problem(at, "bad-value", f"the evidence of claim `{claim.id}` must be one of {', '.join(EVIDENCE)}")
        if claim.evidence == "cited" and not claim.cite:
            problem(at, "claim-without-evidence", f"claim `{claim.id}` rests on a citation; name it under `cite`")
        if claim.id in seen:
            problem(at, "duplicate-id", f"claim id `{claim.id}` stands twice; rename one")
        seen.add(claim.id)
        yield claim


_FENCE = re.compile(r"^( {0,3})(`{3,}|~{3,}|:{3,})")


def heading_1_lines(body: str) -> list[int]:
    """0-based lines of `body` that are a level-1 heading outside of fences."""
    found, fence = [], ""
    lines = body.split("\n")
    for n, line in enumerate(lines):
        match = _FENCE.match(line)
        if fence:
            if match and match[2].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif match and match[2][0] != ":":
            fence = match[2]
        elif re.match(r"^ {0,3}#([ \t]|$)", line):
            found.append(n)
        elif re.match(r"^ {0,3}=+[ \t]*$", line) and n and lines[n - 1].strip():
            found.append(n - 1)
    return found


def read(path: Path) -> Chapter:
    """The chapter in file `path`. Raises `ProblemError`."""
    return parse(read_text(path), path)


def front_matter(fields: dict) -> str:
    """YAML front matter with `fields` in the order of `KEYS`, fences included."""
    ordered = {key: fields[key] for key in KEYS if key in fields}
    text = yaml.safe_dump(ordered, allow_unicode=True, sort_keys=False, width=10**6)
    return f"---\n{text}---\n"


def find(book: Path) -> list[Path]:
    """Files of chapters below `book`, sorted: `chapters/<part>/<id>.md` of parts, not of `about` or `_static`."""
    folder = book / "chapters"
    return sorted(
        path for path in folder.glob("*/*.md") if not path.parent.name.startswith("_") and path.parent.name != "about"
    )
