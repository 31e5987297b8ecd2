"""One kernel, the cells of one chapter: their outputs, and what the run used."""

import json
import re
from pathlib import Path

import nbformat

from studyguide.book import claims, mutation
from studyguide.book.cells import Cell

CELL_SECONDS = 180
"""A chapter runs in under 60 s on a quiet machine; a single cell that takes three times as long is stopped."""

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
    "assertions": globals().get("_studyguide_can_fail_results", {}),
    "peak": _resource.getrusage(_resource.RUSAGE_SELF).ru_maxrss * 1024,
}))
"""


class CellFailed(Exception):
    """A cell raised, took too long, or took the kernel down with it."""

    def __init__(self, cell: Cell, line: int, summary: str, traceback: str):
        self.cell, self.line, self.summary, self.traceback = cell, line, summary, traceback
        super().__init__(summary)


_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def run(path: Path, cells: list[Cell], *, perturb: bool) -> tuple[dict[int, list], dict]:
    """Outputs of each cell by its number, and what `_AFTER` found. Raises `CellFailed`.

    `perturb`: also try whether the assertions of claims can fail.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    book = nbformat.v4.new_notebook()
    before = _BEFORE + (mutation.PREAMBLE if perturb else "")
    sources = [_perturbed(cell) if perturb else cell.source for cell in cells]
    book.cells = [nbformat.v4.new_code_cell(text) for text in [before, *sources, _AFTER]]
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
                if any(output.output_type == "error" for output in node.outputs):
                    # IPython only prints what is raised while a figure is shown, and calls the cell done.
                    raise CellExecutionError.from_cell_and_msg(node, _shown_error(node))
            except CellExecutionError as error:
                line = _failing_line(node)
                raise CellFailed(
                    current, line, f"{error.ename}: {first_line(error.evalue)}", _traceback(node)
                ) from None
            except (CellTimeoutError, DeadKernelError) as error:
                summary = (
                    f"took more than {CELL_SECONDS} s" if isinstance(error, CellTimeoutError) else "the kernel died"
                )
                raise CellFailed(current, 0, summary, "") from None
    facts = json.loads(book.cells[-1].outputs[0].text)
    return {c.number: node.outputs for c, node in zip(cells, book.cells[1:-1], strict=True)}, facts


def _shown_error(node) -> dict:
    error = next(output for output in node.outputs if output.output_type == "error")
    return {"ename": error.ename, "evalue": error.evalue, "traceback": error.traceback}


def _perturbed(cell: Cell) -> str:
    claims_of_cell = [tag.removeprefix(claims.TAG) for tag in cell.tags if tag.startswith(claims.TAG)]
    return mutation.instrument(cell.tree(), claims_of_cell[0]) if claims_of_cell else cell.source


def first_line(text: str) -> str:
    """The first line of a message, without colours."""
    return _ANSI.sub("", text).strip().split("\n")[0][:300]


def _traceback(node) -> str:
    return "\n".join(_ANSI.sub("", "\n".join(o.traceback)) for o in node.outputs if o.output_type == "error")


def _failing_line(node) -> int:
    """1-based line of the cell that raised (0 if unknown), read from IPython's arrow."""
    lines = re.findall(r"^-+> (\d+)", _traceback(node), re.M)
    return int(lines[0]) if lines else 0
