"""Running a command and saying what it took."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studyguide.problem import ProblemError

_TO_BYTES = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command and all processes that it started took."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    """Resident memory of the largest of its processes."""


def run(command: Sequence[str | Path], folder: Path) -> Cost:
    """Run `command` in `folder`. Raises `ProblemError` (`failed`) with the last line that it printed."""
    with tempfile.TemporaryFile() as log:
        start = time.perf_counter()
        # `os.wait4` below takes the place of `Popen.wait`, which does not give the usage of this one child.
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            lines = log.read().decode("utf-8", "replace").split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "it printed nothing")
            raise ProblemError.at(folder, 1, "failed", f"`{Path(command[0]).name}` ended with an error: {last}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _TO_BYTES)
