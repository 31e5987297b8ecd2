"""The report of a conversion: what became of every article."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from studyguide.articles.article import KINDS, Loss
from studyguide.problem import Problem

Status = Literal["created", "updated", "unchanged", "covered", "duplicate", "failed"]
STATUSES = ("created", "updated", "unchanged", "covered", "duplicate", "failed")


@dataclass(slots=True)
class Entry:
    """One article of the report."""

    source: str
    title: str = ""
    status: Status = "failed"
    chapter: str = ""
    """Path of the chapter below the book; empty if it failed."""
    part: str = ""
    score: float = 0.0
    """How sure the placing is, 0 to 1."""
    reason: str = ""
    """Why it was placed there; shown to people, not part of the report's contract."""
    kept: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    found: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    losses: list[Loss] = field(default_factory=list)
    problem: Problem | None = None
    """Why it failed."""

    @property
    def error(self) -> str:
        """`problem` as it is printed, or nothing."""
        return str(self.problem) if self.problem else ""

    def as_dict(self) -> dict:
        """What the JSON report says."""
        return {
            "source": self.source,
            "title": self.title,
            "status": self.status,
            "chapter": self.chapter,
            "part": self.part,
            "score": self.score,
            "kept": self.kept,
            "found": self.found,
            "losses": [str(loss) for loss in self.losses],
            "error": self.error,
        }


def to_json(entries: list[Entry]) -> str:
    """The report file's text."""
    return json.dumps({"articles": [entry.as_dict() for entry in entries]}, ensure_ascii=False, indent=2) + "\n"


def summary(entries: list[Entry]) -> str:
    """How many articles had which fate, in one line."""
    counts = Counter(entry.status for entry in entries)
    named = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
    return f"{len(entries)} article{'s' * (len(entries) != 1)}: {named}" if entries else "no articles"
