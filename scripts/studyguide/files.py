"""Reading and writing files: the one edge where the package touches the disk."""

import os
import tempfile
from pathlib import Path

from studyguide.problem import ProblemError

SCRAP = ".half"
"""Suffix of a file that is being written; one that stays is of a process that was killed."""


def read_text(path: Path) -> str:
    """The UTF-8 text of a file that this project wrote or that an author keeps, with `\\n` line ends.

    Raises `ProblemError`: `not-found`, `not-text` (with the line of the first bad byte).
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ProblemError.at(path, 1, "not-found", "no such file; check the path") from None
    except IsADirectoryError:
        raise ProblemError.at(path, 1, "not-a-file", "this is a folder; name a file in it") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ProblemError.at(path, line, "not-text", "bytes that are not UTF-8 text; save the file as UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def write_atomic(path: Path, data: str | bytes) -> bool:
    """Write `data` so that a reader sees the old file or the new one, never half; True if anything changed.

    A file that already holds `data` is left alone, its time too, so that builds stay incremental.
    """
    new = data.encode("utf-8") if isinstance(data, str) else data
    try:
        if path.read_bytes() == new:
            return False
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=SCRAP)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(new)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    return True
