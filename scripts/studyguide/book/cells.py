"""The code cells of a chapter and what they say about themselves."""

import ast
import hashlib
from dataclasses import dataclass
from pathlib import Path

import nbformat

from studyguide.book.chapter import Chapter

NEEDS_JAVA = "needs-java"


@dataclass(frozen=True, slots=True)
class Cell:
    """One `{code-cell}` of a chapter."""

    number: int
    """1-based, counting code cells only: what messages call the cell."""
    index: int
    """Position in the notebook's list of cells."""
    source: str
    tags: tuple[str, ...]
    line: int
    """Line of the chapter file on which the directive stands."""
    code_line: int
    """Line of the chapter file on which the code begins, below the directive's options."""

    @property
    def digest(self) -> str:
        """Short hash of what decides the outputs: the source, and whether Java is needed; other tags only style it."""
        text = self.source + ("\0" + NEEDS_JAVA if NEEDS_JAVA in self.tags else "")
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def tree(self) -> ast.Module:
        """The cell as Python's syntax tree, IPython's magics left out."""
        from IPython.core.inputtransformer2 import TransformerManager

        return ast.parse(TransformerManager().transform_cell(self.source))


def notebook(text: str, path: Path) -> nbformat.NotebookNode:
    """The chapter file `text` as a notebook without outputs, the way MyST-NB reads it (with its source map)."""
    from myst_nb.core.read import read_myst_markdown_notebook
    from myst_parser.config.main import MdParserConfig

    result = read_myst_markdown_notebook(text, config=MdParserConfig(), add_source_map=True, path=str(path))
    lines = text.split("\n")
    result.metadata["code_lines"] = [_code_line(lines, start) for start in result.metadata["source_map"]]
    return result


def _code_line(lines: list[str], directive: int) -> int:
    """1-based line below the options of the directive that stands on the 1-based line `directive`."""
    line = directive
    if line < len(lines) and lines[line].strip() == "---":
        line += 1
        while line < len(lines) and lines[line].strip() != "---":
            line += 1
        return line + 2
    while line < len(lines) and lines[line].lstrip().startswith(":"):
        line += 1
    while line < len(lines) and not lines[line].strip():
        line += 1
    return line + 1


def code_cells(book: nbformat.NotebookNode) -> list[Cell]:
    """The code cells of a notebook that `notebook` made."""
    source_map, code_lines = book.metadata["source_map"], book.metadata["code_lines"]
    cells = []
    for index, cell in enumerate(book.cells):
        if cell.cell_type == "code":
            tags = tuple(cell.metadata.get("tags", ()))
            cells.append(Cell(len(cells) + 1, index, cell.source, tags, source_map[index], code_lines[index]))
    return cells


def of_chapter(chapter: Chapter, text: str) -> list[Cell]:
    """The code cells of a chapter whose file holds `text`."""
    return code_cells(notebook(text, chapter.path))


def imports(trees: list[ast.Module]) -> set[str]:
    """Full names of the modules that `trees` import; `from a import b` gives both `a` and `a.b`."""
    names = set()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module)
                names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def asserts_something(tree: ast.Module) -> bool:
    """Whether `tree` holds an assertion that can fail: `assert` of a non-constant, or a library's `assert_…` call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert) and not isinstance(node.test, ast.Constant):
            return True
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name.startswith("assert_"):
                return True
    return False
