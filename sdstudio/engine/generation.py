"""One call of `Engine.generate` with a model that is ready: batch after batch, down the memory ladder where it must."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

import diffusers
import numpy as np
import numpy.typing as npt
import torch
import transformers
from PIL import Image

import sdstudio
from sdstudio.core.errors import Cancelled
from sdstudio.core.events import Decoding, EventSink, ImageMade, Notice, Unfinished
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.core.request.input_fields import INIT, MASK
from sdstudio.core.request.mask_fields import SOFT_INPAINTING
from sdstudio.core.request.recipe import UNFINISHED, Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.second_pass_fields import has_second_pass, over_input
from sdstudio.engine.batch import Batch
from sdstudio.engine.device.conditions import conditions
from sdstudio.engine.device.devices import Device
from sdstudio.engine.device.memory import MemoryPlan
from sdstudio.engine.model_files.loading import LoadedModel
from sdstudio.engine.pictures.drawn_over import NOTHING, DrawnOver
from sdstudio.engine.pictures.input_picture import Enlarge, lanczos
from sdstudio.engine.pictures.safety import Safety
from sdstudio.engine.pictures.soft_mask import changed_share
from sdstudio.engine.pictures.upscaling import Finish
from sdstudio.engine.prompting.checks import clip_skip_facts
from sdstudio.engine.second_pass import Part, SecondPass
from sdstudio.engine.tiles import TileDone
from sdstudio.engine.unfinished import CancelledBatch, SampledBatch
from sdstudio.engine.within_memory import WithinMemory


@dataclass(frozen=True, slots=True)
class _KeptBatch:
    """What `Unfinished.drawn` holds: latents in main memory, and what recipes record beside the step."""

    drawn: SampledBatch
    sampled_s: float
    retried: bool
    batch_size: int
    first: int


VERSIONS: Final[Mapping[str, str]] = MappingProxyType(
    {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}
)


class Drawing:
    """One call of `Engine.generate`: batch after batch, down the memory ladder where it must.

    Attributes:
        unfinished: What was being drawn when it was cancelled; ``None`` where nothing can be kept of that.
    """

    def __init__(
        self, loaded: LoadedModel, resolved: ResolvedRequest, seeds: tuple[int, ...], device: Device,
        preview_every_s: float | None, safety: Safety, on_event: EventSink, over: DrawnOver = NOTHING,
        enlarge: Enlarge = lanczos, finish: Finish = lambda picture: picture,
    ) -> None:  # fmt: skip
        self._loaded = loaded
        self._resolved = resolved
        self._request = request = resolved.request
        self._seeds = seeds
        self._device = device
        self._safety = safety
        self._on_event = on_event
        self._over = over
        self._finishing = finish
        self._model = WithinMemory(loaded, request, device, preview_every_s, on_event)
        self._second: SecondPass | None = None
        if has_second_pass(request):
            self._second = SecondPass(self._model, request, over, enlarge, on_event, self._encoded)
        self._inputs: dict[str, torch.Tensor] = {}
        self._stopped: tuple[int, int] | None = None
        self.unfinished: Unfinished | None = None

    @property
    def plan(self) -> MemoryPlan:
        """Memory switches in force."""
        return self._model.plan

    def run(self, plan: MemoryPlan) -> None:
        """Make every picture, beginning with this plan."""
        self._model.plan = plan
        if not over_input(self._request):
            self._inputs = self._encoded(self._over, self._request)
        done = 0
        while done < len(self._seeds):
            begun = time.monotonic()
            batch = Batch(self._seeds[done : done + self.plan.batch_size], done, len(self._seeds))
            first = self._first(batch)
            if first is None and (self._second is None or self._second.has_first):
                continue  # the same pictures again, with the thriftier plan
            took_s = (time.monotonic() - begun) / len(batch.seeds)
            for part in self._parts(batch, first, took_s):
                self._finish(part, len(batch.seeds))
            done += len(batch.seeds)

    def _first(self, batch: Batch) -> SampledBatch | None:
        """Return what the first pass draws of a batch; ``None`` where there is none, or when memory ran out."""
        second, begun = self._second, time.monotonic()
        if second is not None and not second.has_first:
            return None
        on_event = self._on_event if second is None else second.first
        self._loaded.attached.begin_pass(second=False)
        try:
            return self._model.sampled(self._request, batch, on_event, self._inputs)
        except CancelledBatch as stopped:
            count = len(batch.seeds)
            total = stopped.total if second is None else second.total
            self._leave(Part(batch, stopped.drawn, 0, (time.monotonic() - begun) / count), stopped.step, total, count)
            raise

    def _parts(self, batch: Batch, first: SampledBatch | None, took_s: float) -> Iterator[Part]:
        """Yield the pictures of a batch as they are drawn; without a second pass all at once."""
        if self._second is None:
            assert first is not None
            yield Part(batch, first, 0, took_s)
            return
        leave = functools.partial(self._leave, whole=len(batch.seeds))
        yield from self._second.parts(batch, first, took_s, leave)

    def keep(self, unfinished: Unfinished) -> None:
        """Decode what a cancelled call left, and emit its pictures, marked with the step they came to."""
        left = unfinished.drawn
        assert isinstance(left, _KeptBatch)
        if unfinished.step < unfinished.total:
            self._stopped = unfinished.step, unfinished.total
        self._model.retried = left.retried
        drawn = replace(left.drawn, latents=left.drawn.latents.to(self._device.torch_device))
        batch = Batch(self._seeds, 0, len(self._seeds))
        if self._latents_decide:
            self._inputs = self._encoded(self._over, self._request)
        self._finish(Part(batch, drawn, left.first, left.sampled_s), left.batch_size)

    def _leave(self, part: Part, step: int, total: int, whole: int) -> None:
        """Note the pictures of a part as unfinished, of a batch of so many."""
        kept = replace(part.drawn, latents=part.drawn.latents.to("cpu", copy=True))
        left = _KeptBatch(kept, part.sampled_s, self._model.retried, whole, part.begins)
        self.unfinished = Unfinished(self._resolved, part.batch.seeds, step, total, left)

    def _encoded(self, over: DrawnOver, request: GenerationRequest) -> dict[str, torch.Tensor]:
        """Return what a request is drawn over as latents, and a mask of their size, once for all batches."""
        pipe = self._loaded.pipe
        looks_around = self._loaded.family.looks_around(pipe)
        pictures = over.pictures(request, looks_around)
        inputs = {field: self._model.encoded(picture) for field, picture in pictures.items()}
        if looks_around or over.masked is not None:
            mask = torch.from_numpy(over.cells(request, pipe.vae_scale_factor))[None, None]
            inputs[MASK.field] = mask.to(self._device.torch_device)
        return inputs

    def _finish(self, part: Part, whole: int) -> None:
        """Decode pictures of a batch of so many, all at once or one by one, and emit them."""
        count, batch = len(part.batch.seeds), part.batch
        done = 0
        while done < count:
            start = time.monotonic()
            size = 1 if self.plan.vae_slicing else count - done
            some = replace(part.drawn, latents=part.drawn.latents[done : done + size])
            self._on_event(Decoding(batch.first + done, batch.image_count))
            try:
                pictures, retried = self._model.decoded(some, self._on_decoded(batch, done))
            except Cancelled:
                if not part.drawn.decoded:
                    steps = self._request.steps_run
                    self._leave(part.behind(done), steps, steps, whole)
                raise
            if pictures is None:
                continue
            decoded_s = (time.monotonic() - start) / size
            for place, picture in enumerate(pictures, done):
                start = time.monotonic()
                finished = self._over.finished(picture, self._share(part.drawn.latents[place]))
                try:
                    finished = self._finishing(finished)
                except Cancelled:
                    steps = self._request.steps_run
                    self._leave(part.behind(place), steps, steps, whole)
                    raise
                duration_s = part.sampled_s + decoded_s + time.monotonic() - start
                shown, reason = self._safety.judged(finished)
                recipe = self._recipe(part, place, whole, retried or self._model.retried, duration_s)
                recipe = recipe.model_copy(update={"blocked": reason})
                self._on_event(ImageMade(batch.first + place, shown, recipe))
            done += size

    def _on_decoded(self, batch: Batch, done: int) -> TileDone | None:
        """Return what is called after each tile of a picture that is decoded in tiles, as one drawn in tiles is."""
        if self._second is None or self._second.tiles is None:
            return None

        def on_tile(tile: int, tiles: int) -> None:
            self._on_event(Decoding(batch.first + done, batch.image_count, tile, tiles))

        return on_tile

    def _share(self, latents: torch.Tensor) -> npt.NDArray[np.uint8] | None:
        """Return how much of a picture is laid over the one it was drawn over, where its latents (C, h, w) decide."""
        if not self._latents_decide:
            return None
        tensors = self._inputs[INIT.field][0], latents, self._inputs[MASK.field][0, 0]
        before, after, mask = (values.cpu().double().numpy() for values in tensors)
        return changed_share(before, after, mask, self._request)

    @property
    def _latents_decide(self) -> bool:
        return self._over.masked is not None and self._request.mask_blending == SOFT_INPAINTING

    def _recipe(self, part: Part, place: int, whole: int, retried: bool, duration_s: float) -> Recipe:
        single = self._loaded.files.single
        made_with: dict[str, Any] = {
            "scheduler": part.drawn.scheduler,
            "schedule": part.drawn.schedule,
            "batch_size": whole,
            "batch_index": part.begins + place,
            "memory": self.plan.switches(),
            "vae_retry": retried,
            "rng": self._request.rng,
            **(self._second.made_with if self._second is not None else {}),
            **clip_skip_facts(self._request, self._loaded.info.family_row),
            **conditions(self._loaded.denoiser, self._device, bool(single and single.scaled), self._loaded.computed_by),
        }
        if self._stopped is not None:
            made_with[UNFINISHED] = dict(zip(("step", "of"), self._stopped, strict=True))
        return recipe_of(self._resolved, part.batch.seeds[place], self._device, duration_s, made_with)


def recipe_of(
    resolved: ResolvedRequest, seed: int, device: Device, duration_s: float, made_with: Mapping[str, Any]
) -> Recipe:
    """Return the recipe of a picture that is made now."""
    return Recipe(
        app=f"sdstudio {sdstudio.__version__}",
        request=resolved.request.with_seed(seed),
        model_name=resolved.model.name,
        model_family=resolved.model.family,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        duration_s=round(duration_s, 4),
        made_with={
            "device": device.kind.title(),
            "device_type": device.kind.key,
            "dtype": device.dtype_name,
            "versions": dict(VERSIONS),
            "adapters": [adapter.recorded for adapter in resolved.adapters],
            **made_with,
        },
    )


def emit_upscaled_only(
    picture: Image.Image, resolved: ResolvedRequest, seeds: Sequence[int], device: Device, safety: Safety,
    duration_s: float, on_event: EventSink,
) -> None:  # fmt: skip
    """Emit an input picture that no step is run over: once for each seed, as it was fitted to the size."""
    request = resolved.request
    if request.strength and not over_input(request):
        message = f"Denoising strength = {request.strength:g}: of {request.steps} steps it leaves none to draw over it."
        on_event(Notice(message, f"Use {math.ceil(100 / request.steps) / 100:g} or more, or more steps."))
    for index, seed in enumerate(seeds):
        shown, reason = safety.judged(picture)
        recipe = recipe_of(resolved, seed, device, duration_s, {"batch_size": 1, "batch_index": 0})
        on_event(ImageMade(index, shown, recipe.model_copy(update={"blocked": reason})))
