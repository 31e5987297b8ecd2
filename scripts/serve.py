"""Live preview of the book on 127.0.0.1: rebuilds what changed and reloads the page."""

import environment  # noqa: F401, I001 - first: it may start the command again in .venv

import argparse
import asyncio
import sys

from studyguide import commands


def main(argv: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="serve.py", description=__doc__)
    parser.add_argument("--book", metavar="DIR", help="folder of the book (default: this one)")
    parser.add_argument("--port", type=int, default=8000, help="port (default: 8000; 0: any free one)")
    options = parser.parse_args(argv)
    from studyguide.preview.session import preview

    asyncio.run(
        preview(commands.book_folder(options.book).resolve(), options.port, lambda text: print(text, flush=True))
    )
    return 0


if __name__ == "__main__":
    sys.exit(commands.run(main))
