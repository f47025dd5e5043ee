"""What the pixels of a finished picture show: whether it is washed out, or its colours are burnt."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from PIL import Image

SIDE_PX: Final = 128
"""Pictures are looked at this small; the shares stay the same and it takes a millisecond."""
DULL_SPAN: Final = 0.45
DULL_SATURATION: Final = 0.25
BURNT_SATURATION: Final = 0.35
BURNT_SHARE: Final = 0.12
"""Measured on the built-in model, four prompts: at its own guidance scale of 2 at most 0.03 of the pixels are burnt, at
9 up to 0.13, at 16 up to 0.19."""


@dataclass(frozen=True, slots=True)
class Looks:
    """Numbers of one picture, each 0 to 1.

    Attributes:
        span: From the darkest fiftieth of its pixels to the brightest.
        saturation: Mean saturation.
        burnt: Share of pixels that are as colourful as a screen can show, or nearly.
    """

    span: float
    saturation: float
    burnt: float

    @classmethod
    def of(cls, picture: Image.Image) -> Looks:
        """Measure a picture of any size."""
        small = picture.convert("RGB")
        small.thumbnail((SIDE_PX, SIDE_PX))
        _, saturation, value = small.convert("HSV").split()
        count = small.width * small.height
        levels = saturation.histogram()
        strong = saturation.point([255 if level >= 235 else 0 for level in range(256)])
        bright = value.point([255 if level >= 215 else 0 for level in range(256)])
        both = Image.composite(strong, Image.new("L", small.size), bright)
        return cls(
            span=_span(small.convert("L").histogram(), count),
            saturation=sum(level * many for level, many in enumerate(levels)) / 255 / count,
            burnt=both.histogram()[255] / count,
        )

    @property
    def is_washed_out(self) -> bool:
        """Whether it is grey in grey."""
        return self.span < DULL_SPAN and self.saturation < DULL_SATURATION

    @property
    def is_oversaturated(self) -> bool:
        """Whether much of it is as colourful as can be."""
        return self.saturation > BURNT_SATURATION and self.burnt > BURNT_SHARE


def _span(levels: list[int], count: int) -> float:
    summed = list(accumulate(levels))
    low = next(level for level, so_far in enumerate(summed) if so_far >= count * 0.02)
    high = next(level for level, so_far in enumerate(summed) if so_far >= count * 0.98)
    return (high - low) / 255
