"""Chinese text whose blocks were flattened into one line: find its paragraphs, headings and lists again.

A space is all that is left of a break, and Chinese authors also write spaces around Latin words, so each space is
judged by what stands on both sides of it. Where that does not decide, the text stays together: a missing break is
harmless, a wrong one is not.
"""

import difflib
import re
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import Literal

from studyguide.articles.placeholders import PLACEHOLDER
from studyguide.articles.titles import GENERIC

HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff〇々"
BLOCKS = {"[公式]": "math", "[代码]": "code"}
"""Placeholders that stood on lines of their own."""

_HAN = re.compile(f"[{HAN}]")
_LATIN = re.compile(r"[A-Za-z0-9]")
_STOP = "。！？；"
_CANNOT_END = tuple(
    "如的在是为与和或对把被从到由以于种个及即叫用将向让使比见地得很更最不就也都还又而但则若其这那该此每各几两当"
)
_CANNOT_START = re.compile(r"的|中[的,，]|里|之|等|也|都|则|来|是|和|与|或|及|这|用于|所示|为例")
_NO_PHRASE = re.compile(
    "本文|这|那|我们|其|因|由于|当|如|若|所以|但|而|通过|根据|基于|使用|利用|承接|参考|为|从|把|对|在"
)
_OPENER = re.compile(
    "诸如|我们|为了|随着|对于|本文|首先|通常|由于|如果|当|从|一般|众所周知|所谓|上一|前面|假设|大家|今天|近年"
)
_CONJUNCTION = re.compile(r"(?:但是?|当然|因此|所以|然而|不过|另外|此外|首先|其次|最后|总之|同时|于是)[,，]")
_LEAD_IN = re.compile(
    "(?:如下|例如|比如|其中|包括|以下|下面|分别是|有|导致|步骤|原因|什么|方案|造成的|使得|优点|缺点|[两几三四]种)$"
)
_LABEL = re.compile(rf"(?:[A-Za-z][A-Za-z0-9_/.-]{{0,14}}|[{HAN}A-Z/]{{2,8}})[:：](?!/)")
_MARKER = re.compile(r"(?:^|(?<=\s))(\d{1,2})[.、)] (?=\S)")
_ABBREVIATION = re.compile(r"(?:\b(?:vs|etc|Fig|Eq|al)|\.\w)\.$")
_HEADING_MAX = 24
_ITEMS = 100
"""The longest run of bullet items that is recognised as one list."""
_REACH = 300
"""How far left and right of a space its judgement looks."""
_GLUED = 4
"""So many junctions of Han and Latin without a space for each one with: the author does not write such spaces."""


@dataclass(slots=True)
class Block:
    """One block of restored text."""

    kind: Literal["heading", "paragraph", "bullets", "numbers", "math", "code"]
    text: str = ""
    items: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Piece:
    """A stretch of text between two breaks."""

    text: str
    number: int = 0
    """Its list number, 0 for none."""
    heading: bool = False


def restore(text: str) -> list[Block]:
    """The blocks of a text in which every run of white space may be a former break."""
    return _blocks(_pieces(" ".join(text.split())))


def _pieces(text: str) -> list[_Piece]:
    glued = _writes_no_spaces(text)
    markers, labels = _list_markers(text), _labels(text)
    spaces = [match.start() for match in re.finditer(" ", text)]
    pieces: list[_Piece] = []
    start, sure = 0, True  # sure: the last break is certain, so a heading may begin here
    while start < len(text):
        number = 0
        if match := _MARKER.match(text, start):
            if start in markers:
                number, start = int(match[1]), match.end()
            elif start == 0 and (length := _numbered_heading(text[match.end() :], text)):
                pieces.append(_Piece(text[match.end() : match.end() + length], heading=True))
                start, sure = match.end() + length + 1, False
                continue
        if sure and not number and (length := _heading(text[start : start + _REACH], text, glued)):
            pieces.append(_Piece(text[start : start + length], heading=True))
            start, sure = start + length + 1, False
            continue
        end, inline = len(text), -1
        for space in islice(spaces, bisect_left(spaces, start), None):
            if space + 1 in markers or space + 1 in labels:
                end = space
                break
            verdict = _judge(text[max(start, space - _REACH) : space], text[space + 1 : space + _REACH], glued)
            if verdict == "break" and space > inline:
                end = space
                break
            if verdict == "inline":
                inline = _closing(text, space)
        piece = text[start:end]
        pieces.append(_Piece(piece, number))
        sure = piece.endswith((*_STOP, *".!?;:：", *BLOCKS)) or bool(re.search(r": https?://\S+$", piece))
        start = end + 1
    return pieces


