"""What the labs measured: the chapters draw their measured figures from here, never from numbers typed in."""

import json
from pathlib import Path

FOLDER = Path("labs") / "results"


class NoResults(Exception):
    """The results file is not there, or a killed run left it half full."""


def results(name: str) -> dict:
    """Everything that the lab `name` measured, as `labs/results/<name>.json` holds it.

    The docstring of `labs/<name>.py` describes the keys. The file is looked for in the current folder and the ones
    above it, then beside this package.
    """
    path = find(f"{name}.json")
    if path is None:
        raise NoResults(
            f"{FOLDER / name}.json is not in {Path.cwd()}, in a folder above it, or beside studykit; "
            f"measure it on a GPU: python labs/{name}.py --out {FOLDER / name}.json"
        )
    found = json.loads(path.read_text(encoding="utf-8"))
    if not found["complete"] or found["small"]:
        raise NoResults(
            f"{path} is from a {'toy run' if found['small'] else 'run that did not end'}; "
            f"measure it on a GPU: python labs/{name}.py --out {FOLDER / name}.json"
        )
    return found


def local_results(name: str) -> dict | None:
    """What the reader measured on their own GPU (`python labs/<name>.py`), or None."""
    path = find(f"{name}.local.json")
    return path and json.loads(path.read_text(encoding="utf-8"))


def find(file: str) -> Path | None:
    """`labs/results/<file>` at or above the current folder, or else at or above this package."""
    for start in (Path.cwd(), Path(__file__).resolve().parent):
        for folder in (start, *start.parents):
            if (folder / FOLDER / file).is_file():
                return folder / FOLDER / file
    return None
