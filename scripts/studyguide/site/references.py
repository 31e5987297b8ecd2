"""Roles that name things of the book: `chapter` (a chapter by id), `gap` (something the source did not have)."""

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxRole
from sphinx.util.nodes import make_refnode

from studyguide.site.book import book_of


class ChapterRole(SphinxRole):
    """``{chapter}`lora` ``: the chapter's title, a link once the chapter is written."""

    def run(self):
        """A pending reference that `resolve` settles when all chapters are known."""
        node = addnodes.pending_xref(self.rawtext, reftype="chapter", reftarget=self.text, refdomain="", refwarn=True)
        node["refdoc"] = self.env.docname
        node += nodes.inline(self.text, self.text)
        self.set_source_info(node)
        return [node], []


class GapRole(SphinxRole):
    """``{gap}`公式` ``: a visible mark where the source of an imported article had lost something."""

    def run(self):
        """An inline node with a class of its own."""
        return [nodes.inline(self.rawtext, f"［{self.text}缺失］", classes=["gap"])], []


class MeasuredRole(SphinxRole):
    """``{measured}`lossless` ``: what the cell of this chapter's claim printed last."""

    def run(self):
        """The value as text; a warning if the chapter has no such claim with a value."""
        book = book_of(self.env.app)
        chapter = book.chapter_at(self.env.docname)
        value = book.measured(chapter).get(self.text, "") if chapter else ""
        if not value:
            message = self.inliner.reporter.warning(
                f"no measured value of a claim `{self.text}` in this chapter", line=self.lineno
            )
            return [nodes.inline(self.rawtext, self.text)], [message]
        return [nodes.inline(self.rawtext, value, classes=["measured"])], []


def resolve(app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, contnode: nodes.Element):
    """At `missing-reference`: chapters by id, and terms of chapters that are planned but not written."""
    book = book_of(app)
    target = node["reftarget"]
    if node["reftype"] == "chapter":
        written = book.chapters.get(target)
        if written is not None:
            docname = f"chapters/{written.part}/{written.id}"
            text = nodes.inline(written.title, written.title)
            return make_refnode(app.builder, node["refdoc"], docname, None, text)
        planned = book.plan.chapters.get(target)
        if planned is not None:
            return nodes.inline(planned.title, planned.title, classes=["planned"])
    if node["reftype"] == "term" and target in book.planned_terms:
        return nodes.inline(contnode.astext(), contnode.astext(), classes=["planned"])
    return None


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.add_role("chapter", ChapterRole())
    app.add_role("gap", GapRole())
    app.add_role("measured", MeasuredRole())
    app.connect("missing-reference", resolve)
