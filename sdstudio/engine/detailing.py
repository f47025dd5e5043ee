"""A late stage of a job: each picture is redrawn in its regions before it is enlarged at the end, and goes up.

A region is drawn as "only masked" of a picture from a picture is, by a job of its own with the same model: the same
values by hand give the same pixels. Outside of all regions a picture keeps every pixel.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from PIL import Image

from sdstudio.core.errors import Cancelled, InvalidRequest, StudioError
from sdstudio.core.events import Decoding, EngineEvent, EventSink, GuidanceStep, ImageMade, Notice, RegionStep, StepDone
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.core.params import parameters
from sdstudio.core.pictures.masks import read_mask
from sdstudio.core.prompts.extra_networks import cut_networks
from sdstudio.core.request.detail_fields import SKIPPED, check_boxes, part_for, prompt_for, prompt_up_to, region_texts
from sdstudio.core.request.input_fields import DETAIL_MASK, INIT, MASK
from sdstudio.core.request.larger_size import second_size
from sdstudio.core.request.recipe import DETAIL
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.seed_fields import SEED_MAXIMUM
from sdstudio.engine.pictures.drawn_over import DrawnOver
from sdstudio.engine.pictures.masked import masked_by
from sdstudio.engine.pictures.regions import Detector, Region, found, grown, marked
from sdstudio.engine.pictures.safety import Safety
from sdstudio.engine.pictures.upscaling import Finish

_NOT_KEPT: Final = "0" * 64
"""Stands in a region's request where the ids of its picture and of its mask would."""

_OF_A_REGION: Final = frozenset({"Model", "Prompt", "Size", "Sampling", "LoRA and VAE", "Advanced"})
"""Groups of the fields that a region is drawn with as its picture is; it has nothing of all others."""

DrawRegion = Callable[[GenerationRequest, int, DrawnOver, EventSink], None]
"""Draws a region's request with a seed over a picture, and emits what comes of it."""


def region_request(request: GenerationRequest, index: int, blur: int) -> GenerationRequest:
    """Return what a region of this number is drawn by, over a picture with a mask."""
    rows = parameters(GenerationRequest)
    values: dict[str, Any] = {row.name: getattr(request, row.name) for row in rows if row.ui.group in _OF_A_REGION}
    steps = request.detail_steps or request.steps
    values |= {
        "prompt": prompt_for(request.detail_prompt, index, request.prompt),
        "negative_prompt": prompt_for(request.detail_negative_prompt, index, request.negative_prompt),
        "steps": steps,
        "guidance_scale": request.detail_guidance or request.guidance_scale,
        "strength": request.detail_strength if int(steps * request.detail_strength) else min(1.5 / steps, 1.0),
        "mask_blur": blur,
        "only_masked": request.detail_padding,
        INIT.field: _NOT_KEPT,
        MASK.field: _NOT_KEPT,
        "file_hashes": request.file_hashes,
    }
    return GenerationRequest(**values)


@dataclass(slots=True)
class _Redrawn:
    """A picture and how far its regions have come."""

    picture: Image.Image
    regions: list[dict[str, Any]]
    done: int = 0


