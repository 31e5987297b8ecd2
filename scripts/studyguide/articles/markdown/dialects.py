"""Making plain Markdown of what Hexo, Hugo, Jekyll, Obsidian, kramdown and d2l write into theirs."""

import re
from collections.abc import Callable

from studyguide.articles.article import Loss
from studyguide.articles.markdown.containers import boxes_to_callouts, code_to_fences
from studyguide.articles.markdown.masking import Mask, without_marks

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]

_IMAGE_FILE = re.compile(r"(?i)\.(?:png|jpe?g|gif|svg|webp|bmp|avif)$")
# A blank line would end the HTML for CommonMark in the middle of these.
_RAW_BLOCK = re.compile(r"(?is)^[ \t]*<(table|ul|ol|dl|figure|video|pre)\b.*?</\1\s*>", re.MULTILINE)
_PLAYERS = {
    "youtube": "https://www.youtube.com/watch?v={}",
    "vimeo": "https://vimeo.com/{}",
    "bilibili": "https://www.bilibili.com/video/{}",
    "gist": "https://gist.github.com/{}",
    "jsfiddle": "https://jsfiddle.net/{}",
}


def repair(text: str, *, stem: str = "") -> tuple[str, list[Loss]]:
    """Plain Markdown for `text`, line for line, and what of it has no counterpart.

    `stem` is the name of the file without its suffix, the folder where Hexo keeps a post's images.
    """
    mask = Mask()
    text = _number_equations(without_marks(text))
    text = mask.hide_spans(code_to_fences(text, mask))
    text = re.sub(r"<!--.*?-->", lambda match: "\n" * match[0].count("\n"), text, flags=re.DOTALL)
    text = boxes_to_callouts(_RAW_BLOCK.sub(lambda match: re.sub(r"\n(?=[ \t]*\n)", "\n<!---->", match[0]), text))
    for pattern, replace in [*_rules(stem), *_d2l(text, mask)]:
        text = pattern.sub(replace, text)
    text, losses = _unknown_tags(text)
    return mask.show(text), losses


def _rules(stem: str) -> list[Rule]:
    return [
        # Tables of contents that the site generated.
        (re.compile(r"(?im)^[ \t]*(?:\[TOC\]|\[\[_?TOC_?\]\]|@\[TOC\](?:\([^)]*\))?)[ \t]*$"), _nothing),
        (re.compile(r"(?m)^[*\-+] TOC[ \t]*\n\{:[ \t]*toc[^}]*\}[ \t]*$"), lambda match: "\n"),
        # kramdown attributes; the id of a heading stays (see `blocks`).
        (re.compile(r"(?m)^[ \t]*\{:[^}\n]*\}[ \t]*$"), _nothing),
        (re.compile(r"(?<=\S)[ \t]*\{:(?![^}\n]*[{%])[^}\n]*\}"), _nothing),
        (re.compile(r"(?<=[)\]])\{(?:[.#]|width|height)[^}\n]*\}"), _nothing),
        (re.compile(r"(?m)^(#{1,6} [^\n{]*?)[ \t]*\{(?![^}\n]*#)[^}\n]*\}[ \t]*$"), lambda match: match[1]),
        (re.compile(r"(?m)^(#{2,6})(?=[^\s#])"), lambda match: match[1] + " "),
        # Hexo and Jekyll.
        (re.compile(r"\{%-?\s*(?:end)?raw\s*-?%\}"), _nothing),
        (re.compile(r"\{%-?\s*(?:asset_)?img\s+(.*?)\s*-?%\}"), lambda match: _hexo_image(match[1], stem)),
        (re.compile(r"\{%-?\s*asset_link\s+(\S+)\s*(.*?)\s*-?%\}"), lambda match: _words(match[2]) or match[1]),
        (
            re.compile(r"\{%-?\s*post_link\s+(\S+)\s*(.*?)\s*-?%\}"),
            lambda match: f"[{_words(match[2]) or match[1]}]({match[1]}.md)",
        ),
        (re.compile(r"\{%-?\s*(?:post_url|link)\s+(\S+)\s*-?%\}"), lambda match: match[1]),
        (re.compile(r"\{%-?\s*link\s+(.+?)\s+(https?://\S+).*?-?%\}"), lambda match: f"[{match[1]}]({match[2]})"),
        (re.compile(r"\{%-?\s*(youtube|vimeo|bilibili|gist|jsfiddle)\s+(\S+).*?-?%\}"), _player),
        (re.compile(r"\{\{\s*site\.(?:baseurl|url)\s*\}\}"), _nothing),
        (re.compile(r"\{\{\s*['\"]([^'\"]+)['\"]\s*\|\s*\w+_url\s*\}\}"), lambda match: match[1]),
        (re.compile(r"(?m)^[ \t]*\{%-?\s*(?:end)?tabs.*?-?%\}[ \t]*$"), _nothing),
        # Hugo.
        (re.compile(r"\{\{<\s*(?:figure|img|image)\s+(.*?)\s*/?>\}\}"), lambda match: _hugo_image(match[1])),
        (re.compile(r"\{\{[<%]\s*(?:rel)?ref\s+\"?([^\"\s>%]+)\"?\s*[>%]\}\}"), lambda match: match[1]),
        (re.compile(r"\{\{<\s*(youtube|vimeo|bilibili|gist)\s+(?:id=)?\"?([^\"\s>]+)\"?.*?>\}\}"), _player),
        (
            re.compile(r"(?m)^[ \t]*\{\{[<%]\s*tab\s+(?:\w+=)?\"([^\"]+)\".*?[>%]\}\}[ \t]*$"),
            lambda match: f"**{match[1]}**\n",
        ),
        (re.compile(r"(?m)^[ \t]*\{\{[<%]\s*/?\s*tabs?\b.*?[>%]\}\}[ \t]*$"), _nothing),
        (
            re.compile(r"\{\{([<%])/\*(.*?)\*/([>%])\}\}"),
            lambda match: f"{{{{{match[1]}{match[2]}{match[3]}}}}}".replace("<", "\\<"),
        ),
        # Obsidian.
        (re.compile(r"(?s)%%[^%]*?%%"), lambda match: "\n" * match[0].count("\n")),
        (re.compile(r"!\[\[([^\[\]|#\n]+)(?:#[^\[\]|\n]*)?(?:\|([^\[\]\n]*))?\]\]"), _embed),
        (
            re.compile(r"(?<!\[)\[\[([^\[\]|#\n]*[^\W\d][^\[\]|#\n]*)?(#[^\[\]|\n]+)?(?:\|([^\[\]\n]*))?\]\](?![(\[])"),
            _wiki_link,
        ),
        (re.compile(r"(?m)[ \t]+\^[A-Za-z0-9-]+[ \t]*$"), _nothing),
        (re.compile(r"(?<![=\w])==(?![=\s])([^=\n]+?)(?<!\s)==(?!=)"), lambda match: f"**{match[1]}**"),
    ]


