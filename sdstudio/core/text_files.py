"""How a text file that the user brings becomes text: UTF-8, UTF-16 of Windows' editors, and Windows-1252.

Windows-1252 has Latin-1's letters at Latin-1's places. A file that names no encoding is read line by line, since people
put lines of several origins into one; what is not UTF-8 by its pattern was not meant to be.
"""

from __future__ import annotations

import codecs
from typing import Final

_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins with UTF-16's mark, so it is looked for first
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF8, "utf-8"),
)
_LOOKED_AT_BYTES: Final = 4096
_ZEROS: Final = 0.4
"""Part of the high bytes that is zero in UTF-16 without a byte order mark: those of blanks and ASCII are."""


def decoded(raw: bytes) -> str:
    """Return the text of a file, without its byte order mark and NUL characters; any bytes are a text."""
    mark, encoding = next((row for row in _MARKS if raw.startswith(row[0])), (b"", _without_mark(raw)))
    raw = raw[len(mark) :]
    if encoding != "utf-8":
        text = raw.decode(encoding, "replace")
    else:
        text = "".join(map(_line, raw.splitlines(keepends=True)))
    return text.replace("\0", "")


def _line(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _without_mark(raw: bytes) -> str:
    beginning = raw[:_LOOKED_AT_BYTES]
    pairs = len(beginning) // 2
    for encoding, high, low in (("utf-16-le", 1, 0), ("utf-16-be", 0, 1)):
        if pairs > 1 and beginning[high::2].count(0) >= _ZEROS * pairs and not beginning[low::2].count(0):
            return encoding
    return "utf-8"
