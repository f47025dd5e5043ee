"""How one batch of pictures is drawn: noise to latents in the stock pipeline, latents to pixels in a stage of its own.

The pipeline is called with ``output_type="latent"``, so that a decode can be repeated from the kept latents: in float32
when it overflows, in less memory when that runs out.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import torch

from sdstudio.catalog.checkpoints import V_PREDICTION
from sdstudio.catalog.schedulers import schedule_of
from sdstudio.catalog.schedules import AUTOMATIC
from sdstudio.core.compatibility import FIRST_COMPATIBILITY
from sdstudio.core.errors import Cancelled, InvalidNumbers, InvalidRequest
from sdstudio.core.events import EventSink, StepDone
from sdstudio.core.request.input_fields import INIT, MASK
from sdstudio.core.request.request import GenerationRequest
from sdstudio.engine.device.devices import Device
from sdstudio.engine.device.memory import MemoryPlan
from sdstudio.engine.families.base import Begin
from sdstudio.engine.model_files.loading import LoadedModel
from sdstudio.engine.pictures.preview import Previewer
from sdstudio.engine.pictures.seamless import edges_joined, without_sides
from sdstudio.engine.prompting.checks import diffusers_clip_skip
from sdstudio.engine.samplers.blending import Blending, begin_from_noise
from sdstudio.engine.samplers.edm import Edm
from sdstudio.engine.samplers.noise import CPU, understood
from sdstudio.engine.samplers.picture_noise import noise_of, seeds_of
from sdstudio.engine.samplers.schedulers import (
    SAMPLING_FIELDS,
    build_scheduler,
    draws_own_noise,
    is_diffusion,
    keep_format,
    row_of,
    seed_noise,
)
from sdstudio.engine.samplers.soft_inpainting import blending_of
from sdstudio.engine.tiles import Tiles, predicted_in_tiles
from sdstudio.engine.unfinished import CancelledBatch, LastStep, SampledBatch

NOTHING: Final[Mapping[str, torch.Tensor]] = MappingProxyType({})
"""What a batch is drawn over that begins from noise."""

FLOAT32_HINT: Final = "Set Precision to float32 in the settings."
OTHER_HINT: Final = "Try another sampler or fewer steps; if it stays, the model's files are damaged."


@dataclass(frozen=True, slots=True)
class Batch:
    """The pictures that are drawn at once.

    Attributes:
        seeds: One for each.
        first: Index of the first among all pictures of the job.
        image_count: Pictures in the whole job.
    """

    seeds: tuple[int, ...]
    first: int
    image_count: int


def sample(
    loaded: LoadedModel, request: GenerationRequest, batch: Batch, plan: MemoryPlan, device: Device,
    preview_every_s: float | None, on_event: EventSink, inputs: Mapping[str, torch.Tensor] = NOTHING,
    tiles: Tiles | None = None,
) -> SampledBatch:  # fmt: skip
    """Draw a batch's latents with the stock pipeline; over what `Family.begin` is given, where there is something.

    Where there are ``tiles``, its network predicts tile by tile.

    Raises:
        InvalidNumbers: NaN or infinity in the latents, with the step it appeared at.
        Cancelled: By the checks of the model; `CancelledBatch` from the first step on, where the latents are known.
        RuntimeError: Also when memory ran out.
    """
    family = loaded.family
    own_decode = not family.gives_latents
    scheduler = _scheduler(loaded, request, batch, device)
    edm = edm_of(loaded, request)
    if edm is not None and INIT.field in inputs:
        inputs = {**inputs, INIT.field: inputs[INIT.field] / edm.sigma_data}
    start = family.begin(loaded.pipe, inputs)
    pipe = start.pipe
    blending = blending_of(request, inputs[MASK.field]) if MASK.picture_in(request) else None
    if plan.autocast:
        keep_format(scheduler)
    previewer = None if preview_every_s is None or own_decode else _previewer(loaded, device, preview_every_s)
    if previewer is not None:
        previewer.watch(scheduler)
    last = LastStep()
    if not own_decode:
        last.watch(scheduler)
    if start.from_noise:
        begin_from_noise(scheduler)
    elif blending is not None:
        blending.watch(scheduler)  # outermost: whoever looks at the steps sees the picture kept
    kwargs = _pipeline_kwargs(loaded, request, batch) | _begin_kwargs(loaded, request, batch, start, scheduler)
    steps = _Steps(batch, previewer, device, on_event, last, blending)
    kwargs["callback_on_step_end"] = steps
    with contextlib.ExitStack() as stack:
        stack.enter_context(_scheduled((loaded.pipe, pipe), scheduler))
        stack.enter_context(_autocast(plan, device))
        stack.callback(last.forget)
        stack.enter_context(understood(kwargs["generator"], pipe, scheduler))
        round_sides = (False, False) if tiles is None else tiles.round_sides
        stack.enter_context(edges_joined(without_sides(request.seamless, round_sides), loaded.denoiser))
        if tiles is not None:
            on_tile = functools.partial(steps.tile, pipe)
            stack.enter_context(predicted_in_tiles(loaded.denoiser, tiles, _scale(loaded), on_tile))
        if edm is not None:
            stack.enter_context(edm.before(loaded.denoiser))
        text = family.text(pipe, request, loaded.info.family_row, loaded.attached.embeddings)
        stack.enter_context(text.hooks)
        stack.enter_context(start.hooks)
        kwargs |= text.kwargs
        try:
            latents = family.draw(pipe, _accepted(pipe, kwargs), loaded.info.name)
        except Cancelled:
            clean = last.latents()
            if clean is None:
                raise
            clean = (clean if blending is None else blending.end(clean)) * (1 if edm is None else edm.sigma_data)
            raise CancelledBatch(_drawn(clean, own_decode, scheduler, request), last.step, last.total) from None
        if pipe is not loaded.pipe:
            loaded.pipe.maybe_free_model_hooks()  # the other pipeline knows nothing of them
    if edm is not None:
        latents = latents * edm.sigma_data
    return _drawn(latents, own_decode, scheduler, request)


def _pipeline_kwargs(loaded: LoadedModel, request: GenerationRequest, batch: Batch) -> dict[str, Any]:
    """Return what every pipeline is called with; a text's vectors and what it begins from come on top."""
    return {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt or None,
        "width": request.width,
        "height": request.height,
        "guidance_scale": request.guidance_scale,
        "num_images_per_prompt": len(batch.seeds),
        "clip_skip": diffusers_clip_skip(request.clip_skip, loaded.info.family_row),
        "num_inference_steps": request.steps,
        "eta": request.eta_ddim,
    }


