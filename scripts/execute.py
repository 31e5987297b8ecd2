"""Run the chapters whose frozen outputs are stale (or those named) and freeze their outputs anew."""

import environment  # noqa: F401, I001 - first: it may start the command again in .venv

import argparse
import os
import sys
from pathlib import Path

from studyguide import commands
from studyguide.book import chapter as chapters
from studyguide.book import execution, outputs, rotation
from studyguide.problem import Problem, ProblemError


def chosen(names: list[str], book: Path) -> list[Path]:
    """The chapter files that `names` (ids or paths) mean. Raises `ProblemError` (`unknown-chapter`)."""
    files = chapters.find(book)
    by_name = {path.stem: path for path in files} | {str(commands.near(path)): path for path in files}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        message = "no chapter of this name; give an id or a path below chapters/"
        raise ProblemError(Problem(name, 1, "unknown-chapter", message) for name in unknown)
    return [by_name[name] for name in names]


def main(argv: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="execute.py", description=__doc__)
    parser.add_argument("chapter", nargs="*", help="id or path; default: every chapter that is stale")
    parser.add_argument("--book", metavar="DIR", help="folder of the book (default: this one)")
    parser.add_argument("--all", action="store_true", help="every chapter, stale or not")
    parser.add_argument("--check", action="store_true", help="compare with the frozen outputs, write nothing")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: all cores)"
    )
    parser.add_argument("--since", metavar="REV", help="chapters whose source or outputs differ from this commit")
    parser.add_argument(
        "--more", type=int, default=0, metavar="N", help="with --since: N others, in turn from commit to commit"
    )
    options = parser.parse_args(argv)
    book = commands.book_folder(options.book)
    paths = chosen(options.chapter, book) if options.chapter else chapters.find(book)
    if options.since:
        paths = rotation.chosen(book, options.since, options.more)
    elif not options.chapter and not options.all:
        paths = [path for path in paths if outputs.stale(chapters.read(path), book)]
    paths = [path for path in paths if outputs.has_cells(path)]
    if not paths:
        print("nothing to run: every chapter's outputs are fresh")
        return 0
    return report(paths, book, jobs=options.jobs, save=not options.check)


def report(paths: list[Path], book: Path, *, jobs: int, save: bool) -> int:
    """Execute `paths` with a progress bar, then print a table; 1 if any failed."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Table

    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("executing", total=len(paths))
        done = lambda run: progress.update(task, advance=1, description=run.chapter.id)  # noqa: E731 - one use
        runs = execution.execute_all(paths, book, jobs=jobs, save=save, done=done)
    table = Table("chapter", "seconds", "peak MiB", "outputs")
    for run in runs:
        state = "failed" if run.problems else "changed" if run.changed else "same"
        if run.skipped_java:
            state += f" ({run.skipped_java} needs-java cells kept: no Java here)"
        table.add_row(run.chapter.id, f"{run.seconds:.1f}", f"{run.peak_bytes / 2**20:.0f}", state)
    console.print(table)
    for run in runs:
        if run.traceback:
            print(run.traceback, file=sys.stderr)
        for problem in run.problems:
            print(problem, file=sys.stderr)
    return 1 if any(run.problems for run in runs) else 0


if __name__ == "__main__":
    sys.exit(commands.run(main))
