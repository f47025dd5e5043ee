"""Sizes of a picture by their shape: which width and height have a shape and about as many pixels as a model draws."""

from __future__ import annotations

from math import log, sqrt
from typing import Final

Size = tuple[int, int]

RATIOS: Final[tuple[Size, ...]] = ((1, 1), (4, 3), (3, 2), (16, 9), (9, 16), (2, 3), (3, 4))
"""Shapes that are always offered."""
_SHAPE_WEIGHS: Final = 3.0
"""How much more a wrong shape counts than a wrong number of pixels; both as logarithms."""
_AROUND: Final = 4
"""So many multiples on both sides of the exact width are looked at."""


def size_of(ratio: Size, pixels: int, multiple: int, least: int, most: int) -> Size:
    """Return the size nearest to a shape and a number of pixels.

    Args:
        ratio: Width to height.
        pixels: How many there should be.
        multiple: Both sides are multiples of it.
        least: Shortest side that is allowed.
        most: Longest side that is allowed.
    """
    shape = ratio[0] / ratio[1]
    exact = round(sqrt(pixels * shape) / multiple)
    sizes: list[tuple[float, Size]] = []
    for count in range(exact - _AROUND, exact + _AROUND + 1):
        width = _within(count * multiple, multiple, least, most)
        height = _within(round(width / shape / multiple) * multiple, multiple, least, most)
        wrong = _SHAPE_WEIGHS * abs(log(width / height / shape)) + abs(log(width * height / pixels))
        sizes.append((wrong, (width, height)))
    return min(sizes)[1]


def side_for(side: int, shape: float, multiple: int, least: int, most: int) -> int:
    """Return the other side, so many times as long as the first one, as near as is allowed."""
    return _within(round(side * shape / multiple) * multiple, multiple, least, most)


def _within(side: int, multiple: int, least: int, most: int) -> int:
    smallest = -(-least // multiple) * multiple
    return max(smallest, min(side, most // multiple * multiple))
