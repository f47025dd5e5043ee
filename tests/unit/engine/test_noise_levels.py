"""Against k-diffusion's and A1111's own formulae, written down once more in the slowest way."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import betaincinv

from sdstudio.catalog.families import FAMILIES, FAMILY_BY_KEY
from sdstudio.catalog.schedules import EVERY_SCHEDULE
from sdstudio.engine.noise_levels import NoiseTable, noise_levels

BETAS = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
SIGNAL = torch.cumprod(1 - BETAS, 0)
SIGMAS = ((1 - SIGNAL) / SIGNAL) ** 0.5
LOW, HIGH = float(SIGMAS[0]), float(SIGMAS[-1])


def table(family="sd1"):
    return NoiseTable(SIGMAS.numpy(), FAMILY_BY_KEY[family].align_your_steps)


def t_to_sigma(t):
    """k-diffusion ``DiscreteSchedule.t_to_sigma``."""
    low, high = math.floor(t), math.ceil(t)
    w = t - low
    logs = SIGMAS.log()
    return math.exp((1 - w) * float(logs[low]) + w * float(logs[high]))


def loglinear(levels, n):
    """NVIDIA's ``loglinear_interp``."""
    xs = np.linspace(0, 1, len(levels))
    ys = np.log(levels[::-1])
    return np.exp(np.interp(np.linspace(0, 1, n), xs, ys))[::-1] if n > 1 else np.array(levels[:1])


REFERENCE = {
    "karras": lambda n: [
        (HIGH ** (1 / 7) + i / max(n - 1, 1) * (LOW ** (1 / 7) - HIGH ** (1 / 7))) ** 7 for i in range(n)
    ],
    "exponential": lambda n: torch.linspace(math.log(HIGH), math.log(LOW), n, dtype=torch.float64).exp().tolist(),
    "uniform": lambda n: [t_to_sigma(999 - 999 * i / max(n - 1, 1)) for i in range(n)],
    "sgm_uniform": lambda n: [t_to_sigma(999 - 999 * i / n) for i in range(n)],
    "simple": lambda n: [float(SIGMAS[-(1 + int(i * (1000 / n)))]) for i in range(n)],
    "beta": lambda n: [LOW + betaincinv(0.6, 0.6, 1 - i / max(n - 1, 1)) * (HIGH - LOW) for i in range(n)],
    "align_your_steps": lambda n: loglinear(
        [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029], n
    ).tolist(),
    "kl_optimal": lambda n: [
        math.tan(i / max(n - 1, 1) * math.atan(LOW) + (1 - i / max(n - 1, 1)) * math.atan(HIGH)) for i in range(n)
    ],
}  # fmt: skip


@pytest.mark.parametrize("schedule", EVERY_SCHEDULE)
@pytest.mark.parametrize("steps", [1, 2, 10, 11, 20, 33, 150])
def test_levels_are_those_of_the_reference(schedule, steps):
    ours = noise_levels(schedule, table(), steps)
    assert ours.dtype == np.float64
    assert ours.shape == (steps,)
    assert ours == pytest.approx(REFERENCE[schedule](steps), rel=1e-4)


@pytest.mark.parametrize("schedule", EVERY_SCHEDULE)
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_levels_fall_from_the_highest_there_is(schedule, family):
    ours = noise_levels(schedule, table(family.key), 20)
    assert ours[0] == pytest.approx(HIGH, rel=1e-4)
    assert np.all(np.diff(ours) < 0)
    assert ours[-1] > 0.028


def test_the_eleven_levels_of_align_your_steps_are_the_tables_own():
    for family in FAMILIES:
        assert noise_levels("align_your_steps", table(family.key), 11) == pytest.approx(family.align_your_steps)


def test_timesteps_and_levels_are_each_others_inverse():
    timesteps = np.array([0.0, 0.25, 17.5, 500.0, 998.9, 999.0])
    assert table().timesteps(table().at(timesteps)) == pytest.approx(timesteps, abs=1e-9)
    assert table().timesteps(np.array([0.001, 100.0])) == pytest.approx([0, 999])
