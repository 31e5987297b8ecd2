"""The same synthetic book built by several tools, one after the other."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from studyguide.bench import measure, synthetic
from studyguide.bench.measure import Cost
from studyguide.bench.synthetic import Dialect
from studyguide.files import read_text
from studyguide.problem import ProblemError

WARM_UP = 2
"""Chapters of the book that each tool builds first, unmeasured: none pays for reading its program from the disk."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that builds a book in its current folder, every warning being an error."""

    name: str
    dialect: Dialect
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What one tool took for one size."""

    tool: Tool
    chapters: int
    cold: Cost
    again: Cost
    """The same command once more, nothing changed."""


def studyguide(project: Path) -> Tool:
    """This project's own build, on all cores."""
    command = (sys.executable, str(project / "scripts" / "build.py"), "--quiet", "--book", ".")
    return Tool("this project", Dialect.STUDYGUIDE, command)


def jupyter_book() -> Tool:
    """Jupyter Book as it comes: its default configuration and theme."""
    command = (str(Path(sys.executable).with_name("jupyter-book")), "build", "-q", "-W", ".")
    return Tool(f"Jupyter Book {version('jupyter-book')}", Dialect.JUPYTER_BOOK, command)


def mkdocs(environment: Path) -> Tool:
    """MkDocs-Material in an environment of its own, installed if it is not there. Raises `ProblemError`."""
    python = environment / "bin" / "python"
    if not python.exists():
        measure.run([sys.executable, "-m", "venv", environment], environment.parent)
    ask = [python, "-c", "from importlib.metadata import version; print(version('mkdocs-material'))"]
    found = subprocess.run(ask, capture_output=True, text=True, check=False)
    if found.returncode:
        measure.run([python, "-m", "pip", "install", "--quiet", "mkdocs-material"], environment)
        found = subprocess.run(ask, capture_output=True, text=True, check=True)
    command = (str(environment / "bin" / "mkdocs"), "build", "--quiet", "--strict")
    return Tool(f"MkDocs-Material {found.stdout.strip()}", Dialect.MKDOCS, command)


def lay_out(folder: Path, chapters: int, dialect: Dialect, project: Path) -> None:
    """Write the synthetic book into `folder`, which is emptied first; `project` lends its configuration."""
    shutil.rmtree(folder, ignore_errors=True)
    files = synthetic.book(chapters, dialect)
    if dialect is Dialect.STUDYGUIDE:
        files["_config.yml"] = read_text(project / "_config.yml")
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def compare(
    tools: Sequence[Tool], sizes: Iterable[int], folder: Path, project: Path, tell: Callable[[str], None]
) -> list[Result]:
    """Build a book of each size with each tool below `folder`. Raises `ProblemError` if a build fails."""
    results = []
    for tool in tools:
        _build(tool, WARM_UP, folder, project)
    for size in sizes:
        for tool in tools:
            tell(f"{tool.name}: {size} chapters")
            results.append(_build(tool, size, folder, project))
    return results


def _build(tool: Tool, size: int, folder: Path, project: Path) -> Result:
    book = folder / tool.dialect.value
    lay_out(book, size, tool.dialect, project)
    cold, again = measure.run(tool.command, book), measure.run(tool.command, book)
    pages = [path for path in book.rglob("*.html") if "chapter-" in str(path.relative_to(book))]
    if len(pages) < size:  # a tool that builds less than it was given would win
        raise ProblemError.at(book, 1, "pages-missing", f"{tool.name} built {len(pages)} of {size}; look at its output")
    return Result(tool, size, cold, again)


def table(results: Sequence[Result], baseline: Sequence[Tool]) -> str:
    """A Markdown table; a column for each tool of `baseline` has the cold build's time as a multiple of that tool's."""
    cold = {(result.tool, result.chapters): result.cold.seconds for result in results}
    head = ["chapters", "tool", "cold build (s)", *(f"x {tool.name}" for tool in baseline)]
    head += ["per chapter (ms)", "CPU (s)", "nothing changed (s)", "largest process (MiB)"]
    rows = []
    for result in results:
        seconds = result.cold.seconds
        ratios = [f"{seconds / cold[tool, result.chapters]:.2f}" for tool in baseline]
        row = [str(result.chapters), result.tool.name, f"{seconds:.1f}", *ratios]
        row += [f"{1000 * seconds / result.chapters:.0f}", f"{result.cold.cpu_seconds:.1f}"]
        rows.append([*row, f"{result.again.seconds:.1f}", f"{result.cold.peak_bytes / 2**20:.0f}"])
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)
