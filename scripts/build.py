"""Build the HTML book: refresh _toc.yml, then Jupyter Book on all cores; a warning is an error."""

import environment  # noqa: F401, I001 - first: it may start the command again in .venv

import argparse
import sys

from studyguide import commands
from studyguide.book import build


def main(argv: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="build.py", description=__doc__)
    parser.add_argument("--book", metavar="DIR", help="folder of the book (default: this one)")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: all cores)")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier builds cached")
    parser.add_argument("--quiet", action="store_true", help="print warnings only")
    options = parser.parse_args(argv)
    book = commands.book_folder(options.book)
    status = build.build(book, jobs=options.jobs, fresh=options.fresh, quiet=options.quiet)
    if status == 0:
        print(f"The book is at {commands.near(book / '_build/html/index.html')}")
    return status


if __name__ == "__main__":
    sys.exit(commands.run(main))
