"""How large a picture becomes that begins from another one: by its shape where no size is given, or by a factor."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from sdstudio.core.params import Parameter, parameters
from sdstudio.core.request.detail_fields import OF_REGIONS
from sdstudio.core.request.finish_fields import enlarged_size
from sdstudio.core.request.input_fields import INIT, INPUT_ROLES
from sdstudio.core.request.outpaint_fields import ON_WHITE
from sdstudio.core.request.request import GenerationRequest

_SIDES: Final = {row.name: row for row in parameters(GenerationRequest) if row.name in ("width", "height")}
SIDE_MAXIMUM: Final = int(min(row.maximum or 0 for row in _SIDES.values()))
"""Longest side a picture may be given, in pixels."""
_SIDE_MINIMUM: Final = int(max(row.minimum or 1 for row in _SIDES.values()))

Size = tuple[int, int]


def size_like(
    shape: tuple[int, int], rows: Mapping[str, Parameter], width: int | None = None, height: int | None = None,
    keep: bool = False,
) -> tuple[int, int]:  # fmt: skip
    """Return the width and height, allowed by the rows, that fit an input picture's shape.

    Args:
        shape: The input picture's width and height.
        rows: The model's parameters: its usual size shows how many pixels it draws well.
        width: Where it is given, the height follows from it.
        height: Where it is given, the width follows from it.
        keep: Take the picture's own size, with a few pixels less where a side is no multiple of what is allowed, so
            that it is cropped and not scaled.
    """
    wide, high = rows["width"], rows["height"]
    if width is not None or height is not None:
        return (
            width if width is not None else _near((height or 0) * shape[0] / shape[1], wide),
            height if height is not None else _near((width or 0) * shape[1] / shape[0], high),
        )
    largest = min(1.0, float(wide.maximum or 0) / shape[0], float(high.maximum or 0) / shape[1])
    if keep and largest == 1:
        return _near(shape[0], wide, math.floor), _near(shape[1], high, math.floor)
    factor = largest if keep else math.sqrt(wide.default * high.default / (shape[0] * shape[1]))
    return _near(shape[0] * factor, wide), _near(shape[1] * factor, high)


def larger(size: Size, factor: float) -> Size:
    """Return the size of an enlarged picture: the nearest that can be asked for."""
    width, height = (max(_SIDE_MINIMUM, side) for side in enlarged_size(size, factor))
    return width, height


def enlarging(picture_id: str, size: Size, upscaler: str) -> dict[str, Any]:
    """Return the values of a request that makes a kept picture larger, whatever else it holds.

    Args:
        picture_id: The picture's.
        size: Of the larger picture.
        upscaler: Name of what enlarges it, "" for Lanczos.
    """
    others = dict.fromkeys((field for field in INPUT_ROLES if field != INIT.field), "")
    width, height = size
    fitting = {"init_fit": "crop", "width": width, "height": height, "upscaler": upscaler, "finish": 1.0}
    fitting |= {"outpaint": "", "transparency": ON_WHITE}
    return {**others, **dict.fromkeys(OF_REGIONS, ""), INIT.field: picture_id, **fitting}


def is_allowed(size: Size) -> bool:
    """Return whether a picture may be as large as that."""
    return max(size) <= SIDE_MAXIMUM


def _near(side: float, row: Parameter, rounded: Callable[[float], int] = round) -> int:
    step = row.multiple_of or 1
    near = rounded(side / step) * step
    return int(min(max(near, row.minimum or 0), row.maximum or near))