def _judge(left: str, right: str, glued: bool) -> Literal["break", "inline", "space"]:
    """What the space between two texts is: a former break, the beginning of an inline element, or a space."""
    if not left or not right:
        return "space"
    if left.endswith(tuple(BLOCKS)) or right.startswith(tuple(BLOCKS)):
        return "break"
    before, after = left[-1], right[0]
    if (before in "”’」』)）" and left[-2:-1] in tuple(_STOP)) or before in _STOP:
        return "break"
    if before in ".!?;~…" and not _ABBREVIATION.search(left):
        # In a half-width context a full stop ends a Chinese sentence only beside Han; an English one goes on.
        beside = _HAN.match(after) or _HAN.match(left.rstrip(".!?;~…")[-1:] or " ")
        question = before in "?!" and _HAN.search(right[:20])
        return "break" if beside or question else "space"
    if before in ":：":
        clause = re.split(r"[,，。；;!?！？]", left[:-1])[-1]
        return "break" if _LEAD_IN.search(clause) or PLACEHOLDER.match(right) else "space"
    if re.search(r"[:：] ?https?://\S+$", left) and _HAN.match(after):
        return "break"
    if _CONJUNCTION.match(right):
        return "break"
    if not _HAN.match(before):
        return "space"
    if _HAN.match(after):
        if left.endswith(_CANNOT_END):
            return "inline"
        return "space" if _CANNOT_START.match(right) else "break"
    ends = not left.endswith(_CANNOT_END) and len(left) >= 8
    word = re.match(r"[A-Za-z][A-Za-z0-9/]+", right)  # a single letter is a variable
    return "break" if glued and ends and word and _HAN.search(right[:24]) else "space"


def _closing(text: str, space: int) -> int:
    """Where the inline element that opens after `space` closes: at the next space before any punctuation."""
    match = re.compile(r"[^\s,，。；;:：!?！？]{1,16} ").match(text, space + 1)
    return match.end() - 1 if match else space


def _writes_no_spaces(text: str) -> bool:
    """Whether the author joins Han and Latin without a space, so that a space there means something."""
    joined = len(re.findall(rf"[{HAN}][A-Za-z]|[A-Za-z][{HAN}]", text))
    # Both sides of the word, because a space on one side only may be a break.
    spaced = len(re.findall(rf"[{HAN}] [A-Za-z][^{HAN}。，,]{{0,20}} (?=[{HAN}])", text))
    return joined >= 6 and joined >= _GLUED * spaced


def _list_markers(text: str) -> set[int]:
    """Where numbered items begin: `1. … 1. …` or `1. … 2. …`, or a single `1. ` after a colon."""
    markers: set[int] = set()
    run: list[int] = []
    previous = 0
    for match in [*_MARKER.finditer(text), None]:
        number = int(match[1]) if match else 0
        if match and run and number in (1, previous + 1):
            run.append(match.start())
        else:
            if len(run) > 1 or (run and text[: run[0]].rstrip().endswith((":", "："))):
                markers.update(run)
            run = [match.start()] if number == 1 else []
        previous = number
    return markers


def _labels(text: str) -> set[int]:
    """Where items of the form `名称: 说明` begin, if there are at least two."""
    found = {space.end() for space in re.finditer(rf"(?<=[{HAN}。；;:：]) ", text) if _LABEL.match(text, space.end())}
    return found if len(found) > 1 else set()


def _heading(segment: str, text: str, glued: bool) -> int:
    """The length of the heading that `segment` begins with, 0 if it is not sure that there is one."""
    cuts = _phrase_ends(segment)
    rules = (_is_generic, _is_question, _is_repeated, _precedes_label, _is_han, _precedes_opener, _is_glued, _is_noun)
    for rule in rules:
        for cut in cuts:
            left, right = segment[:cut], segment[cut + 1 :]
            if right and rule(left, right, text, glued):
                return cut
    return 0


def _numbered_heading(segment: str, text: str) -> int:
    """The length of the heading after a single number at the very beginning: a phrase that the text takes up again."""
    recurring = [cut for cut in _phrase_ends(segment) if len(re.findall(re.escape(segment[:cut]), text)) > 1]
    return _heading(segment, text, False) or max(recurring, default=0)


def _phrase_ends(segment: str) -> list[int]:
    """The spaces outside of brackets in the first words of `segment`, before any sentence punctuation."""
    ends, depth = [], 0
    for index, char in enumerate(segment[:60]):
        if char in "(（":
            depth += 1
        elif char in ")）":
            depth -= 1
        elif depth:
            continue
        elif char == " ":
            ends.append(index)
            if segment[index - 1] in "?？":
                break
        elif char in "。！；，,;:：!“”[" or len(re.sub(r"[(（].*?[)）]", "", segment[:index])) > _HEADING_MAX:
            break
    return ends


def _is_generic(left: str, right: str, text: str, glued: bool) -> bool:
    words = left.split(" ")
    return bool(GENERIC.fullmatch(words[-1])) and len(words) <= 3


def _is_question(left: str, right: str, text: str, glued: bool) -> bool:
    return left[-1] in "?？" and bool(_HAN.search(left))


