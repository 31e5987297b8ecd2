"""How elements of a page are written: without inline styles, with sizes known, tables that scroll by themselves."""

import os
import re

from docutils import nodes
from lxml import etree
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.images import get_image_size
from sphinx.writers.html5 import HTML5Translator

from studyguide.site.numbers import spoken


class BookTranslator(HTML5Translator):
    """Sphinx's HTML writer, where the content policy or the typography asks for something else."""

    def add_secnumber(self, node: nodes.Element) -> None:
        """第十二章 over a chapter's title, 12.3 before a section's."""
        number = self.get_secnumber(node)
        if number:
            text = spoken(number[0]) if len(number) == 1 else ".".join(map(str, number))
            self.body.append(f'<span class="section-number">{text}</span> ')

    def add_permalink_ref(self, node: nodes.Element, title: str) -> None:
        """The link to a place, named in Chinese (Sphinx's catalogue lacks it)."""
        super().add_permalink_ref(node, "这里的链接")

    def visit_title(self, node: nodes.Element) -> None:
        """Set what follows the colon of a chapter's title as its second line."""
        first = node[0] if node.children else None
        if self.section_level == 1 and isinstance(first, nodes.Text) and "：" in first:
            head, _, tail = first.partition("：")
            subtitle = nodes.inline("", tail, *node.children[1:], classes=["subtitle"])
            node.children = []
            node += [nodes.Text(head), nodes.inline("", "：", classes=["colon"]), subtitle]
        super().visit_title(node)

    def visit_table(self, node: nodes.Element) -> None:
        """A box that scrolls, so that a wide table does not widen the page."""
        node.attributes.pop("width", None)
        self.body.append('<div class="wide">')
        super().visit_table(node)

    def depart_table(self, node: nodes.Element) -> None:
        """Close the box."""
        super().depart_table(node)
        self.body.append("</div>\n")

    def depart_colspec(self, node: nodes.Element) -> None:
        """Leave the widths of columns to their content: docutils would write them as inline styles."""

    def visit_entry(self, node: nodes.Element) -> None:
        """An empty corner of a table's head is no header cell."""
        if isinstance(node.parent.parent, nodes.thead) and not node.astext().strip() and "morecols" not in node:
            node.parent.column += 1
            self.body.append(self.starttag(node, "td", ""))
            self.context.append("</td>\n")
        else:
            super().visit_entry(node)

    def visit_figure(self, node: nodes.Element) -> None:
        """A figure's own width is that of its image."""
        node.attributes.pop("width", None)
        super().visit_figure(node)

    def visit_image(self, node: nodes.Element) -> None:
        """An image with its size in pixels, so that the text below does not jump when it arrives."""
        uri = node["uri"]
        source = self.builder.images.get(uri)
        if source:
            node["uri"] = f"{self.builder.imgpath}/{source}"
        size = None if "://" in uri else image_size(os.path.join(self.builder.srcdir, uri))
        attributes = {"src": node["uri"], "alt": node.get("alt", ""), "loading": "lazy", "decoding": "async"}
        width, classes = node.get("width", ""), []
        share = re.fullmatch(r"(\d+(?:\.\d+)?)%", width)
        pixels = re.fullmatch(r"(\d+(?:\.\d+)?)(?:px)?", width)
        if share:
            classes.append(f"w-{min(20, max(1, round(float(share[1]) / 5)))}")
        if size:
            wide = round(float(pixels[1])) if pixels else round(size[0])
            attributes |= {"width": wide, "height": round(wide * size[1] / size[0])}
        elif pixels:
            attributes["width"] = round(float(pixels[1]))
        if node.get("align"):
            classes.append(f"align-{node['align']}")
        self.body.append(self.emptytag(node, "img", "\n", CLASS=" ".join(classes), **attributes))

    def depart_image(self, node: nodes.Element) -> None:
        """Nothing is open."""

    def visit_citation(self, node: nodes.Element) -> None:
        """An entry of the reference list; docutils' role `doc-biblioentry` has been deprecated."""
        if not isinstance(node.previous_sibling(), nodes.citation):
            self.body.append('<div role="list" class="citation-list">\n')
        self.body.append(self.starttag(node, "div", CLASS="citation", role="listitem"))


def image_size(path: str) -> tuple[float, float] | None:
    """Width and height of an image file in CSS pixels; for an SVG without them, those of its view box."""
    if not path.endswith(".svg"):
        return get_image_size(path)
    try:
        root = next(etree.iterparse(path, events=("start",), no_network=True))[1]
    except (OSError, StopIteration, etree.XMLSyntaxError):
        return None
    units = {"": 1, "px": 1, "pt": 4 / 3, "in": 96, "mm": 96 / 25.4, "cm": 96 / 2.54}
    found = [re.fullmatch(r"([\d.]+)(px|pt|in|mm|cm|)", root.get(side, "").strip()) for side in ("width", "height")]
    if all(found):
        return tuple(float(size[1]) * units[size[2]] for size in found)
    box = root.get("viewBox", "").replace(",", " ").split()
    return (float(box[2]), float(box[3])) if len(box) == 4 and float(box[2]) and float(box[3]) else None


def configure(app: Sphinx, config: Config) -> None:
    """At `config-inited`: section numbers end without a dot."""
    config.html_secnumber_suffix = " "


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.set_translator("html", BookTranslator)
    app.connect("config-inited", configure, priority=200)
