"""The plain text of tokens, for fingerprints, placing and titles."""

from collections.abc import Iterable

from markdown_it.token import Token

_BREAKS = ("softbreak", "hardbreak")


def plain_text(tokens: Iterable[Token]) -> str:
    """The words of all blocks, one block a line; code blocks, formulas and images are left out."""
    lines = (words(token.children or ()) for token in tokens if token.type == "inline")
    return "\n".join(line for line in lines if line)


def words(children: Iterable[Token]) -> str:
    """The words of inline tokens."""
    kinds = ("text", "code_inline", "role", *_BREAKS)
    found = (" " if child.type in _BREAKS else child.content for child in children if child.type in kinds)
    return "".join(found).strip()
