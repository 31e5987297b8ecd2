"""Publish what a killed run kept: its results without the keys that it had not finished, which are then named.

    python labs/publish.py KEPT.json --without KEY... --out labs/results/<name>.json

Nothing is added or changed, except that `complete` becomes true and `without` lists the keys. The script and its
modules must be as the run used them, so that what is published can be measured again.
"""

import argparse
import json
from pathlib import Path

from common import dumps, sha256

HERE = Path(__file__).resolve().parent


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kept", type=Path)
    parser.add_argument("--without", nargs="+", required=True, metavar="KEY")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(argv)
    results = json.loads(options.kept.read_text(encoding="utf-8"))
    if results["complete"] or results["small"]:
        parser.error(f"{options.kept} is not from a run that was killed")
    for path, digest in results["files"].items():
        if sha256(HERE / Path(path).name) != digest:
            parser.error(f"{path} is not what {options.kept} was measured with; run the lab again")
    kept = {key: value for key, value in results.items() if key not in options.without}
    kept |= {"complete": True, "without": options.without}
    options.out.write_text(dumps(kept), encoding="utf-8")


if __name__ == "__main__":
    main()
