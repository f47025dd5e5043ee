"""How large a second pass draws: a factor, a size, or one side of it, where the first pass' shape decides the other.

As in A1111 (``modules/processing.py``), a side that follows from the other is rounded down, and all sides are cut to
whole latent cells.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sdstudio.core.errors import InvalidRequest

Size = tuple[int, int]

SIDE_MAXIMUM: Final = 4096
"""Longest side of what a second pass draws in one piece, in pixels."""
TILED_SIDE_MAXIMUM: Final = 16_384
"""Longest side of what is drawn in tiles, in pixels; in all it has no more than the studio opens."""
PIXELS_MAXIMUM: Final = 64_000_000
"""Pixels of the largest picture that is made, or opened."""
SIDE_MINIMUM: Final = 64
CELL_PX: Final = 8

_FACTOR_MAXIMUM: Final = 16
_SIDES: Final = re.compile(r"(\d{0,5})[x×](\d{0,5})", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\d{1,5}(?:\.\d{1,3})?")


@dataclass(frozen=True, slots=True)
class LargerSize:
    """What is asked for; exactly one of a factor, one or two sides, and the longer side is set.

    Attributes:
        factor: So many times the first pass' size.
        width: In pixels, 0 where it follows from the height.
        height: In pixels, 0 where it follows from the width.
        longer: The longer side, in pixels.
    """

    factor: float = 0.0
    width: int = 0
    height: int = 0
    longer: int = 0

    def over(self, first: Size) -> Size:
        """Return the width and height in pixels for a first pass of this size, in whole latent cells."""
        if self.factor:
            return _in_cells((int(first[0] * self.factor), int(first[1] * self.factor)))
        width, height = self.width, self.height
        if self.longer:
            width, height = (self.longer, 0) if first[0] >= first[1] else (0, self.longer)
        return _in_cells((width or height * first[0] // first[1], height or width * first[1] // first[0]))


def _in_cells(size: Size) -> Size:
    return size[0] // CELL_PX * CELL_PX, size[1] // CELL_PX * CELL_PX


def two_sides(text: str) -> LargerSize | None:
    """Return the size that a text as 1024x1536 names; 0 or nothing for a side that follows; ``None`` for no such text.

    It is how A1111 writes "Hires resize".
    """
    match = _SIDES.fullmatch(text.strip())
    width, height = (int(side or 0) for side in match.groups()) if match else (0, 0)
    if (not width and not height) or any(side % CELL_PX or 0 < side < SIDE_MINIMUM for side in (width, height)):
        return None
    return LargerSize(width=width, height=height)


def size_or_factor(text: str) -> LargerSize | None:
    """Return the size that a text as 4096x4096, 4096x, 4096 (the longer side) or 4 (a factor) names."""
    text = text.strip()
    number = text.removesuffix("x").removesuffix("X")
    if _NUMBER.fullmatch(number) and 1 <= float(number) <= _FACTOR_MAXIMUM:
        return LargerSize(factor=float(number))
    if text.isdecimal() and len(text) <= 5:
        return LargerSize(longer=int(text)) if two_sides(f"{text}x") else None
    return two_sides(text)


def second_size(width: int, height: int, values: Mapping[str, Any]) -> Size:
    """Return the width and height in pixels of what a second pass draws.

    Args:
        width: Of the first pass.
        height: Of the first pass.
        values: The request's ``hires``, ``hires_resize`` and ``tile_redraw``, of which the last one that is set counts.
    """
    larger = size_or_factor(values.get("tile_redraw") or "") or two_sides(values.get("hires_resize") or "")
    larger = larger or LargerSize(factor=max(1.0, float(values.get("hires") or 1)))
    return larger.over((width, height))


def check_size(size: Size, title: str, field: str, is_tiled: bool) -> None:
    """Raise `InvalidRequest` for a size that is too small or too large to be drawn, or to be opened again."""
    most = TILED_SIDE_MAXIMUM if is_tiled else SIDE_MAXIMUM
    message, hint = f"{title}: {size[0]} x {size[1]} is too large:", "Use less."
    if max(size) > most:
        raise InvalidRequest(field, f"{message} at most {most:,} on a side.", hint)
    if size[0] * size[1] > PIXELS_MAXIMUM:
        raise InvalidRequest(field, f"{message} at most {PIXELS_MAXIMUM:,} pixels in all.", hint)
    if min(size) < SIDE_MINIMUM:
        message = f"{title}: {size[0]} x {size[1]} is too small: at least {SIDE_MINIMUM} on a side."
        raise InvalidRequest(field, message, "Use more.")
