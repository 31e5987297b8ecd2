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
from pathlib import Path

import nbformat

from studyguide.book import chapter as chapters
from studyguide.book import outputs
from studyguide.book.cells import NEEDS_JAVA, Cell, code_cells, imports, notebook
from studyguide.book.chapter import Chapter
from studyguide.files import read_text
from studyguide.problem import Problem, ProblemError

CELL_SECONDS = 60
"""A chapter runs in under 60 s; a single cell that takes longer is stopped."""

# Runs in the kernel before the first cell: remembers every file below the book that is opened for reading.
_BEFORE = """
import sys as _sys
_opened = set()
def _watch(event, args):
    if event == "open" and isinstance(args[0], str) and (args[1] is None or "r" in str(args[1])):
        _opened.add(args[0])
_sys.addaudithook(_watch)
"""
# Runs after the last cell: which files and modules were used, and the peak memory.
_AFTER = """
import json as _json, os as _os, resource as _resource, importlib.metadata as _metadata
_modules = {n: getattr(m, "__file__", None) for n, m in list(_sys.modules.items())}
print(_json.dumps({
    "opened": sorted(_os.path.abspath(p) for p in _opened),
    "modules": {n: p for n, p in _modules.items() if p},
    "distributions": {n: [(d, _metadata.version(d)) for d in ds]
                      for n, ds in _metadata.packages_distributions().items()},
    "peak": _resource.getrusage(_resource.RUSAGE_SELF).ru_maxrss * 1024,
}))
"""


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

    `save`: False to compare only; text that differs from the frozen outputs is then a problem (`other-output`).
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
        executed, facts = _run_cells(path, runnable)
    except _CellFailed as failure:
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
    result.metadata[outputs.META] = _key(cells, facts, book).as_json()
    skipped = len(cells) - len(runnable)
    if save:
        return Run(chapter, seconds, facts["peak"], outputs.save(target, result), skipped)
    differ = outputs.differences(frozen, result)
    problems = tuple(
        Problem(
            str(path),
            cells[number - 1].line,
            "other-output",
            f"cell {number} prints something else: {what}; make it deterministic, then `make execute`",
        )
        for number, what in differ
    )
    return Run(chapter, seconds, facts["peak"], bool(differ), skipped, problems)


class _CellFailed(Exception):
    def __init__(self, cell: Cell, line: int, summary: str, traceback: str):
        self.cell, self.line, self.summary, self.traceback = cell, line, summary, traceback
        super().__init__(summary)


_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def _run_cells(path: Path, cells: list[Cell]) -> tuple[dict[int, list], dict]:
    """Outputs of each cell by its number, and what `_AFTER` found. Raises `_CellFailed`."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    book = nbformat.v4.new_notebook()
    book.cells = [nbformat.v4.new_code_cell(text) for text in [_BEFORE, *(c.source for c in cells), _AFTER]]
    client = NotebookClient(
        book,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        extra_arguments=["--Application.log_level=40"],  # no word about loopback ports
    )
    current = None
    with client.setup_kernel():
        for position, node in enumerate(book.cells):
            current = cells[position - 1] if 0 < position <= len(cells) else None
            try:
                client.execute_cell(node, position)
            except CellExecutionError as error:
                line = _failing_line(node)
                raise _CellFailed(
                    current, line, f"{error.ename}: {_first_line(error.evalue)}", _traceback(node)
                ) from None
            except (CellTimeoutError, DeadKernelError) as error:
                summary = (
                    f"took more than {CELL_SECONDS} s" if isinstance(error, CellTimeoutError) else "the kernel died"
                )
                raise _CellFailed(current, 0, summary, "") from None
    facts = json.loads(book.cells[-1].outputs[0].text)
    return {c.number: node.outputs for c, node in zip(cells, book.cells[1:-1], strict=True)}, facts


def _first_line(text: str) -> str:
    return _ANSI.sub("", text).strip().split("\n")[0][:300]


def _traceback(node) -> str:
    return "\n".join(_ANSI.sub("", "\n".join(o.traceback)) for o in node.outputs if o.output_type == "error")


def _failing_line(node) -> int:
    """1-based line of the cell that raised (0 if unknown), read from IPython's arrow."""
    lines = re.findall(r"^-+> (\d+)", _traceback(node), re.M)
    return int(lines[0]) if lines else 0


def _unclean(path: Path, book: Path, cells: list[Cell], executed: dict[int, list]) -> Iterator[Problem]:
    """What would make the frozen outputs differ from run to run or tell of this machine."""
    machine = {str(book.resolve()), str(Path.home()), tempfile.gettempdir()}
    for cell in cells:
        for output in executed[cell.number]:
            if output.output_type == "stream" and output.name == "stderr":
                what = _first_line(output.text)
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
    helpers = {name: p for name, p in modules.items() if p.is_relative_to(root) and ".venv" not in p.parts}
    trees = [cell.tree() for cell in cells]
    trees += [ast.parse(p.read_text(encoding="utf-8")) for p in helpers.values() if p.suffix == ".py"]
    tops = {name.partition(".")[0] for name in imports(trees)}
    versions = {
        outputs.canonical(d): v for top in tops for d, v in facts["distributions"].get(top, ()) if d != "studyguide"
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


def needs_java(path: Path) -> bool:
    """Whether the chapter in `path` has a cell that needs Java."""
    return any(NEEDS_JAVA in cell.tags for cell in code_cells(notebook(read_text(path), path)))
