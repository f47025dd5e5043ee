"""How texts are compared when something is looked for: whatever their case and width, however letters were composed."""

from __future__ import annotations

import unicodedata


def folded(text: str) -> str:
    """Return a text as a search compares it; it may be longer or shorter than the text.

    Caseless matching of the Unicode standard (chapter 3.13, D146) over compatible forms: ``é`` is one letter or two,
    ``ｃａｔ`` is cat and ``straße`` strasse. Turkish ``İ`` loses the dot that it keeps in lower case, and ``ı``
    is ``i``, for upper case makes both the same ``I``: ``IŞIK`` finds ``ışık``.
    """
    lower = unicodedata.normalize("NFKD", text).casefold()
    return unicodedata.normalize("NFKC", lower.replace("i\u0307", "i").replace("ı", "i"))
