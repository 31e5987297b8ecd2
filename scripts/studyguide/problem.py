"""One type for everything that can be wrong with what a person gave us."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong, where, and what to do about it.

    Printed as `path:line: code message`; the message ends with the remedy.
    """

    path: str
    """File, folder or URL, as the user would type it."""
    line: int
    """1-based line; 1 when the whole file is meant."""
    code: str
    """Stable kebab-case name of the kind of problem, e.g. `unknown-key`."""
    message: str
    """What is wrong and what to do, in one line."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.code} {self.message}"


class ProblemError(Exception):
    """One or more problems that stop a command; `str()` gives one line for each."""

    def __init__(self, problems: Problem | Iterable[Problem]):
        self.problems = [problems] if isinstance(problems, Problem) else sorted(problems)
        super().__init__("\n".join(map(str, self.problems)))

    @classmethod
    def at(cls, path, line: int, code: str, message: str) -> "ProblemError":
        """The error of a single problem."""
        return cls(Problem(str(path), line, code, message))
