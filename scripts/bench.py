"""Build the same synthetic books with this project, Jupyter Book and MkDocs-Material, and compare time and memory."""

import environment  # noqa: F401, I001 - first: it may start the command again in .venv

import argparse
import os
import sys

from studyguide import commands
from studyguide.problem import ProblemError

FOLDER = "_build/bench"
TOOLS = ("studyguide", "jupyter-book", "mkdocs")


def main(argv: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="bench.py", description=__doc__)
    parser.add_argument("--sizes", type=_sizes, default=[35], metavar="N,N", help="chapters of the books (default: 35)")
    parser.add_argument(
        "--tools", type=_tools, default=list(TOOLS), metavar="NAME,NAME", help=f"of {', '.join(TOOLS)} (default: all)"
    )
    options = parser.parse_args(argv)
    from studyguide.bench import compare

    folder = commands.HERE / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    makers = {
        "studyguide": lambda: compare.studyguide(commands.HERE),
        "jupyter-book": compare.jupyter_book,
        "mkdocs": lambda: compare.mkdocs(folder / "venv"),
    }
    tools = []
    for name in options.tools:
        try:
            tools.append(makers[name]())
        except ProblemError as error:
            _tell(f"{name} is left out, it could not be installed: {error.problems[0].message}")
    results = compare.compare(tools, options.sizes, folder, commands.HERE, _tell)
    print(f"{os.cpu_count()} cores\n")
    print(compare.table(results, [tool for tool in tools if tool.dialect.value != "studyguide"]))
    return 0


def _sizes(text: str) -> list[int]:
    sizes = [int(word) for word in text.split(",")]
    if min(sizes) < 1:
        raise argparse.ArgumentTypeError("a book has one chapter at least")
    return sizes


def _tools(text: str) -> list[str]:
    names = list(dict.fromkeys(text.split(",")))
    unknown = [name for name in names if name not in TOOLS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no tool `{unknown[0]}`; there are {', '.join(TOOLS)}")
    return names


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(commands.run(main))
