"""Images that belong to an article: found below its folder, checked by content, named for the chapter."""

import base64
import binascii
import os
import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

MAX_BYTES = 20_000_000
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"GIF8", ".gif"),
    (b"BM", ".bmp"),
)
_ACTIVE = re.compile(
    rb"(?i)<script|\son\w+\s*=|javascript:|<foreignobject|<!entity|(?:href|src)\s*=\s*[\"'](?!#|data:image/)"
)


def suffix_of(data: bytes) -> str:
    """The suffix of the image that `data` is by its content; "" if it is none, or one that could run a script."""
    for signature, suffix in _SIGNATURES:
        if data.startswith(signature):
            return suffix
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ".webp"
    if data[4:12] in (b"ftypavif", b"ftypavis"):
        return ".avif"
    if re.match(rb"\s*(?:<\?xml[^>]*>\s*|<!--.*?-->\s*|<!DOCTYPE[^>\[]*>\s*)*<svg[\s>]", data[:4000], re.DOTALL):
        return "" if _ACTIVE.search(data) else ".svg"
    return ""


class Assets:
    """The images of one article.

    `folder` is where its file lies, `root` the folder that nothing is read outside of (`folder` if not given), `stem`
    the file's name, below which Hexo keeps images. Without a folder only images inside the text are taken.
    """

    def __init__(self, folder: Path | None = None, root: Path | None = None, stem: str = ""):
        self.data: dict[str, bytes] = {}
        self.attached: dict[str, bytes] = {}
        """Images that a notebook's cell carries, by the name after `attachment:`."""
        self.folder, self._root, self._stem = folder, root or folder, stem

    def take(self, src: str) -> str:
        """The name that tokens refer to the image `src` with.

        Raises `ValueError` with the reason if there is no such image or it may not be read.
        """
        if src.lower().startswith("data:"):
            return self.add(_inline_data(src), "image")
        if src.startswith("attachment:"):
            name = unquote(src.removeprefix("attachment:"))
            if name not in self.attached:
                raise ValueError("no such attachment")
            return self.add(self.attached[name], Path(name).stem)
        path = self._find(unquote(src.split("#")[0].split("?")[0]))
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES // 1_000_000} MB")
        return self.add(path.read_bytes(), path.stem)

    def add(self, data: bytes, stem: str) -> str:
        """Keep an image; equal ones are kept once. Raises `ValueError` if it is none."""
        suffix = suffix_of(data)
        if not suffix:
            raise ValueError("no image that may be shown")
        # ASCII only: other names would be percent-encoded in some places and not in others.
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-") or "image"
        number, name = 1, stem + suffix
        while self.data.setdefault(name, data) != data:
            number += 1
            name = f"{stem}-{number}{suffix}"
        return name

    def _find(self, path: str) -> Path:
        if self.folder is None or self._root is None:
            raise ValueError("no folder to look for it in")
        if re.match(r"[A-Za-z]:|\\\\", path) or "\0" in path:
            raise ValueError("outside of the article's folder")
        root = self._root.resolve()
        relative = path.lstrip("/\\")
        outside = False
        for base in (self.folder, self.folder / self._stem, root):
            candidate = (base / relative).resolve()
            if not candidate.is_relative_to(root):
                outside = True
            elif candidate.is_file():
                return candidate
        # Obsidian embeds a file of the vault by its bare name, wherever it lies.
        if not outside and "/" not in path and len(named := _files(root).get(path, [])) == 1:
            return named[0]
        raise ValueError("outside of the article's folder" if outside else "no such file")


@lru_cache(maxsize=4)
def _files(root: Path) -> dict[str, list[Path]]:
    """The files below `root` by name: none that is hidden or that a link leads out to."""
    found: dict[str, list[Path]] = {}
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = Path(folder, name)
            if not name.startswith(".") and path.resolve().is_relative_to(root):
                found.setdefault(name, []).append(path)
    return found


def _inline_data(src: str) -> bytes:
    match = re.match(r"data:image/[\w.+-]+;base64,(.*)", src, re.DOTALL | re.IGNORECASE)
    if not match or len(match[1]) > MAX_BYTES:
        raise ValueError("no image data")
    try:
        return base64.b64decode(unquote(match[1]), validate=False)
    except binascii.Error:
        raise ValueError("image data that does not decode") from None
