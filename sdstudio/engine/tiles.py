"""How a canvas is cut into tiles that overlap, and joined again; and a network that predicts it tile by tile.

It is MultiDiffusion (Bar-Tal et al. 2023, arXiv 2302.08113): at each step the network predicts every tile, and where
tiles overlap their predictions are averaged, with weights that fall to nothing at a tile's border. The sampler sees one
canvas with one noise, so that every sampler is possible.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any, Final

import torch
from torch import nn

TileDone = Callable[[int, int], None]
"""Called after each tile: how many are done, how many there are."""

_CROP_AT: Final = 2
"""Where the numbers of Stable Diffusion XL for a picture's size name what was cut off above; left stands behind it."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """One tile along one axis: which places of the canvas it holds, and how much it counts at each (they sum to 1)."""

    places: torch.Tensor
    weights: torch.Tensor


@dataclass(frozen=True)
class Axis:
    """One axis of a canvas, cut into tiles of one length.

    Attributes:
        length: Of the canvas.
        side: Of a tile, at most as long as the canvas.
        starts: Where each tile begins.
        is_round: The ends of the canvas meet, and tiles lie across them.
    """

    length: int
    side: int
    starts: tuple[int, ...]
    is_round: bool = False

    @classmethod
    def cut(cls, length: int, side: int, overlap: int, is_round: bool = False) -> Axis:
        """Return an axis whose tiles lie at even distances and overlap at least so far, which is less than a tile."""
        if side >= length:
            return cls(length, length, (0,))
        step = side - overlap
        if is_round:
            count = ceil(length / step)
            return cls(length, side, tuple(tile * length // count for tile in range(count)), is_round)
        count = ceil((length - overlap) / step)
        return cls(length, side, tuple(round(tile * (length - side) / (count - 1)) for tile in range(count)))

    def times(self, scale: int) -> Axis:
        """Return the same axis in cells that are so many times smaller."""
        starts = tuple(start * scale for start in self.starts)
        return Axis(self.length * scale, self.side * scale, starts, self.is_round)

    @cached_property
    def stretches(self) -> tuple[_Stretch, ...]:
        """The tiles."""
        side, starts = self.side, self.starts
        places = [torch.arange(start, start + side) % self.length for start in starts]
        ramps = []
        for tile, start in enumerate(starts):
            has_before, has_behind = self.is_round or tile > 0, self.is_round or tile < len(starts) - 1
            before = (starts[tile - 1] + side - start) % self.length if has_before else 0
            behind = (start + side - starts[(tile + 1) % len(starts)]) % self.length if has_behind else 0
            ramps.append(_ramp(side, before, behind))
        total = torch.zeros(self.length, dtype=torch.float64)
        for at, ramp in zip(places, ramps, strict=True):
            total[at] += ramp
        return tuple(_Stretch(at, (ramp / total[at]).float()) for at, ramp in zip(places, ramps, strict=True))


def _ramp(side: int, before: int, behind: int) -> torch.Tensor:
    """Return weights that rise over what overlaps with the tile before, and fall over what does with that behind."""
    place = torch.arange(side, dtype=torch.float64) + 0.5
    rising = (place / before).clamp(max=1) if before else torch.ones(side, dtype=torch.float64)
    falling = ((side - place) / behind).clamp(max=1) if behind else torch.ones(side, dtype=torch.float64)
    return torch.minimum(rising, falling)


@dataclass(frozen=True, slots=True)
class Tiles:
    """A canvas in tiles.

    Attributes:
        rows: The axis from top to bottom.
        columns: The axis from left to right.
    """

    rows: Axis
    columns: Axis

    def __len__(self) -> int:
        return len(self.rows.starts) * len(self.columns.starts)

    @property
    def round_sides(self) -> tuple[bool, bool]:
        """Whether tiles lie across the left and right edge, and across the top and bottom one."""
        return self.columns.is_round, self.rows.is_round

    def joined(
        self, canvas: torch.Tensor, change: Callable[[torch.Tensor, int, int], torch.Tensor],
        on_tile: TileDone | None = None,
    ) -> torch.Tensor:  # fmt: skip
        """Return float32 numbers (.., h, w) that each tile is changed to, averaged where tiles overlap.

        Args:
            canvas: (.., h, w).
            change: Called with a tile and where it begins, from above and from the left; keeps its height and width.
            on_tile: See `TileDone`.
        """
        whole: torch.Tensor | None = None
        done = 0
        for row, top in zip(self.rows.stretches, self.rows.starts, strict=True):
            for column, left in zip(self.columns.stretches, self.columns.starts, strict=True):
                at = row.places[:, None].to(canvas.device), column.places.to(canvas.device)
                part = change(canvas[..., at[0], at[1]], top, left).float()
                weights = row.weights[:, None].to(part) * column.weights.to(part)
                if whole is None:
                    whole = part.new_zeros((*part.shape[:-2], self.rows.length, self.columns.length))
                whole[..., at[0], at[1]] += part * weights
                done += 1
                if on_tile is not None:
                    on_tile(done, len(self))
        assert whole is not None
        return whole

    def strips(
        self, canvas: torch.Tensor, scale: int, change: Callable[[torch.Tensor], torch.Tensor],
        on_tile: TileDone | None = None,
    ) -> Iterator[tuple[int, torch.Tensor]]:  # fmt: skip
        """Yield the same from top to bottom, as soon as no further tile reaches it, so that memory does not grow.

        Args:
            canvas: (.., h, w); its axes are not round.
            scale: So many times as high and wide are tiles when they are changed.
            change: Called with a tile.
            on_tile: See `TileDone`.

        Yields:
            Where it begins from above, and float32 numbers (.., n, scale * w).
        """
        rows, columns = self.rows.times(scale), self.columns.times(scale)
        ends = [*rows.starts[1:], rows.length]
        left_over: torch.Tensor | None = None
        done = 0
        for row, start, end in zip(rows.stretches, rows.starts, ends, strict=True):
            strip: torch.Tensor | None = None
            for column, left in zip(columns.stretches, self.columns.starts, strict=True):
                top = start // scale
                part = change(canvas[..., top : top + self.rows.side, left : left + self.columns.side]).float()
                if strip is None:
                    strip = part.new_zeros((*part.shape[:-1], columns.length))
                begin = left * scale
                strip[..., begin : begin + columns.side] += part * column.weights.to(part)
                done += 1
                if on_tile is not None:
                    on_tile(done, len(self))
            assert strip is not None
            strip *= row.weights[:, None].to(strip)
            if left_over is not None:
                strip[..., : left_over.shape[-2], :] += left_over
            yield start, strip[..., : end - start, :]
            left_over = strip[..., end - start :, :].clone()


def tiles_of(size: tuple[int, int], side: int, overlap: int, seamless: tuple[bool, bool] = (False, False)) -> Tiles:
    """Return a canvas (height and width in cells) in square tiles.

    Args:
        size: Of the canvas.
        side: Of a tile.
        overlap: How far neighbours overlap at the least.
        seamless: Whether left and right edge meet, and top and bottom one.
    """
    return Tiles(Axis.cut(size[0], side, overlap, seamless[1]), Axis.cut(size[1], side, overlap, seamless[0]))


@contextlib.contextmanager
def predicted_in_tiles(network: nn.Module, tiles: Tiles, cell_px: int, on_tile: TileDone) -> Iterator[None]:
    """Within the block a network predicts a canvas (B, C, h, w) tile by tile; hooks on it see the whole canvas.

    Args:
        network: The first argument of its call is the canvas; its output is a tuple or has ``sample``.
        tiles: Of the canvas.
        cell_px: Pixels on a side of a latent cell.
        on_tile: Called at every call of the network.
    """
    had_own = "forward" in vars(network)  # one that accelerate has put in
    own = network.forward

    def forward(canvas: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        outputs: list[Any] = []

        def predicted(part: torch.Tensor, top: int, left: int) -> torch.Tensor:
            outputs[:] = [own(part, *args, **_told_place(kwargs, top * cell_px, left * cell_px))]
            return outputs[0][0]  # type: ignore[no-any-return]

        whole = tiles.joined(canvas, predicted, on_tile)
        (output,) = outputs
        if isinstance(output, tuple):
            return whole.to(output[0].dtype), *output[1:]
        output.sample = whole.to(output.sample.dtype)
        return output

    network.forward = forward
    try:
        yield
    finally:
        if had_own:
            network.forward = own
        else:
            del network.forward


def _told_place(kwargs: dict[str, Any], top: int, left: int) -> Mapping[str, Any]:
    """Return a call's arguments with what Stable Diffusion XL is told of a picture's size: a tile is a part cut out."""
    added = kwargs.get("added_cond_kwargs") or {}
    ids = added.get("time_ids")
    if ids is None or not (top or left):
        return kwargs
    ids = ids.clone()
    ids[..., _CROP_AT] += top
    ids[..., _CROP_AT + 1] += left
    return {**kwargs, "added_cond_kwargs": {**added, "time_ids": ids}}
