"""How texts are compared: when something is looked for, whatever their case and width, and when they are sorted."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_DIGITS: Final = re.compile(r"(\d+)")


def folded(text: str) -> str:
    """Return a text as a search compares it; it may be longer or shorter than the text.

    Caseless matching of the Unicode standard (chapter 3.13, D146) over compatible forms: ``é`` is one letter or two,
    ``ｃａｔ`` is cat and ``straße`` strasse. Turkish ``İ`` loses the dot that it keeps in lower case, and ``ı``
    is ``i``, for upper case makes both the same ``I``: ``IŞIK`` finds ``ışık``.
    """
    lower = unicodedata.normalize("NFKD", text).casefold()
    return unicodedata.normalize("NFKC", lower.replace("i\u0307", "i").replace("ı", "i"))


def natural(text: str) -> tuple[str | tuple[int, str], ...]:
    """Return what a name is sorted by, whatever its case: "deep2" stands before "deep10"."""
    parts = enumerate(_DIGITS.split(text.casefold()))
    return tuple(_number(part) if place % 2 else part for place, part in parts)


def _number(digits: str) -> tuple[int, str]:
    digits = digits.lstrip("0")
    return len(digits), digits  # a number of any length, which int() would refuse
