"""Which part of a picture is drawn where only what is masked is: the mask's, with padding, in the shape of the size.

The rule is A1111's (``modules/masking.py``), so that its pictures can be made again and a window can show the part.
"""

from __future__ import annotations

Box = tuple[int, int, int, int]
"""Left, top, right and bottom, in pixels of the picture; right and bottom lie outside."""


def masked_area(bounds: Box, padding: int, shape: tuple[int, int], size: tuple[int, int]) -> Box:
    """Return the part that is drawn.

    Near the border of the picture it may keep another shape than the size.

    Args:
        bounds: Of what is masked, its softened edge counted in.
        padding: How much of the picture is seen around that, where there is so much.
        shape: The picture's width and height.
        size: The width and height that the part is drawn at.
    """
    left, top = (max(side - padding, 0) for side in bounds[:2])
    right, bottom = (min(side + padding, whole) for side, whole in zip(bounds[2:], shape, strict=True))
    wanted, own = size[0] / size[1], (right - left) / (bottom - top)
    if own > wanted:
        top, bottom = _longer(top, bottom, (right - left) / wanted, shape[1])
    else:
        left, right = _longer(left, right, (bottom - top) * wanted, shape[0])
    return left, top, right, bottom


def _longer(begin: int, end: int, length: float, whole: int) -> tuple[int, int]:
    """Return a stretch of about this length around another, pushed into the picture, and cut where it is too long."""
    more = int(length - (end - begin))
    begin, end = begin - more // 2, end + more - more // 2
    if end >= whole:
        begin, end = begin - (end - whole), whole
    if begin < 0:
        begin, end = 0, end - begin
    return begin, min(end, whole)
