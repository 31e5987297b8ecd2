"""Images: the address that a lazy page hides, and the bytes of those that lie beside the page."""

import re
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from studyguide.articles.assets import MAX_BYTES, suffix_of
from studyguide.articles.html.dom import Element

_LAZY = [
    "data-original",
    "data-src",
    "data-lazy-src",
    "data-actualsrc",
    "data-original-src",
    "data-echo",
    "data-url",
    "data-lazyload",
    "data-lazy",
    "data-srcset",
    "data-lazy-srcset",
]
_PLACEHOLDER = re.compile(
    r"(?i)^(?:data:|about:|$)|/(?:loading|placeholder|blank|spacer|transparent|lazy|pixel|grey|1x1)[\w-]*\.\w+$"
)


def address(element: Element) -> str:
    """The real address of an `img`: lazy attributes before a placeholder, the largest of a `srcset`."""
    source = (element.get("src") or "").strip()
    for name in _LAZY:
        value = (element.get(name) or "").strip()
        if value and not value.startswith("data:"):
            return _largest(value) if "srcset" in name else value
    if _PLACEHOLDER.search(source):
        source = _largest(element.get("srcset") or "") or source
        parent = next(element.iterancestors("picture"), None)
        if parent is not None and (not source or source.startswith("data:")):
            sets = [_largest(inner.get("srcset") or inner.get("data-srcset") or "") for inner in parent.iter("source")]
            source = next(filter(None, sets), source)
    return source


def _largest(srcset: str) -> str:
    """The candidate of a `srcset` with the greatest width or density."""
    best, size = "", -1.0
    for candidate in re.split(r",\s+|,(?=https?:)", srcset.strip()):
        url, _, descriptor = candidate.strip().partition(" ")
        number = float(match[0]) if (match := re.match(r"[\d.]+", descriptor.strip())) else 0.0
        if url and number > size:
            best, size = url, number
    return best


def resolve(source: str, base: str) -> str:
    """An address made absolute where the page says what its own is."""
    if source.startswith("//"):
        return f"https:{source}"
    if base and not urlsplit(source).scheme and not source.startswith("#"):
        return urljoin(base, source)
    return source


def read_local(source: str, folder: Path | None, root: Path | None = None) -> tuple[str, bytes] | None:
    """Name and bytes of an image file, seen from `folder` or, as a site names its own, from `root`.

    None for everything else, above all for paths out of `root`, which is `folder` if not given. Raises `ValueError` if
    the file is none that may be shown: what it is tells its content, whose suffix the name gets.
    """
    if folder is None or not source or urlsplit(source).scheme or source.startswith(("//", "data:")):
        return None
    path = unquote(re.split(r"[?#]", source)[0])
    if "\0" in path:
        return None
    folder = folder.resolve()
    root = root.resolve() if root else folder
    for base in (folder, root):
        try:
            file = (base / path.lstrip("/")).resolve()
            if not file.is_relative_to(root) or not file.is_file():
                continue
            data = file.read_bytes() if file.stat().st_size <= MAX_BYTES else b""
        except OSError:
            continue
        near = file.relative_to(folder if file.is_relative_to(folder) else root)
        return _named(near.as_posix().replace("/", "-").replace(" ", "-"), data)
    return None


def _named(name: str, data: bytes) -> tuple[str, bytes]:
    suffix = suffix_of(data)
    if not suffix:
        raise ValueError("no image that may be shown")
    own = Path(name).suffix.lower()
    return (name if own.replace(".jpeg", ".jpg") == suffix else name.removesuffix(Path(name).suffix) + suffix), data
