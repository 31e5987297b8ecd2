"""Running chapters: every cell in a fresh kernel, the outputs cleaned and frozen."""

import ast
import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import nbformat

from studyguide.book import chapter as chapters
from studyguide.book import kernel, mutation, outputs
from studyguide.book.cells import Cell, code_cells, imports, notebook
from studyguide.book.chapter import Chapter
from studyguide.files import read_text
from studyguide.problem import Problem, ProblemError


@dataclass(frozen=True, slots=True)
class Run:
    """How the run of one chapter went."""

    chapter: Chapter
    seconds: float = 0.0
    peak_bytes: int = 0
    changed: bool = False
    """Whether the outputs differ from the frozen ones."""
    skipped_java: int = 0
    """Cells that kept their output because there is no Java here."""
    problems: tuple[Problem, ...] = ()
    traceback: str = ""


def execute(path: Path, book: Path, *, save: bool = True) -> Run:
    """Run the chapter in `path` and freeze its outputs; with an error the old ones stay.

    `save`: False to compare only; text that differs from the frozen outputs is then a problem (`other-output`), and so
    is a claim's assertion that cannot fail (`empty-assertion`).
    """
    chapter = chapters.read(path)
    source = notebook(read_text(path), path)
    cells = code_cells(source)
    target = outputs.path_of(book, chapter)
    frozen = outputs.load(target)
    have_java = shutil.which("java") is not None
    runnable = cells if have_java else outputs.without_java(cells)
    started = time.perf_counter()
    try:
        executed, facts = kernel.run(path, runnable, perturb=not save)
    except kernel.CellFailed as failure:
        cell = failure.cell
        message = f"cell {cell.number}: {failure.summary}; mend the cell (the old outputs are kept)"
        problem = Problem(str(path), cell.code_line + max(failure.line - 1, 0), "cell-failed", message)
        seconds = time.perf_counter() - started
        return Run(chapter, seconds, problems=(problem,), traceback=failure.traceback)
    seconds = time.perf_counter() - started
    problems = tuple(_unclean(path, book, runnable, executed))
    if problems:
        return Run(chapter, seconds, facts["peak"], problems=problems)
    result = _frozen_notebook(cells, executed, frozen)
    key, skipped = _key(cells, facts, book), len(cells) - len(runnable)
    if skipped and frozen is not None:
        key = key.with_old(outputs.Key.from_json(frozen.metadata[outputs.META]), book)
    result.metadata[outputs.META] = key.as_json()
    if save:
        record = {"date": date.today().isoformat(), "seconds": round(seconds, 1), "peak_bytes": facts["peak"]}
        outputs.save_record(target, record)
        return Run(chapter, seconds, facts["peak"], outputs.save(target, result), skipped)
    problems = tuple(_differing(chapter, cells, frozen, result)) + tuple(_empty(chapter, facts["assertions"]))
    return Run(chapter, seconds, facts["peak"], bool(problems), skipped, problems)


def _differing(chapter: Chapter, cells: list[Cell], old, new) -> Iterator[Problem]:
    for number, what in outputs.differences(old, new):
        message = f"cell {number} prints something else: {what}; make it deterministic, then `make execute`"
        yield Problem(str(chapter.path), cells[number - 1].line, "other-output", message)


def _empty(chapter: Chapter, assertions: dict[str, bool]) -> Iterator[Problem]:
    lines = {claim.id: claim.line for claim in chapter.claims}
    for claim, numbers in mutation.cannot_fail(assertions).items():
        which = ", ".join(map(str, numbers))
        message = f"claim `{claim}`: no perturbed value breaks assertion {which} of its cell; assert what can fail"
        yield Problem(str(chapter.path), lines.get(claim, 1), "empty-assertion", message)


