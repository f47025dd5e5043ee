"""Models that were trained at continuous noise levels (EDM, Karras et al. 2022), drawn with every sampler of the table.

CosXL and Playground 2.5 are such. Their network is given 0.25 ln(sigma), and its output, F, makes of noisy latents x
the clean ones by (diffusers' ``EDMEulerScheduler``)

    D = s^2 / (sigma^2 + s^2) x + c F,   c = -sigma s / sqrt(sigma^2 + s^2) for v-prediction, + for "epsilon",

with s the deviation of the data. In units of s, x' = x / s and sigma' = sigma / s, this is

    D' = x' / (sigma'^2 + 1) -+ sigma' / sqrt(sigma'^2 + 1) F,

what every sampler computes for v = +-F at the noise level sigma'. So the samplers get a table of noise levels from
sigma_min / s to sigma_max / s, evenly apart in ln(sigma), and v-prediction; the network gets its own measure of time,
and its output is turned where it has the other sign. ComfyUI lays out the same table for schedules that need one.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch

TABLE: Final = 1000
"""Noise levels of the table, as many as ComfyUI's."""
CLASSES: Final = ("EDMEulerScheduler", "EDMDPMSolverMultistepScheduler")


@dataclass(frozen=True, slots=True)
class Edm:
    """How a network of this kind was trained.

    Attributes:
        sigma_min: Lowest noise level.
        sigma_max: Highest noise level.
        sigma_data: Deviation of the data.
        is_v: It predicts v; else what diffusers calls epsilon here, which is -v.
    """

    sigma_min: float
    sigma_max: float
    sigma_data: float
    is_v: bool

    @classmethod
    def of(cls, scheduler: Any) -> Edm | None:
        """Return how the model was trained that ships this scheduler, ``None`` for one that is not of this kind."""
        if type(scheduler).__name__ not in CLASSES:
            return None
        config = scheduler.config
        low, high, data = (float(config[name]) for name in ("sigma_min", "sigma_max", "sigma_data"))
        return cls(low, high, data, config["prediction_type"] == "v_prediction")

    @property
    def trained(self) -> Mapping[str, Any]:
        """Configuration of a discrete scheduler whose noise levels are these, in units of the data's deviation."""
        low, high = (math.log(level / self.sigma_data) for level in (self.sigma_min, self.sigma_max))
        sigmas = torch.linspace(low, high, TABLE, dtype=torch.float64).exp()
        signal = 1 / (1 + sigmas**2)
        betas = 1 - torch.cat([signal[:1], signal[1:] / signal[:-1]])
        return {"num_train_timesteps": TABLE, "trained_betas": betas.tolist(), "prediction_type": "v_prediction"}

    def network_time(self, timestep: torch.Tensor) -> torch.Tensor:
        """Return 0.25 ln(sigma) at a timestep of the table, which may lie between two of its levels."""
        low, high = math.log(self.sigma_min), math.log(self.sigma_max)
        return 0.25 * (low + (high - low) * timestep.float() / (TABLE - 1))

    def keep_exact(self, scheduler: Any) -> None:
        """Make a scheduler that takes one step a timestep keep its timesteps, which some classes round to whole ones.

        Two neighbours of the table are 1.1 % apart for CosXL.
        """
        set_timesteps = scheduler.set_timesteps
        low, high = (math.log(level / self.sigma_data) for level in (self.sigma_min, self.sigma_max))

        @functools.wraps(set_timesteps)
        def exact(*args: Any, **kwargs: Any) -> None:
            set_timesteps(*args, **kwargs)
            sigmas = getattr(scheduler, "sigmas", None)
            if scheduler.order == 1 and sigmas is not None and len(sigmas) == len(scheduler.timesteps) + 1:
                share = (sigmas[:-1].double().log() - low) / (high - low)
                scheduler.timesteps = (share * (TABLE - 1)).float().to(scheduler.timesteps.device)

        scheduler.set_timesteps = exact

    @contextlib.contextmanager
    def before(self, network: Any) -> Iterator[None]:
        """Within the block a UNet takes timesteps of the table, and returns v."""

        def ask(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
            if len(args) > 1:
                return (args[0], self.network_time(torch.as_tensor(args[1])), *args[2:]), kwargs
            return args, {**kwargs, "timestep": self.network_time(torch.as_tensor(kwargs["timestep"]))}

        def turn(_module: Any, _args: Any, output: Any) -> Any:
            return (-output[0], *output[1:]) if isinstance(output, tuple) else type(output)(sample=-output.sample)

        handles = [network.register_forward_pre_hook(ask, with_kwargs=True, prepend=True)]
        if not self.is_v:
            handles.append(network.register_forward_hook(turn, prepend=True))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
