"""A1111's soft inpainting: at each call of the model what it foresees is mixed with the picture, by the soft mask.

The formulas are those of its extension (``extensions-builtin/soft-inpainting``): the noisier the latents, the more of
the picture is held, and a mixture keeps the contrast of its parts.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Final

import torch

from sdstudio.core.request.mask_fields import DIFFERENTIAL, SOFT_INPAINTING
from sdstudio.core.request.request import GenerationRequest
from sdstudio.engine.samplers.blending import Blending, DifferentialBlending
from sdstudio.engine.samplers.foreseen import level_of

_SMALL: Final = 1e-5
"""Added to lengths that are divided by."""


@dataclass(frozen=True, slots=True)
class Softness:
    """How soft inpainting mixes: the request's ``soft_bias``, ``soft_preservation`` and ``soft_contrast``."""

    bias: float
    preservation: float
    contrast: float

    def share(self, change: torch.Tensor, sigma: float) -> torch.Tensor:
        """Return the share of what is drawn where the mask is ``change``, at a noise level."""
        return torch.where(change > 0, change ** (sigma**self.bias * self.preservation), 0.0)

    def mixed(self, old: torch.Tensor, new: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
        """Return latents (B, C, h, w) between old and new ones, as long at each place as both are on average."""
        mixture = (1 - share) * old + share * new
        lengths = [torch.linalg.vector_norm(one, dim=1, keepdim=True) for one in (old, new, mixture)]
        wanted = ((1 - share) * lengths[0] ** self.contrast + share * lengths[1] ** self.contrast) ** (
            1 / self.contrast
        )
        return torch.where(share > 0, mixture * (wanted / (lengths[2] + _SMALL)), old)


class SoftInpainting(Blending):
    """Mixes what the model foresees with the picture, in place of putting it back after the steps."""

    def __init__(self, change: torch.Tensor, content: str, softness: Softness) -> None:
        super().__init__(change, content)
        self._softness = softness

    def watch(self, scheduler: Any) -> None:
        """Take hold of the picture, and change what the scheduler is given at every step from now on."""
        super().watch(scheduler)
        step = scheduler.step
        kind = scheduler.config.prediction_type

        @functools.wraps(step)  # pipelines read the signature to see whether a step takes eta and generators
        def softened(model_output: torch.Tensor, timestep: Any, sample: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            if self._clean is None:
                return step(model_output, timestep, sample, *args, **kwargs)
            level = level_of(scheduler, timestep)
            latents, change = _exact(sample), _exact(self._change)
            foreseen = level.clean(kind, _exact(model_output), latents)
            mixed = self._softness.mixed(_exact(self._clean), foreseen, self._softness.share(change, level.sigma))
            return step(level.output(kind, mixed, latents).to(model_output.dtype), timestep, sample, *args, **kwargs)

        scheduler.step = softened

    def after(self, scheduler: Any, index: int, total: int, latents: torch.Tensor) -> torch.Tensor:
        """Return the latents of a step as they are."""
        return latents

    def end(self, latents: torch.Tensor) -> torch.Tensor:
        """Return clean latents as they are."""
        return latents


def _exact(values: torch.Tensor) -> torch.Tensor:
    """Return values with as many digits as their device computes with."""
    return values.to(torch.float32 if values.device.type == "mps" else torch.float64)


def blending_of(request: GenerationRequest, change: torch.Tensor) -> Blending:
    """Return how a request keeps what is not masked."""
    if request.mask_blending == SOFT_INPAINTING:
        softness = Softness(request.soft_bias, request.soft_preservation, request.soft_contrast)
        return SoftInpainting(change, request.masked_content, softness)
    kind = DifferentialBlending if request.mask_blending == DIFFERENTIAL else Blending
    return kind(change, request.masked_content)
