"""The engine: takes a request, a model and seeds, and emits events until every picture is made. One job at a time."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from sdstudio.catalog.families import titles_that_take
from sdstudio.catalog.kinds import EMBEDDING, LORA, VAE
from sdstudio.catalog.kinds import KIND_BY_KEY as ASSET_KIND_BY_KEY
from sdstudio.catalog.schedulers import SCHEDULER_BY_KEY
from sdstudio.core.errors import Cancelled, InvalidRequest, ModelUnsupported, OutOfMemory, StudioError
from sdstudio.core.events import EngineStatus, EventSink, Notice, Unfinished
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.core.paths import StudioPaths, studio_paths
from sdstudio.core.request.detail_fields import has_detail
from sdstudio.core.request.input_fields import INIT, INPUT_ROLES, MASK, InputRole
from sdstudio.core.request.larger_size import second_size
from sdstudio.core.request.outpaint_fields import adds_ground
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.second_pass_fields import has_second_pass, over_input
from sdstudio.core.settings import Settings
from sdstudio.engine.batch import edm_of
from sdstudio.engine.detailing import Detailing, check_regions, finished_size
from sdstudio.engine.device.devices import KIND_BY_KEY, Device, choose_device
from sdstudio.engine.device.interrupt import interruptible
from sdstudio.engine.device.memory import MemoryPlan, give_back, is_out_of_memory
from sdstudio.engine.families.registry import validate
from sdstudio.engine.generation import VERSIONS, Drawing, emit_upscaled_only
from sdstudio.engine.model_files.folder import ModelFiles
from sdstudio.engine.model_files.loading import (
    LoadedModel,
    PipelineKey,
    find_files,
    load_model,
    pipeline_key,
)
from sdstudio.engine.openvino.swapped import Swapped
from sdstudio.engine.outpainting import Outpainting
from sdstudio.engine.pictures.detector import TextDetector
from sdstudio.engine.pictures.drawn_over import NOTHING, DrawnOver, drawn_over
from sdstudio.engine.pictures.preview import Previewer
from sdstudio.engine.pictures.safety import Safety, SafetyFilter, installed_filters, is_explicit, load_checker
from sdstudio.engine.pictures.upscaling import Finish, enlarger, finisher
from sdstudio.engine.prompting.checks import left_out
from sdstudio.engine.recording import recorded
from sdstudio.engine.samplers.schedulers import is_diffusion
from sdstudio.engine.second_pass import second_tiles
from sdstudio.engine.within_memory import FULL_HINT, lower_plan

_CAPABILITY: Final[Mapping[str, str]] = {LORA: "loras", EMBEDDING: "embeddings", VAE: "vae"}
"""Kind of a file -> what a family must take for it to be attached."""


class Engine:
    """Makes pictures. Holds one model at a time; usable again after any error and after `Cancelled`.

    Args:
        settings: Device, precision, memory switches, previews and safety.
        filters: Own safety filters by name; the settings choose one.
        converted: Where networks are kept that were converted for OpenVINO.
    """

    def __init__(
        self, settings: Settings, filters: Mapping[str, SafetyFilter] | None = None, converted: Path | None = None
    ) -> None:
        validate()
        self._settings = settings
        self._filters = dict(filters or {})
        self._swapped = Swapped(converted or studio_paths().converted)
        self._loaded: LoadedModel | None = None
        self._recording = False
        self._unfinished: Unfinished | None = None

    def configure(self, settings: Settings) -> None:
        """Take other settings, from the next `generate` on."""
        self._settings = settings

    def generate(
        self, resolved: ResolvedRequest, seeds: Sequence[int], batch_size: int, on_event: EventSink,
        cancel: threading.Event,
    ) -> None:  # fmt: skip
        """Make one picture for each seed, in their order, and emit an event for everything on the way.

        Seeds go up to 2^64-1. Torch's generator on the CPU reads their lower 32 bits, in every program that draws its
        noise there (ComfyUI does), so seeds that differ by a multiple of 2^32 start from the same noise.

        Args:
            resolved: What to draw and with what; the request's own seed is not looked at.
            seeds: One for each picture.
            batch_size: Pictures at once, where memory allows.
            on_event: Called in this thread.
            cancel: Set by anyone to stop.

        Raises:
            StudioError: What went wrong, in one line.
            Cancelled: ``cancel`` was set.
        """
        self._unfinished = None
        settings = self._settings
        device = choose_device(settings)
        own_filter = self._own_filter(settings)
        begun = time.monotonic()
        request = resolved.request
        over = self._drawn_over(resolved, device, on_event, cancel)
        unchanged = None if request.steps_run else over.unchanged
        if unchanged is not None and not has_detail(dict(request)):
            picture = finisher(resolved, device, settings.open_pickles, on_event, cancel)(unchanged)
            took_s = time.monotonic() - begun
            emit_upscaled_only(picture, resolved, seeds, device, Safety(own_filter, None), took_s, on_event)
            return
        loaded = self._ready(resolved, settings, device, on_event, cancel)
        _check_begins(loaded, request)
        if over.masked is not None and over.masked.is_all:
            message = f"{MASK.title} = all white: the whole picture is drawn anew, as without one."
            on_event(Notice(message, "Paint less, or do without it."))
        self._check_and_warn(resolved, loaded, on_event)
        safety = self._safety(loaded, device, on_event, cancel)
        every_s = settings.preview_every_s
        enlarge = enlarger(resolved.upscaler, device, settings.open_pickles, on_event, cancel)
        finish = finisher(resolved, device, settings.open_pickles, on_event, cancel)
        take, finish = self._detailed(loaded, resolved, device, safety, on_event, finish, cancel)
        job: Drawing | Outpainting
        if over.outpainted is not None:
            job = Outpainting(loaded, resolved, seeds, device, every_s, safety, take, over.outpainted)
        else:
            job = Drawing(loaded, resolved, tuple(seeds), device, every_s, safety, take, over, enlarge, finish)
        swapped = self._swapped.during(loaded, resolved, device, on_event)
        try:
            with loaded.checks.during(cancel), swapped, self._recorder(loaded, request, device, take):
                if unchanged is not None:
                    emit_upscaled_only(unchanged, resolved, seeds, device, safety, time.monotonic() - begun, take)
                else:
                    at_once = 1 if device.kind.one_by_one else max(1, batch_size)
                    job.run(replace(loaded.plan or MemoryPlan(), batch_size=at_once))
        finally:
            self._unfinished = job.unfinished
            loaded.pipe.maybe_free_model_hooks()

    def take_unfinished(self) -> Unfinished | None:
        """Return what the last call of `generate` was drawing when it was cancelled, once; ``None`` for nothing."""
        unfinished, self._unfinished = self._unfinished, None
        return unfinished

    def keep(self, unfinished: Unfinished, on_event: EventSink, cancel: threading.Event) -> None:
        """Decode what a cancelled call left, and emit its pictures; recipes record the step. Raises as `generate`.

        It may be called again with the same.
        """
        settings = self._settings
        device = choose_device(settings)
        over = NOTHING  # what is redrawn in tiles is as large as it was begun
        if not over_input(unfinished.resolved.request):
            over = self._drawn_over(unfinished.resolved, device, on_event, cancel)
        loaded = self._ready(unfinished.resolved, settings, device, on_event, cancel)
        safety = self._safety(loaded, device, on_event, cancel)
        resolved = unfinished.resolved
        take, finish = on_event, finisher(resolved, device, settings.open_pickles, on_event, cancel)
        if unfinished.step >= unfinished.total:
            take, finish = self._detailed(loaded, resolved, device, safety, on_event, finish, cancel)
        job = Drawing(loaded, resolved, unfinished.seeds, device, None, safety, take, over, finish=finish)
        swapped = self._swapped.during(loaded, resolved, device, on_event)
        try:
            with loaded.checks.during(cancel), swapped:
                job.keep(unfinished)
        finally:
            loaded.pipe.maybe_free_model_hooks()

    def _detailed(
        self, loaded: LoadedModel, resolved: ResolvedRequest, device: Device, safety: Safety, on_event: EventSink,
        finish: Finish, cancel: threading.Event,
    ) -> tuple[EventSink, Finish]:  # fmt: skip
        """Return where the events of a job go, and what finishes its pictures before that.

        Where regions are redrawn, that comes in between, and finishes them.
        """
        if not has_detail(dict(resolved.request)):
            return on_event, finish

        def draw(request: GenerationRequest, seed: int, over: DrawnOver, take: EventSink) -> None:
            region = replace(resolved, request=request)
            job = Drawing(loaded, region, (seed,), device, None, Safety(None, None), take, over)
            job.run(replace(loaded.plan or MemoryPlan(), batch_size=1))

        detector = None if resolved.detector is None else TextDetector(resolved.detector, on_event, cancel)
        return Detailing(resolved, draw, safety, on_event, finish, detector).take, lambda picture: picture

    def _safety(self, loaded: LoadedModel, device: Device, on_event: EventSink, cancel: threading.Event) -> Safety:
        """Return what looks at each picture: the user's own filter, and the model's checker where it is on."""
        own_filter = self._own_filter(self._settings)
        if self._settings.safety_checker and load_checker(loaded, device, on_event, cancel):
            return Safety(own_filter, lambda picture: is_explicit(loaded, picture, device))
        return Safety(own_filter, None)

    def _drawn_over(
        self, resolved: ResolvedRequest, device: Device, on_event: EventSink, cancel: threading.Event
    ) -> DrawnOver:
        """Return what a request is drawn over, as large as it is to be."""
        request = resolved.request
        for role in INPUT_ROLES.values():
            if role.picture_in(request) and role not in resolved.pictures:
                message = f"{role.title} = {role.picture_in(request)[:12]}: nobody said where it lies."
                raise InvalidRequest(role.field, message, "Choose the picture again.")
        if not INIT.picture_in(request):
            check_regions(resolved, finished_size(request, NOTHING))
            return NOTHING
        enlarge = enlarger(resolved.upscaler, device, self._settings.open_pickles, on_event, cancel)
        if over_input(request):
            width, height = second_size(request.width, request.height, dict(request))
            request = request.model_copy(update={"width": width, "height": height})
        over = drawn_over(resolved.pictures[INIT], resolved.pictures.get(MASK), request, enlarge)
        check_regions(resolved, finished_size(request, over))
        if cancel.is_set():
            raise Cancelled
        return over

    def record(self, on: bool) -> None:
        """Emit a `GuidanceStep` at every step from the next `generate` on, or no longer."""
        self._recording = on

    def _recorder(
        self, loaded: LoadedModel, request: GenerationRequest, device: Device, on_event: EventSink
    ) -> contextlib.AbstractContextManager[None]:
        spec = loaded.info.preview_spec
        if not self._recording:
            return contextlib.nullcontext()
        if spec is None or not loaded.takes("explaining"):
            raise ModelUnsupported(f"{loaded.info.name}: its steps cannot be shown as pictures.", "Explain another.")
        previewer = Previewer(spec, device.torch_device)
        return recorded(loaded.pipe, loaded.denoiser, request.guidance_scale, previewer, on_event)

    @property
    def loaded(self) -> LoadedModel | None:
        """The model that it holds now."""
        return self._loaded

    def status(self) -> EngineStatus:
        """Return what the engine runs on and holds. Never raises."""
        try:
            device = choose_device(self._settings)
        except StudioError:
            return EngineStatus(f"{self._settings.device} (not there)", self._settings.precision, versions=VERSIONS)
        used, total = device.kind.memory()
        key = self._loaded.info.key if self._loaded is not None else ""
        return EngineStatus(device.kind.title(), device.dtype_name, used, total, key, VERSIONS, device.is_accelerator)

    def unload(self) -> None:
        """Let go of the model and of the memory it took."""
        if self._loaded is not None:
            key, self._loaded = self._loaded.key, None
            self._swapped.forget()
            give_back(Device(KIND_BY_KEY[key.device], key.dtype))

    def close(self) -> None:
        """Let go of everything."""
        self.unload()

    def _own_filter(self, settings: Settings) -> SafetyFilter | None:
        name = settings.safety_filter.strip()
        if name and name not in self._filters:
            there = ", ".join(sorted(self._filters)) or "none is installed"
            raise StudioError(
                f"Custom filter = {name}: installed are: {there}.", "Choose another, or none, in the settings."
            )
        return self._filters.get(name)

    def _ready(
        self, resolved: ResolvedRequest, settings: Settings, device: Device, on_event: EventSink,
        cancel: threading.Event,
    ) -> LoadedModel:  # fmt: skip
        """Return the model in memory with its switches thrown; the same as before when nothing changed."""
        model, known = resolved.model, self._loaded.files if self._loaded else None
        files = find_files(model, settings.safety_checker, known, settings.open_pickles, resolved.vae)
        key = pipeline_key(files, device, settings.channels_last)
        if self._loaded is None or self._loaded.key != key:
            self.unload()
            self._loaded = self._read(resolved, files, key, device, on_event, cancel)
        loaded = self._loaded
        loaded.info, loaded.files = model, files
        self._attach(loaded, resolved, settings.open_pickles, device, on_event, cancel)
        plan: MemoryPlan | None = MemoryPlan.of(settings, device, 1)
        while plan is not None:
            if self._apply_memory_plan(plan, loaded, device, cancel):
                return loaded
            plan = lower_plan(plan, "loading", device, 1, on_event)
        self.unload()
        raise OutOfMemory(f"Not enough memory on {device.kind.title()} for {model.name}.", FULL_HINT)

    def _attach(
        self, loaded: LoadedModel, resolved: ResolvedRequest, with_pickles: bool, device: Device,
        on_event: EventSink, cancel: threading.Event,
    ) -> None:  # fmt: skip
        """Attach the job's LoRA, embeddings and VAE to a model that the studio knows the parts of."""
        for adapter in resolved.adapters:
            needed = _CAPABILITY.get(adapter.kind, "")
            if needed and not loaded.takes(needed):
                kind = ASSET_KIND_BY_KEY[adapter.kind].title
                message = f"{adapter.name}: {loaded.info.name} is of a kind that takes no {kind} here."
                hint = f"Take it out, or choose a model of {titles_that_take(needed)}."
                field = "prompt" if adapter.kind == EMBEDDING else needed
                raise InvalidRequest(field, message, hint)
        try:
            if loaded.attached.attach(resolved, with_pickles, device.torch_device, on_event, cancel):
                loaded.plan = None  # the other VAE has none of its switches thrown
                loaded.checks.watch(loaded.attached.new_networks)
        except BaseException as error:
            loaded.plan = None  # broken off, the hooks that move parts about may be gone
            if not isinstance(error, RuntimeError | MemoryError) or not is_out_of_memory(error):
                raise
            full_message = f"Not enough memory on {device.kind.title()} for what is attached to {loaded.info.name}."
            raise OutOfMemory(full_message, "Use fewer LoRA, or choose a smaller model.") from error

    def _read(
        self, resolved: ResolvedRequest, files: ModelFiles, key: PipelineKey, device: Device,
        on_event: EventSink, cancel: threading.Event,
    ) -> LoadedModel:  # fmt: skip
        try:
            return load_model(resolved.model, files, key, on_event, cancel, resolved.vae)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        give_back(device)
        raise OutOfMemory(f"Not enough memory to load {resolved.model.name}.", FULL_HINT)

    def _apply_memory_plan(
        self, plan: MemoryPlan, loaded: LoadedModel, device: Device, cancel: threading.Event
    ) -> bool:
        """Throw a plan's switches; ``False`` when memory does not suffice for it."""
        before, loaded.plan = loaded.plan, None  # broken off, they are all thrown anew the next time
        try:
            interruptible(cancel, lambda: loaded.apply_memory_plan(plan, before, device))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return False
        loaded.plan = plan
        return True

    def _check_and_warn(self, resolved: ResolvedRequest, loaded: LoadedModel, on_event: EventSink) -> None:
        """Check what depends on the model's own parts, and emit a notice of what of the request it cannot follow."""
        request = resolved.request
        unread = loaded.family.check(loaded.pipe, request, loaded.info.family_row)
        if not is_diffusion(loaded.scheduler) and edm_of(loaded, request) is None:
            title = SCHEDULER_BY_KEY[request.scheduler].title
            own = type(loaded.scheduler).__name__
            on_event(Notice(f"{loaded.info.name} is sampled with its own {own}: {title} is not made for it."))
        is_part = bool(MASK.picture_in(request)) or adds_ground(dict(request))
        if loaded.family.looks_around(loaded.pipe) and not is_part:
            message = f"{loaded.info.name} is a model for inpainting: without a mask it draws the whole picture."
            on_event(Notice(message, "Mask a part of a picture, or choose another model."))
        if request.tile_redraw and has_second_pass(request) and second_tiles(request, 1) is None:
            message = f"Tiled redraw = {request.tile_redraw}: one tile of {request.tile_size} px covers all"
            on_event(Notice(f"{message}, so it is drawn in one piece.", "Use smaller tiles for more detail."))
        idle = left_out(request, [adapter.name for adapter in resolved.embeddings])
        for notice in (*([idle] if idle is not None else []), *unread):
            on_event(notice)


def _check_begins(loaded: LoadedModel, request: GenerationRequest) -> None:
    """Check that a model can begin from the pictures of a request. Raises: InvalidRequest."""
    for role in (INIT, MASK):
        is_needed = role.picture_in(request) or has_detail(dict(request))
        if is_needed and role.field not in loaded.family.begins_from(loaded.pipe):
            raise _cannot_begin(loaded, role)


def _cannot_begin(loaded: LoadedModel, role: InputRole) -> InvalidRequest:
    message = f"{role.title}: {loaded.info.name} cannot begin from one."
    return InvalidRequest(role.field, message, f"Choose a model of {titles_that_take(role.field)}.")


def make_engine(settings: Settings, paths: StudioPaths | None = None) -> Engine:
    """Return an engine that knows the safety filters of every installed package."""
    return Engine(settings, installed_filters(), (paths or studio_paths()).converted)
