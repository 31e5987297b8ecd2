"""A line break between two Han characters is no space: sources may be wrapped anywhere."""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

HAN = (
    "\u2e80-\u2fdf\u3001-\u303f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uff01-\uff60\u2018\u2019\u201c\u201d\u2014\u2026"
)
"""Han characters, kana and full-width punctuation, as the inside of a character class."""
_BREAK = re.compile(rf"(?<=[{HAN}])[ \t]*\n[ \t]*(?=[{HAN}])")
_VERBATIM = (nodes.literal_block, nodes.literal, nodes.math, nodes.math_block, nodes.raw, nodes.comment)


class JoinLines(SphinxTransform):
    """Join the lines of every paragraph, across emphasis and links too."""

    default_priority = 850

    def apply(self, **kwargs) -> None:
        """Change the texts of the document."""
        for block in self.document.findall(nodes.TextElement):
            if isinstance(block, (*_VERBATIM, nodes.Inline)) or isinstance(block.parent, nodes.TextElement):
                continue
            texts = list(block.findall(nodes.Text))
            # Verbatim pieces take part as one neutral character each, so that nothing is joined across them.
            whole = "".join("\0" * len(t) if isinstance(t.parent, _VERBATIM) else t for t in texts)
            breaks = list(_BREAK.finditer(whole))
            if breaks:
                _delete(texts, breaks)


def _delete(texts: list[nodes.Text], matches: list[re.Match]) -> None:
    """Remove the matched ranges, counted over all `texts` together, from the nodes that hold them."""
    start = 0
    for text in texts:
        end = start + len(text)
        kept, at = [], start
        for match in matches:
            first, last = max(match.start(), start), min(match.end(), end)
            if first < last:
                kept.append(text[at - start : first - start])
                at = last
        if at > start or kept:
            new = "".join(kept) + text[at - start :]
            text.parent.replace(text, nodes.Text(new)) if new else text.parent.remove(text)
        start = end


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.add_transform(JoinLines)
