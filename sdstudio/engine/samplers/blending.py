"""How a picture is kept where it is not drawn anew while a sampler goes through its steps.

After each step what is kept is put back, with the noise that the picture began with at the level the sampler has come
to, as diffusers' inpainting pipelines do (``pipeline_stable_diffusion_inpaint.py``); after the last one without noise.
Every scheduler knows itself how much noise that is, so that this serves each of them. With differential diffusion
(Levin and Fried 2023) what is masked in part is put back until so late in the steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch

from sdstudio.core.request.mask_fields import LATENT_NOISE, LATENT_NOTHING

_LEVEL_BETWEEN: Final = ("KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler", "DPMSolverSDEScheduler")
"""Classes that stand, half-way through a step, at a level that their ``add_noise`` does not know."""


class Blending:
    """Keeps a picture in one run of a sampler; it lets the mask's white part go, and holds its black part.

    Args:
        change: (1, 1, h, w), 0 to 1: what is drawn anew.
        content: The request's ``masked_content``.
    """

    def __init__(self, change: torch.Tensor, content: str) -> None:
        self._change = change
        self._content = content
        self._clean: torch.Tensor | None = None
        self._noise: torch.Tensor | None = None

    def watch(self, scheduler: Any) -> None:
        """Take hold of the picture and its noise when a pipeline puts them together, before the first step."""
        add_noise: Callable[..., torch.Tensor] = scheduler.add_noise

        def taken(original: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
            self._change = self._change.to(original)
            self._clean, self._noise = self._begun(original, noise), noise
            scheduler.add_noise = add_noise
            return add_noise(self._clean, noise, timesteps)

        scheduler.add_noise = taken

    def after(self, scheduler: Any, index: int, total: int, latents: torch.Tensor) -> torch.Tensor:
        """Return the latents (B, C, h, w) of a step, its number from 0 on, with what is kept put back."""
        done = index + 1
        if self._clean is None or self._noise is None or (done < total and is_between(scheduler)):
            return latents
        if done == total:
            return self.end(latents)
        timesteps = scheduler.timesteps
        timestep = timesteps[len(timesteps) - total + done]
        kept = scheduler.add_noise(self._clean, self._noise, timestep.reshape(1))
        return self._joined(kept, latents, self._changing(done / total))

    def end(self, latents: torch.Tensor) -> torch.Tensor:
        """Return clean latents with what is kept put back."""
        if self._clean is None:
            return latents
        return self._joined(self._clean.to(latents), latents, (self._change > 0).to(latents))

    def _changing(self, done: float) -> torch.Tensor:
        """Return what the next step may change, when this share of the steps is done."""
        return (self._change > 0).to(self._change)

    def _joined(self, kept: torch.Tensor, latents: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
        joined: torch.Tensor = ((1 - change) * kept + change * latents).to(latents.dtype)
        return joined

    def _begun(self, original: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        if self._content == LATENT_NOISE:
            return original * (1 - self._change) + noise * self._change
        return original * (1 - self._change) if self._content == LATENT_NOTHING else original


class DifferentialBlending(Blending):
    """Lets a part that is masked by half change in the second half of the steps, and so on."""

    def _changing(self, done: float) -> torch.Tensor:
        return ((self._change > 0) & (self._change >= 1 - done)).to(self._change)


def is_between(scheduler: Any) -> bool:
    """Whether a scheduler has done the first half of a step and stands at a level of its own."""
    return type(scheduler).__name__ in _LEVEL_BETWEEN and not scheduler.state_in_first_order


def begin_from_noise(scheduler: Any) -> None:
    """Make a pipeline that draws over a picture begin from noise alone, as one that draws from text does."""
    add_noise: Callable[..., torch.Tensor] = scheduler.add_noise

    def alone(_original: torch.Tensor, noise: torch.Tensor, _timesteps: torch.Tensor) -> torch.Tensor:
        scheduler.add_noise = add_noise
        level: float = float(scheduler.init_noise_sigma)
        return noise * level

    scheduler.add_noise = alone
