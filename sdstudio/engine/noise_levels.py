"""At which noise levels a schedule steps: the formulae behind the rows of ``catalog/schedules.py``, in numpy.

A level is k-diffusion's sigma, noise over signal. The model's own table holds one for each trained timestep; a schedule
picks or computes ``steps`` levels between its ends, highest first, and the sampler steps from each to the next and from
the last one to 0. Sources: k-diffusion ``sampling.py`` and ``external.py``, A1111 ``modules/sd_schedulers.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import stats

Levels = npt.NDArray[np.float64]

RHO: Final = 7.0
"""Karras' exponent (Karras et al. 2022, section 3)."""
BETA: Final = 0.6
"""Both parameters of the beta distribution (A1111's and ComfyUI's)."""


@dataclass(frozen=True, slots=True)
class NoiseTable:
    """A model's noise levels.

    Attributes:
        sigmas: float64 (T,), ascending: one for each trained timestep.
        aligned: The family's Align Your Steps levels, highest first.
    """

    sigmas: Levels
    aligned: Sequence[float]

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
    """Return a schedule's levels: float64 (steps,), highest first, without the 0 at the end.

    Args:
        schedule: Key of a row of ``catalog/schedules.py`` other than "automatic".
        table: The model's.
        steps: At least 1.
    """
    return _FORMULAE[schedule](table, steps)


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


def _simple(table: NoiseTable, steps: int) -> Levels:
    stride = len(table.sigmas) / steps
    return _array(table.sigmas[[-1 - int(place * stride) for place in range(steps)]])


def _beta(table: NoiseTable, steps: int) -> Levels:
    low, high = table.ends
    return _array(low + stats.beta.ppf(1 - np.linspace(0, 1, steps), BETA, BETA) * (high - low))


def _align_your_steps(table: NoiseTable, steps: int) -> Levels:
    known = np.log(np.asarray(table.aligned))
    levels = np.interp(np.linspace(0, 1, steps), np.linspace(0, 1, len(known)), known)
    return _array(np.exp(levels))


def _kl_optimal(table: NoiseTable, steps: int) -> Levels:
    low, high = np.arctan(table.ends)
    return _array(np.tan(high + np.linspace(0, 1, steps) * (low - high)))


def _array(levels: npt.NDArray[np.floating]) -> Levels:
    return levels.astype(np.float64)


_FORMULAE: Final[Mapping[str, Callable[[NoiseTable, int], Levels]]] = MappingProxyType({
    "karras": _karras,
    "exponential": _exponential,
    "uniform": _uniform,
    "sgm_uniform": _sgm_uniform,
    "simple": _simple,
    "beta": _beta,
    "align_your_steps": _align_your_steps,
    "kl_optimal": _kl_optimal,
})  # fmt: skip
