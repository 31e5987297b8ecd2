"""Frozen outputs for MyST-NB: a reader per chapter that attaches them, so that a build starts no kernel."""

from functools import partial
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging

from studyguide.book import chapter as chapters
from studyguide.book import outputs
from studyguide.book.cells import code_cells, notebook

logger = logging.getLogger(__name__)


def read(text: str, *, chapter: str, book: str):
    """A chapter's text as a notebook with its frozen outputs (MyST-NB's custom reader).

    `chapter`: path of the chapter file; `book`: folder of the book. Raises `ProblemError`.
    """
    path, root = Path(chapter), Path(book)
    result = notebook(text, path)
    cells = code_cells(result)
    if cells:
        target = root / "outputs" / path.parent.name / f"{path.stem}.ipynb"
        frozen = outputs.load(target)
        reason = outputs.stale_reason(cells, frozen, root)
        if reason:
            message = f"`{path.stem}`: {reason}; run `make execute`"
            logger.warning(
                message,
                location=(path.relative_to(root).with_suffix("").as_posix(), 1),
                type="studyguide",
                subtype="stale",
            )
        else:
            outputs.attach(result, frozen)
    return result


def register(app: Sphinx) -> None:
    """At `builder-inited`, after MyST-NB made its configuration: one custom format per chapter."""
    book = Path(app.srcdir)
    config = getattr(app.env, "mystnb_config", None)
    if config is None:
        raise ExtensionError("studyguide.site needs myst_nb before it in the list of extensions")
    for path in chapters.find(book):
        suffix = f"/{path.relative_to(book).as_posix()}"
        reader = partial(read, chapter=str(path), book=str(book))
        config.custom_formats[suffix] = (reader, {}, False)


def depend(app: Sphinx, docname: str, source: list[str]) -> None:
    """At `source-read`: a page is read again when its frozen outputs change."""
    path = Path(app.env.doc2path(docname))
    target = Path(app.srcdir) / "outputs" / path.parent.name / f"{path.stem}.ipynb"
    if target.exists():
        app.env.note_dependency(str(target))


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("builder-inited", register, priority=900)
    app.connect("source-read", depend)
