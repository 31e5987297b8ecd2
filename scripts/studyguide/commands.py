"""What the commands share: finding the book, printing problems."""

import sys
from pathlib import Path

from studyguide.problem import ProblemError

HERE = Path(__file__).resolve().parents[2]
"""The book that this copy of the package belongs to."""


def book_folder(name: str | None) -> Path:
    """The folder of the book: `name` if given, else this one."""
    return Path(name) if name else HERE


def near(path: Path) -> Path:
    """`path` as a person standing in the current folder would type it, if it lies below."""
    try:
        return path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path


def run(main, argv: list[str] | None = None) -> int:
    """Call `main(argv)`; a `ProblemError` becomes its lines on stderr and status 1, Ctrl+C status 130."""
    try:
        return main(sys.argv[1:] if argv is None else argv)
    except ProblemError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
