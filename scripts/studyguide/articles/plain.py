"""The words of inline tokens."""

from collections.abc import Iterable

from markdown_it.token import Token

_BREAKS = ("softbreak", "hardbreak")


def words(children: Iterable[Token]) -> str:
    """The words of inline tokens; formulas and images are left out, a line break is a space."""
    kinds = ("text", "code_inline", "role", *_BREAKS)
    found = (" " if child.type in _BREAKS else child.content for child in children if child.type in kinds)
    return "".join(found).strip()
