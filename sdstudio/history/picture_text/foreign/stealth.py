"""Parameters hidden in the lowest bits of a picture's pixels, where they outlive chats that throw away every text.

NovelAI, Forge, SwarmUI and an extension of A1111 write them, column by column from the top left, into the alpha channel
or into red, green and blue by turns: a mark of fifteen bytes, the length in bits as 32 bits, the highest first, then
the text, bare or as gzip (``sd-webui-stealth-pnginfo``).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sdstudio.core.json_text import json_of
from sdstudio.core.pictures.opening import in_colour, shown
from sdstudio.history.picture_text.pnginfo import A1111_KEY
from sdstudio.history.picture_text.texts import TEXT_MAXIMUM

_MARK_BYTES: Final = 15
_HEAD_BITS: Final = (_MARK_BYTES + 4) * 8
_OPAQUE: Final = 254
"""From this alpha on a pixel is opaque but for its hidden bit."""

_Channels = NDArray[np.uint8]
"""(height, width, 1 for alpha or 3 for red, green and blue)."""


@dataclass(frozen=True, slots=True)
class _Hiding:
    """One way to hide a text: the mark that it begins with, where it stands, and whether it is gzip."""

    mark: bytes
    in_alpha: bool
    packed: bool


_HIDINGS: Final = (
    _Hiding(b"stealth_pngcomp", True, True),
    _Hiding(b"stealth_pnginfo", True, False),
    _Hiding(b"stealth_rgbcomp", False, True),
    _Hiding(b"stealth_rgbinfo", False, False),
)


def stealth_texts(image: Image.Image) -> dict[str, str]:
    """Return the hidden text of a decoded picture as if it stood in the file, nothing when there is none."""
    for hiding, channels in _hidden(image):
        text = _text(hiding, channels)
        if text:
            return _as_texts(shown(text))
    return {}


def hides_text(image: Image.Image) -> bool:
    """Return whether a decoded picture holds a mark of hidden text, readable or not."""
    return any(True for _ in _hidden(image))


def without_stealth(image: Image.Image) -> Image.Image:
    """Return a decoded picture without hidden text, the same object when there is none.

    No channel of a pixel changes by more than 1. In red, green and blue only the bits that hold the mark and the text
    are cleared, all of them where its length makes no sense; alpha becomes opaque where it was but for the hidden bit.
    """
    hidden = list(_hidden(image))
    if not hidden:
        return image
    pixels = np.array(in_colour(image))
    for hiding, channels in hidden:
        if hiding.in_alpha:
            alpha = pixels[..., 3]
            pixels[..., 3] = np.where(alpha >= _OPAQUE, 255, alpha & 254)
        else:
            pixels[..., :3] = _cleared(pixels[..., :3], _length(hiding, channels))
    return Image.fromarray(pixels)


def _cleared(channels: _Channels, length: int) -> _Channels:
    if not length:
        return channels & np.uint8(254)
    width, height = channels.shape[1], channels.shape[0]
    flat = channels.transpose(1, 0, 2).reshape(-1).copy()
    flat[: _HEAD_BITS + length] &= 254
    return flat.reshape(width, height, channels.shape[2]).transpose(1, 0, 2)


def _hidden(image: Image.Image) -> Iterator[tuple[_Hiding, _Channels]]:
    """Yield each way in which text is hidden in a picture, with the channels that hold it."""
    columns = -(-_HEAD_BITS // max(1, image.height))  # those that hold a mark, whichever way
    head = np.asarray(in_colour(image.crop((0, 0, min(columns, image.width), image.height))))
    hidings = [hiding for hiding in _HIDINGS if _begins(hiding, head)]
    pixels = np.asarray(in_colour(image)) if hidings else head
    for hiding in hidings:
        yield hiding, pixels[..., 3:] if hiding.in_alpha else pixels[..., :3]


def _begins(hiding: _Hiding, pixels: _Channels) -> bool:
    """Return whether pixels begin with a mark; ``pixels`` is (height, width, 3 or 4)."""
    if hiding.in_alpha and pixels.shape[2] < 4:
        return False
    channels = pixels[..., 3:] if hiding.in_alpha else pixels[..., :3]
    return channels.size >= _HEAD_BITS and _bytes(channels, 0, _MARK_BYTES * 8) == hiding.mark


def _bytes(channels: _Channels, begin: int, count: int) -> bytes:
    """Return so many bits as bytes, from bit ``begin`` on; only the columns that hold them are looked at."""
    per_column = channels.shape[0] * channels.shape[2]
    columns = -(-(begin + count) // per_column)
    bits = (channels[:, :columns] & 1).transpose(1, 0, 2).reshape(-1)
    return np.packbits(bits[begin : begin + count]).tobytes()


def _length(hiding: _Hiding, channels: _Channels) -> int:
    """Return how many bits a readable text takes, 0 when there is none."""
    length = int.from_bytes(_bytes(channels, _MARK_BYTES * 8, 32), "big")
    return length if 0 < length <= channels.size - _HEAD_BITS and _text(hiding, channels) else 0


def _text(hiding: _Hiding, channels: _Channels) -> str:
    length = int.from_bytes(_bytes(channels, _MARK_BYTES * 8, 32), "big")
    if not 0 < length <= channels.size - _HEAD_BITS:
        return ""
    raw = _bytes(channels, _HEAD_BITS, length)
    if hiding.packed:
        try:
            raw = zlib.decompressobj(wbits=31).decompress(raw, TEXT_MAXIMUM)
        except zlib.error:
            return ""
    return raw[:TEXT_MAXIMUM].decode("utf-8", "replace")


def _as_texts(text: str) -> dict[str, str]:
    """NovelAI hides all of its texts as one JSON object, SwarmUI its own under A1111's key; others hide A1111's."""
    if text.lstrip().startswith("{"):
        try:
            values = json_of(text)
        except ValueError:
            values = None
        if isinstance(values, dict):
            each = {str(key): value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
            return {A1111_KEY: text, **each}
    return {A1111_KEY: text}
