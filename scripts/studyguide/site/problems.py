"""Sphinx's warnings in the project's one form: `path:line: code message`, with the remedy where we know it."""

import logging
import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.logging import WarningStreamHandler

REMEDIES = {
    "bibtex.key_not_found": "add the entry to the part's references.bib or correct the key",
    "myst.xref_missing": "correct the target of the reference",
    "myst.xref_ambiguous": "give the target one name",
    "myst.header": "use the next heading level",
    "myst.directive_unknown": "correct the directive's name",
    "myst.role_unknown": "correct the role's name",
    "ref.chapter": "correct the id; chapters/curriculum.yml lists them all",
    "ref.term": "use a term of the glossary, as it stands in chapters/curriculum.yml",
    "ref.ref": "correct the label",
    "ref.numref": "correct the label",
    "ref.eq": "correct the label of the equation",
    "ref.doc": "correct the path of the page",
    "toc.not_readable": "create the file or remove it from the table of contents",
}


class ProblemFormatter(logging.Formatter):
    """Formats one warning as one line."""

    def __init__(self, folder: Path):
        super().__init__()
        self.folder = folder

    def format(self, record: logging.LogRecord) -> str:
        """`path:line: code message; remedy`."""
        location = getattr(record, "location", None) or ""
        path, _, line = location.rpartition(":") if re.search(r":\d*$", location) else (location, "", "")
        if path and Path(path).is_relative_to(self.folder):
            path = str(Path(path).relative_to(self.folder))
        kind = ".".join(filter(None, (getattr(record, "type", ""), getattr(record, "subtype", "")))) or "sphinx"
        message = " ".join(logging.LogRecord.getMessage(record).split())
        named = re.search(r" \[([a-z]+\.[a-z_]+)\]$", message)  # MyST's own warnings come through docutils
        if named:
            kind, message = named[1], message[: named.start()]
        remedy = REMEDIES.get(kind)
        return f"{path or self.folder.name}:{line or 1}: {kind} {message}" + (f"; {remedy}" if remedy else "")


def reformat(app: Sphinx) -> None:
    """At `builder-inited`: set the formatter of Sphinx's handler for warnings."""
    for handler in logging.getLogger("sphinx").handlers:
        if isinstance(handler, WarningStreamHandler):
            handler.setFormatter(ProblemFormatter(Path(app.srcdir)))


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("builder-inited", reformat, priority=50)
