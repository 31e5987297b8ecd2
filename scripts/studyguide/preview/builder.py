"""Builds in a child of a process that has everything imported: a rebuild costs no start-up and keeps no state."""

import os
import sys
import tempfile
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from studyguide.problem import ProblemError


class Builder:
    """A process that builds the book when asked. It is single-threaded, so that it may fork."""

    def __init__(self, book: Path):
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, book), daemon=False)
        self._process.start()
        theirs.close()

    def build(self) -> tuple[bool, str]:
        """Build once; blocks. Returns whether it succeeded, and what was wrong."""
        self._connection.send(True)
        return self._connection.recv()

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.join(timeout=10)


def _serve(connection: Connection, book: Path) -> None:
    import sphinx.builders.html  # noqa: F401 - imported once here, inherited by every child

    while True:
        try:
            connection.recv()
        except (EOFError, KeyboardInterrupt):
            return
        connection.send(_build_in_child(book))


def _build_in_child(book: Path) -> tuple[bool, str]:
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.dup2(said.fileno(), sys.stderr.fileno())
                sys.stderr.reconfigure(line_buffering=True)
                from studyguide.book import build

                status = build.build(book, jobs=1, quiet=True)
            except ProblemError as error:
                print(error, file=sys.stderr)
            finally:
                sys.stderr.flush()
                os._exit(status)
        _, code = os.waitpid(child, 0)
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
    return code == 0, text.strip()