def _d2l(text: str, mask: Mask) -> list[Rule]:
    """d2l's roles; their code spans are hidden by now, so that a role is `:name:` before a mark."""
    span = "(\ue000\\d+\ue001)"

    def name(mark: str) -> str:
        return mask.show(mark).strip("`").strip()

    figures = {name(mark): alt for alt, mark in re.findall(rf"!\[([^\]]*)\]\([^)]*\)\s*\n+:label:{span}", text)}

    def reference(match: re.Match[str]) -> str:
        label = name(match[1])
        return f"图“{figures[label]}”" if label in figures else f"[{label}](#{label})"

    return [
        (re.compile(rf"(?m)^(#{{1,6}} .*)(\n+):label:{span}[ \t]*$"), lambda m: f"{m[1]} {{#{name(m[3])}}}{m[2]}"),
        (re.compile(rf"(?m)^:label:{span}[ \t]*$"), _nothing),
        (re.compile(rf":(?:num)?ref:{span}"), reference),
        (
            re.compile(rf":cite[tp]?:{span}"),
            lambda match: f"[{name(match[1])}](cite:{name(match[1]).replace(' ', '')})",
        ),
        (re.compile(r"(?m)^:(?:begin|end)_tab:.*$"), _nothing),
    ]


def _number_equations(text: str) -> str:
    """d2l's labelled equations get the numbers that its build would give them, in the formula and in the text."""
    labels = re.findall(r"(?m)^:eqlabel:`([^`]+)`", text)
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels), 1)}
    text = re.sub(
        r"(?m)(\$\$)([ \t]*\n+):eqlabel:`([^`]+)`[ \t]*$",
        lambda match: f"\\tag{{{numbers[match[3]]}}}$${match[2]}",
        text,
    )
    return re.sub(r":eqref:`([^`]+)`", lambda match: f"({numbers.get(match[1], match[1])})", text)


def _nothing(match: re.Match[str]) -> str:
    return ""


def _words(text: str) -> str:
    return text.strip("'\" ")


def _hexo_image(arguments: str, stem: str) -> str:
    """`[class] path [width] [height] ["title 'alt'"]`; a bare name lies in the post's own folder."""
    words = re.findall(r"\"[^\"]*\"|'[^']*'|\S+", arguments)
    at = next((n for n, word in enumerate(words) if "/" in word or _IMAGE_FILE.search(word)), None)
    if at is None:
        return ""
    rest = [word for word in words[at + 1 :] if not word.isdigit()]
    title = " ".join(word.strip("\"'") for word in rest).replace("'", "").strip()
    path = words[at] if "/" in words[at] or not stem else f"{stem}/{words[at]}"
    return f"![{title}](<{path}>)"


def _hugo_image(arguments: str) -> str:
    named = {key: quoted or plain for key, quoted, plain in re.findall(r'(\w+)\s*=\s*(?:"([^"]*)"|(\S+))', arguments)}
    text = named.get("alt") or named.get("caption") or named.get("title") or ""
    return f"![{text}](<{named['src']}>)" if named.get("src") else ""


def _player(match: re.Match[str]) -> str:
    return f"<{_PLAYERS[match[1]].format(match[2])}>"


def _embed(match: re.Match[str]) -> str:
    if _IMAGE_FILE.search(match[1]):
        alt = match[2] if match[2] and not re.fullmatch(r"\d+(?:x\d+)?", match[2]) else ""
        return f"![{alt}](<{match[1].strip()}>)"
    return f"[{match[1].strip()}](<{match[1].strip()}.md>)"


def _wiki_link(match: re.Match[str]) -> str:
    note, heading, alias = (match[n] or "" for n in (1, 2, 3))
    if not note and not heading:
        return match[0]
    text = alias or note or heading.lstrip("#")
    return f"[{text}](<{note + '.md' if note else ''}{heading}>)"


def _unknown_tags(text: str) -> tuple[str, list[Loss]]:
    """`text` without the template tags that no rule knows, each a loss."""
    losses: list[Loss] = []

    def drop(match: re.Match[str]) -> str:
        gist = " ".join(match[0].split())
        losses.append(
            Loss(text.count("\n", 0, match.start()) + 1, f"text: template tag {gist[:60]} has no counterpart")
        )
        return ""

    return re.sub(r"\{%-? ?\w[^%\n]*-?%\}|\{\{[<%] ?/?\s*\w[^\n]*?[>%]\}\}", drop, text), losses
