"""Which chapters a commit must run again: those it touched, and some others in turn."""

import subprocess
from pathlib import Path

from studyguide.book import chapter as chapters
from studyguide.book import outputs


def _git(book: Path, *args: str) -> str | None:
    done = subprocess.run(["git", *args], cwd=book, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def chosen(book: Path, since: str, more: int) -> list[Path]:
    """Chapters whose source, outputs or helpers differ between `since` and the work tree, and `more` of the others.

    The others rotate with the number of commits, so that all are run again in time. Without such a commit: all.
    """
    files = chapters.find(book)
    changed = _git(book, "diff", "--name-only", since)
    count = _git(book, "rev-list", "--count", "HEAD")
    if changed is None or count is None:
        return files
    names = set(changed.splitlines())
    touched, others = [], []
    for path in files:
        chapter = chapters.read(path)
        target = outputs.path_of(book, chapter)
        frozen = outputs.load(target)
        used = set(outputs.Key.from_json(frozen.metadata[outputs.META]).files) if frozen is not None else set()
        used |= {p.relative_to(book).as_posix() for p in (path, target)}
        (touched if used & names else others).append(path)
    start = int(count) * more % len(others) if others else 0
    return touched + (others[start:] + others[:start])[:more]
