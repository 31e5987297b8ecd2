"""Bring _toc.yml up to date with the curriculum and the chapters' front matter."""

import environment  # noqa: F401, I001 - first: it may start the command again in .venv

import argparse
import sys

from studyguide import commands
from studyguide.book import toc


def main(argv: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="toc.py", description=__doc__)
    parser.add_argument("--book", metavar="DIR", help="folder of the book (default: this one)")
    book = commands.book_folder(parser.parse_args(argv).book)
    print(f"{commands.near(book / '_toc.yml')}: {'updated' if toc.refresh(book) else 'up to date'}")
    return 0


if __name__ == "__main__":
    sys.exit(commands.run(main))
