"""How a picture is enlarged by the network of an upscaler file: tile by tile, so that memory does not grow with it.

A tile is computed with a margin on every side that is thrown away. Where the margin is as wide as the network's reach
the result is that of the whole picture to the last digit; see `OVERLAP` for how near it is where it is not.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil, isqrt
from pathlib import Path
from typing import Final

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from sdstudio.catalog.kinds import PICKLES
from sdstudio.core.errors import Cancelled, InvalidNumbers, ModelDamaged, ModelNotFound, ModelPickled, OutOfMemory
from sdstudio.core.events import Enlarging, EventSink
from sdstudio.core.models.adapter import Adapter
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.core.models.upscaler_files import UpscalerLayout, layout_of
from sdstudio.core.request.finish_fields import enlarged_size, is_finished
from sdstudio.core.settings import PICKLES_HINT
from sdstudio.engine.device.aligned import aligned
from sdstudio.engine.device.cancel import CancelChecks
from sdstudio.engine.device.devices import Device
from sdstudio.engine.device.memory import give_back, is_out_of_memory
from sdstudio.engine.pictures.input_picture import Enlarge, fitted, lanczos
from sdstudio.engine.pictures.seamless import enlarged_going_on
from sdstudio.engine.pictures.upscaler_networks import network_of
from sdstudio.engine.weight_files.weights import Weights, opened_weights, whole

FILE_MAXIMUM_BYTES: Final = 2**30
"""Largest upscaler file; real ones have some 67 MB, 17 MB the one for anime."""

OVERLAP: Final = 32
"""Widest margin of a tile in pixels of the input.

