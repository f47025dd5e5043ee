"""The regions of a finished picture that are redrawn: where they come from, which count, and how each is masked.

The order of the steps is ADetailer's: filter by confidence, by size and by number, sort, grow. What is marked by hand
is only grown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from sdstudio.core.pictures.masks import HALF, read_mask
from sdstudio.core.request.detail_fields import REGIONS_MAXIMUM, Box, boxes_of
from sdstudio.core.request.request import GenerationRequest

Levels = npt.NDArray[np.uint8]
WHITE: Final = 255


@dataclass(frozen=True, slots=True)
class Found:
    """What a detector has found.

    Attributes:
        box: Left, top, right and bottom, in pixels of the picture, not rounded.
        score: How sure it is, 0 to 1.
        label: The words that it goes by, of those that were looked for.
    """

    box: tuple[float, float, float, float]
    score: float
    label: str


class Detector(Protocol):
    """Looks for things in pictures."""

    def find(self, picture: Image.Image, query: str) -> Sequence[Found]:
        """Return all that it takes for what the query names, however unsure, in any order."""


@dataclass(frozen=True, slots=True)
class Region:
    """One region of a picture.

    Attributes:
        box: Its bounds within the picture, before it is grown.
        levels: (H, W), of the picture's size: white within the region, grown, and black elsewhere.
        score: How sure the detector is of it; ``None`` for one that was marked by hand.
        label: What the detector calls it, "" for one that was marked by hand.
    """

    box: Box
    levels: Levels
    score: float | None = None
    label: str = ""

    @property
    def recorded(self) -> dict[str, Any]:
        """As a recipe holds it."""
        found = {} if self.score is None else {"score": round(self.score, 4), "label": self.label}
        return {"box": list(self.box), **found}

    def blur(self, wanted: int) -> int:
        """Return how far its edge is softened: so far that its middle is still drawn in full."""
        left, top, right, bottom = Image.fromarray(self.levels).getbbox() or (0, 0, 0, 0)
        return min(wanted, min(right - left, bottom - top) // 2)


def marked(request: GenerationRequest, mask: Path | None, size: tuple[int, int]) -> list[Region]:
    """Return the regions that are marked by hand: the boxes in their order, then what is painted, from left to right.

    Args:
        request: Its boxes.
        mask: The file of its painted regions, of the picture's size.
        size: The picture's width and height.
    """
    boxes = [_within(box, size) for box in boxes_of(request.detail_boxes)]
    regions = [Region(box, _boxed(box, size)) for box in boxes if box is not None]
    if mask is not None:
        regions += _painted(np.asarray(read_mask(mask)))
    return regions


def found(request: GenerationRequest, candidates: Sequence[Found], size: tuple[int, int]) -> list[Region]:
    """Return the regions that a request takes of what a detector has found, from left to right."""
    area = size[0] * size[1]
    taken: list[tuple[Box, Found]] = []
    for candidate in candidates:
        if not all(map(math.isfinite, (*candidate.box, candidate.score))):
            continue
        left, top, right, bottom = candidate.box
        box = _within((math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)), size)
        if box is None or candidate.score < request.detail_confidence:
            continue
        if request.detail_min_ratio <= _area(box) / area <= request.detail_max_ratio:
            taken.append((box, candidate))
    most = request.detail_top_k or REGIONS_MAXIMUM
    largest = sorted(taken, key=lambda pair: (-_area(pair[0]), pair[0]))[:most]
    in_order = sorted(largest, key=lambda pair: pair[0])
    return [Region(box, _boxed(box, size), one.score, one.label) for box, one in in_order]


def grown(region: Region, by: int) -> Region | None:
    """Return a region that is so many pixels wider and higher; ``None`` where nothing of it is left."""
    if not by:
        return region
    kernel = (abs(by), abs(by))
    change = ndimage.grey_dilation if by > 0 else ndimage.grey_erosion
    levels: Levels = change(region.levels, size=kernel, mode="constant", cval=0)
    return Region(region.box, levels, region.score, region.label) if levels.any() else None


def _painted(levels: Levels) -> list[Region]:
    """Return what is white and does not touch, corners counted in, as regions."""
    areas, _count = ndimage.label(levels > HALF, structure=np.ones((3, 3)))
    regions = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(areas), 1):
        box = columns.start, rows.start, columns.stop, rows.stop
        regions.append(Region(box, np.where(areas == number, WHITE, 0).astype(np.uint8)))
    return sorted(regions, key=lambda region: region.box)[:REGIONS_MAXIMUM]


def _boxed(box: Box, size: tuple[int, int]) -> Levels:
    levels = np.zeros((size[1], size[0]), np.uint8)
    levels[box[1] : box[3], box[0] : box[2]] = WHITE
    return levels


def _within(box: Box, size: tuple[int, int]) -> Box | None:
    """Return the part of a box that lies in the picture, ``None`` for none."""
    left, top = max(box[0], 0), max(box[1], 0)
    right, bottom = min(box[2], size[0]), min(box[3], size[1])
    return (left, top, right, bottom) if left < right and top < bottom else None


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
