"""Bytes of a page to text: by mark, by header, by meta element, by what the bytes look like."""

import codecs
import re

from charset_normalizer import from_bytes

from studyguide.problem import ProblemError

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_META = re.compile(rb"""(?i)<meta[^>]{0,200}?charset\s*=\s*["']?\s*([a-z0-9_:-]{2,40})""")
_XML = re.compile(rb"""(?i)\A\s*<\?xml[^>]{0,100}encoding\s*=\s*["']([a-z0-9_:-]{2,40})""")
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "big5": "big5hkscs", "iso-8859-1": "cp1252"}
"""Encodings that pages name and the wider ones that they use."""
_CANDIDATES = ["utf_8", "gb18030", "big5hkscs", "cp1252", "shift_jis", "euc_kr", "utf_16"]


def decode(data: bytes, source: str, charset: str = "") -> str:
    """The text of a page.

    Parameters: `charset` as the HTTP header gave it, if there was one. Bytes that are strictly UTF-8 are UTF-8
    whatever a header says: no other encoding of Chinese passes that test by chance.

    Raises `ProblemError` `not-text` for an empty file and for bytes that are no text in any encoding.
    """
    if not data.strip():
        raise ProblemError.at(source, 1, "not-text", "the file is empty; save the page again")
    for bom, name in _BOMS:
        if data.startswith(bom):
            return data[len(bom) :].decode(name, "replace")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        text = _other(data, charset, error.reason == "unexpected end of data")
    if "\0" in text:
        raise ProblemError.at(source, 1, "not-text", "the bytes are no text; convert the file to an HTML page first")
    return text


def _other(data: bytes, charset: str, cut: bool) -> str:
    """Bytes that are not UTF-8; `cut` when only the last character is missing a part."""
    if cut:
        return data.decode("utf-8", "ignore")
    declared = _META.search(data, 0, 8192) or _XML.search(data, 0, 200)
    for name in (charset, declared[1].decode("ascii") if declared else ""):
        name = _WIDER.get(name.lower(), name)
        try:
            if name and name.lower().replace("-", "") != "utf8":
                return data.decode(name)
        except (LookupError, UnicodeDecodeError):
            continue
    guess = from_bytes(data[:50_000], cp_isolation=_CANDIDATES).best()
    name = guess.encoding if guess else "utf-8"
    return data.decode(_WIDER.get(name, name), "replace")
