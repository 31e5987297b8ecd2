"""The part of a curriculum for what fits nowhere."""

import re
from pathlib import Path

from studyguide.book import curriculum
from studyguide.files import read_text, write_atomic
from studyguide.importing.placing import UNSORTED, UNSORTED_TITLE
from studyguide.problem import ProblemError


def ensure(book: Path) -> None:
    """Add the part to the book's curriculum, behind all others, unless it is there; the file is otherwise unchanged.

    Raises `ProblemError` (`no-unsorted-part`) if the file is laid out so that it cannot be added.
    """
    path = book / curriculum.FILE
    text = read_text(path)
    if curriculum.parse(text, str(path)).part(UNSORTED) is not None:
        return
    indent = next((m[1] for m in re.finditer(r"(?m)^( *)- (?:id|title|title_en|appendix|chapters):", text)), "")
    lines = (f"- id: {UNSORTED}", f"  title: {UNSORTED_TITLE}", "  title_en: Unsorted", "  chapters: []")
    longer = text.rstrip("\n") + "\n" + "".join(f"{indent}{line}\n" for line in lines)
    try:
        found = curriculum.parse(longer, str(path)).part(UNSORTED)
    except ProblemError:
        found = None
    if found is None:
        raise ProblemError.at(path, 1, "no-unsorted-part", f"add a part with the id `{UNSORTED}` at the end of `parts`")
    write_atomic(path, longer)
