"""Inline tokens to MyST text: escaping, and emphasis that really becomes emphasis."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markdown_it.common.utils import isMdAsciiPunct, isPunctChar, isWhiteSpace
from markdown_it.token import Token

from studyguide.myst import safety

HAN = "\u2e80-\u2fdf\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef\u2018-\u201d\u2026\u2014"
"""Characters, Han and the punctuation around it, between which a line break is no space."""

_BETWEEN_HAN = re.compile(rf"(?<=[{HAN}])[ \t]*\n[ \t]*(?=[{HAN}])")
_SPECIAL = re.compile(r"[\\`*_\[\]<&$~{}!|]")
_ENTITY = re.compile(r"&(?:#x[0-9a-fA-F]{1,6}|#[0-9]{1,7}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_LINE = re.compile(
    r"""(?mx)^(?:
      (?P<first> \#{1,6}(?=[ \t]|$) | [-+](?=[ \t]|$) | \+{3} | =+[ \t]*$ | -+[ \t]*$ | [-:|][-:|\ \t]*$ | [>%]
        | \((?=.*\)=[ \t]*$) | [:~](?=[ \t]) | :{3} | \\(?=begin\{) )
      | (?P<number> \d{1,9})(?=[.)](?:[ \t]|$))
    )"""
)
_BREAKS = ("hardbreak", "softbreak")
_MARKS = {"em": "*", "strong": "**", "s": "~~"}
_BRACKETS = dict(zip("（“‘「『《〈【", "）”’」』》〉】", strict=True))
_CLOSING_MARKS = "，。：；！？、…—,.:;!?"


@dataclass(slots=True)
class _Mark:
    """The beginning or end of an emphasis."""

    kind: str
    opens: bool
    text: str


def escape(text: str) -> str:
    """`text` so that inside a line it means nothing but itself."""

    def replace(match: re.Match[str]) -> str:
        char, at = match[0], match.start()
        before = text[at - 1] if at else ""
        after = text[at + 1] if at + 1 < len(text) else ""
        if char == "\\":
            inert = after and not isMdAsciiPunct(ord(after)) and after != "\n"
        elif char == "_":
            inert = before.isalnum() and after.isalnum()
        elif char == "*":
            inert = before == " " == after and "\n" not in text
        elif char == "<":
            inert = after and not (after.isalpha() or after in "/!?")
        elif char == "&":
            inert = after and not _ENTITY.match(text, at)
        elif char == "~":
            inert = before not in ("~", "") and after not in ("~", "")
        elif char == "!":
            inert = after
        else:
            inert = char in "|}"
        return char if inert else "\\" + char

    return _SPECIAL.sub(replace, text)


def escape_line_starts(text: str) -> str:
    """Lines of a paragraph so that none begins a block."""
    return _LINE.sub(lambda m: f"\\{m['first']}" if m["first"] else f"{m['number']}\\", text)


def code_span(content: str) -> str:
    """A code span with enough back-ticks."""
    content = safety.visible(content).replace("\n", " ")
    if not content.strip():
        return ""
    runs = {len(run) for run in re.findall("`+", content)}
    ticks = "`" * next(n for n in range(1, len(runs) + 2) if n not in runs)
    if content[0] == "`" or content[-1] == "`" or (content[0] == " " == content[-1]):
        content = f" {content} "
    return f"{ticks}{content}{ticks}"


def role(name: str, content: str) -> str:
    """A role around text that it takes literally, or the text alone where the role cannot hold it."""
    content = safety.plain(content)
    longest = max((len(run) for run in re.findall("`+", content)), default=0)
    if not content or content[0] == "`" or content[-1] == "`":
        return escape(content)
    ticks = "`" * (longest + 1)
    return f"{{{name}}}{ticks}{content}{ticks}"


def math(tex: str) -> str:
    """A formula inside a line."""
    if "\n" in tex:
        tex = re.sub(r"(?m)(?<!\\)%.*$", "", tex)
    tex = safety.plain(safety.tex(tex))
    if not tex:
        return ""
    bare = re.sub(r"\\.", "", tex, flags=re.S)
    if "$" in bare or bare.endswith("\\"):
        return role("math", tex)
    return f"${tex}$"


def render(tokens: Sequence[Token], anchors: Mapping[str, str] | None = None, *, one_line: bool = False) -> str:
    """The MyST of inline tokens, ready to stand in a paragraph.

    Parameters: `anchors` maps the ids of headings to their slugs, links to other places of the page become text;
    `one_line` for headings and table cells, where a line break is a space.
    """
    pieces = _pieces(tokens, anchors or {}, one_line)
    text = _join(pieces).strip()
    if "\n" in text:
        text = _BETWEEN_HAN.sub("", text)
        text = re.sub(r"[ \t]*\n[ \t]*", " " if one_line else "\n", text)
    return escape_line_starts(text)


def _pieces(tokens: Sequence[Token], anchors: Mapping[str, str], one_line: bool) -> list[str | _Mark]:
    """Written strings, and marks whose form depends on what stands beside them."""
    out: list[str | _Mark] = []
    pending = ""
    at = 0
    while at < len(tokens):
        token = tokens[at]
        kind = token.type
        at += 1
        if kind in ("text", "text_special", "entity"):
            pending += token.content
            continue
        if kind == "softbreak" or (kind == "hardbreak" and one_line):
            pending += "\n" if not one_line else " "
            continue
        if pending:
            out.append(_text(pending, kind))
            pending = ""
        if kind == "code_inline":
            out.append(code_span(token.content))
        elif kind in ("math_inline", "math_inline_double"):
            out.append(math(token.content))
        elif kind == "hardbreak":
            out.append("\\\n")
        elif kind == "image":
            out.append(image(token))
        elif kind == "footnote_ref":
            out.append(f"[^{safety.label(token.meta['label'])}]")
        elif kind == "gap":
            out.append(role("gap", token.content.strip("[]")))
        elif kind in ("role", "myst_role"):
            out.append(_role(token))
        elif kind == "link_open":
            end = _close(tokens, at, "link")
            out += _link(token, tokens[at:end], anchors, one_line)
            at = end + 1
        elif kind in ("em_open", "strong_open", "s_open", "em_close", "strong_close", "s_close"):
            name, _, side = kind.rpartition("_")
            out.append(_Mark(name, side == "open", _MARKS[name]))
        elif kind == "html_inline" and "task-list-item-checkbox" in token.content:
            out.append("[x] " if "checked=" in token.content else "[ ] ")
            if at < len(tokens) and tokens[at].type == "text":
                pending = tokens[at].content.lstrip()
                at += 1
        elif kind in ("span_open", "span_close"):
            pass
        else:
            pending += token.content
    if pending:
        out.append(_text(pending, ""))
    return out


def _role(token: Token) -> str:
    name = token.info or token.meta["name"]
    if name == "math":
        return math(token.content)
    return role(name, token.content) if name in safety.ROLES else escape(token.content)


def _text(content: str, following: str) -> str:
    content = safety.visible(content)
    if "\n" in content:
        content = re.sub(r"[ \t]*\n[ \t]*", "\n", _BETWEEN_HAN.sub("", content))
    written = escape(content)
    if following not in ("link_open", "image", "footnote_ref") and written.endswith("\\!"):
        written = written[:-2] + "!"
    return written


def _close(tokens: Sequence[Token], at: int, name: str) -> int:
    depth = 1
    while at < len(tokens):
        depth += (tokens[at].type == f"{name}_open") - (tokens[at].type == f"{name}_close")
        if not depth:
            return at
        at += 1
    return at


def _target(url: str) -> str:
    """An address between the parentheses of a link or image."""
    if re.search(r"[\s<>()\\]", url) or not url:
        return "<" + re.sub(r"\s", "%20", url).replace("\\", "%5C").replace("<", "%3C").replace(">", "%3E") + ">"
    return re.sub(r"([*_`\[\]$&{}~!])(?=.*)", lambda m: m[0] if m[0] in "_~!$&" else f"%{ord(m[0]):02X}", url)


def _title(token: Token) -> str:
    title = safety.plain(str(token.attrs.get("title", "")))
    return ' "' + escape(title).replace('"', '\\"') + '"' if title else ""


def image(token: Token) -> str:
    """An image inside a line."""
    src = safety.address(str(token.attrs.get("src", "")))
    alt = escape(safety.plain(token.content or "".join(child.content for child in token.children or [])))
    return f"![{alt}]({_target(src)}{_title(token)})" if src else alt


def _link(token: Token, inner: Sequence[Token], anchors: Mapping[str, str], one_line: bool) -> list[str | _Mark]:
    inner = [child for child in inner if child.type not in ("link_open", "link_close", "footnote_ref")]
    while inner and inner[0].type in _BREAKS:
        inner.pop(0)
    while inner and inner[-1].type in _BREAKS:
        inner.pop()
    href = safety.address(str(token.attrs.get("href", "")))
    if href.startswith("#"):
        slug = anchors.get(href[1:])
        href = f"#{slug}" if slug else ""
    pieces = _pieces(inner, anchors, one_line)
    plain = "".join(child.content for child in inner) if all(child.type == "text" for child in inner) else ""
    if plain and plain in (href, href.removeprefix("mailto:")) and re.fullmatch(r"[^\s<>\\\u0080-\uffff]+", href):
        return [f"<{plain}>"]
    label = _join(pieces)
    if not href or not label.strip():
        return pieces if not href else []
    space = label[: len(label) - len(label.lstrip())], label[len(label.rstrip()) :]
    return [space[0], f"[{label.strip()}]({_target(href)}{_title(token)})", space[1]]


def _word(char: str) -> bool:
    """Neither space nor punctuation, as CommonMark's flanking rules mean it."""
    return bool(char) and not _space(char) and not _punctuation(char)