Compact networks reach less far: RealESRGAN's for video 18 pixels, and its tiles are the whole picture within 5e-6. That
of RealESRGAN_x4plus reaches 351: with a margin of 32 a drawn cat differs by 0.07 of 255 levels on average and 5 at
most, with 16 by 0.35 and 49, with 8 (A1111's) by 0.63 and 37.
"""

TILE_BYTES: Final = 768 * 2**20
"""Memory that one tile's numbers may take, weights aside."""

CANVAS_MAXIMUM: Final = 16_384
"""Longest side in pixels of what comes out of the network: four times the largest picture."""

_TILE_MINIMUM: Final = 16
_TILE_MAXIMUM: Final = 512

Finish = Callable[[Image.Image], Image.Image]
"""What is done to a finished picture, the last of all."""

TilesDone = Callable[[int, int, float], None]
"""Called before the first tile and after every one: how many are done, how many there are in all, seconds for one."""


@dataclass(frozen=True, slots=True)
class _Tile:
    """One tile, in pixels of the input: what of it is kept, and the same with its margins."""

    top: int
    left: int
    bottom: int
    right: int
    outer_top: int
    outer_left: int
    outer_bottom: int
    outer_right: int


class Upscaler:
    """A network that enlarges pictures, on its device. Use it from one thread; let go of it to free its memory."""

    def __init__(self, name: str, layout: UpscalerLayout, network: nn.Module, device: Device) -> None:
        self._name = name
        self.layout = layout
        self._device = device
        # Half precision on a CPU is emulated: see `devices`.
        self.dtype = device.dtype if device.is_accelerator else torch.float32
        self.network = network.to(device.torch_device, self.dtype).eval().requires_grad_(False)
        self._checks = CancelChecks([self.network])

    @property
    def scale(self) -> int:
        """How many times larger its pictures are."""
        return self.layout.scale

    def enlarge(
        self, picture: Image.Image, width: int, height: int, cancel: threading.Event, on_progress: TilesDone
    ) -> Image.Image:
        """Return an RGB picture at exactly this size.

        It goes through the network until it is at least as large, at most once when the network enlarges nothing, and
        then down by Lanczos. One that is as large already does not go through it.

        Raises:
            Cancelled: ``cancel`` was set, at the latest at the network's next block.
            InvalidNumbers: The network made NaN or infinity, in float32 too.
            OutOfMemory: Not even small tiles fit into the device's memory.
        """
        picture = picture.convert("RGB")
        sizes = list(self.sizes(picture.size, (width, height)))
        counts = [len(list(self.cut(*size, self.side))) for size in sizes]
        clock = _Clock(sum(counts), on_progress)
        if counts:
            on_progress(0, sum(counts), 0.0)
        with self._checks.during(cancel):
            for size in sizes:
                if picture.size != size:
                    picture = picture.resize(size, Image.Resampling.LANCZOS)
                picture = self._once(picture, cancel, clock)
        if picture.size == (width, height):
            return picture
        return picture.resize((width, height), Image.Resampling.LANCZOS)

    def sizes(self, size: tuple[int, int], wanted: tuple[int, int]) -> Iterator[tuple[int, int]]:
        """Yield the size of the picture before each pass through the network.

        A side that is long enough is cut to what is wanted: it would grow beyond the canvas, and hold the other back.
        """
        while size[0] < wanted[0] or size[1] < wanted[1]:
            size = (min(size[0], wanted[0]), min(size[1], wanted[1]))
            longest = max(size) * self.scale
            if longest > CANVAS_MAXIMUM:
                size = (max(1, size[0] * CANVAS_MAXIMUM // longest), max(1, size[1] * CANVAS_MAXIMUM // longest))
            yield size
            if self.scale == 1:
                return
            size = (size[0] * self.scale, size[1] * self.scale)

    @property
    def side(self) -> int:
        """Side of a tile with its margins, such that its numbers take some `TILE_BYTES`."""
        layout = self.layout
        if layout.compact:
            numbers = 2 * layout.features + 3 * 3 * layout.scale**2
        else:  # a dense block holds what it has seen and joins it; behind it three at the size of the result
            dense = 2 * (layout.features + 4 * layout.growth) / layout.unshuffle**2
            numbers = int(dense + 3 * layout.features * layout.scale**2)
        side = isqrt(TILE_BYTES // (4 * numbers))
        return min(max(side, _TILE_MINIMUM + 2 * self.margin), _TILE_MAXIMUM)

    @property
    def margin(self) -> int:
        """How wide the margin of a tile is."""
        step = self.layout.unshuffle
        return ceil(min(OVERLAP, self.layout.reach) / step) * step

    def _once(self, picture: Image.Image, cancel: threading.Event, clock: _Clock) -> Image.Image:
        """Return the picture after one pass; tiles become smaller when memory runs out."""
        side = self.side
        while True:
            done = clock.done
            try:
                return self._tiled(picture, side, cancel, clock)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            # Here the exception is gone, and with its traceback the tensors that it held.
            give_back(self._device)
            smaller = side // 2
            if smaller < _TILE_MINIMUM + 2 * self.margin:
                message = f"Upscaler = {self._name}: the memory of {self._device.kind.title()} does not suffice."
                raise OutOfMemory(message, "Close other programs, or choose a smaller upscaler.")
            more = len(list(self.cut(*picture.size, smaller))) - len(list(self.cut(*picture.size, side)))
            clock.restart(done, more)
            side = smaller

    @torch.inference_mode()
    def _tiled(self, picture: Image.Image, side: int, cancel: threading.Event, clock: _Clock) -> Image.Image:
        scale, pixels = self.scale, _pixels(picture)
        canvas = np.empty((picture.height * scale, picture.width * scale, 3), np.uint8)
        for tile, enlarged in self.tiles(pixels, side, cancel):
            bytes_ = enlarged.clamp_(0, 1).mul_(255).round_().to(torch.uint8)
            rows, columns = (
                slice(begin * scale, end * scale)
                for begin, end in ((tile.top, tile.bottom), (tile.left, tile.right))
            )  # fmt: skip
            canvas[rows, columns] = bytes_.permute(1, 2, 0).cpu().numpy()
            clock.tick()
        return Image.fromarray(canvas)

    def tiles(self, pixels: torch.Tensor, side: int, cancel: threading.Event) -> Iterator[tuple[_Tile, torch.Tensor]]:
        """Yield the enlarged tiles of pixels (3, H, W), 0..1: float32 (3, h, w) on the device, not yet clamped."""
        height, width = pixels.shape[1:]
        for tile in self.cut(width, height, side):
            if cancel.is_set():
                raise Cancelled
            outer = pixels[:, tile.outer_top : tile.outer_bottom, tile.outer_left : tile.outer_right]
            enlarged = self._through(outer.to(self._device.torch_device)[None])
            rows, columns = (
                slice((begin - outside) * self.scale, (end - outside) * self.scale)
                for begin, end, outside in (
                    (tile.top, tile.bottom, tile.outer_top), (tile.left, tile.right, tile.outer_left),
                )
            )  # fmt: skip
            yield tile, enlarged[0, :, rows, columns]

    def _through(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return float32 pixels (1, 3, h, w); a network that overflows in half precision stays in float32 then."""
        step = self.layout.unshuffle
        right, below = (-pixels.shape[3] % step, -pixels.shape[2] % step)
        if right or below:
            pixels = functional.pad(pixels, (0, right, 0, below), mode="replicate")
        enlarged = self.network(pixels.to(self.dtype)).float()
        if not bool(enlarged.isfinite().all()) and self.dtype != torch.float32:
            self.dtype = torch.float32
            self.network.float()
            enlarged = self.network(pixels)
        if not bool(enlarged.isfinite().all()):
            raise InvalidNumbers(
                f"Upscaler = {self._name}: it made invalid numbers (NaN or infinity).", "Choose another upscaler."
            )
        return enlarged  # type: ignore[no-any-return]

    def cut(self, width: int, height: int, side: int) -> Iterator[_Tile]:
        """Yield the tiles of a picture, none wider with its margins than ``side``."""
        margin, step = self.margin, self.layout.unshuffle
        inner = max((side - 2 * margin) // step, 1) * step
        rows, columns = (ceil(ceil(length / ceil(length / inner)) / step) * step for length in (height, width))
        for top in range(0, height, rows):
            for left in range(0, width, columns):
                bottom, right = min(top + rows, height), min(left + columns, width)
                yield _Tile(
                    top, left, bottom, right,
                    max(top - margin, 0), max(left - margin, 0), min(bottom + margin, height),
                    min(right + margin, width),
                )  # fmt: skip


class _Clock:
    """Counts tiles, and measures how long one takes."""

    def __init__(self, total: int, on_progress: TilesDone) -> None:
        self._total = total
        self._on_progress = on_progress
        self._begun = time.monotonic()
        self._since = 0
        self.done = 0

    def tick(self) -> None:
        self.done += 1
        self._on_progress(self.done, self._total, (time.monotonic() - self._begun) / (self.done - self._since))

    def restart(self, done: int, more: int) -> None:
        """Go back to where ``done`` were done; there are so many more now, and none takes as long as before."""
        self.done, self._since, self._total, self._begun = done, done, self._total + more, time.monotonic()


def load_upscaler(path: Path, device: Device, allow_pickle: bool) -> Upscaler:
    """Read an upscaler file and put its network on a device.

    Raises:
        ModelNotFound: It is gone.
        ModelPickled: It is a pickle, and those may not be opened.
        ModelDamaged: It is not whole.
        ModelUnsupported: It holds another network than those that are read, or more than numbers.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ModelNotFound(f"Upscaler = {path.stem}: {path} is gone.", "Choose another upscaler.") from error
    if size > FILE_MAXIMUM_BYTES:
        message = f"Upscaler = {path.stem}: its file has {size / 2**30:.1f} GB; allowed is up to 1 GB."
        raise ModelDamaged(message, "Choose another upscaler.")
    if path.suffix.lower() in PICKLES and not allow_pickle:
        raise ModelPickled(
            f"Upscaler = {path.stem}: {path.name} is a pickle, a format that can hold programs: it was not opened.",
            PICKLES_HINT,
        )
    with opened_weights(path) as weights:
        shapes = {name: entry.shape for name, entry in weights.header.tensors.items()}
        layout = layout_of(shapes, f"Upscaler = {path.stem}")
        network = network_of(layout)
        tensors = {ours: _number(weights, theirs, path) for ours, theirs in layout.names.items()}
    network.load_state_dict(tensors, assign=True)
    return Upscaler(path.stem, layout, network, device)


def enlarger(
    upscaler: Adapter | None, device: Device, allow_pickle: bool, on_event: EventSink, cancel: threading.Event
) -> Enlarge:
    """Return what enlarges a job's pictures: an upscaler, else Lanczos.

    It is read when it is needed, and let go of afterwards. Raises there: as `load_upscaler` and `Upscaler.enlarge`.
    """
    if upscaler is None:
        return lanczos
    path = upscaler.path

    def enlarge(picture: Image.Image, width: int, height: int) -> Image.Image:
        network = load_upscaler(path, device, allow_pickle)
        try:
            return network.enlarge(picture, width, height, cancel, lambda *done: on_event(Enlarging(*done)))
        finally:
            del network
            give_back(device)

    return enlarge


def finisher(
    resolved: ResolvedRequest, device: Device, allow_pickle: bool, on_event: EventSink, cancel: threading.Event
) -> Finish:
    """Return what is done to a job's finished pictures: they are enlarged as its request asks. Raises: as `enlarger`.

    It is what upscaling such a picture by hand does, bit by bit, but for edges that meet: they do so afterwards too.
    """
    request = resolved.request
    if not is_finished(request):
        return lambda picture: picture
    enlarge = enlarger(resolved.finisher, device, allow_pickle, on_event, cancel)
    enlarge = enlarged_going_on(enlarge, request.seamless)

    def finish(picture: Image.Image) -> Image.Image:
        size = enlarged_size(picture.size, request.finish)
        whole = fitted(picture.convert("RGB"), *size, "crop", enlarge)
        if picture.mode == "RGBA":
            whole.putalpha(picture.getchannel("A").resize(size, Image.Resampling.LANCZOS))
        return whole

    return finish


def _number(weights: Weights, name: str, path: Path) -> torch.Tensor:
    tensor = whole(weights, name)
    if not tensor.is_floating_point():
        raise ModelDamaged(f"{path.name} is damaged: {name} holds no fractions.", "Get the file again.")
    return aligned(tensor.float())


def _pixels(picture: Image.Image) -> torch.Tensor:
    """Return a picture as float32 (3, H, W), 0..1."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float().div_(255)