def _is_repeated(left: str, right: str, text: str, glued: bool) -> bool:
    """A name that its text takes up: `Dropout Dropout是…`, `Batch norm Batch`, and misspelt `Droupout Dropout是…`."""
    if right.casefold().startswith(left.casefold()):
        return True
    first = re.match(r"[A-Za-z][A-Za-z0-9-]*", right)
    if not first or re.match(r" [A-Za-z]", right[first.end() :]):
        return False
    word = left.split(" ")[0]
    return first[0] == word or (len(left) > 4 and difflib.SequenceMatcher(None, first[0], left).ratio() >= 0.8)


def _precedes_label(left: str, right: str, text: str, glued: bool) -> bool:
    if not re.match(r"[A-Za-z][A-Za-z0-9]*: ", right) or " " in left:
        return False
    return (bool(_HAN.search(left)) and not left.endswith(_CANNOT_END)) or text.count(left) > 1


def _is_han(left: str, right: str, text: str, glued: bool) -> bool:
    if not (_HAN.match(right) and (_HAN.match(left[-1]) or left[-1] in ")）") and _HAN.match(left)):
        return False
    if len(re.split(rf"(?<=[{HAN}]) (?=[{HAN}])", right)[0]) < 10:
        return False  # not the text of a heading but the next of several short phrases
    return " " not in re.sub(r"[(（].*?[)）]", "", left) and _is_phrase(left) and not _CANNOT_START.match(right)


def _precedes_opener(left: str, right: str, text: str, glued: bool) -> bool:
    return bool(_LATIN.match(left[-1]) and _OPENER.match(right)) and _is_phrase(left)


def _is_glued(left: str, right: str, text: str, glued: bool) -> bool:
    """A space between Latin and Han in a text that has no others."""
    if not glued or " " in left or _CANNOT_START.match(right):
        return False
    return bool(_LATIN.match(left[-1]) and _HAN.match(right)) and len(left) > 2 and _is_phrase(left)


def _is_noun(left: str, right: str, text: str, glued: bool) -> bool:
    """`张量 torch.Tensor 是…`: a Han word that the text uses again, before a clause with a Latin subject."""
    if not re.fullmatch(f"[{HAN}]{{2,6}}", left) or not _is_phrase(left) or text.count(left) < 2:
        return False
    return bool(re.match(r"[A-Za-z][A-Za-z0-9_.]* ?(?:是|的|和|为)", right))


def _is_phrase(left: str) -> bool:
    return not left.endswith(_CANNOT_END) and not _NO_PHRASE.match(left)


def _blocks(pieces: list[_Piece]) -> list[Block]:
    blocks: list[Block] = []
    index = 0
    while index < len(pieces):
        piece = pieces[index]
        if piece.number:
            items, index = _numbered_items(pieces, index)
            blocks.append(Block("numbers", items=items))
        elif piece.heading:
            blocks.append(Block("heading", piece.text))
            index += 1
        elif piece.text in BLOCKS:
            blocks.append(Block(BLOCKS[piece.text], piece.text))
            index += 1
        elif count := _bullet_run(pieces, index):
            blocks.append(Block("bullets", items=[_tidy(item.text) for item in pieces[index : index + count]]))
            index += count
        else:
            blocks.append(Block("paragraph", _tidy(piece.text)))
            index += 1
    return blocks


def _numbered_items(pieces: list[_Piece], index: int) -> tuple[list[str], int]:
    """The items that begin at `index` and where they end.

    The last item ends at its first break: whether more of the text belonged to it, the flattened line does not say.
    """
    items = [_tidy(pieces[index].text)]
    index += 1
    while index < len(pieces):
        if pieces[index].number:
            items.append(_tidy(pieces[index].text))
            index += 1
            continue
        following = index
        while following < len(pieces) and not pieces[following].number and not pieces[following].heading:
            if pieces[following].text in BLOCKS or pieces[following].text.endswith((":", "：")):
                return items, index
            following += 1
        if following == len(pieces) or pieces[following].heading:
            return items, index
        items[-1] = " ".join([items[-1], *(_tidy(piece.text) for piece in pieces[index:following])])
        index = following
    return items, index


def _bullet_run(pieces: list[_Piece], index: int) -> int:
    """How many pieces from `index` on are items: all with a label, or after a colon with the same first words."""
    after_colon = index > 0 and pieces[index - 1].text.endswith((":", "："))
    plain = [
        piece.text
        for piece in takewhile(lambda piece: not (piece.heading or piece.number), pieces[index : index + _ITEMS])
    ]
    labelled = _run(plain, lambda text: bool(_LABEL.match(text)) and not text.endswith((":", "：")))
    if labelled >= (2 if after_colon else 3):
        return labelled
    alike = _run(plain, lambda text: text[:3] == plain[0][:3])
    return alike if after_colon and alike >= 2 else 0


def _run(texts: list[str], holds) -> int:
    return next((number for number, text in enumerate(texts) if not holds(text)), len(texts))


def _tidy(text: str) -> str:
    """Without the spaces that inline markup left between Han characters and before punctuation."""
    text = re.sub(rf"(?<=[{HAN}]) (?=[{HAN}])", "", text)
    return re.sub(r"(?<=\S) (?=[,，。；：、)）!！?？])", "", text)