class Detailing:
    """Takes the events of a job, and passes them on; a picture that was made with its regions redrawn.

    Args:
        resolved: What the job draws.
        draw: Draws one region.
        safety: Looks at each picture.
        on_event: Where everything goes.
        finish: What is done to each picture afterwards.
        detector: Looks for regions; ``None`` where none is looked for.
    """

    def __init__(
        self, resolved: ResolvedRequest, draw: DrawRegion, safety: Safety, on_event: EventSink, finish: Finish,
        detector: Detector | None = None,
    ) -> None:  # fmt: skip
        self._request = resolved.request
        self._mask: Path | None = resolved.pictures.get(DETAIL_MASK)
        self._draw = draw
        self._safety = safety
        self._on_event = on_event
        self._finish = finish
        self._detector = detector
        self._within_region = False
        self._count = 1

    def take(self, event: EngineEvent) -> None:
        """Pass an event on. Raises: as the drawing of a region."""
        if self._within_region and isinstance(event, GuidanceStep):
            return  # what is recorded are the steps of the picture
        if isinstance(event, StepDone | Decoding):
            self._count = event.image_count
        if isinstance(event, ImageMade) and not event.recipe.blocked:
            self._redraw(event)
            return
        self._on_event(event)

    def _redraw(self, event: ImageMade) -> None:
        """Redraw a picture's regions and emit it; one that is stopped with the regions that are ready."""
        begun = time.monotonic()
        redrawn = _Redrawn(event.pixels.convert("RGB"), [])
        try:
            self._redraw_regions(event, redrawn)
            redrawn.picture = self._finish(_as_clear(redrawn.picture, event.pixels))
        except (Cancelled, StudioError):
            self._tell_stopped(redrawn)
            self._emit(event, redrawn, time.monotonic() - begun, is_whole=False)
            raise
        self._emit(event, redrawn, time.monotonic() - begun, is_whole=True)

    def _redraw_regions(self, event: ImageMade, redrawn: _Redrawn) -> None:
        regions = self._regions(redrawn.picture)
        redrawn.regions = [region.recorded for region in regions]
        for index, region in enumerate(regions):
            if part_for(self._request.detail_prompt, index) != SKIPPED:
                larger = grown(region, self._request.detail_grow)
                if larger is None:
                    box = ",".join(map(str, region.box))
                    message = f"Region {box}: with {self._request.detail_grow} pixels less nothing of it is left."
                    self._on_event(Notice(message, "Let regions grow."))
                else:
                    redrawn.picture = self._drawn(event, redrawn.picture, larger, index, len(regions))
            redrawn.done = index + 1

    def _regions(self, picture: Image.Image) -> list[Region]:
        request = self._request
        if any(cut_networks(text)[1] for text in region_texts(request).values()):
            message = "Detailer: LoRA in the prompts of regions do not act: those of the picture's prompt do."
            self._on_event(Notice(message, "Name them in the prompt of the picture."))
        regions = marked(request, self._mask, picture.size)
        if self._detector is not None:
            candidates = self._detector.find(picture, request.detail)
            regions += found(request, candidates, picture.size)
        if not regions:
            message = f"Detailer: nothing was found for {request.detail!r}, so the picture stays as it is."
            hint = "Use other words or a lower confidence, or mark regions by hand."
            self._on_event(Notice(message, hint))
        return regions

    def _drawn(self, event: ImageMade, picture: Image.Image, region: Region, index: int, count: int) -> Image.Image:
        """Return a picture with one region redrawn."""
        request = region_request(self._request, index, region.blur(self._request.detail_blur))
        masked = masked_by(picture, region.levels, request)
        pictures: list[Image.Image] = []

        def take(inner: EngineEvent) -> None:
            match inner:
                case ImageMade():
                    pictures.append(inner.pixels)
                case StepDone():
                    seconds = inner.seconds_per_step
                    at = index + 1, count, inner.step, inner.total
                    self._on_event(RegionStep(*at, event.index, self._count, seconds))
                case Notice():
                    self._on_event(inner)

        self._within_region = True
        try:
            seed = (event.recipe.request.own_seed or 0) + index
            self._draw(request, seed % (SEED_MAXIMUM + 1), DrawnOver(masked.begin, masked), take)
        finally:
            self._within_region = False
        return pictures[0]

    def _tell_stopped(self, redrawn: _Redrawn) -> None:
        what = f"{redrawn.done} of {len(redrawn.regions)} regions" if redrawn.regions else "none of its regions"
        message = f"Detailer: stopped, so the picture is kept with {what} redrawn."
        self._on_event(Notice(message, "Its recipe skips the others."))

    def _emit(self, event: ImageMade, redrawn: _Redrawn, took_s: float, is_whole: bool) -> None:
        """Emit a picture; the recipe of one that was stopped skips the regions that are missing."""
        whole = redrawn.picture if is_whole else _as_clear(redrawn.picture, event.pixels)
        shown, reason = self._safety.judged(whole)
        recipe = event.recipe
        request = recipe.request
        facts: dict[str, Any] = {"regions": redrawn.regions}
        if not is_whole:
            text = prompt_up_to(request.detail_prompt, redrawn.done)
            request = request.model_copy(update={"detail_prompt": text, "finish": 1.0})
            facts["stopped_after"] = redrawn.done
        update = {
            "request": request,
            "blocked": reason,
            "duration_s": round(recipe.duration_s + took_s, 4),
            "made_with": {**recipe.made_with, DETAIL: facts},
        }
        self._on_event(replace(event, pixels=shown, recipe=recipe.model_copy(update=update)))


def _as_clear(picture: Image.Image, as_this: Image.Image) -> Image.Image:
    """Return a picture as transparent as another one."""
    if as_this.mode == "RGBA" and picture.mode == "RGB":
        picture = picture.copy()
        picture.putalpha(as_this.getchannel("A"))
    return picture


def check_regions(resolved: ResolvedRequest, size: tuple[int, int]) -> None:
    """Make sure that what is marked by hand lies in a finished picture of this width and height.

    Raises:
        InvalidRequest: A box lies outside; or the painted regions are of another size, or none.
    """
    request, mask = resolved.request, resolved.pictures.get(DETAIL_MASK)
    check_boxes(request.detail_boxes, size)
    if mask is None:
        return
    own = read_mask(mask).size
    if own != size:
        sizes = [" x ".join(map(str, one)) for one in (own, size)]
        message = f"{DETAIL_MASK.title} = {sizes[0]} pixels: allowed is the size of the finished picture, {sizes[1]}."
        raise InvalidRequest(DETAIL_MASK.field, message, "Paint it on that picture.")
    if not marked(request.model_copy(update={"detail_boxes": ""}), mask, size):
        message = f"{DETAIL_MASK.title} = all black: nothing would be redrawn."
        raise InvalidRequest(DETAIL_MASK.field, message, "Paint on it, or do without it.")


def finished_size(request: GenerationRequest, over: DrawnOver) -> tuple[int, int]:
    """Return the width and height of a request's picture before its regions are redrawn."""
    if over.unchanged is not None:
        return over.unchanged.size
    return second_size(request.width, request.height, dict(request))