def _space(char: str) -> bool:
    return not char or isWhiteSpace(ord(char)) or char == "\n"


def _punctuation(char: str) -> bool:
    return isMdAsciiPunct(ord(char)) or isPunctChar(char)


def _tidy(pieces: list[str | _Mark]) -> list[str | _Mark]:
    """Marks moved off the spaces inside them; empty, doubled and touching ones of a kind removed."""
    out: list[str | _Mark] = []
    open_kinds: list[str] = []
    for piece in pieces:
        if isinstance(piece, _Mark):
            if piece.opens:
                if piece.kind in open_kinds:
                    open_kinds.append("")
                    continue
                open_kinds.append(piece.kind)
            elif not open_kinds.pop():
                continue
        elif not piece:
            continue
        out.append(piece)
    changed = True
    while changed:
        changed = False
        for at in range(len(out) - 1):
            here, after = out[at], out[at + 1]
            if isinstance(here, _Mark) and here.opens and isinstance(after, str) and after[0] in " \n\t\u3000\xa0":
                body = after.lstrip()
                out[at : at + 2] = [after[: len(after) - len(body)], here, *([body] if body else [])]
            elif isinstance(after, _Mark) and not after.opens and isinstance(here, str) and here[-1] in " \n\t\u3000\xa0":
                body = here.rstrip()
                if body.endswith("\\"):
                    body, tail = body[:-1], "\\" + here[len(body) :]
                else:
                    tail = here[len(body) :]
                out[at : at + 2] = [*([body] if body else []), after, tail]
            elif isinstance(here, _Mark) and isinstance(after, _Mark) and here.kind == after.kind and here.opens != after.opens:
                del out[at : at + 2]
            elif isinstance(here, str) and isinstance(after, str):
                out[at : at + 2] = [here + after]
            else:
                continue
            changed = True
            break
    return out


