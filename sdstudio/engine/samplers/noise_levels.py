"""At which noise levels a schedule steps: the formulae behind the rows of ``catalog/schedules.py``, in numpy.

A level is k-diffusion's sigma, noise over signal. The model's own table holds one for each trained timestep; a schedule
picks or computes ``steps`` levels between its ends, highest first, and the sampler steps from each to the next and from
the last one to 0. Two of A1111's end at the lowest level instead, and of some formulae come a few levels more or less.
Sources: k-diffusion ``sampling.py`` and ``external.py``, A1111 ``modules/sd_schedulers.py``, ComfyUI
``comfy/samplers.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import stats

from sdstudio.catalog.aligned_levels import ALIGNED, aligned_levels

Levels = npt.NDArray[np.float64]

RHO: Final = 7.0
"""Karras' exponent (Karras et al. 2022, section 3)."""
BETA: Final = 0.6
"""Both parameters of the beta distribution (A1111's and ComfyUI's)."""
LCM_TIMESTEPS: Final = 50
"""Timesteps that latent-consistency models are distilled with (A1111 ``modules/sd_samplers_lcm.py``)."""
HYPER_SD_TIMESTEP: Final = 800
"""Where Hyper-SD's UNet for one step begins (the card of ByteDance/Hyper-SD, and its node for ComfyUI)."""
LINEAR_PART: Final = 0.025
"""By how much of the highest level the first half of a linear-quadratic schedule falls (ComfyUI's default)."""


@dataclass(frozen=True, slots=True)
class NoiseTable:
    """A model's noise levels.

    Attributes:
        sigmas: float64 (T,), ascending: one for each trained timestep.
        aligned: The family's Align Your Steps levels, highest first.
        family: Its key, for the tables of other programs.
    """

    sigmas: Levels
    aligned: Sequence[float]
    family: str = "sd1"

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest level."""
        return float(self.sigmas[0]), float(self.sigmas[-1])

    def at(self, timesteps: Levels) -> Levels:
        """Return the levels at fractional timesteps, log-linear between the table's."""
        return _array(np.exp(np.interp(timesteps, np.arange(len(self.sigmas)), np.log(self.sigmas))))

    def timesteps(self, levels: Levels) -> Levels:
        """Return the fractional timesteps of levels, within the table's."""
        return np.interp(np.log(levels), np.log(self.sigmas), np.arange(len(self.sigmas), dtype=np.float64))


def noise_levels(schedule: str, table: NoiseTable, steps: int) -> Levels:
    """Return a schedule's levels: float64 (steps,), highest first, without the one at which the last step ends.

    "ddim_uniform" and "time_uniform" have one more where the steps do not divide the timesteps, "beta_comfyui" may have
    fewer.

    Args:
        schedule: Key of a row of ``catalog/schedules.py`` other than "automatic", or the ``levels`` of a sampler.
        table: The model's.
        steps: At least 1.
    """
    return _FORMULAE[schedule](table, steps)


def stepped_levels(schedule: str, table: NoiseTable, steps: int, without_last: bool = False) -> tuple[Levels, float]:
    """Return the levels at which a sampler asks the model, and the one at which its last step ends, 0 mostly.

    Args:
        schedule: See `noise_levels`.
        table: The model's.
        steps: At least 1.
        without_last: Compute one level more, and leave out the last: k-diffusion's programs do it for some samplers
            ("discard penultimate sigma").
    """
    levels = noise_levels(schedule, table, steps + 1)[:-1] if without_last else noise_levels(schedule, table, steps)
    return levels, table.ends[0] if schedule in _END_AT_LOWEST else 0.0


def _karras(table: NoiseTable, steps: int) -> Levels:
    low, high = (end ** (1 / RHO) for end in table.ends)
    return _array((high + np.linspace(0, 1, steps) * (low - high)) ** RHO)


def _exponential(table: NoiseTable, steps: int) -> Levels:
    low, high = table.ends
    return _array(np.exp(np.linspace(np.log(high), np.log(low), steps)))


def _uniform(table: NoiseTable, steps: int) -> Levels:
    return table.at(np.linspace(len(table.sigmas) - 1, 0, steps))


def _sgm_uniform(table: NoiseTable, steps: int) -> Levels:
    return table.at(np.linspace(len(table.sigmas) - 1, 0, steps + 1)[:-1])


def _from_800(table: NoiseTable, steps: int) -> Levels:
    return table.at(np.linspace(HYPER_SD_TIMESTEP, 0, steps + 1)[:-1])


def _simple(table: NoiseTable, steps: int) -> Levels:
    stride = len(table.sigmas) / steps
    return _array(table.sigmas[[-1 - int(place * stride) for place in range(steps)]])


