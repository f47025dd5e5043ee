"""A copy that is to hold less than its picture is read by every reader the studio has before it leaves.

What it records must be exactly what was meant to stand beside its pixels. That is found out by reading, not by trusting
the writer: a library that hands a loaded file's texts on, and text hidden in the pixels, are found alike.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import BinaryIO, Final

from PIL import Image

from sdstudio.core.errors import TellsTooMuch
from sdstudio.core.pictures.opening import opened_picture
from sdstudio.history.picture_text.foreign.stealth import hides_text, stealth_texts
from sdstudio.history.picture_text.texts import texts_of

HIDDEN: Final = "text hidden in the pixels"

Encoder = Callable[[BinaryIO, Image.Image], None]
"""Writes pixels, and whatever is meant to stand beside them, as a picture file."""


def told_by(file: BinaryIO) -> dict[str, str | bytes]:
    """Return all that a picture file holds beside its pixels, by every reader: name -> text, or bytes as they stand.

    Raises:
        PictureUnreadable: It is no picture.
    """
    with opened_picture(file) as image:
        texts: dict[str, str | bytes] = dict(texts_of(image))
        image.load()  # text behind the pixels
        texts |= texts_of(image)
        texts |= {str(name): value for name, value in image.info.items() if isinstance(value, str | bytes) and value}
        hidden = stealth_texts(image)
        if hidden or hides_text(image):
            texts[HIDDEN] = "\n".join(hidden.values())
    return texts


def encoded(pixels: Image.Image, encode: Encoder) -> bytes:
    """Return a picture file that holds what the encoder writes beside the pixels, and nothing else.

    Raises:
        TellsTooMuch: Some reader finds more.
    """
    held, bare = io.BytesIO(), io.BytesIO()
    encode(held, pixels)
    encode(bare, Image.new("RGB", (8, 8)))  # all that may be held, beside pixels that hold nothing
    allowed = told_by(bare)
    more = [name for name, value in told_by(held).items() if allowed.get(name) != value]
    if more:
        message = f"The copy would tell what is to be left out: {', '.join(sorted(more))[:200]}."
        raise TellsTooMuch(message, "Export it in another format.")
    return held.getvalue()