def _join(pieces: list[str | _Mark]) -> str:
    """One string, with marks chosen and neighbours changed so that each mark opens or closes where it must."""
    if not any(isinstance(piece, _Mark) for piece in pieces):
        return "".join(pieces)  # type: ignore[arg-type]
    pieces = _tidy(pieces)
    _pull_in(pieces)
    _choose_marks(pieces)
    at = 0
    while at < len(pieces):
        piece = pieces[at]
        if isinstance(piece, _Mark):
            before = _text_of(pieces[at - 1]) if at else ""
            after = _text_of(pieces[at + 1]) if at + 1 < len(pieces) else ""
            first, last = after[:1], before[-1:]
            if piece.opens and _punctuation_at(first) and _word(last):
                pieces[at - 1] = before[:-1] + f"&#x{ord(last):X};"
            elif not piece.opens and _punctuation_at(last) and _word(first):
                body = before.rstrip(_CLOSING_MARKS)
                if ord(last) > 127 and body and body != before and isinstance(pieces[at - 1], str) and _word(body[-1]):
                    pieces[at - 1] = body
                    pieces[at + 1] = before[len(body) :] + after
                else:
                    pieces[at + 1] = f"&#x{ord(first):X};" + after[1:]
        at += 1
    return "".join(_text_of(piece) for piece in pieces)


def _pull_in(pieces: list[str | _Mark]) -> None:
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


def _text_of(piece: str | _Mark) -> str:
    return piece.text if isinstance(piece, _Mark) else piece


def _punctuation_at(char: str) -> bool:
    return bool(char) and _punctuation(char)


def _pairs(pieces: list[str | _Mark]) -> list[tuple[int, int]]:
    """Where each emphasis begins and ends, inner ones first."""
    stack: list[int] = []
    pairs: list[tuple[int, int]] = []
    for at, piece in enumerate(pieces):
        if isinstance(piece, _Mark):
            if piece.opens:
                stack.append(at)
            else:
                pairs.append((stack.pop(), at))
    return pairs


def _choose_marks(pieces: list[str | _Mark]) -> None:
    """`_` instead of `*` for an emphasis that touches another mark and no letter."""
    for start, at in _pairs(pieces):
        piece = pieces[at]
        if piece.kind != "em":  # type: ignore[union-attr]
            continue
        near = [pieces[i] for i in (start - 1, start + 1, at - 1, at + 1) if 0 <= i < len(pieces)]
        left = _text_of(pieces[start - 1])[-1:] if start else ""
        right = _text_of(pieces[at + 1])[:1] if at + 1 < len(pieces) else ""
        if any(isinstance(other, _Mark) for other in near) and not _word(left) and not _word(right):
            pieces[start].text = piece.text = "_"  # type: ignore[union-attr]
