"""A second, larger pass, after the first (A1111's "Hires. fix") or over an input picture; in one piece or in tiles.

It is the job that a hand would give: enlarge the finished picture, draw over it with its own steps. The noise is a new
draw of the same seeds at the larger size.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from sdstudio.core.errors import Cancelled
from sdstudio.core.events import Decoding, Encoding, EngineEvent, EventSink, StepDone
from sdstudio.core.request.input_fields import INIT
from sdstudio.core.request.larger_size import second_size
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.second_pass_fields import (
    LATENT,
    cost_of_second_step,
    over_input,
    second_prompts,
    steps_of_second,
)
from sdstudio.engine.batch import Batch
from sdstudio.engine.pictures.drawn_over import NOTHING, DrawnOver
from sdstudio.engine.pictures.input_picture import Enlarge, fitted
from sdstudio.engine.pictures.seamless import enlarged_going_on, joined_sides
from sdstudio.engine.tiles import TileDone, Tiles, tiles_of
from sdstudio.engine.unfinished import CancelledBatch, SampledBatch
from sdstudio.engine.within_memory import WithinMemory

_NOT_KEPT: Final = "0" * 64
"""Stands in the second request where the id of an input picture would."""

_ALMOST_ALL: Final = 0.999
"""A1111 counts steps of a larger strength as of this one."""

EncodedOver = Callable[[DrawnOver, GenerationRequest], Mapping[str, torch.Tensor]]
"""Returns what a request is drawn over as latents, but for an input picture, by the names `Family.begin` takes."""


def second_request(request: GenerationRequest) -> GenerationRequest:
    """Return what the second pass draws: over a picture of its size, with exactly the steps that are asked for."""
    width, height = second_size(request.width, request.height, dict(request))
    asked = steps_of_second(request)
    steps = max(int(asked / min(request.hires_strength, _ALMOST_ALL)), asked) if asked else 1
    prompt, negative_prompt = second_prompts(request)
    values: dict[str, Any] = {
        "width": width,
        "height": height,
        "steps": steps,
        # half a step more, because pipelines round down
        "strength": min((asked + 0.5) / steps, 1.0),
        "prompt": prompt,
        "negative_prompt": negative_prompt,
        "hires": 1.0,
        "hires_resize": "",
        "tile_redraw": "",
        INIT.field: _NOT_KEPT,
    }
    if request.hires_scheduler and request.hires_scheduler != request.scheduler:
        values |= {"scheduler": request.hires_scheduler, "schedule": "automatic", "last_level": "automatic"}
    if request.hires_schedule:
        values["schedule"] = request.hires_schedule
    return request.model_copy(update=values)


def second_tiles(request: GenerationRequest, cell_px: int) -> Tiles | None:
    """Return the tiles that a request's second pass is drawn in; ``None`` where it is drawn in one piece.

    Args:
        request: The job's.
        cell_px: Pixels on a side of a latent cell.
    """
    if not request.tile_redraw:
        return None
    width, height = second_size(request.width, request.height, dict(request))
    side, overlap = request.tile_size // cell_px, request.tile_overlap // cell_px
    tiles = tiles_of((height // cell_px, width // cell_px), side, overlap, joined_sides(request.seamless))
    return tiles if len(tiles) > 1 else None


def enlarged_latents(latents: torch.Tensor, request: GenerationRequest, cell_px: int) -> torch.Tensor:
    """Return latents (B, C, h, w) as large as the second pass draws, by A1111's interpolations.

    Of another shape they are enlarged until they cover that size, and cut on both sides alike.

    Args:
        latents: The first pass', scaled.
        request: Names the way; the first pass' size.
        cell_px: Pixels on a side of a latent cell.
    """
    mode, antialias = LATENT[request.hires_upscaler]
    first = request.width, request.height
    wanted = second_size(*first, dict(request))
    size = [side // cell_px for side in wanted]
    if wanted[0] * first[1] > wanted[1] * first[0]:  # A1111's integers (``modules/processing.py``)
        cover = size[0], max(wanted[0] * first[1] // first[0] // cell_px, size[1])
    else:
        cover = max(wanted[1] * first[0] // first[1] // cell_px, size[0]), size[1]
    if not (request.hires_resize or request.tile_redraw):
        cover = size[0], size[1]
    larger = functional.interpolate(latents.float(), cover[::-1], mode=mode, antialias=antialias).to(latents.dtype)
    left, top = ((whole - side) // 2 for whole, side in zip(cover, size, strict=True))
    return larger[..., top : top + size[1], left : left + size[0]]


def _values_of(picture: Image.Image) -> torch.Tensor:
    """Return a picture's values (1, 3, H, W), 0..1, of which a decoded batch's pictures are made again, bit by bit."""
    return torch.from_numpy(np.asarray(picture, np.float32) / 255).permute(2, 0, 1)[None]


@dataclass(frozen=True, slots=True)
class Part:
    """Pictures of a batch that are drawn together to their end.

    Attributes:
        batch: They.
        drawn: What was drawn.
        begins: How many pictures of the whole batch stand before them.
        sampled_s: How long both passes took for each.
    """

    batch: Batch
    drawn: SampledBatch
    begins: int
    sampled_s: float

    def behind(self, count: int) -> Part:
        """Return the pictures behind the first ones."""
        batch = replace(self.batch, seeds=self.batch.seeds[count:], first=self.batch.first + count)
        drawn = replace(self.drawn, latents=self.drawn.latents[count:])
        return Part(batch, drawn, self.begins + count, self.sampled_s)


class SecondPass:
    """The second pass of one job.

    Args:
        model: What draws.
        request: The job's.
        over: The input picture, as large as the second pass draws; `NOTHING` for a job with a first pass.
        enlarge: Makes a picture larger.
        on_event: Called with events.
        encoded_over: See `EncodedOver`.

    Attributes:
        tiles: In which it is drawn; ``None`` for one piece.
        made_with: What recipes record of it, once it is done.
        before: Steps of the first pass, 0 until it has ended.
        total: Steps of both; right once the second has begun.
    """

    def __init__(
        self, model: WithinMemory, request: GenerationRequest, over: DrawnOver, enlarge: Enlarge, on_event: EventSink,
        encoded_over: EncodedOver,
    ) -> None:  # fmt: skip
        self._model = model
        self._request = request
        self._over = over
        self._enlarge = enlarge
        self._on_event = on_event
        self._encoded_over = encoded_over
        self._begin: torch.Tensor | None = None
        self._last = 0
        self.tiles = second_tiles(request, model.loaded.pipe.vae_scale_factor)
        self.made_with: dict[str, Any] = {}
        self.before = 0
        self.total = 0

    @property
    def has_first(self) -> bool:
        """Whether a first pass comes before it."""
        return not over_input(self._request)

    def first(self, event: EngineEvent) -> None:
        """Pass on what the first pass emits, with its steps as part of all."""
        if isinstance(event, StepDone):
            self._last = event.total
            steps = steps_of_second(self._request)
            steps = round(event.total * steps / self._request.steps)
            rest = steps * cost_of_second_step(self._request)
            self.total = event.total + steps
            event = replace(event, total=self.total, left=event.total - event.step + rest, whole=event.total + rest)
        self._on_event(event)

    def parts(
        self, batch: Batch, first: SampledBatch | None, took_s: float, stopped: Callable[[Part, int, int], None]
    ) -> Iterator[Part]:
        """Yield the pictures of a batch as they are done, as many at once as the plan allows.

        Args:
            batch: All of them.
            first: What the first pass has drawn of them, ``None`` where there was none.
            took_s: How long that took for each.
            stopped: Called with a part that is cancelled and has come to something, the last step that was done, and
                how many there would have been. Before the first step it is what the first pass has drawn.

        Raises:
            Cancelled: As `sample`.
        """
        self.before = self._last
        request = second_request(self._request)
        inputs = self._encoded_over(NOTHING, request)
        done = 0
        while done < len(batch.seeds):
            self._model.loaded.attached.begin_pass(second=True)  # a region may have been drawn between two parts
            begun, end = time.monotonic(), min(done + self._model.plan.batch_size, len(batch.seeds))
            part = Batch(batch.seeds[done:end], batch.first + done, batch.image_count)
            small = None if first is None else replace(first, latents=first.latents[done:end])

            def of(drawn: SampledBatch) -> Part:
                return Part(part, drawn, done, took_s + (time.monotonic() - begun) / len(part.seeds))  # noqa: B023

            try:
                drawn = self._drawn(part, small, request, inputs)
            except CancelledBatch as error:
                stopped(of(error.drawn), self.before + error.step, self.total)
                raise
            except Cancelled:
                if small is not None:
                    stopped(of(small), self.before, self.total)
                raise
            if drawn is not None:
                yield of(drawn)
                done = end

    def _drawn(
        self, part: Batch, small: SampledBatch | None, request: GenerationRequest, inputs: Mapping[str, torch.Tensor]
    ) -> SampledBatch | None:
        """Return what the second pass draws of a part; ``None`` when memory ran out and the plan is thriftier now."""
        larger = self._larger(part, small)
        if not steps_of_second(self._request):
            assert small is not None
            return replace(small, latents=larger, decoded=self._request.hires_upscaler not in LATENT)
        drawn = self._model.sampled(request, part, self._second, {**inputs, INIT.field: larger}, self.tiles)
        if drawn is not None and small is not None:
            self.made_with = {"second_pass": {"scheduler": drawn.scheduler, "schedule": drawn.schedule}}
            return replace(small, latents=drawn.latents)
        return drawn

    def _larger(self, part: Batch, small: SampledBatch | None) -> torch.Tensor:
        """Return what is drawn over: latents, or where no step is run pixels 0..1, as `SampledBatch` has them."""
        if small is None:
            assert self._over.picture is not None
            if self._begin is None:
                self._begin = self._model.encoded(self._over.picture, self._on_encoded())
            return self._begin
        if self._request.hires_upscaler in LATENT:
            return enlarged_latents(small.latents, self._request, self._model.loaded.pipe.vae_scale_factor)
        pictures = self._enlarged(small, part)
        if not steps_of_second(self._request):
            return torch.cat([_values_of(picture) for picture in pictures])
        return torch.cat([self._model.encoded(picture, self._on_encoded()) for picture in pictures])

    def _enlarged(self, drawn: SampledBatch, part: Batch) -> list[Image.Image]:
        """Return the pictures that the first pass has drawn, as large as the second draws."""
        self._on_event(Decoding(part.first, part.image_count))
        size = second_size(self._request.width, self._request.height, dict(self._request))
        pictures: list[Image.Image] = []
        while len(pictures) < len(part.seeds):
            count = 1 if self._model.plan.vae_slicing else len(part.seeds) - len(pictures)
            some = replace(drawn, latents=drawn.latents[len(pictures) : len(pictures) + count])
            decoded, retried = self._model.decoded(some)
            self._model.retried |= retried
            pictures += decoded or []
        enlarge = enlarged_going_on(self._enlarge, self._request.seamless)
        return [fitted(picture, *size, "crop", enlarge) for picture in pictures]

    def _on_encoded(self) -> TileDone | None:
        if self.tiles is None:
            return None
        return lambda done, total: self._on_event(Encoding(done, total))

    def _second(self, event: EngineEvent) -> None:
        """Pass on what the second pass emits, with its steps as part of all."""
        if isinstance(event, StepDone):
            first = self.before / cost_of_second_step(self._request)
            self.total = self.before + event.total
            left = event.total - event.done
            event = replace(
                event, step=self.before + event.step, total=self.total, left=left, whole=first + event.total
            )  # fmt: skip
        self._on_event(event)
