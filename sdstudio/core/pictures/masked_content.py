"""What a masked part begins from in place of the picture itself: the colours around it, blurred into it.

The recipe is A1111's (``modules/masking.py fill``): what is kept is blurred with its transparency, far first, and each
nearer blur is laid over the last.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

_BLURS: Final = ((256, 1), (64, 1), (16, 2), (4, 4), (2, 2), (0, 1))
"""Radius in pixels, and how often it is laid over."""


def filled(picture: Image.Image, share: npt.NDArray[np.uint8]) -> Image.Image:
    """Return a picture whose masked part is made of the colours around it.

    Args:
        picture: RGB.
        share: (H, W): how much of each pixel is masked, up to 255.
    """
    kept = Image.new("RGBa", picture.size)
    opaque = picture.convert("RGBA").convert("RGBa")
    kept.paste(opaque, mask=Image.fromarray(255 - share))
    whole = Image.new("RGBA", picture.size)
    for radius, times in _BLURS:
        blurred = kept.filter(ImageFilter.GaussianBlur(radius)).convert("RGBA")
        for _ in range(times):
            whole.alpha_composite(blurred)
    return whole.convert("RGB")
