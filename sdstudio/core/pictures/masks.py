"""How any picture becomes a mask, and which masks say something about the picture they belong to.

In a mask 255 is drawn anew and 0 stays as it is. As in A1111 (``modules/processing.py``) a transparent picture's alpha
is its mask, and any other's lightness.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PIL import Image

from sdstudio.core.errors import InvalidRequest
from sdstudio.core.pictures.opening import in_colour, opened_picture, upright, upright_size
from sdstudio.core.request.input_fields import INIT, MASK
from sdstudio.core.request.mask_fields import LATENT_BLENDING, NOT_MASKED

HALF: Final = 128
"""Latent blending takes what is lighter as white, as A1111 does."""
_OPAQUE: Final = 255


def as_mask(image: Image.Image) -> Image.Image:
    """Return an opened picture as a mask, in one channel of 8 bits; of an animated one the first frame counts."""
    seen = in_colour(upright(image))
    if seen.mode == "RGBA":
        alpha = seen.getchannel("A")
        if alpha.getextrema()[0] != _OPAQUE:
            return alpha
    return seen.convert("L")


def read_mask(path: Path, mode: str = "") -> Image.Image:
    """Return the mask that a picture's file is, turned round where the request's ``mask_mode`` asks for the rest.

    Raises:
        PictureUnreadable: It is damaged or no picture.
    """
    with opened_picture(path) as image:
        mask = as_mask(image)
    return mask.point(lambda level: _OPAQUE - level) if mode == NOT_MASKED else mask


def check_mask(mask: Path, picture: Path, mode: str = "", blending: str = "") -> None:
    """Check that a mask lies over a picture pixel by pixel, and that something of this is drawn anew.

    Args:
        mask: Its file.
        picture: The file of the picture that it belongs to.
        mode: The request's ``mask_mode``.
        blending: The request's ``mask_blending``.

    Raises:
        InvalidRequest: It does not; ``field`` names the mask.
        PictureUnreadable: One of them is damaged or no picture.
    """
    with opened_picture(picture) as image:
        wanted = upright_size(image)
    with opened_picture(mask) as image:
        size = upright_size(image)
    if size != wanted:
        sizes = [" x ".join(map(str, one)) for one in (size, wanted)]
        message = f"{MASK.title} = {sizes[0]} pixels: allowed is the size of the {INIT.title.lower()}, {sizes[1]}."
        raise InvalidRequest(MASK.field, message, "Paint it on that picture, or scale it to this size.")
    levels = read_mask(mask, mode)
    if not levels.getbbox():
        what = "white" if mode == NOT_MASKED else "black"
        message = f"{MASK.title} = all {what}: nothing would be drawn anew."
        raise InvalidRequest(MASK.field, message, "Paint on it, or do without it.")
    if blending == LATENT_BLENDING and not levels.point(lambda level: _OPAQUE * (level > HALF)).getbbox():
        message = f"{MASK.title} = nowhere lighter than half: with latent blending nothing would be drawn anew."
        raise InvalidRequest(MASK.field, message, "Paint it white, or use differential diffusion.")
