"""Parameters hidden in a picture's transparency, where they outlive chats that throw away every text.

NovelAI and an extension of A1111 write them into the lowest bit of the alpha channel, column by column: the mark
``stealth_pngcomp``, the length in bits as 32 bits, then the text as gzip (``sd-webui-stealth-pnginfo``).
"""

from __future__ import annotations

import json
import zlib
from typing import Final

import numpy as np
from PIL import Image

from sdstudio.core.pictures import shown
from sdstudio.history.pnginfo import A1111_KEY
from sdstudio.history.texts import TEXT_MAXIMUM

MARK: Final = b"stealth_pngcomp"
_HEAD_BITS: Final = (len(MARK) + 4) * 8


def stealth_texts(image: Image.Image) -> dict[str, str]:
    """Return the hidden text of a decoded picture as if it stood in the file, nothing when there is none."""
    if image.mode != "RGBA" or image.width * image.height < _HEAD_BITS:
        return {}
    bits = (np.asarray(image.getchannel("A")) & 1).T.reshape(-1)  # uint8 (width * height,), column by column
    head = np.packbits(bits[:_HEAD_BITS]).tobytes()
    if not head.startswith(MARK):
        return {}
    length = int.from_bytes(head[len(MARK) :], "big")
    if not 0 < length <= bits.size - _HEAD_BITS:
        return {}
    packed = np.packbits(bits[_HEAD_BITS : _HEAD_BITS + length]).tobytes()
    try:
        text = zlib.decompressobj(wbits=31).decompress(packed, TEXT_MAXIMUM).decode("utf-8", "replace")
    except zlib.error:
        return {}
    return _as_texts(shown(text))


def _as_texts(text: str) -> dict[str, str]:
    """NovelAI hides all of its texts, as JSON; others hide A1111's."""
    if text.lstrip().startswith("{"):
        try:
            values = json.loads(text)
        except (ValueError, RecursionError):
            values = None
        if isinstance(values, dict):
            return {str(key): value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    return {A1111_KEY: text}
