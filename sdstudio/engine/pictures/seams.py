"""How the colours of a new part are matched to the picture around it.

A VAE gives a picture back with colours a little off, all over it: the built-in model's adds 1.5 of 255 to green. In the
ring around what is masked the picture before and after it is known, so the shift is too, and is taken back in the new
part: mean and deviation of each channel become those of the picture.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

RING_PX: Final = 32
"""How far around the masked part colours are compared."""
FEWEST_PIXELS: Final = 64
FLAT: Final = 1.0
"""Deviation in levels below which a channel has no contrast to compare."""
CONTRAST_MOST: Final = 1.25
"""A VAE changes contrast by a few per cent; more comes from what is drawn, not from the VAE."""


def matched(drawn: Image.Image, seen: Image.Image, change: npt.NDArray[np.uint8]) -> Image.Image:
    """Return a drawn picture in the colours of the one that it was drawn over.

    Args:
        drawn: RGB, as the VAE gave it.
        seen: The picture before, of the same size.
        change: (H, W): 0 where it is kept.
    """
    ring = ring_of(change)
    if ring.sum() < FEWEST_PIXELS:
        return drawn
    new, old = (np.asarray(image, np.float32) for image in (drawn, seen))
    mean_new, mean_old = new[ring].mean(0), old[ring].mean(0)
    spread_new, spread_old = new[ring].std(0), old[ring].std(0)
    contrast = np.where(spread_new > FLAT, spread_old / np.maximum(spread_new, FLAT), 1.0)
    contrast = np.clip(contrast, 1 / CONTRAST_MOST, CONTRAST_MOST)
    result = (new - mean_new) * contrast + mean_old
    return Image.fromarray(np.clip(np.rint(result), 0, 255).astype(np.uint8))


def ring_of(change: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return which pixels (H, W) are kept and lie near what is drawn anew."""
    masked = change > 0
    near = masked
    for axis in (0, 1):
        near = ndimage.maximum_filter1d(near, 2 * RING_PX + 1, axis=axis, mode="constant")
    return near & ~masked
