"""The book's BibTeX files: one per part, every key once in the whole book."""

import re
from pathlib import Path

from studyguide.files import read_text
from studyguide.problem import Problem

_ENTRY = re.compile(r"^[ \t]*@(?!comment\b|string\b|preamble\b)\w+[ \t]*\{[ \t]*([^,\s]+)[ \t]*,", re.M | re.I)


def files(book: Path) -> list[Path]:
    """The BibTeX files of the book, sorted."""
    return sorted((book / "chapters").glob("*/references.bib"))


def keys(book: Path) -> tuple[dict[str, tuple[Path, int]], list[Problem]]:
    """Every key with the file and line of its entry, and a problem for each entry whose key is taken already."""
    found: dict[str, tuple[Path, int]] = {}
    problems = []
    for path in files(book):
        text = read_text(path)
        for match in _ENTRY.finditer(text):
            line = text.count("\n", 0, match.start(1)) + 1
            if match[1] in found:
                first, at = found[match[1]]
                message = f"`{match[1]}` is defined at {first}:{at} already; remove one, a key serves the whole book"
                problems.append(Problem(str(path), line, "duplicate-bibtex-key", message))
            else:
                found[match[1]] = (path, line)
    return found, problems
