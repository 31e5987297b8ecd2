"""Tables: a grid of cells, with spans spread out and layout tables recognised."""

from collections.abc import Iterator
from dataclasses import dataclass

from markdown_it.token import Token

from studyguide.articles import tokens as make
from studyguide.articles.html import inlines
from studyguide.articles.html.context import Context
from studyguide.articles.html.dom import Element, has_block, text_of
from studyguide.articles.html.lists import Reader, tight
from studyguide.myst import inline as written

_SIDES = ("left", "center", "right")
_WIDEST = 60


@dataclass(slots=True)
class Grid:
    """The cells of a table by row and column; a spanned place holds None."""

    rows: list[list[Element | None]]
    head: int
    """Number of rows at the top that are headings."""
    align: list[str]
    spans: bool
    blocks: bool
    """Whether a cell holds more than one line of text: lists, code, several paragraphs."""
    caption: Element | None


def grid_of(table: Element) -> Grid | None:
    """The grid of a table, or None if it only lays out the page: one cell, or a table inside."""
    lines = [row for row in table.iter("tr") if next(row.iterancestors("table"), None) is table]
    if not lines or table.get("role") == "presentation":
        return None
    rows: list[list[Element | None]] = []
    taken: dict[tuple[int, int], bool] = {}
    spans = blocks = False
    head = 0
    for at, line in enumerate(lines):
        row: list[Element | None] = []
        cells = [cell for cell in line if cell.tag in ("td", "th")]
        for cell in cells:
            while taken.get((at, len(row))):
                row.append(None)
            across, down = _span(cell, "colspan"), _span(cell, "rowspan")
            spans = spans or across > 1 or down > 1
            blocks = blocks or _holds_blocks(cell)
            for below in range(1, down):
                for beside in range(across):
                    taken[at + below, len(row) + beside] = True
            row += [cell] + [None] * (across - 1)
        while taken.get((at, len(row))):
            row.append(None)
        if cells and head == at and (line.getparent().tag == "thead" or all(cell.tag == "th" for cell in cells)):
            head += 1
        if cells:
            rows.append(row)
    width = max(map(len, rows), default=0)
    if not rows or (len(rows) == 1 and width == 1) or next(table.iterdescendants("table"), None) is not None:
        return None
    for row in rows:
        row += [None] * (width - len(row))
    align = [_side(rows[min(1, len(rows) - 1)][column]) or _side(rows[0][column]) for column in range(width)]
    caption = next(table.iterchildren("caption"), None)
    return Grid(rows, head, align, spans, blocks, caption)


def _span(cell: Element, name: str) -> int:
    value = cell.get(name) or "1"
    return min(max(int(value), 1), _WIDEST) if value.isdigit() else 1


def _holds_blocks(cell: Element) -> bool:
    blocks = list(cell.iterdescendants("p", "ul", "ol", "pre", "blockquote", "dl", "figure"))
    return len(blocks) > 1 or any(child.tag != "p" for child in blocks) or (bool(blocks) and has_block(blocks[0]))


def _side(cell: Element | None) -> str:
    if cell is None:
        return ""
    style = (cell.get("style") or "").replace(" ", "").lower()
    names = " ".join([cell.get("align") or "", style, cell.get("class") or ""]).lower()
    return next((side for side in _SIDES if side == (cell.get("align") or "").lower() or f"text-align:{side}" in style
                 or f"{side}-align" in names or f"text-{side}" in names), "")  # fmt: skip


def _reads_as_head(grid: Grid) -> bool:
    """Whether the first row of a table without `th` names the columns: no cell is empty or a number."""
    texts = [text_of(cell) if cell is not None else "" for cell in grid.rows[0]]
    return len(grid.rows) > 1 and all(text and not text[0].isdigit() and len(text) < 40 for text in texts)


def read(element: Element, page: Context, depth: int, blocks: Reader) -> list[Token]:
    """A table: with pipes where that will do, else as a list-table; a layout table becomes what stands in it."""
    grid = grid_of(element)
    if grid is None:
        return [token for row in _cells(element) for token in blocks(row, page, depth)]
    page.found["tables"] += 1
    title = [] if grid.caption is None else [inlines.flat(token) for token in inlines.read(grid.caption, page)]
    if grid.spans or grid.blocks or grid.head > 1:
        return _list_table(grid, written.render(title, one_line=True), page, depth, blocks)
    caption = make.paragraph(make.strong(title)) if title else []
    rows = [[_line(cell, page) for cell in row] for row in grid.rows]
    if grid.head or _reads_as_head(grid):
        return caption + make.table(rows[0], rows[1:], grid.align)
    return caption + make.table([[] for _ in rows[0]], rows, grid.align)


def _line(cell: Element | None, page: Context) -> list[Token]:
    return [inlines.flat(token) for token in inlines.read(cell, page)] if cell is not None else []


def _cells(table: Element) -> Iterator[Element]:
    return (cell for cell in table.iter("td", "th", "caption") if next(cell.iterancestors("table"), None) is table)


def _list_table(grid: Grid, title: str, page: Context, depth: int, blocks: Reader) -> list[Token]:
    rows = []
    for row in grid.rows:
        cells = [blocks(cell, page, depth + 1) if cell is not None else [] for cell in row]
        rows.append(make.bullet_list(tight(cell) for cell in cells))
    return make.directive("list-table", make.bullet_list(rows), title, options={"header-rows": str(grid.head)})
