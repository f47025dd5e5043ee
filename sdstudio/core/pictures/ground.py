"""The ground that is added to a picture, before anything is drawn there: what it begins from, and where it is.

Brings in numpy and scipy. The window shows with this what the engine begins from.
"""

from __future__ import annotations

import math
import random
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from sdstudio.core.pictures.masked_content import filled
from sdstudio.core.request.outpaint_fields import BLUR, COLOUR, EDGE, Sides

Levels = npt.NDArray[np.uint8]
Places = npt.NDArray[np.bool_]

WHITE: Final = 255
_BLURRED_PX: Final = 1024
"""Longest side of what is blurred: 20 s at 4096 pixels without that."""
_NOISE_SEED: Final = 0
"""The noise is the same for every seed of a request, so that a window shows what is begun from."""


def extended(source: Image.Image, sides: Sides, fill: str, colour: str, also: Places | None = None) -> Image.Image:
    """Return a picture with filled ground around it; its own pixels stay as they are.

    Args:
        source: RGB.
        sides: What is added.
        fill: As the request's ``outpaint_fill``.
        colour: As in "#808080", for one colour.
        also: (h, w), which pixels of the picture itself are ground too.
    """
    whole = Image.new("RGB", sides.around(source.size), colour)
    whole.paste(source, (sides.left, sides.top))
    ground = ground_of(source.size, sides, also)
    if not ground.any():
        return whole
    if ground.all() or fill == COLOUR:
        begun = Image.new("RGB", whole.size, colour)
    elif fill == EDGE:
        begun = _drawn_out(source, sides, also)
    else:
        begun = _blurred(whole, ground)
        begun = begun if fill == BLUR else _noisy(begun)
    whole.paste(begun, mask=Image.fromarray(_as_levels(ground)))
    return whole


def ground_of(shape: tuple[int, int], sides: Sides, also: Places | None = None) -> Places:
    """Return which pixels (H, W) of the whole are ground, by the picture's width and height."""
    width, height = sides.around(shape)
    ground = np.ones((height, width), np.bool_)
    own = ground[sides.top : sides.top + shape[1], sides.left : sides.left + shape[0]]
    own[...] = False if also is None else also
    return ground


def _drawn_out(source: Image.Image, sides: Sides, also: Places | None) -> Image.Image:
    """Return the picture with its nearest pixels repeated outwards, and into what is ground of itself."""
    pixels = np.asarray(source)
    if also is not None and also.any():
        rows, columns = ndimage.distance_transform_edt(also, return_distances=False, return_indices=True)
        pixels = pixels[rows, columns]
    widths = ((sides.top, sides.bottom), (sides.left, sides.right), (0, 0))
    return Image.fromarray(np.pad(pixels, widths, mode="edge"))


def _blurred(whole: Image.Image, ground: Places) -> Image.Image:
    """Return a picture whose ground is made of the colours around it; of a large one that is done in small."""
    levels = Image.fromarray(_as_levels(ground))
    factor = math.ceil(max(whole.size) / _BLURRED_PX)
    if factor == 1:
        return filled(whole, np.asarray(levels))
    known = levels.reduce(factor).point(lambda level: WHITE if level else 0)  # nothing of the ground counts as known
    return filled(whole.reduce(factor), np.asarray(known)).resize(whole.size, Image.Resampling.BILINEAR)


def _noisy(picture: Image.Image) -> Image.Image:
    """Return a picture mixed with as much noise, even over all levels."""
    size = picture.width * picture.height * 3
    noise = np.frombuffer(random.Random(_NOISE_SEED).randbytes(size), np.uint8).reshape(np.asarray(picture).shape)
    mixed = (np.asarray(picture).astype(np.uint16) + noise) // 2
    return Image.fromarray(mixed.astype(np.uint8))


def _as_levels(places: Places) -> Levels:
    levels: Levels = np.where(places, WHITE, 0).astype(np.uint8)
    return levels
