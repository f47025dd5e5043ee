"""How a diffusers scheduler is made to step at given noise levels, and to end at another than zero.

Diffusers can follow three schedules by flags of its own, some classes none; most share the method that the Karras flag
leads through, which is replaced on the instance. Where the last step ends above zero, the scheduler is given that level
as one more, and the step from there is left out: all before it stays as the class does it.
"""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import torch

from sdstudio.engine.samplers.noise_levels import Levels, NoiseTable


def hand_levels(scheduler: Any, table: NoiseTable, levels: Levels, end: float) -> None:
    """Make a scheduler step at these noise levels, in every copy of it too.

    Args:
        scheduler: A fresh one.
        table: The model's levels.
        levels: Highest first, without the last.
        end: The level at which the last step ends.
    """
    scheduler.steps_taken = len(levels)
    scheduler.ends_above_zero = end > 0
    levels = np.append(levels, end) if end > 0 else levels
    scheduler.level_count = len(levels)
    if hasattr(scheduler, "_convert_to_karras"):

        def given(in_sigmas: Any, num_inference_steps: int | None = None) -> Levels:
            return levels.copy()

        scheduler._convert_to_karras = given
        scheduler.register_to_config(use_karras_sigmas=True)  # leads through the hook; costs at construction
        scheduler.set_timesteps = types.MethodType(set_from_first, scheduler)  # bound anew in a deep copy
        return
    scheduler.own_levels = torch.from_numpy(np.append(levels, 0.0).astype(np.float32))
    scheduler.own_timesteps = torch.from_numpy(table.timesteps(levels).astype(np.float32))
    scheduler.set_timesteps = types.MethodType(_set_own, scheduler)  # bound anew in a deep copy, as no closure is


def set_from_first(self: Any, num_inference_steps: int, device: Any = None) -> None:
    """Begin at the first level whatever its timestep: of two that are rounded to the same, diffusers takes the second.

    Every step would then be one level too far, and the last one have none left. A picture to begin from passes the
    place itself, afterwards. A schedule may have more levels or fewer than the pipeline was asked for.
    """
    type(self).set_timesteps(self, self.level_count, device)
    _end_as_told(self)


def _set_own(self: Any, num_inference_steps: int, device: Any = None) -> None:
    type(self).set_timesteps(self, self.level_count, device)
    self.sigmas = self.own_levels.clone()
    self.timesteps = self.own_timesteps.to(device)
    _end_as_told(self)


def _end_as_told(self: Any) -> None:
    if self.ends_above_zero:
        self.timesteps = self.timesteps[:-1]
    self.set_begin_index(0)


def hand_every_timestep(scheduler: Any, steps: int) -> None:
    """Make a scheduler with timesteps of its own go through every n-th of the model's, of which one more may be left.

    Diffusers takes as many as there are steps, and would begin below the highest: at 30 steps at timestep 958 of 999.
    Where the last would be one beyond the model's, which CompVis' code fails at, it is as diffusers has it.
    """
    trained = len(scheduler.alphas_cumprod)
    stride = max(trained // steps, 1)
    timesteps = np.arange(0, trained, stride) + 1
    if len(timesteps) != steps and timesteps[-1] < trained:
        scheduler.asked_steps = steps  # decides how far a step goes, not how many there are
        scheduler.every_timestep = timesteps[::-1].copy()
        scheduler.steps_taken = len(timesteps)
        scheduler.set_timesteps = types.MethodType(_set_every, scheduler)


def _set_every(self: Any, num_inference_steps: int, device: Any = None) -> None:
    type(self).set_timesteps(self, self.asked_steps, device)
    twice = len(self.timesteps) > self.asked_steps  # PNDM asks the model twice for its first step
    every = np.insert(self.every_timestep, 1, self.every_timestep[1]) if twice else self.every_timestep
    self.timesteps = torch.from_numpy(every).to(device)
