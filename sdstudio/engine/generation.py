"""One call of `Engine.generate` with a model that is ready: batch after batch, down the memory ladder where it must."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, TypeVar

import diffusers
import numpy as np
import numpy.typing as npt
import torch
import transformers
from PIL import Image

import sdstudio
from sdstudio.core.errors import Cancelled, OutOfMemory
from sdstudio.core.events import Decoding, EventSink, ImageMade, Notice, Unfinished
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.core.request.input_fields import INIT, MASK
from sdstudio.core.request.mask_fields import SOFT_INPAINTING
from sdstudio.core.request.recipe import UNFINISHED, Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.second_pass_fields import LATENT, second_size
from sdstudio.engine.batch import Batch, sample
from sdstudio.engine.device.conditions import conditions
from sdstudio.engine.device.devices import Device
from sdstudio.engine.device.memory import MemoryPlan, give_back, is_out_of_memory, thriftier
from sdstudio.engine.model_files.loading import LoadedModel
from sdstudio.engine.pictures.drawn_over import NOTHING, DrawnOver
from sdstudio.engine.pictures.input_picture import Enlarge, fitted, lanczos
from sdstudio.engine.pictures.masked import Pixels
from sdstudio.engine.pictures.safety import Safety
from sdstudio.engine.pictures.soft_mask import changed_share
from sdstudio.engine.pictures.upscaling import Finish
from sdstudio.engine.prompting.checks import clip_skip_facts
from sdstudio.engine.second_pass import (
    CountedTogether,
    enlarged_latents,
    has_second_pass,
    second_request,
    steps_of_second,
    values_of,
)
from sdstudio.engine.unfinished import CancelledBatch, SampledBatch
from sdstudio.engine.vae import Vae

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _KeptBatch:
    """What `Unfinished.drawn` holds: latents in main memory, and what recipes record beside the step."""

    drawn: SampledBatch
    sampled_s: float
    retried: bool
    batch_size: int
    first: int


FULL_HINT: Final = "Close other programs, or choose a smaller model."
VERSIONS: Final[Mapping[str, str]] = MappingProxyType(
    {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}
)


class Drawing:
    """One call of `Engine.generate`: batch after batch, down the memory ladder where it must.

    Attributes:
        plan: Memory switches in force.
        unfinished: What was being drawn when it was cancelled; ``None`` where nothing can be kept of that.
    """

    def __init__(
        self, loaded: LoadedModel, resolved: ResolvedRequest, seeds: tuple[int, ...], device: Device,
        preview_every_s: float | None, safety: Safety, on_event: EventSink, over: DrawnOver = NOTHING,
        enlarge: Enlarge = lanczos, finish: Finish = lambda picture: picture,
    ) -> None:  # fmt: skip
        self._loaded = loaded
        self._resolved = resolved
        self._request = resolved.request
        self._seeds = seeds
        self._device = device
        self._preview_every_s = preview_every_s
        self._safety = safety
        self._on_event = on_event
        self._over = over
        self._enlarge = enlarge
        self._finishing = finish
        self._counted = CountedTogether(resolved.request, on_event) if has_second_pass(resolved.request) else None
        self._second_made_with: dict[str, Any] = {}
        self._inputs: dict[str, torch.Tensor] = {}
        self._retried = False
        self._stopped: tuple[int, int] | None = None
        self._whole_batch: tuple[int, int] | None = None
        self.plan = loaded.plan or MemoryPlan()
        self.unfinished: Unfinished | None = None

    def run(self, plan: MemoryPlan) -> None:
        """Make every picture, beginning with this plan."""
        self.plan = plan
        self._inputs = self._encoded(self._over, self._request)
        done = 0
        while done < len(self._seeds):
            begun = time.monotonic()
            batch = Batch(self._seeds[done : done + self.plan.batch_size], done, len(self._seeds))
            try:
                drawn = self._within_memory("sampling", len(batch.seeds), functools.partial(self._drawn, batch))
            except CancelledBatch as stopped:
                sampled_s = (time.monotonic() - begun) / len(batch.seeds)
                total = stopped.total if self._counted is None else self._counted.total
                self._leave(batch, stopped.drawn, sampled_s, stopped.step, total)
                raise
            if drawn is None:
                continue  # the same pictures again, with the thriftier plan
            if self._counted is not None:
                drawn = self._second(batch, drawn, self._counted, begun)
            self._finish(batch, drawn, (time.monotonic() - begun) / len(batch.seeds))
            done += len(batch.seeds)

    def keep(self, unfinished: Unfinished) -> None:
        """Decode what a cancelled call left, and emit its pictures, marked with the step they came to."""
        left = unfinished.drawn
        assert isinstance(left, _KeptBatch)
        if unfinished.step < unfinished.total:
            self._stopped = unfinished.step, unfinished.total
        self._retried = left.retried
        drawn = replace(left.drawn, latents=left.drawn.latents.to(self._device.torch_device))
        batch = Batch(self._seeds, 0, len(self._seeds))
        self._whole_batch = left.batch_size, left.first
        if self._latents_decide:
            self._inputs = self._encoded(self._over, self._request)
        self._finish(batch, drawn, left.sampled_s)

    def _leave(self, batch: Batch, drawn: SampledBatch, sampled_s: float, step: int, total: int, done: int = 0) -> None:
        """Note the pictures of a batch from ``done`` on as unfinished."""
        count = len(batch.seeds)
        kept = replace(drawn, latents=drawn.latents[done:].to("cpu", copy=True))
        left = _KeptBatch(kept, sampled_s, self._retried, count, done)
        self.unfinished = Unfinished(self._resolved, batch.seeds[done:], step, total, left)

    def _encoded(self, over: DrawnOver, request: GenerationRequest) -> dict[str, torch.Tensor]:
        """Return what a request is drawn over as latents, and a mask of their size, once for all batches."""
        pipe = self._loaded.pipe
        looks_around = self._loaded.family.looks_around(pipe)
        inputs = {field: self._latents(picture) for field, picture in over.pictures(request, looks_around).items()}
        if looks_around or over.masked is not None:
            mask = torch.from_numpy(over.cells(request, pipe.vae_scale_factor))[None, None]
            inputs[MASK.field] = mask.to(self._device.torch_device)
        return inputs

    def _latents(self, picture: Image.Image | Pixels) -> torch.Tensor:
        """Return a picture's latents (1, C, h, w), with a thriftier plan where memory runs out."""
        latents: torch.Tensor | None = None
        while latents is None:
            vae = Vae(self._loaded, self.plan, self._device, self._request.seamless)
            latents = self._within_memory("encoding", 1, functools.partial(vae.encode, picture))
            self._retried |= vae.retried
        return latents

    def _drawn(self, batch: Batch) -> SampledBatch:
        on_event = self._on_event if self._counted is None else self._counted.first
        return self._sampled(self._request, batch, on_event, self._inputs)

    def _sampled(
        self, request: GenerationRequest, batch: Batch, on_event: EventSink, inputs: Mapping[str, torch.Tensor]
    ) -> SampledBatch:
        return sample(
            self._loaded, request, batch, self.plan, self._device, self._preview_every_s, on_event, inputs
        )  # fmt: skip

    def _second(self, batch: Batch, first: SampledBatch, counted: CountedTogether, begun: float) -> SampledBatch:
        """Return the second pass; one that is cancelled before its first step leaves what the first has drawn."""
        try:
            return self._larger(batch, first, counted, begun)
        except CancelledBatch:
            raise
        except Cancelled:
            sampled_s = (time.monotonic() - begun) / len(batch.seeds)
            self._leave(batch, first, sampled_s, counted.before, counted.total)
            raise

    def _larger(self, batch: Batch, first: SampledBatch, counted: CountedTogether, begun: float) -> SampledBatch:
        """Return the second pass over what the first has drawn; as many pictures at once as the plan allows."""
        counted.end_first()
        request = second_request(self._request)
        inputs = self._encoded(NOTHING, request)
        parts: list[torch.Tensor] = []
        steps, in_latents = steps_of_second(self._request), self._request.hires_upscaler in LATENT
        done = 0
        while done < len(batch.seeds):
            end = min(done + self.plan.batch_size, len(batch.seeds))
            part = Batch(batch.seeds[done:end], batch.first + done, batch.image_count)
            small = replace(first, latents=first.latents[done:end])
            if in_latents:
                larger = enlarged_latents(small.latents, self._request, self._loaded.pipe.vae_scale_factor)
            else:
                pictures = self._enlarged(small, part)
                larger = torch.cat([self._latents(picture) if steps else values_of(picture) for picture in pictures])
            if not steps:
                parts.append(larger)
                done = end
                continue
            work = functools.partial(self._sampled, request, part, counted.second, {**inputs, INIT.field: larger})
            try:
                drawn = self._within_memory("sampling", len(part.seeds), work)
            except CancelledBatch as stopped:
                sampled_s = (time.monotonic() - begun) / len(batch.seeds)
                self._leave(part, stopped.drawn, sampled_s, counted.before + stopped.step, counted.total)
                raise
            if drawn is None:
                continue
            self._second_made_with = {"second_pass": {"scheduler": drawn.scheduler, "schedule": drawn.schedule}}
            parts.append(drawn.latents)
            done = end
        return replace(first, latents=torch.cat(parts), decoded=not steps and not in_latents)

    def _enlarged(self, drawn: SampledBatch, part: Batch) -> list[Image.Image]:
        """Return the pictures that the first pass has drawn, as large as the second draws."""
        self._on_event(Decoding(part.first, part.image_count))
        size = second_size(self._request.width, self._request.height, self._request.hires)
        pictures: list[Image.Image] = []
        while len(pictures) < len(part.seeds):
            count = 1 if self.plan.vae_slicing else len(part.seeds) - len(pictures)
            some = replace(drawn, latents=drawn.latents[len(pictures) : len(pictures) + count])
            vae = Vae(self._loaded, self.plan, self._device, self._request.seamless)
            decoded = self._within_memory("decoding", count, functools.partial(vae.decode, some))
            self._retried |= vae.retried
            pictures += decoded or []
        return [fitted(picture, *size, "crop", self._enlarge) for picture in pictures]

    def _finish(self, batch: Batch, drawn: SampledBatch, sampled_s: float) -> None:
        """Decode a batch, at once or one by one, finish and emit its pictures; the sampling took so long for each."""
        count = len(batch.seeds)
        done = 0
        while done < count:
            start = time.monotonic()
            size = 1 if self.plan.vae_slicing else count - done
            part = replace(drawn, latents=drawn.latents[done : done + size])
            self._on_event(Decoding(batch.first + done, batch.image_count))
            decoder = Vae(self._loaded, self.plan, self._device, self._request.seamless)
            try:
                pictures = self._within_memory("decoding", size, functools.partial(decoder.decode, part))
            except Cancelled:
                if not drawn.decoded:
                    steps = self._request.steps_run
                    self._leave(batch, drawn, sampled_s, steps, steps, done)
                raise
            if pictures is None:
                continue
            decoded_s = (time.monotonic() - start) / size
            for place, picture in enumerate(pictures, done):
                start = time.monotonic()
                whole = self._over.finished(picture, self._share(drawn.latents[place]))
                try:
                    whole = self._finishing(whole)
                except Cancelled:
                    steps = self._request.steps_run
                    self._leave(batch, drawn, sampled_s, steps, steps, place)
                    raise
                duration_s = sampled_s + decoded_s + time.monotonic() - start
                shown, reason = self._safety.judged(whole)
                recipe = self._recipe(batch, place, drawn, decoder.retried or self._retried, duration_s, reason)
                self._on_event(ImageMade(batch.first + place, shown, recipe))
            done += size

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

    def _within_memory(self, stage: str, count: int, work: Callable[[], T]) -> T | None:
        """Return ``work()``, or ``None`` when memory ran out and the plan is thriftier now. Raises: OutOfMemory."""
        try:
            return work()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        # Here the exception is gone, and with its traceback the tensors that it held.
        self._loaded.pipe.maybe_free_model_hooks()
        plan = lower_plan(self.plan, stage, self._device, count, self._on_event)
        if plan is None:
            raise self._too_large()
        before, self._loaded.plan = self._loaded.plan, None  # an error on the way leaves it unknown
        try:
            self._loaded.apply_memory_plan(plan, before, self._device)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise self._too_large() from None
        self.plan = self._loaded.plan = plan
        return None

    def _too_large(self) -> OutOfMemory:
        request = self._request
        if self._counted is not None:
            width, height = second_size(request.width, request.height, request.hires)
            message = f"Second pass = {width} x {height}: the memory of {self._device.kind.title()} does not suffice."
            return OutOfMemory(message, f"Try less than {request.hires:g} times, or close other programs.")
        width, height = request.width, request.height
        smaller = [max(64, int(side * 0.7) // 64 * 64) for side in (width, height)]
        hint = FULL_HINT
        if smaller[0] * smaller[1] < width * height:
            hint = f"Try {smaller[0]} x {smaller[1]}, or close other programs."
        return OutOfMemory(
            f"Size = {width} x {height}: the memory of {self._device.kind.title()} does not suffice.", hint
        )

    def _recipe(
        self, batch: Batch, place: int, drawn: SampledBatch, retried: bool, duration_s: float, reason: str
    ) -> Recipe:
        single = self._loaded.files.single
        batch_size, first = self._whole_batch or (len(batch.seeds), 0)
        made_with: dict[str, Any] = {
            "scheduler": drawn.scheduler,
            "schedule": drawn.schedule,
            "batch_size": batch_size,
            "batch_index": first + place,
            "memory": self.plan.switches(),
            "vae_retry": retried,
            "rng": self._request.rng,
            **self._second_made_with,
            **clip_skip_facts(self._request, self._loaded.info.family_row),
            **conditions(self._loaded.denoiser, self._device, bool(single and single.scaled), self._loaded.computed_by),
        }
        if self._stopped is not None:
            made_with[UNFINISHED] = dict(zip(("step", "of"), self._stopped, strict=True))
        recipe = recipe_of(self._resolved, batch.seeds[place], self._device, duration_s, made_with)
        return recipe.model_copy(update={"blocked": reason})


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
    if request.strength:
        message = f"Denoising strength = {request.strength:g}: of {request.steps} steps it leaves none to draw over it."
        on_event(Notice(message, f"Use {math.ceil(100 / request.steps) / 100:g} or more, or more steps."))
    for index, seed in enumerate(seeds):
        shown, reason = safety.judged(picture)
        recipe = recipe_of(resolved, seed, device, duration_s, {"batch_size": 1, "batch_index": 0})
        on_event(ImageMade(index, shown, recipe.model_copy(update={"blocked": reason})))


def lower_plan(plan: MemoryPlan, stage: str, device: Device, count: int, on_event: EventSink) -> MemoryPlan | None:
    """Free what is free to be had, and return the next plan down the ladder, with a notice; ``None`` at its foot."""
    give_back(device)
    lower = thriftier(plan, stage, device, count)
    if lower is None:
        return None
    on_event(Notice(f"Not enough memory: trying again with {lower[1]}.", "The settings can make this permanent."))
    return lower[0]
