"""Texts that chapters train on: short, ours, and the same on every machine."""

from pathlib import Path

_DATA = Path(__file__).parent / "data"


def chinese() -> list[str]:
    """63 paragraphs of plain Chinese about the book's subjects (7,400 characters); each reads on its own."""
    return _paragraphs("zh_corpus.txt")


def english() -> list[str]:
    """The same 63 paragraphs in English: item i translates item i of `chinese()`."""
    return _paragraphs("en_corpus.txt")


def python_manual() -> str:
    """The language reference that ships with Python (about 465 kB of English and code; its text varies by version)."""
    from pydoc_data.topics import topics

    return "\n".join(topics[name] for name in sorted(topics))


def _paragraphs(name: str) -> list[str]:
    return (_DATA / name).read_text(encoding="utf-8").splitlines()
