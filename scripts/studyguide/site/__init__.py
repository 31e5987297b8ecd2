"""What the book adds to Sphinx: theme, frozen outputs, generated pages."""

from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

from studyguide.site import (
    anchors,
    book,
    downloads,
    folds,
    frozen,
    maths,
    numbers,
    opening,
    pages,
    problems,
    references,
    search,
    spacing,
    theming,
    writer,
)


def find_bibliographies(app: Sphinx, config: Config) -> None:
    """At `config-inited`: every part's references.bib belongs to the book, without a list to keep."""
    folder = Path(app.srcdir)
    config.bibtex_bibfiles = sorted(p.relative_to(folder).as_posix() for p in folder.glob("chapters/*/references.bib"))


def setup(app: Sphinx) -> dict:
    """Sphinx's entry point."""
    # Jupyter Book's command hands over this option of an extension that the book does without.
    app.add_config_value("comments_config", {}, "")
    app.connect("config-inited", find_bibliographies, priority=100)
    # Jupyter Book's table of contents loads this one; it works in the main process only, but does not say so
    # (executablebooks/sphinx-multitoc-numbering), and Sphinx would then read every page on one core.
    app.setup_extension("sphinx_external_toc")
    numbering = app.extensions.get("sphinx_multitoc_numbering")
    if numbering is not None:
        numbering.parallel_read_safe = True
    content = (problems, book, frozen, pages, references, downloads)
    look = (maths, numbers, anchors, spacing, folds, writer, opening, search, theming)
    for module in content + look:
        module.setup(app)
    return {"version": "0.1", "parallel_read_safe": True, "parallel_write_safe": True}
