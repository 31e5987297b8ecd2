"""Anchors of headings that a person can read, type and keep: `#xian-xing-zhu-yi-li` for 线性注意力, not `#id3`."""

import re
import unicodedata
from functools import lru_cache

from docutils import nodes
from pypinyin import lazy_pinyin
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

LIMIT = 60
"""Longest anchor in characters; a longer one ends at a whole syllable."""


@lru_cache(maxsize=8192)
def slug(title: str) -> str:
    """`title` as lower-case ASCII words joined by hyphens, Han characters as pinyin without tones; never empty."""
    plain = unicodedata.normalize("NFKC", title)
    words = re.findall(r"[a-z0-9]+", " ".join(lazy_pinyin(plain)).lower())
    kept, length = [], 0
    for word in words:
        length += len(word) + 1
        if kept and length > LIMIT + 1:
            break
        kept.append(word)
    name = "-".join(kept) or "section"
    return name if name[0].isalpha() else f"s-{name}"


class NameHeadings(SphinxTransform):
    """Rename the ids that docutils gave to headings, before anything else in the page refers to them.

    Labels that an author wrote (`(label)=`) stay and get their own id beside. MyST's table of heading slugs, which
    `[](#slug)` and `[](other.md#slug)` go through, is brought along.
    """

    default_priority = 2

    def apply(self, **kwargs) -> None:
        """Change ids of sections, the document's registries and MyST's slugs."""
        document, renamed = self.document, {}
        taken = set(document.ids)
        for section in document.findall(nodes.section):
            title = section.next_node(nodes.title)
            if title is None or not section["ids"]:
                continue
            old = section["ids"][0]
            base = slug(title.astext())
            new, n = base, 2
            while new != old and new in taken:
                new, n = f"{base}-{n}", n + 1
            if new == old:
                continue
            taken.add(new)
            renamed[old] = new
            section["ids"][0] = new
            document.ids[new] = document.ids.pop(old, section)
        for name, identifier in document.nameids.items():
            if identifier in renamed:
                document.nameids[name] = renamed[identifier]
        slugs = getattr(document, "myst_slugs", {})
        for name, (line, identifier, text) in list(slugs.items()):
            slugs[name] = (line, renamed.get(identifier, identifier), text)


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.add_transform(NameHeadings)
