"""Emphasis that really becomes emphasis, also between Han characters and full-width punctuation.

CommonMark lets `**` open or close only where it flanks: punctuation inside needs a space or punctuation outside.
"""

from dataclasses import dataclass

from markdown_it.common.utils import isMdAsciiPunct, isPunctChar, isWhiteSpace

_BRACKETS = dict(zip("（“‘「『《〈【", "）”’」』》〉】", strict=True))
_CLOSING_MARKS = "，。：；！？、…—,.:;!?"


@dataclass(slots=True)
class Mark:
    """The beginning or end of an emphasis."""

    kind: str
    opens: bool
    text: str


Piece = str | Mark
"""Written text that stays as it is, or a mark whose form depends on what stands beside it."""


def _word(char: str) -> bool:
    """Neither space nor punctuation, as CommonMark's flanking rules mean it."""
    return bool(char) and not _space(char) and not _punctuation(char)


def _space(char: str) -> bool:
    return not char or isWhiteSpace(ord(char)) or char == "\n"


def _punctuation(char: str) -> bool:
    return isMdAsciiPunct(ord(char)) or isPunctChar(char)


def _tidy(pieces: list[Piece]) -> list[Piece]:
    """Marks moved off the spaces inside them; empty, doubled and touching ones of a kind removed."""
    out: list[Piece] = []
    open_kinds: list[str] = []
    for piece in pieces:
        if isinstance(piece, Mark):
            if piece.opens:
                depth = sum(kind == piece.kind for kind in open_kinds)
                open_kinds.append(piece.kind)
            else:
                open_kinds.pop()
                depth = sum(kind == piece.kind for kind in open_kinds)
            if depth and piece.kind == "s":
                continue
            if depth % 2:
                piece.text = piece.text.replace("*", "_")
        if piece:
            out.append(piece)
    changed = True
    while changed:
        changed = False
        for at in range(len(out) - 1):
            here, after = out[at], out[at + 1]
            if isinstance(here, Mark) and here.opens and isinstance(after, str) and after[0] in " \n\t\u3000\xa0":
                body = after.lstrip()
                out[at : at + 2] = [after[: len(after) - len(body)], here, *([body] if body else [])]
            elif (
                isinstance(after, Mark) and not after.opens and isinstance(here, str) and here[-1] in " \n\t\u3000\xa0"
            ):
                body = here.rstrip()
                slashes = len(body) - len(body.rstrip("\\"))
                if slashes % 2 and here[len(body)] == "\n":  # a hard break
                    body, tail = body[:-1], "\\" + here[len(body) :]
                else:
                    tail = here[len(body) :]
                out[at : at + 2] = [*([body] if body else []), after, tail]
            elif (
                isinstance(here, Mark)
                and isinstance(after, Mark)
                and here.kind == after.kind
                and here.opens != after.opens
            ):
                del out[at : at + 2]
            elif isinstance(here, str) and isinstance(after, str):
                out[at : at + 2] = [here + after]
            else:
                continue
            changed = True
            break
    return out


def join(pieces: list[Piece]) -> str:
    """One string, with marks chosen and neighbours changed so that each mark opens or closes where it must."""
    if not any(isinstance(piece, Mark) for piece in pieces):
        return "".join(pieces)  # type: ignore[arg-type]
    pieces = _tidy(pieces)
    _pull_in(pieces)
    _choose_marks(pieces)
    for at, piece in enumerate(pieces):
        if isinstance(piece, Mark) and piece.text:
            _make_room(pieces, at, piece)
    return "".join(_text_of(piece) for piece in pieces)


def _make_room(pieces: list[Piece], at: int, mark: Mark) -> None:
    """Change what stands beside a mark so that it opens or closes.

    Closing full-width punctuation moves out; where that does not do, the letter outside becomes a character reference,
    which counts as punctuation and shows as the letter.
    """
    left, right = _neighbour(pieces, at, -1, mark), _neighbour(pieces, at, 1, mark)
    before = _text_of(pieces[left]) if left >= 0 else ""
    after = _text_of(pieces[right]) if right < len(pieces) else ""
    if not before or not after:
        return
    first, last = after[0], before[-1]
    if mark.opens and _punctuation(first) and _word(last):
        pieces[left] = f"{before[:-1]}&#x{ord(last):X};"
    elif not mark.opens and _punctuation(last) and _word(first):
        body = before.rstrip(_CLOSING_MARKS)
        if (
            ord(last) > 127
            and body
            and isinstance(pieces[left], str)
            and left == at - 1
            and right == at + 1
            and _word(body[-1])
        ):
            pieces[left], pieces[right] = body, before[len(body) :] + after
        else:
            pieces[right] = f"&#x{ord(first):X};{after[1:]}"


def _neighbour(pieces: list[Piece], at: int, step: int, mark: Mark) -> int:
    """Index of what stands beside a run of the same character: CommonMark looks at the run as a whole."""
    at += step
    while 0 <= at < len(pieces):
        other = pieces[at]
        if not isinstance(other, Mark) or (other.text and other.text[0] != mark.text[0]):
            break
        at += step
    return at


def _pull_in(pieces: list[Piece]) -> None:
    """Emphasis of a whole bracket or quotation that touches letters becomes emphasis of what stands inside it."""
    for start, end in _pairs(pieces):
        body = pieces[start + 1]
        if not start or end != start + 2 or end + 1 == len(pieces) or not isinstance(body, str):
            continue
        left, right = pieces[start - 1], pieces[end + 1]
        if not isinstance(left, str) or not isinstance(right, str) or not (_word(left[-1]) or _word(right[0])):
            continue
        if len(body) > 2 and _BRACKETS.get(body[0]) == body[-1] and body.count(body[0]) == 1 == body.count(body[-1]):
            pieces[start - 1], pieces[start + 1], pieces[end + 1] = left + body[0], body[1:-1], body[-1] + right


def _text_of(piece: Piece) -> str:
    return piece.text if isinstance(piece, Mark) else piece


def _pairs(pieces: list[Piece]) -> list[tuple[int, int]]:
    """Where each emphasis begins and ends, inner ones first."""
    stack: list[int] = []
    pairs: list[tuple[int, int]] = []
    for at, piece in enumerate(pieces):
        if isinstance(piece, Mark):
            if piece.opens:
                stack.append(at)
            else:
                pairs.append((stack.pop(), at))
    return pairs


def _choose_marks(pieces: list[Piece]) -> None:
    """`_` for an emphasis that touches another mark and no letter; no mark for one that needs `_` and touches one."""
    for start, end in _pairs(pieces):
        opening, closing = pieces[start], pieces[end]
        left = _text_of(pieces[start - 1])[-1:] if start else ""
        right = _text_of(pieces[end + 1])[:1] if end + 1 < len(pieces) else ""
        free = not _word(left) and not _word(right)
        near = [pieces[at] for at in (start - 1, start + 1, end - 1, end + 1) if 0 <= at < len(pieces)]
        if opening.text[0] == "_" and not free:
            opening.text = closing.text = ""
        elif opening.text == "*" and free and any(isinstance(other, Mark) and other.text[:1] == "*" for other in near):
            opening.text = closing.text = "_"