def _accepted(pipe: Any, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that a pipeline's call has; the others mean nothing to it."""
    known = inspect.signature(type(pipe).__call__).parameters
    return {name: value for name, value in kwargs.items() if name in known}


def _begin_kwargs(
    loaded: LoadedModel, request: GenerationRequest, batch: Batch, start: Begin, scheduler: Any
) -> dict[str, Any]:
    """Return what a pipeline is given of where a batch begins: its noise, and what it is drawn over."""
    count = len(batch.seeds)
    over = {name: value.expand(count, *value.shape[1:]) for name, value in start.kwargs.items()}
    steps = {} if start.pipe is loaded.pipe else _begun(request, scheduler, start.from_noise)
    return {"generator": noise_of(request, batch.seeds, _scale(loaded)), **steps, **over}


def _drawn(latents: torch.Tensor, decoded: bool, scheduler: Any, request: GenerationRequest) -> SampledBatch:
    config = {"class": type(scheduler).__name__, "config": _plain(scheduler.config)}
    row = row_of(request)
    schedule = schedule_of(row, request.schedule) or row.levels
    return SampledBatch(latents, decoded, config, schedule or str(scheduler.config.get("timestep_spacing", "")))


def _begun(request: GenerationRequest, scheduler: Any, from_noise: bool) -> dict[str, Any]:
    """Return at which of its steps the scheduler begins over a picture, in the pipeline's words.

    Where a schedule has more levels or fewer than there are steps, so many of them are run as without that, the last
    ones, as in ComfyUI.
    """
    count = getattr(scheduler, "steps_taken", request.steps)
    if from_noise:
        return {"num_inference_steps": count, "strength": 1.0}
    if count == request.steps:
        return {"strength": request.strength}
    run = max(min(request.steps_run, count), 1)
    return {"num_inference_steps": count, "strength": min((run + 0.5) / count, 1.0)}  # the pipeline rounds down


def _scheduler(loaded: LoadedModel, request: GenerationRequest, batch: Batch, device: Device) -> Any:
    own = loaded.scheduler
    edm = edm_of(loaded, request)
    if edm is None and not is_diffusion(own):
        return type(own).from_config(own.config)
    trained = own.config if edm is None else edm.trained
    key = tuple(getattr(request, name) for name in SAMPLING_FIELDS)
    if key not in loaded.built:  # some take a tenth of a second to build, a copy takes one thousandth
        loaded.built[key] = build_scheduler(request, trained, loaded.info.family_row)
    scheduler = copy.deepcopy(loaded.built[key])
    if edm is not None:
        edm.keep_exact(scheduler)
    if draws_own_noise(scheduler):
        network: Any = loaded.denoiser
        # One for inpainting takes more than the latents, one that returns its uncertainty returns more.
        channels = min(network.config.in_channels, getattr(network.config, "out_channels", None) or 2**31)
        scale = _scale(loaded)
        shape = (len(batch.seeds), channels, request.height // scale, request.width // scale)
        like = torch.empty(shape, dtype=device.dtype, device=device.torch_device)
        source = CPU if request.compatibility == FIRST_COMPATIBILITY else request.rng
        seed_noise(scheduler, seeds_of(request, batch.seeds), like, source)
    return scheduler


def _scale(loaded: LoadedModel) -> int:
    """Return the pixels on a side of a latent cell."""
    return int(getattr(loaded.pipe, "vae_scale_factor", 8))


def edm_of(loaded: LoadedModel, request: GenerationRequest) -> Edm | None:
    """Return the noise levels of a model that was trained at continuous ones, ``None`` for any other.

    Version 0.1 drew folders of such models with the sampler they ship, whatever was asked for.

    Raises:
        InvalidRequest: The request wants the model to be taken for another.
    """
    if not loaded.takes("prediction"):
        return None
    edm = Edm.of(loaded.scheduler)
    if edm is None or (request.compatibility == FIRST_COMPATIBILITY and loaded.files.single is None):
        return None
    for name, title in (("zero_snr", "Zero terminal SNR"), ("prediction", "Prediction")):
        if getattr(request, name) not in (False, AUTOMATIC, V_PREDICTION):
            message = f"{title}: {loaded.info.name} was trained at noise levels of its own (EDM)."
            raise InvalidRequest(name, message, "Leave it as it begins.")
    return edm


def _previewer(loaded: LoadedModel, device: Device, every_s: float) -> Previewer | None:
    spec = loaded.info.preview_spec
    return Previewer(spec, device.torch_device, every_s) if spec is not None else None


class _Steps:
    """Emits every step, stops at the first one whose latents are no numbers, and has a picture kept under its mask."""

    def __init__(
        self, batch: Batch, previewer: Previewer | None, device: Device, on_event: EventSink, last: LastStep,
        blending: Blending | None,
    ) -> None:  # fmt: skip
        self._last = last
        self._blending = blending
        self._batch = batch
        self._previewer = previewer
        self._device = device
        self._on_event = on_event
        self._begun = time.monotonic()
        self._first_done = 0.0

    def __call__(self, pipe: Any, index: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        step, total = index + 1, _calls(pipe)
        if not tensors["latents"].isfinite().all():  # also waits for the device, so that the time per step is true
            hint = FLOAT32_HINT if self._device.dtype != torch.float32 else OTHER_HINT
            raise InvalidNumbers(f"The model made invalid numbers (NaN or infinity) at step {step} of {total}.", hint)
        now = time.monotonic()
        if index == 0:  # the first step's time holds the text encoder's too
            self._first_done, per_step = now, now - self._begun
        else:
            per_step = (now - self._first_done) / index
        self._last.step, self._last.total = step, total
        preview = self._previewer.take() if self._previewer is not None else None
        batch = self._batch
        self._on_event(StepDone(step, total, batch.first, len(batch.seeds), batch.image_count, per_step, preview))
        if self._blending is None:
            return {}
        return {"latents": self._blending.after(pipe.scheduler, index, total, tensors["latents"])}

    def tile(self, pipe: Any, done: int, count: int) -> None:
        """Emit that so many tiles of the next call are done, but for the last one: that ends the call."""
        if done == count:
            return
        step, now, batch = self._last.step, time.monotonic(), self._batch
        since = self._first_done or self._begun
        per_step = (now - since) / (done / count + (step - 1 if self._first_done else step))
        self._on_event(
            StepDone(
                step, _calls(pipe), batch.first, len(batch.seeds), batch.image_count, per_step, tile=done, tiles=count
            )
        )  # fmt: skip


def _calls(pipe: Any) -> int:
    return getattr(pipe, "num_timesteps", None) or len(pipe.scheduler.timesteps)


@contextlib.contextmanager
def _scheduled(pipes: Sequence[Any], scheduler: Any) -> Iterator[None]:
    owns = [pipe.scheduler for pipe in pipes]
    for pipe in pipes:
        pipe.scheduler = scheduler
    try:
        yield
    finally:
        for pipe, own in zip(pipes, owns, strict=True):
            pipe.scheduler = own


def _autocast(plan: MemoryPlan, device: Device) -> contextlib.AbstractContextManager[Any]:
    if not plan.autocast:
        return contextlib.nullcontext()
    return torch.autocast(device.torch_device.type, dtype=device.kind.autocast_dtype)


def _plain(config: Any) -> dict[str, Any]:
    """Return a scheduler's configuration as JSON can hold it, without diffusers' private entries.

    ``use_karras_sigmas`` is the way in for the studio's own noise levels, whichever they are.
    """
    plain: dict[str, Any] = {}
    for key, value in config.items():
        if key == "use_karras_sigmas":
            continue
        if isinstance(value, float) and not math.isfinite(value):
            plain[key] = str(value)  # JSON has no infinity
        elif isinstance(value, str | int | float | bool | None) and not key.startswith("_"):
            plain[key] = value
    return plain
