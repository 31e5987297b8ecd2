r"""Formulas as MathML in the page: right without JavaScript, selectable, numbered per chapter."""

import re
from html import escape

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.locale import _
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

from studyguide.site import tex

logger = logging.getLogger(__name__)


def _warn(node: nodes.Node, message: str) -> None:
    place = node
    while place.parent is not None and not getattr(place, "line", None):
        place = place.parent
    short = " ".join(node.astext().split())
    short = short if len(short) < 60 else short[:57] + "…"
    logger.warning("formula `%s`: %s", short, message, location=place, type="studyguide", subtype="formula")


def _render(node: nodes.Node, source: str, display: bool) -> tuple[str, tex.Formula | None]:
    try:
        formula = tex.prepare(source)
        return tex.to_mathml(formula.tex, display), formula
    except tex.TexError as error:
        _warn(node, str(error))
        return f"<code>{escape(source)}</code>", None


def visit_inline(self, node: nodes.math) -> None:
    """An inline formula."""
    self.body.append(_render(node, node.astext(), False)[0])
    raise nodes.SkipNode


def visit_block(self, node: nodes.math_block) -> None:
    """A displayed formula in a box that scrolls by itself, its number beside it."""
    parts = [part for part in re.split(r"\n\s*\n", node.astext()) if part.strip()]
    source = "\n".join(parts) if len(parts) < 2 else r"\begin{gathered}" + r"\\".join(parts) + r"\end{gathered}"
    markup, formula = _render(node, source, True)
    self.body.append(self.starttag(node, "div", "", CLASS="equation"))
    self.body.append(f'<div class="formula">{markup}</div>')
    if node.get("number"):
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, _("Link to this equation"))
        self.body.append("</span>")
    elif formula and formula.tag:
        self.body.append(f'<span class="eqno">({self.encode(formula.tag)})</span>')
    self.body.append("</div>\n")
    raise nodes.SkipNode


class LabelEnvironments(SphinxTransform):
    r"""Give a numbered `align` the label written in it, `\label{x}`, or one that stays the same.

    MyST-Parser makes a random one and has no way to name it, so that two builds would
    differ.
    """

    default_priority = 3

    def apply(self, **kwargs) -> None:
        """Rename label, target and the equation's entry in the domain."""
        domain = self.env.get_domain("math")
        count = 0
        for node in self.document.findall(nodes.math_block):
            if "amsmath" not in node["classes"] or not node.get("label"):
                continue
            count += 1
            found = re.search(r"\\label\{([^}]*)\}", node.astext())
            old, new = node["label"], found[1] if found else f"{self.env.docname}-{count}"
            if new in domain.equations:
                logger.warning("duplicate label of equation `%s`; rename one", new, location=node)
                continue
            domain.equations[new] = domain.equations.pop(old)
            node["label"] = new
            before, after = nodes.make_id(f"equation-{old}"), nodes.make_id(f"equation-{new}")
            target = self.document.ids.pop(before)
            target["ids"] = [after if name == before else name for name in target["ids"]]
            self.document.ids[after] = target


def configure(app: Sphinx, config: Config) -> None:
    """At `config-inited`: this renderer is the book's."""
    config.html_math_renderer = "studyguide"


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.add_html_math_renderer("studyguide", (visit_inline, None), (visit_block, None))
    app.add_transform(LabelEnvironments)
    app.connect("config-inited", configure, priority=200)