def _unclean(path: Path, book: Path, cells: list[Cell], executed: dict[int, list]) -> Iterator[Problem]:
    """What would make the frozen outputs differ from run to run or tell of this machine."""
    machine = {str(book.resolve()), str(Path.home()), tempfile.gettempdir()}
    for cell in cells:
        for output in executed[cell.number]:
            if output.output_type == "stream" and output.name == "stderr":
                what = kernel.first_line(output.text)
                message = f"cell {cell.number} writes to stderr ({what}); silence the cause, not the warning"
                yield Problem(str(path), cell.line, "stderr-output", message)
            text = json.dumps(output, ensure_ascii=False)
            if re.search(r" at 0x[0-9a-f]{6,}", text):
                message = f"cell {cell.number} prints a memory address; print something that stays the same"
                yield Problem(str(path), cell.line, "unstable-output", message)
            for place in machine:
                if place != "/" and place + "/" in text:
                    message = f"cell {cell.number} prints a path of this machine ({place}); print a relative one"
                    yield Problem(str(path), cell.line, "machine-path", message)


def _frozen_notebook(cells: list[Cell], executed: dict[int, list], old) -> nbformat.NotebookNode:
    """Code cells with their cleaned outputs; cells that did not run keep the outputs they had, if they are the same."""
    kept = {}
    if old is not None:
        digests = outputs.Key.from_json(old.metadata[outputs.META]).cells
        kept = {d: c.outputs for d, c in zip(digests, old.cells, strict=True)}
    result = nbformat.v4.new_notebook()
    for cell in cells:
        node = nbformat.v4.new_code_cell(cell.source, id=f"cell-{cell.number}", execution_count=cell.number)
        if cell.number in executed:
            node.outputs = _cleaned(executed[cell.number], cell.number)
        else:
            node.outputs = kept.get(cell.digest, [])
        result.cells.append(node)
    return result


def _cleaned(items: list, number: int) -> list:
    """Outputs with neighbouring streams joined, counters set to the cell's number, and no transient data."""
    result = []
    for item in items:
        if item.output_type == "stream" and result and result[-1].get("name") == item.name:
            result[-1].text += item.text
            continue
        if "execution_count" in item:
            item.execution_count = number
        item.pop("transient", None)
        result.append(item)
    return result


def _key(cells: list[Cell], facts: dict, book: Path) -> outputs.Key:
    root = book.resolve()
    modules = {name: Path(p).resolve() for name, p in facts["modules"].items()}
    helpers = {
        name: p for name, p in modules.items() if p.is_file() and p.is_relative_to(root) and ".venv" not in p.parts
    }
    trees = [cell.tree() for cell in cells]
    trees += [ast.parse(p.read_text(encoding="utf-8")) for p in helpers.values() if p.suffix == ".py"]
    tops = {name.partition(".")[0] for name in imports(trees)}
    versions = {
        outputs.canonical(d): v.partition("+")[0]
        for top in tops
        for d, v in facts["distributions"].get(top, ())
        if d != "studyguide"
    }
    files = set(helpers.values())
    for name in facts["opened"]:
        opened = Path(name).resolve()
        inside = opened.is_relative_to(root) and not {".venv", "_build", "__pycache__"} & set(opened.parts)
        if inside and opened.is_file() and opened.suffix not in (".pyc", ".py"):
            files.add(opened)
    hashes = {p.relative_to(root).as_posix(): outputs.file_hash(p) for p in files}
    return outputs.Key(tuple(c.digest for c in cells), hashes, versions)


def execute_all(paths: list[Path], book: Path, *, jobs: int, save: bool, done: Callable[[Run], None]) -> list[Run]:
    """Run many chapters in parallel processes; `done` is called with each as it ends; the result is in input order."""
    runs: dict[Path, Run] = {}
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        waiting = {pool.submit(_execute_safely, path, book, save): path for path in paths}
        for future in as_completed(waiting):
            run = runs[waiting[future]] = future.result()
            done(run)
    return [runs[path] for path in paths]


def _execute_safely(path: Path, book: Path, save: bool) -> Run:
    try:
        return execute(path, book, save=save)
    except ProblemError as error:
        stub = Chapter(path, path.parent.name, path.stem, path.stem, "", 1)
        return Run(stub, problems=tuple(error.problems))
