"""What a second, larger pass begins from and draws, after the first (A1111's "Hires. fix").

It is the job that a hand would give: enlarge the finished picture, draw over it with its own steps. The noise is a new
draw of the same seeds at the larger size.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from sdstudio.core.events import EngineEvent, EventSink, StepDone
from sdstudio.core.request.input_fields import INIT
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.second_pass_fields import LATENT, idle_without_second_pass, second_size

_NOT_KEPT: Final = "0" * 64
"""Stands in the second request where the id of an input picture would."""

_ALMOST_ALL: Final = 0.999
"""A1111 counts steps of a larger strength as of this one."""


def has_second_pass(request: GenerationRequest) -> bool:
    """Say whether a request asks for a second pass."""
    return "hires_strength" not in idle_without_second_pass(dict(request))


def steps_of_second(request: GenerationRequest) -> int:
    """Return how many steps the second pass runs; 0 where it only enlarges."""
    return (request.hires_steps or request.steps) if request.hires_strength else 0


def second_request(request: GenerationRequest) -> GenerationRequest:
    """Return what the second pass draws: over a picture of its size, with exactly the steps that are asked for."""
    width, height = second_size(request.width, request.height, request.hires)
    asked = steps_of_second(request)
    steps = max(int(asked / min(request.hires_strength, _ALMOST_ALL)), asked) if asked else 1
    values = {
        "width": width,
        "height": height,
        "steps": steps,
        # half a step more, because pipelines round down
        "strength": min((asked + 0.5) / steps, 1.0),
        "prompt": request.hires_prompt or request.prompt,
        "negative_prompt": request.hires_negative_prompt or request.negative_prompt,
        "hires": 1.0,
        INIT.field: _NOT_KEPT,
    }
    if request.hires_scheduler and request.hires_scheduler != request.scheduler:
        values |= {"scheduler": request.hires_scheduler, "schedule": "automatic", "last_level": "automatic"}
    return request.model_copy(update=values)


def enlarged_latents(latents: torch.Tensor, request: GenerationRequest, cell_px: int) -> torch.Tensor:
    """Return latents (B, C, h, w) as large as the second pass draws, by A1111's interpolations.

    Args:
        latents: The first pass', scaled.
        request: Names the way; the first pass' size.
        cell_px: Pixels on a side of a latent cell.
    """
    mode, antialias = LATENT[request.hires_upscaler]
    width, height = second_size(request.width, request.height, request.hires)
    size = height // cell_px, width // cell_px
    return functional.interpolate(latents.float(), size, mode=mode, antialias=antialias).to(latents.dtype)


def values_of(picture: Image.Image) -> torch.Tensor:
    """Return a picture's values (1, 3, H, W), 0..1, of which a decoded batch's pictures are made again, bit by bit."""
    return torch.from_numpy(np.asarray(picture, np.float32) / 255).permute(2, 0, 1)[None]


class CountedTogether:
    """Tells the steps of both passes as one count; `total` is right once the second has begun.

    Attributes:
        before: Steps of the first pass, 0 until it has ended.
        total: Steps of both.
    """

    def __init__(self, request: GenerationRequest, on_event: EventSink) -> None:
        self._on_event = on_event
        self._share = steps_of_second(request) / request.steps
        self.before = 0
        self.total = 0
        self._last = 0

    def first(self, event: EngineEvent) -> None:
        """Pass on what the first pass tells."""
        if isinstance(event, StepDone):
            self._last = event.total
            self.total = event.total + round(event.total * self._share)
            event = replace(event, total=self.total)
        self._on_event(event)

    def end_first(self) -> None:
        """Count on from the steps that the first pass has run."""
        self.before = self._last

    def second(self, event: EngineEvent) -> None:
        """Pass on what the second pass tells."""
        if isinstance(event, StepDone):
            self.total = self.before + event.total
            event = replace(event, step=self.before + event.step, total=self.total)
        self._on_event(event)
