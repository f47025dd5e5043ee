"""What a model's output says the clean latents are, and the output that says other ones, for every sampler.

Samplers stand at a level of noise that their class keeps in its own way; with it the output, the noisy latents and the
clean ones follow from each other: x = signal * clean + noise * epsilon.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from sdstudio.engine.samplers.blending import is_between


@dataclass(frozen=True, slots=True)
class Level:
    """How noisy the latents are that a model looks at.

    Attributes:
        signal: Share of the clean latents, the noise's being so that both squares sum up to 1.
        noise: Share of the noise.
        scale: By how much the sampler's own latents are larger than those.
    """

    signal: float
    noise: float
    scale: float = 1.0

    @property
    def sigma(self) -> float:
        """The same as one number, as k-diffusion has it: noise beside one whole of signal."""
        return self.noise / self.signal

    def clean(self, kind: str, output: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        """Return the clean latents that an output foresees; ``kind``: the scheduler's ``prediction_type``."""
        x = latents / self.scale
        if kind == "epsilon":
            return (x - self.noise * output) / self.signal
        return self.signal * x - self.noise * output if kind == "v_prediction" else output

    def output(self, kind: str, clean: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        """Return the output that foresees these clean latents."""
        x = latents / self.scale
        if kind == "epsilon":
            return (x - self.signal * clean) / self.noise
        return (self.signal * x - clean) / self.noise if kind == "v_prediction" else clean


def level_of(scheduler: Any, timestep: Any) -> Level:
    """Return the level at which a scheduler is about to step, whose model was asked at this timestep."""
    sigmas = getattr(scheduler, "sigmas", None)
    if sigmas is None or not hasattr(scheduler, "step_index"):
        return _of_signal(float(scheduler.alphas_cumprod[int(timestep)]))
    sigma = _sigma(scheduler, timestep)
    if hasattr(scheduler, "_sigma_to_alpha_sigma_t"):
        return _of_signal(1 / (1 + sigma**2))
    return Level(1 / math.hypot(1, sigma), sigma / math.hypot(1, sigma), math.hypot(1, sigma))


def _of_signal(squared: float) -> Level:
    return Level(math.sqrt(squared), math.sqrt(1 - squared))


def _sigma(scheduler: Any, timestep: Any) -> float:
    if is_between(scheduler):
        middle = getattr(scheduler, "mid_point_sigma", None)
        return float(middle) if middle is not None else _sigma_at(scheduler, float(timestep))
    if scheduler.step_index is None:
        scheduler._init_step_index(timestep)
    return float(scheduler.sigmas[scheduler.step_index])


def _sigma_at(scheduler: Any, timestep: float) -> float:
    """Return the level of a timestep that may lie between two, as the class itself finds a level's timestep."""
    table = ((1 - scheduler.alphas_cumprod.double()) / scheduler.alphas_cumprod.double()).log() / 2
    below = min(int(timestep), len(table) - 2)
    share = timestep - below
    return math.exp(float(table[below]) * (1 - share) + float(table[below + 1]) * share)
