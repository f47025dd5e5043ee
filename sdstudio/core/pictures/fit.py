"""How a picture of one shape fills a size of another: which part of it is taken, how large, and where it lies."""

from __future__ import annotations

from dataclasses import dataclass

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a picture goes.

    Attributes:
        part: Left, top, right and bottom of what is taken of it, in its own pixels.
        size: How large that part becomes.
        at: Where it lies in the whole, from the left and from the top.
    """

    part: tuple[int, int, int, int]
    size: Size
    at: tuple[int, int] = (0, 0)


def placed(shape: Size, whole: Size, fit: str) -> Placement:
    """Return where a picture goes that is to fill a size.

    Args:
        shape: The picture's width and height.
        whole: The width and height to fill.
        fit: "crop": what is too much is cut off on both sides; "pad": all of it in the middle; "stretch".
    """
    everything = (0, 0, *shape)
    match fit:
        case "crop":
            wide, high = _within(whole, shape)
            left, top = (shape[0] - wide) // 2, (shape[1] - high) // 2
            return Placement((left, top, left + wide, top + high), whole)
        case "pad":
            inside = _within(shape, whole)
            return Placement(everything, inside, ((whole[0] - inside[0]) // 2, (whole[1] - inside[1]) // 2))
    return Placement(everything, whole)


def _within(shape: Size, bounds: Size) -> Size:
    """Return the largest size of a shape that lies within bounds."""
    factor = min(bounds[0] / shape[0], bounds[1] / shape[1])
    return min(bounds[0], max(1, round(shape[0] * factor))), min(bounds[1], max(1, round(shape[1] * factor)))
