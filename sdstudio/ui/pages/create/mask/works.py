"""What is done to a whole mask: fill, invert, clear, grow, shrink, feather. On any thread, pixels in, pixels out.

Growing goes pixel by pixel, by the neighbours at the sides and, two steps of five, by those at the corners too: a point
becomes an octagon, at most 8 % off the circle.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from PIL import Image, ImageFilter

from sdstudio.ui.pages.create.mask.document import Pixels

Tell = Callable[[float], object]
"""Is told how far the work is, and may raise to stop it."""

_CORNERS: Final = 0.4142
"""So many of the steps of growing go over the corners."""
_PAINTED: Final = 128
"""From here on a pixel counts as painted where it must be one or the other."""


def inverted(pixels: Pixels, _tell: Tell) -> Pixels:
    """Return what was left, without what was painted."""
    return 255 - pixels


def cleared(pixels: Pixels, _tell: Tell) -> Pixels:
    """Return nothing painted."""
    return np.zeros_like(pixels)


def everything(pixels: Pixels, _tell: Tell) -> Pixels:
    """Return everything painted."""
    return np.full_like(pixels, 255)


def grown(pixels: Pixels, by_px: int, tell: Tell) -> Pixels:
    """Return the mask larger by so many pixels on all sides."""
    rows, columns = np.max(pixels, axis=1), np.max(pixels, axis=0)
    if not rows.any():
        return pixels.copy()
    top, bottom = _reach(rows, by_px)
    left, right = _reach(columns, by_px)
    out = pixels.copy()
    part = out[top:bottom, left:right]
    corners = 0.0
    for step in range(by_px):
        tell(step / by_px)
        corners += _CORNERS
        over_corners = corners >= 1
        corners -= over_corners
        before = part.copy()
        _spread(before, part, axis=0)
        if over_corners:
            before = part.copy()
        _spread(before, part, axis=1)
    return out


def shrunk(pixels: Pixels, by_px: int, tell: Tell) -> Pixels:
    """Return the mask smaller by so many pixels on all sides; the picture's edge is none of the mask's."""
    return 255 - grown(255 - pixels, by_px, tell)


def feathered(pixels: Pixels, by_px: int, tell: Tell) -> Pixels:
    """Return the mask with an edge that fades over so many pixels on either side."""
    tell(0.0)
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(by_px / 2)))


def filled(pixels: Pixels, x: int, y: int, erases: bool, tell: Tell) -> Pixels:
    """Return the mask with the even ground filled that a point lies in, up to what is painted around it.

    With ``erases`` it is what is painted there in one piece that is taken away, its soft edge too.
    """
    from scipy import ndimage  # noqa: PLC0415 (not needed before something is filled)

    tell(0.0)
    ground = pixels > 0 if erases else pixels < _PAINTED
    if not ground[y, x]:
        return pixels.copy()
    parts, _count = ndimage.label(ground)
    tell(0.7)
    place = parts == parts[y, x]
    if not erases:  # the soft inner edge of what is around it closes too
        place |= ndimage.binary_dilation(place)
    return np.where(place, np.uint8(0 if erases else 255), pixels)


def _reach(there: Pixels, by_px: int) -> tuple[int, int]:
    at = np.flatnonzero(there)
    return max(0, int(at[0]) - by_px), min(len(there), int(at[-1]) + 1 + by_px)


def _spread(before: Pixels, onto: Pixels, axis: int) -> None:
    ahead, behind = (slice(1, None), slice(None, -1))
    for to, of in ((ahead, behind), (behind, ahead)):
        index_to, index_of = [slice(None)] * 2, [slice(None)] * 2
        index_to[axis], index_of[axis] = to, of
        target = onto[tuple(index_to)]
        np.maximum(target, before[tuple(index_of)], out=target)
