"""Turn a handful of sample articles, one of each format, into a small guide, and show the converter's report."""

import environment  # noqa: F401, I001 - first: it may start the command again in .venv

import argparse
import json
import shutil
import sys
from pathlib import Path

from studyguide import commands

SAMPLES = "tests/data/samples"
GUIDE = "_build/demo"


def main(argv: list[str]) -> int:
    """Run the command."""
    argparse.ArgumentParser(prog="demo.py", description=__doc__).parse_args(argv)
    import convert
    from studyguide.book import build

    samples, guide = commands.near(commands.HERE / SAMPLES), commands.near(commands.HERE / GUIDE)
    report = guide / "report.json"
    shutil.rmtree(guide, ignore_errors=True)
    print(f"$ python scripts/convert.py {samples} --book {guide} --report {report}\n")
    status = convert.main([str(samples), "--book", str(guide), "--report", str(report)])
    print(f"\nWhat {report} says was lost:")
    _print_losses(report)
    print(f"\n$ python scripts/build.py --book {guide}\n")
    status = status or build.build(guide, quiet=True)
    if status == 0:
        print(f"The guide is at {guide / '_build/html/index.html'}")
    return status


def _print_losses(report: Path) -> None:
    for article in json.loads(report.read_text(encoding="utf-8"))["articles"]:
        for loss in article["losses"]:
            print(f"  {article['source']}:{loss}")


if __name__ == "__main__":
    sys.exit(commands.run(main))
