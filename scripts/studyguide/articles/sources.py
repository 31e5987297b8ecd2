"""What a SOURCE on the command line is, and which reader it needs."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from studyguide.articles.article import Article
from studyguide.problem import ProblemError

SUFFIXES = frozenset({".htm", ".html", ".ipynb", ".markdown", ".md", ".mdx", ".qmd", ".rmd", ".text", ".txt", ".xhtml"})
"""What articles in a folder are called; a file that is named itself may be called anything."""
MAX_BYTES = 100_000_000

Kind = Literal["listing", "html", "markdown", "notebook"]

_MAGIC = (b"%PDF", b"PK\x03\x04", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x1f\x8b", b"\x7fELF", b"Rar!", b"7z\xbc\xaf")
_NOTEBOOK = re.compile(r"\A\s*\{(?=[\s\S]*\"nbformat\"\s*:)(?=[\s\S]*\"(?:cells|worksheets)\"\s*:)")
_HTML = re.compile(
    r"(?i)\A\s*(?:<\?xml[^>]*>\s*|<!--[\s\S]*?-->\s*)*<(?:!doctype\s+html|html|head|body|meta|link|title)\b"
)
_TAGS = re.compile(r"(?i)<(?:div|p|article|section|span|h[1-6]|table|ul|ol|pre|main)\b[^>]*>")
_SAVED = re.compile(rb"(?i)\A(?:From: <Saved|MIME-Version:|Snapshot-Content-Location:)|\Abplist00")


@dataclass(frozen=True, slots=True)
class Source:
    """One file or address that holds articles."""

    name: str
    """Path or URL as the user would type it."""
    path: Path | None = None
    """The file, None for an address."""
    root: Path | None = None
    """The folder that was given, if the file was found in one: its images may lie anywhere below."""


def discover(sources: Sequence[str]) -> list[Source]:
    """The files and addresses behind command line arguments: a folder gives all its articles, sorted by path.

    Raises `ProblemError` with all that is wrong: `not-found`, `no-articles`, `unknown-address`.
    """
    found: dict[str, Source] = {}
    problems = []
    for argument in sources:
        try:
            for source in _behind(argument):
                key = str(source.path.resolve()) if source.path else source.name
                found.setdefault(key, source)
        except ProblemError as error:
            problems += error.problems
    if problems:
        raise ProblemError(problems)
    return list(found.values())


def read(source: Source) -> list[Article]:
    """The articles in a source: several for a listing dump, else one.

    Raises `ProblemError`: `empty`, `not-text`, `too-large`, `too-deep`, `unreadable`, what
    `fetch` raises, and what the readers do.
    """
    if source.path is None:
        from studyguide.articles.fetch import fetch

        page = fetch(source.name)
        articles = read_data(page.data, source.name, charset=page.charset)
        for article in articles:
            article.url = article.url or page.url
        return articles
    try:
        if source.path.stat().st_size > MAX_BYTES:
            message = f"more than {MAX_BYTES // 1_000_000} MB is no article; give a smaller file"
            raise ProblemError.at(source.name, 1, "too-large", message)
        data = source.path.read_bytes()
    except OSError as error:
        message = f"the file cannot be read ({error.strerror}); check its permissions"
        raise ProblemError.at(source.name, 1, "unreadable", message) from None
    return read_data(data, source.name, folder=source.path.parent, root=source.root)


def read_data(
    data: bytes, name: str, *, charset: str = "", folder: Path | None = None, root: Path | None = None
) -> list[Article]:
    """The articles in the bytes of a file or an answer, read by what they are and not only by their name.

    Parameters: `charset` is what a server said; `folder` where the file lies, and `root` the folder that nothing is
    read outside of.
    """
    from studyguide.articles.html.decode import decode

    if not data.strip(b" \t\r\n\xef\xbb\xbf"):
        raise ProblemError.at(name, 1, "empty", "the file is empty; fill it or remove it")
    if _SAVED.match(data):
        raise ProblemError.at(name, 1, "not-text", "a web archive is no page; save the page as HTML instead")
    if data.startswith(_MAGIC):
        raise ProblemError.at(name, 1, "not-text", "bytes that are no text; convert the file to Markdown or HTML first")
    text = decode(data, name, charset).replace("\r\n", "\n").replace("\r", "\n")
    if len(re.findall(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\ufffd]", text[:20_000])) * 50 > len(text[:20_000]):
        raise ProblemError.at(name, 1, "not-text", "bytes that are no text; convert the file to Markdown or HTML first")
    try:
        return _read_as(kind_of(text, name), data, text, name, charset, folder, root)
    except RecursionError:
        message = "blocks inside blocks, too deep to be an article; flatten it"
        raise ProblemError.at(name, 1, "too-deep", message) from None


def _read_as(
    kind: Kind, data: bytes, text: str, name: str, charset: str, folder: Path | None, root: Path | None
) -> list[Article]:
    match kind:
        case "html":
            from studyguide.articles.html import read_html

            return [read_html(data, name, charset=charset, folder=folder, root=root)]
        case "notebook":
            from studyguide.articles.notebook import read_notebook

            return [read_notebook(text, name, folder=folder, root=root)]
        case "listing":
            from studyguide.articles.listing import read_listing

            return read_listing(text, name)
        case _:
            from studyguide.articles.markdown import read_markdown

            return [read_markdown(text, name, folder=folder, root=root)]


def kind_of(text: str, name: str) -> Kind:
    """What a text is: by its content, and by the suffix of `name` where that does not tell."""
    from studyguide.articles.listing import is_listing

    suffix = Path(name.split("?")[0]).suffix.lower()
    if suffix == ".ipynb" or _NOTEBOOK.match(text):
        return "notebook"
    if _HTML.match(text):
        return "html"
    if suffix in (".html", ".htm", ".xhtml", ".shtml") and _TAGS.search(text):
        return "html"
    return "listing" if is_listing(text) else "markdown"


def _behind(argument: str) -> Iterator[Source]:
    if re.match(r"https?://", argument, re.IGNORECASE):
        yield Source(argument)
        return
    if scheme := re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", argument):
        message = f"{scheme[1]} is no scheme that is fetched; give an http(s) address or a file"
        raise ProblemError.at(argument, 1, "unknown-address", message)
    path = Path(argument)
    if path.is_file():
        yield Source(argument, path)
    elif path.is_dir():
        files = list(_articles(path))
        if not files:
            kinds = " ".join(sorted(SUFFIXES))
            message = f"a folder without articles; put files in it that end in one of {kinds}"
            raise ProblemError.at(argument, 1, "no-articles", message)
        yield from (Source(str(file), file, path) for file in files)
    else:
        raise ProblemError.at(argument, 1, "not-found", "no such file or folder; check the path")


def _articles(folder: Path) -> Iterator[Path]:
    """The articles below a folder: no hidden files, nothing that a link leads out to, no parts of saved pages."""
    root = folder.resolve()
    for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).parts):
        parts = path.relative_to(folder).parts
        if path.suffix.lower() not in SUFFIXES or any(part.startswith(".") or part == "node_modules" for part in parts):
            continue
        parents = [folder.joinpath(*parts[: depth + 1]) for depth in range(len(parts) - 1)]
        if any(_is_part_of_page(parent) for parent in parents):
            continue
        if path.is_file() and path.resolve().is_relative_to(root):
            yield path


def _is_part_of_page(folder: Path) -> bool:
    """Browsers save the frames of `page.html` in `page_files/`."""
    stem = re.sub(r"_files$|\.files$", "", folder.name)
    return stem != folder.name and any(folder.with_name(stem + suffix).is_file() for suffix in (".html", ".htm"))
