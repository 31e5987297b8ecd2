"""What the commands share: finding the book, printing problems."""

import os
import sys
from dataclasses import replace
from pathlib import Path

from studyguide.problem import Problem, ProblemError

HERE = Path(__file__).resolve().parents[2]
"""The book that this copy of the package belongs to."""


def book_folder(name: str | None) -> Path:
    """The folder of the book: `name` if given, else this one. Raises `ProblemError` if the name is empty."""
    if name is None:
        return HERE
    if not name.strip():  # a shell variable that is not set, most likely
        raise ProblemError.at("--book", 1, "no-folder", "the name is empty; name a folder, or leave --book out")
    return Path(name)


def near(path: Path) -> Path:
    """`path` as a person standing in the current folder would type it, if it lies below."""
    try:
        return path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path


def _typed(path: str) -> str:
    """`near` for the path of a problem, which may be an address."""
    return str(near(Path(path))) if Path(path).is_absolute() else path


def run(main, argv: list[str] | None = None) -> int:
    """Call `main(argv)`; a `ProblemError` becomes its lines on stderr and status 1, Ctrl+C status 130.

    So does a file that the system refuses to read or write.
    """
    try:
        return main(sys.argv[1:] if argv is None else argv)
    except ProblemError as error:
        for problem in error.problems:
            print(replace(problem, path=_typed(problem.path)), file=sys.stderr)
        return 1
    except OSError as error:
        if error.filename is None:
            raise
        message = f"{error.strerror}; check the path, its permissions and the space on the disk"
        print(Problem(_typed(os.fsdecode(error.filename)), 1, "refused", message), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
