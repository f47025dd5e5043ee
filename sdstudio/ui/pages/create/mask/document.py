"""A mask's pixels, and what takes each change of them back: the difference of the tiles it touched, compressed.

A difference is what before and after do not share (exclusive or), so that the same one undoes and does again. A stroke
of a brush keeps some hundred bytes for each tile at its edge and thirty for one it filled.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Rect = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the picture; the last two are just outside."""

TILE_PX: Final = 128
_LEVEL: Final = 1
"""Of zlib: a difference is mostly even ground, which the quickest level folds as well as any."""


@dataclass(frozen=True, eq=False, slots=True)
class Patch:
    """One change of a mask: each tile that became different, and how."""

    pieces: tuple[tuple[Rect, bytes], ...]

    @property
    def size_bytes(self) -> int:
        """What is kept for it."""
        return sum(len(packed) for _rect, packed in self.pieces)


class MaskDocument:
    """The pixels of one mask: 255 is drawn anew, 0 stays.

    Args:
        width: Of the picture it lies over.
        height: As above.
        pixels: What is painted already; default: nothing.
    """

    def __init__(self, width: int, height: int, pixels: Pixels | None = None) -> None:
        self.pixels: Pixels = np.zeros((height, width), np.uint8) if pixels is None else np.ascontiguousarray(pixels)
        self.revision = 0
        self._before: dict[Rect, Pixels] = {}

    @property
    def width(self) -> int:
        """Pixels across."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Pixels down."""
        return int(self.pixels.shape[0])

    def clipped(self, rect: Rect) -> Rect:
        """Return the part of a rectangle that lies in the mask; an empty one has no width."""
        left, top = max(0, rect[0]), max(0, rect[1])
        return left, top, max(left, min(self.width, rect[2])), max(top, min(self.height, rect[3]))

    def touch(self, rect: Rect) -> Pixels:
        """Return a rectangle that lies in the mask, to write into; `commit` then tells what was changed."""
        for tile in tiles_of(rect, self.width, self.height):
            if tile not in self._before:
                self._before[tile] = _part(self.pixels, tile).copy()
        return _part(self.pixels, rect)

    def commit(self) -> Patch | None:
        """End a change; return it, ``None`` when nothing became different."""
        pieces = []
        for tile, before in self._before.items():
            changed = before ^ _part(self.pixels, tile)
            if changed.any():
                pieces.append((tile, _packed(changed)))
        self._before.clear()
        if not pieces:
            return None
        self.revision += 1
        return Patch(tuple(pieces))

    def roll_back(self) -> Rect:
        """Take back what was written since the last change; return where."""
        tiles = tuple(self._before)
        for tile, before in self._before.items():
            _part(self.pixels, tile)[:] = before
        self._before.clear()
        return bounds_of(tiles)

    def apply(self, patch: Patch) -> Rect:
        """Take a change back, or do it again; return where."""
        for tile, packed in patch.pieces:
            part = _part(self.pixels, tile)
            part ^= np.frombuffer(zlib.decompress(packed), np.uint8).reshape(part.shape)
        self.revision += 1
        return bounds_of(tuple(tile for tile, _packed in patch.pieces))


def difference(before: Pixels, after: Pixels) -> Patch | None:
    """Return what turns one mask into another of its size, ``None`` where they are equal. On any thread."""
    pieces = []
    height, width = before.shape
    for tile in tiles_of((0, 0, width, height), width, height):
        changed = _part(before, tile) ^ _part(after, tile)
        if changed.any():
            pieces.append((tile, _packed(changed)))
    return Patch(tuple(pieces)) if pieces else None


def tiles_of(rect: Rect, width: int, height: int) -> Iterator[Rect]:
    """Yield the tiles of a mask of this size that a rectangle touches."""
    for top in range(rect[1] // TILE_PX * TILE_PX, rect[3], TILE_PX):
        for left in range(rect[0] // TILE_PX * TILE_PX, rect[2], TILE_PX):
            yield left, top, min(left + TILE_PX, width), min(top + TILE_PX, height)


def bounds_of(rects: tuple[Rect, ...]) -> Rect:
    """Return the least rectangle around others; an empty one around none."""
    if not rects:
        return 0, 0, 0, 0
    lefts, tops, rights, bottoms = zip(*rects, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _part(pixels: Pixels, rect: Rect) -> Pixels:
    return pixels[rect[1] : rect[3], rect[0] : rect[2]]


def _packed(pixels: Pixels) -> bytes:
    return zlib.compress(pixels.tobytes(), _LEVEL)
