"""A term of the glossary explains itself where it is used: its definition stands in the link's title."""

from docutils import nodes
from sphinx.application import Sphinx

from studyguide.site.book import book_of


def definitions(app: Sphinx) -> dict[str, str]:
    """Term -> definition, of all written chapters."""
    return {term: text for chapter in book_of(app).chapters.values() for term, text in chapter.concepts.items()}


def load(app: Sphinx) -> None:
    """At `builder-inited`, after the book was read."""
    app.studyguide_definitions = definitions(app)


def explain(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """At `doctree-resolved`: give links to terms their definition."""
    for reference in doctree.findall(nodes.reference):
        inner = reference.children[0] if reference.children else None
        if isinstance(inner, nodes.inline) and "std-term" in inner["classes"]:
            # The address ends in the term itself or, where the term has no ASCII, in a number; the text is the term.
            found = app.studyguide_definitions.get(reference.astext())
            if found:
                reference["reftitle"] = found


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("builder-inited", load, priority=200)
    app.connect("doctree-resolved", explain)
