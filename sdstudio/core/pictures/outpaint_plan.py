"""In which pieces new ground is drawn: windows of the model's shape, one after the other, each beside what is there.

First what is new within the picture, then a side at a time: left and right along the picture, then top and bottom along
the whole width, which take the corners with them. A band that is deeper than half a window is drawn from the picture
outwards, so that at least half of each window is context; along a band each window overlaps the one before by a
quarter.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from sdstudio.core.pictures.masked_area import Box
from sdstudio.core.request.outpaint_fields import Sides

_CELL_PX: Final = 8
_NEW_AT_MOST: Final = 1 / 2
_OVERLAP: Final = 1 / 4


def seen_at_once(shape: tuple[int, int], size: tuple[int, int], in_detail: bool) -> tuple[int, int]:
    """Return how much of a picture a pass sees: as much as is drawn, or so much more that its shorter side fits."""
    factor = 1.0 if in_detail else max(1.0, min(shape) / min(size))
    return round(size[0] * factor), round(size[1] * factor)


def windows(shape: tuple[int, int], sides: Sides, inside: Box | None, size: tuple[int, int]) -> Iterator[Box]:
    """Yield the windows in their order, in pixels of the whole; the first may already have drawn all.

    Args:
        shape: Width and height of the picture.
        sides: What is added to it.
        inside: Bounds of what is new within the picture, in its own pixels.
        size: The width and height that are seen at once, in pixels of the picture.
    """
    whole = sides.around(shape)
    window = min(size[0], whole[0]), min(size[1], whole[1])
    right, bottom = sides.left + shape[0], sides.top + shape[1]
    if inside is not None:
        at = inside[0] + sides.left, inside[1] + sides.top, inside[2] + sides.left, inside[3] + sides.top
        for y in _along(at[1], at[3], window[1], whole[1]):
            for x in _along(at[0], at[2], window[0], whole[0]):
                yield x, y, x + window[0], y + window[1]
    wide, high = whole
    columns = [
        *_outwards(sides.left, 0, wide, window[0], -1),
        *_outwards(sides.right, right, wide, window[0], 1),
    ]
    rows = list(_along(sides.top, bottom, window[1], high))
    yield from ((x, y, x + window[0], y + window[1]) for x in columns for y in rows)
    rows = [
        *_outwards(sides.top, 0, high, window[1], -1),
        *_outwards(sides.bottom, bottom, high, window[1], 1),
    ]
    columns = list(_along(0, wide, window[0], wide))
    yield from ((x, y, x + window[0], y + window[1]) for y in rows for x in columns)


def _along(begin: int, end: int, window: int, whole: int) -> Iterator[int]:
    """Yield where windows begin that cover a stretch: one around its middle, or several from its begin to its end."""
    length = end - begin
    if length <= window:
        yield min(max(begin - (window - length) // 2, 0), whole - window)
        return
    overlap = round(window * _OVERLAP)
    count = math.ceil((length - overlap) / (window - overlap))
    for place in range(count):
        yield begin + round(place * (length - window) / (count - 1))


def _outwards(depth: int, begin: int, whole: int, window: int, way: int) -> Iterator[int]:
    """Yield where windows begin across a band, from the picture outwards.

    Args:
        depth: Of the band.
        begin: Where it begins, in the whole.
        whole: The whole's side.
        window: The window's.
        way: -1 where the picture lies behind the band, 1 where it lies before it.
    """
    if not depth:
        return
    most = max(int(window * _NEW_AT_MOST), 1)
    count = 1 if window == whole else math.ceil(depth / most)
    piece = min(math.ceil(depth / count / _CELL_PX) * _CELL_PX, most) if count > 1 else depth
    for place in range(1, count + 1):
        done = min(place * piece, depth) if place < count else depth
        start = begin + depth - done if way < 0 else begin + done - window
        yield min(max(start, 0), whole - window)
