"""How much fresh noise a sampler adds: eta for Euler a, churn for Euler, which diffusers leaves out or gets wrong.

Both take the place of one scheduler's ``step`` and draw from the generators that the pipeline hands to it, so that each
picture of a batch keeps its own noise. They are bound methods: a deep copy of the scheduler binds them to itself.
"""

from __future__ import annotations

import sys
import types
from typing import Any, Final

import numpy as np
import torch

from sdstudio.engine.samplers.level_hooks import set_from_first
from sdstudio.engine.samplers.noise_levels import NoiseTable

MOST_CHURN: Final = 2**0.5 - 1
"""A level is lifted by at most this part (Karras et al. 2022, algorithm 2)."""


def soften(scheduler: Any, eta: float) -> None:
    """Make Euler ancestral add only this part of its noise, as k-diffusion's ``eta``; at 0 it is Euler.

    Args:
        scheduler: A fresh ``EulerAncestralDiscreteScheduler``.
        eta: 0 to 1.
    """
    scheduler.eta = eta
    scheduler.step = types.MethodType(_softened_step, scheduler)


def _softened_step(
    self: Any, model_output: torch.Tensor, timestep: Any, sample: torch.Tensor, generator: Any = None,
    return_dict: bool = True,
) -> Any:  # fmt: skip
    """Take the stock step apart into drift and noise, and put them together anew."""
    result = type(self).step(self, model_output, timestep, sample, generator=generator, return_dict=True)
    before, after = self.sigmas[self.step_index - 1], self.sigmas[self.step_index]
    up = (after**2 * (before**2 - after**2) / before**2) ** 0.5
    sample = sample.to(torch.float32)
    slope = (sample - result.pred_original_sample) / before
    noise = result.prev_sample - (sample + slope * ((after**2 - up**2) ** 0.5 - before))
    down = (after**2 - (self.eta * up) ** 2) ** 0.5
    result.prev_sample = (sample + slope * (down - before) + self.eta * noise).to(model_output.dtype)
    return result if return_dict else (result.prev_sample, result.pred_original_sample)


def churn(scheduler: Any, amount: float, table: NoiseTable) -> None:
    """Make Euler lift each noise level before it steps down from it (k-diffusion's ``s_churn``).

    Diffusers' own ``s_churn`` adds the noise after the model has looked, and steps with what it predicted for the
    sample without it. Here the noise comes at the end of the step before, and the model is asked at the lifted level.

    Args:
        scheduler: A fresh ``EulerDiscreteScheduler``.
        amount: Spread over all steps; each is lifted by ``amount / steps``, at most 0.41.
        table: The model's levels.
    """
    scheduler.churn_amount = amount
    scheduler.noise_table = table
    scheduler.set_timesteps = types.MethodType(_set_lifted, scheduler)
    scheduler.step = types.MethodType(_lifted_step, scheduler)


def _set_lifted(self: Any, num_inference_steps: int, device: Any = None) -> None:
    set_from_first(self, num_inference_steps, device)
    self.plain_sigmas = self.sigmas.clone()
    self.lifted_sigmas = self.sigmas * (1 + min(self.churn_amount / self.steps_taken, MOST_CHURN))
    self.lifted_sigmas[self.steps_taken] = self.plain_sigmas[self.steps_taken]  # no step begins where the last one ends
    self.sigmas = self.lifted_sigmas.clone()
    timesteps = self.noise_table.timesteps(self.lifted_sigmas[: self.steps_taken].double().numpy())
    self.timesteps = torch.from_numpy(timesteps.astype(np.float32)).to(device)


def _lifted_step(
    self: Any, model_output: torch.Tensor, timestep: Any, sample: torch.Tensor, generator: Any = None,
    return_dict: bool = True,
) -> Any:  # fmt: skip
    if self.step_index is None:
        self._init_step_index(timestep)
    reached = self.step_index + 1
    low, high = self.plain_sigmas[reached], self.lifted_sigmas[reached]
    self.sigmas[reached] = low
    result = type(self).step(self, model_output, timestep, sample, generator=generator, return_dict=True)
    self.sigmas[reached] = high
    lifted = result.prev_sample
    draw = sys.modules[type(self).__module__].randn_tensor  # where noise of another kind is put in: engine.noise
    noise = draw(lifted.shape, dtype=lifted.dtype, device=lifted.device, generator=generator)
    result.prev_sample = lifted + noise * (high**2 - low**2) ** 0.5
    return result if return_dict else (result.prev_sample, result.pred_original_sample)
