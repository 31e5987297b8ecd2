"""Make a new chapter from the template; it is in the table of contents at once."""

import environment  # noqa: F401, I001 - first: it may start the command again in .venv

import argparse
import sys

from studyguide import commands
from studyguide.book import new_chapter


def main(argv: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="chapter.py", description=__doc__)
    parser.add_argument("part", help="id of the part: the name of a folder below chapters/")
    parser.add_argument("id", help="id of the chapter: lower-case ASCII words joined by hyphens")
    parser.add_argument("title", nargs="?", default="", help="title (default: the curriculum's)")
    parser.add_argument("--book", metavar="DIR", help="folder of the book (default: this one)")
    options = parser.parse_args(argv)
    if not options.part or not options.id:
        parser.error("part and id must be given: make chapter PART=big-data ID=my-chapter TITLE=标题")
    path = new_chapter.create(commands.book_folder(options.book), options.part, options.id, options.title)
    print(f"{commands.near(path)}: written; edit it and look at it with `make serve`")
    return 0


if __name__ == "__main__":
    sys.exit(commands.run(main))
