"""A model as one job uses it: what runs out of memory is done again with a thriftier plan, down to the last rung."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

import torch
from PIL import Image

from sdstudio.core.errors import OutOfMemory
from sdstudio.core.events import EventSink, Notice
from sdstudio.core.request.larger_size import second_size
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.second_pass_fields import has_second_pass
from sdstudio.engine.batch import Batch, sample
from sdstudio.engine.device.devices import Device
from sdstudio.engine.device.memory import MemoryPlan, give_back, is_out_of_memory, thriftier
from sdstudio.engine.model_files.loading import LoadedModel
from sdstudio.engine.pictures.masked import Pixels
from sdstudio.engine.tiles import TileDone, Tiles
from sdstudio.engine.unfinished import SampledBatch
from sdstudio.engine.vae import Vae

T = TypeVar("T")

FULL_HINT: Final = "Close other programs, or choose a smaller model."


class WithinMemory:
    """Draws, encodes and decodes for one job.

    Args:
        loaded: With what.
        request: The job's.
        device: Where.
        preview_every_s: How often there is a preview; ``None`` for none.
        on_event: Gets notices of what was done for want of memory.

    Attributes:
        plan: Memory switches in force, and how many pictures at once.
        retried: The VAE overflowed and worked again in float32.
    """

    def __init__(
        self, loaded: LoadedModel, request: GenerationRequest, device: Device, preview_every_s: float | None,
        on_event: EventSink,
    ) -> None:  # fmt: skip
        self.loaded = loaded
        self.device = device
        self._request = request
        self._preview_every_s = preview_every_s
        self._on_event = on_event
        self.plan = loaded.plan or MemoryPlan()
        self.retried = False

    def sampled(
        self, request: GenerationRequest, batch: Batch, on_event: EventSink, inputs: Mapping[str, torch.Tensor],
        tiles: Tiles | None = None,
    ) -> SampledBatch | None:  # fmt: skip
        """Return a batch's latents, or ``None`` when memory ran out and the plan is thriftier now. See `sample`."""

        def work() -> SampledBatch:
            every_s = self._preview_every_s
            return sample(self.loaded, request, batch, self.plan, self.device, every_s, on_event, inputs, tiles)

        return self.tried("sampling", len(batch.seeds), work)

    def encoded(self, picture: Image.Image | Pixels, on_tile: TileDone | None = None) -> torch.Tensor:
        """Return a picture's latents (1, C, h, w). ``on_tile``: see `Vae`."""
        latents: torch.Tensor | None = None
        while latents is None:
            vae = self._vae(on_tile)
            latents = self.tried("encoding", 1, functools.partial(vae.encode, picture))
            self.retried |= vae.retried
        return latents

    def decoded(self, drawn: SampledBatch, on_tile: TileDone | None = None) -> tuple[list[Image.Image] | None, bool]:
        """Return pictures and whether the VAE overflowed, or ``None`` when memory ran out and the plan is thriftier."""
        vae = self._vae(on_tile)
        pictures = self.tried("decoding", drawn.latents.shape[0], functools.partial(vae.decode, drawn))
        return pictures, vae.retried

    def _vae(self, on_tile: TileDone | None) -> Vae:
        return Vae(self.loaded, self.plan, self.device, self._request.seamless, on_tile)

    def tried(self, stage: str, count: int, work: Callable[[], T]) -> T | None:
        """Return ``work()``, or ``None`` when memory ran out and the plan is thriftier now. Raises: OutOfMemory."""
        try:
            return work()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # Here the exception is gone, and with its traceback the tensors that it held.
        self.loaded.pipe.maybe_free_model_hooks()
        plan = lower_plan(self.plan, stage, self.device, count, self._on_event)
        if plan is None:
            raise self._too_large()
        before, self.loaded.plan = self.loaded.plan, None  # an error on the way leaves it unknown
        try:
            self.loaded.apply_memory_plan(plan, before, self.device)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise self._too_large() from None
        self.plan = self.loaded.plan = plan
        return None

    def _too_large(self) -> OutOfMemory:
        request, where = self._request, self.device.kind.title()
        if has_second_pass(request):
            width, height = second_size(request.width, request.height, dict(request))
            tiles = f" in tiles of {request.tile_size}" if request.tile_redraw else ""
            message = f"Second pass = {width} x {height}{tiles}: the memory of {where} does not suffice."
            smaller = "smaller tiles" if tiles else "a smaller one" if request.hires_resize else ""
            smaller = smaller or f"less than {request.hires:g} times"
            return OutOfMemory(message, f"Try {smaller}, or close other programs.")
        width, height = request.width, request.height
        sides = [max(64, int(side * 0.7) // 64 * 64) for side in (width, height)]
        hint = FULL_HINT
        if sides[0] * sides[1] < width * height:
            hint = f"Try {sides[0]} x {sides[1]}, or close other programs."
        return OutOfMemory(f"Size = {width} x {height}: the memory of {where} does not suffice.", hint)


def lower_plan(plan: MemoryPlan, stage: str, device: Device, count: int, on_event: EventSink) -> MemoryPlan | None:
    """Free what is free to be had, and return the next plan down the ladder, with a notice; ``None`` at its foot."""
    give_back(device)
    lower = thriftier(plan, stage, device, count)
    if lower is None:
        return None
    on_event(Notice(f"Not enough memory: trying again with {lower[1]}.", "The settings can make this permanent."))
    return lower[0]
