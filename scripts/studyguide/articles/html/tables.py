"""Tables: a grid of cells, with spans spread out and layout tables recognised."""

from dataclasses import dataclass

from studyguide.articles.html.dom import Element, has_block, text_of

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


def grid(table: Element) -> Grid | None:
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
    blocks = [child for child in cell.iterdescendants("p", "ul", "ol", "pre", "blockquote", "dl", "figure")]
    return len(blocks) > 1 or any(child.tag != "p" for child in blocks) or (bool(blocks) and has_block(blocks[0]))


def _side(cell: Element | None) -> str:
    if cell is None:
        return ""
    style = (cell.get("style") or "").replace(" ", "").lower()
    names = " ".join([cell.get("align") or "", style, cell.get("class") or ""]).lower()
    return next((side for side in _SIDES if side == (cell.get("align") or "").lower() or f"text-align:{side}" in style
                 or f"{side}-align" in names or f"text-{side}" in names), "")  # fmt: skip


def reads_as_head(grid: Grid) -> bool:
    """Whether the first row of a table without `th` names the columns: no cell is empty or a number."""
    texts = [text_of(cell) if cell is not None else "" for cell in grid.rows[0]]
    return len(grid.rows) > 1 and all(text and not text[0].isdigit() and len(text) < 40 for text in texts)