def _beta(table: NoiseTable, steps: int) -> Levels:
    low, high = table.ends
    return _array(low + stats.beta.ppf(1 - np.linspace(0, 1, steps), BETA, BETA) * (high - low))


def _beta_comfyui(table: NoiseTable, steps: int) -> Levels:
    places = stats.beta.ppf(1 - np.linspace(0, 1, steps, endpoint=False), BETA, BETA)
    timesteps = np.rint(places * (len(table.sigmas) - 1)).astype(int)
    return _array(table.sigmas[timesteps[np.append(True, np.diff(timesteps) != 0)]])


def _ddim_uniform(table: NoiseTable, steps: int) -> Levels:
    return _array(table.sigmas[1 :: max(len(table.sigmas) // steps, 1)][::-1])


def _turbo(table: NoiseTable, steps: int) -> Levels:
    last = len(table.sigmas) - 1
    timesteps = np.rint(np.arange(steps, 0, -1) * (len(table.sigmas) / steps) - 1)
    return _array(table.sigmas[timesteps.clip(0, last).astype(int)])


def _time_uniform(table: NoiseTable, steps: int) -> Levels:
    """Return what A1111's UniPC steps at; its levels between the table's are linear in the logarithm of the signal."""
    count = len(range(0, len(table.sigmas), max(len(table.sigmas) // steps, 1)))
    timesteps = np.linspace(len(table.sigmas) - 1, 0, count + 1)[:-1]
    signal = np.interp(timesteps, np.arange(len(table.sigmas)), -0.5 * np.log1p(table.sigmas**2))
    return _array(np.sqrt(np.expm1(-2 * signal)))


def _lcm_uniform(table: NoiseTable, steps: int) -> Levels:
    stride = max(len(table.sigmas) // LCM_TIMESTEPS, 1)
    known = np.log(table.sigmas[stride - 1 :: stride])
    places = np.linspace(len(known) - 1, 0, steps)
    return _array(np.exp(np.interp(places, np.arange(len(known)), known)))


def _linear_quadratic(table: NoiseTable, steps: int) -> Levels:
    """Return ComfyUI's levels: the first half falls by a 40th of the highest in all, the rest along a parabola."""
    if steps == 1:
        return _array(table.sigmas[-1:])
    half = steps // 2
    rest = steps - half
    excess = half - LINEAR_PART * steps
    square = excess / (half * rest**2)
    slope = LINEAR_PART / half - 2 * excess / rest**2
    places = np.arange(steps, dtype=np.float64)
    fallen = np.where(places < half, places * LINEAR_PART / half, square * (places**2 + half**2) + slope * places)
    return _array((1 - fallen) * table.sigmas[-1])


def _align_your_steps(table: NoiseTable, steps: int) -> Levels:
    return _log_linear(table.aligned, steps)


def _log_linear(levels: Sequence[float], steps: int) -> Levels:
    known = np.log(np.asarray(levels))
    return _array(np.exp(np.interp(np.linspace(0, 1, steps), np.linspace(0, 1, len(known)), known)))


def _of_another_table(key: str) -> Callable[[NoiseTable, int], Levels]:
    return lambda table, steps: _log_linear(aligned_levels(key, table.family), steps)


def _kl_optimal(table: NoiseTable, steps: int) -> Levels:
    low, high = np.arctan(table.ends)
    return _array(np.tan(high + np.linspace(0, 1, steps) * (low - high)))


def _kl_optimal_a1111(table: NoiseTable, steps: int) -> Levels:
    return _kl_optimal(table, steps + 1)[:-1]


def _array(levels: npt.NDArray[np.floating]) -> Levels:
    return levels.astype(np.float64)


_FORMULAE: Final[Mapping[str, Callable[[NoiseTable, int], Levels]]] = MappingProxyType({
    "karras": _karras,
    "exponential": _exponential,
    "uniform": _uniform,
    "sgm_uniform": _sgm_uniform,
    "simple": _simple,
    "ddim_uniform": _ddim_uniform,
    "turbo": _turbo,
    "from_800": _from_800,
    "beta": _beta,
    "beta_comfyui": _beta_comfyui,
    "align_your_steps": _align_your_steps,
    **{key: _of_another_table(key) for key in ALIGNED},
    "kl_optimal": _kl_optimal,
    "kl_optimal_a1111": _kl_optimal_a1111,
    "linear_quadratic": _linear_quadratic,
    "lcm_uniform": _lcm_uniform,
    "time_uniform": _time_uniform,
})  # fmt: skip
_END_AT_LOWEST: Final = frozenset({"kl_optimal_a1111", "time_uniform"})
"""Formulae whose last step ends at the model's lowest level, and not at 0."""
