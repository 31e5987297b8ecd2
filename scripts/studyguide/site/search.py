"""The book's own search."""

from sphinx.application import Sphinx


def replace_builtin(app: Sphinx) -> None:
    """At `builder-inited`: Sphinx's word index, which finds little in Chinese and costs a second, is not made."""
    app.builder.search = False


def search_page(app: Sphinx):
    """At `html-collect-pages`: the page that shows results."""
    yield "search", {"title": "搜索"}, "search.html"


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("builder-inited", replace_builtin)
    app.connect("html-collect-pages", search_page)
