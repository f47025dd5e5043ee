"""Against k-diffusion's, A1111's and ComfyUI's own formulae, written down once more in the slowest way."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import betaincinv

from sdstudio.catalog.families import FAMILIES, FAMILY_BY_KEY
from sdstudio.catalog.schedules import EVERY_SCHEDULE
from sdstudio.engine.samplers.noise_levels import NoiseTable, noise_levels, stepped_levels

BETAS = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
SIGNAL = torch.cumprod(1 - BETAS, 0)
SIGMAS = ((1 - SIGNAL) / SIGNAL) ** 0.5
LOW, HIGH = float(SIGMAS[0]), float(SIGMAS[-1])


def table(family="sd1"):
    return NoiseTable(SIGMAS.numpy(), FAMILY_BY_KEY[family].align_your_steps, family)


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


def ddim_uniform(n):
    """A1111's and ComfyUI's ``ddim_scheduler``."""
    x, stride, found = 1, max(1000 // n, 1), []
    while x < 1000:
        found.append(float(SIGMAS[x]))
        x += stride
    return found[::-1]


def beta_of_timesteps(n):
    """ComfyUI's ``beta_scheduler``."""
    found, last = [], -1
    for i in range(n):
        timestep = round(betaincinv(0.6, 0.6, 1 - i / n) * 999)
        if timestep != last:
            found.append(float(SIGMAS[timestep]))
        last = timestep
    return found


def linear_quadratic(n):
    """ComfyUI's ``linear_quadratic_schedule`` with its defaults."""
    if n == 1:
        return [HIGH]
    half, part = n // 2, 0.025
    rest, excess = n - half, half - part * n
    square = excess / (half * rest**2)
    slope, constant = part / half - 2 * excess / rest**2, square * half**2
    fallen = [i * part / half for i in range(half)] + [square * i**2 + slope * i + constant for i in range(half, n)]
    return [(1 - x) * HIGH for x in fallen]


def lcm_uniform(n):
    """A1111's ``LCMCompVisDenoiser.get_sigmas``: of 50 timesteps, 19 to 999."""
    logs = [float(SIGMAS[t].log()) for t in range(19, 1000, 20)]
    return [math.exp(np.interp(49 - 49 * i / max(n - 1, 1), range(50), logs)) for i in range(n)]


def time_uniform(n):
    """A1111's UniPC: ``NoiseScheduleVP`` at times from 1 to 1/1000, as many steps as its DDIM has timesteps."""
    count = len(range(0, 1000, 1000 // n))
    logs = (0.5 * SIGNAL.log()).tolist()
    alphas = [math.exp(np.interp(t, np.linspace(0, 1, 1001)[1:], logs)) for t in np.linspace(1, 0.001, count + 1)]
    return [math.sqrt(1 - a * a) / a for a in alphas[:-1]]


GITS = [14.615, 4.617, 2.507, 1.236, 0.702, 0.402, 0.240, 0.156, 0.104, 0.094, 0.029]
AYS_32 = [
    14.615, 11.23951352, 8.64363081, 6.64729424, 5.57250862, 4.71648546, 3.99196065, 3.5195609, 3.13490466, 2.79228788,
    2.48773628, 2.21663865, 1.97508351, 1.7793172, 1.61475335, 1.46540953, 1.314849, 1.16642497, 1.03475547, 0.91573744,
    0.80748169, 0.71202361, 0.621739, 0.53065202, 0.4529096, 0.37491455, 0.27461819, 0.2011529, 0.14105873, 0.06682881,
    0.03166121, 0.015,
]  # fmt: skip

REFERENCE = {
    "ddim_uniform": ddim_uniform,
    "turbo": lambda n: [float(SIGMAS[max(min(round(1000 / n * k - 1), 999), 0)]) for k in range(n, 0, -1)],
    "from_800": lambda n: [t_to_sigma(800 - 800 * i / n) for i in range(n)],
    "beta_comfyui": beta_of_timesteps,
    "align_your_steps_gits": lambda n: loglinear(GITS, n).tolist(),
    "align_your_steps_32": lambda n: loglinear(AYS_32, n).tolist(),
    "kl_optimal_a1111": lambda n: [
        math.tan(i / n * math.atan(LOW) + (1 - i / n) * math.atan(HIGH)) for i in range(n + 1)
    ][:-1],
    "linear_quadratic": linear_quadratic,
    "lcm_uniform": lcm_uniform,
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
    assert ours == pytest.approx(REFERENCE[schedule](steps), rel=1e-4)
    assert len(ours) == steps or schedule in ("ddim_uniform", "beta_comfyui")


@pytest.mark.parametrize("schedule", EVERY_SCHEDULE)
def test_levels_fall_from_the_highest_there_is(schedule):
    begins = 800 if schedule == "from_800" else 999
    for family in FAMILIES:
        ours = noise_levels(schedule, table(family.key), 20)
        assert schedule == "ddim_uniform" or ours[0] == pytest.approx(float(SIGMAS[begins]), rel=1e-4)
        assert np.all(np.diff(ours) < 0)
        assert ours[-1] > (0.0149 if schedule == "align_your_steps_32" else 0.028)


def test_a_schedule_may_have_a_level_more_or_some_less_than_there_are_steps():
    assert len(noise_levels("ddim_uniform", table(), 30)) == 31
    assert len(noise_levels("beta_comfyui", table(), 150)) < 150
    for steps in (20, 30):
        assert noise_levels("time_uniform", table(), steps) == pytest.approx(time_uniform(steps), rel=1e-6)


@pytest.mark.parametrize("schedule", EVERY_SCHEDULE)
def test_the_level_before_zero_may_be_left_out_of_one_more(schedule):
    for steps in (1, 2, 20):
        levels, end = stepped_levels(schedule, table(), steps, without_last=True)
        assert levels == pytest.approx(REFERENCE[schedule](steps + 1)[:-1], rel=1e-4)
        kept, same = stepped_levels(schedule, table(), steps)
        assert kept == pytest.approx(REFERENCE[schedule](steps), rel=1e-4)
        assert end == same == pytest.approx(LOW if schedule == "kl_optimal_a1111" else 0.0)


def test_xl_has_tables_of_its_own():
    gits = [14.615, 4.734, 2.567, 1.529, 0.987, 0.652, 0.418, 0.268, 0.179, 0.127, 0.029]
    assert noise_levels("align_your_steps_gits", table("sdxl"), 11) == pytest.approx(gits)
    assert noise_levels("align_your_steps_32", table("sdxl"), 32)[1] == pytest.approx(11.1491618)


def test_the_eleven_levels_of_align_your_steps_are_the_tables_own():
    for family in FAMILIES:
        assert noise_levels("align_your_steps", table(family.key), 11) == pytest.approx(family.align_your_steps)


def test_timesteps_and_levels_are_each_others_inverse():
    timesteps = np.array([0.0, 0.25, 17.5, 500.0, 998.9, 999.0])
    assert table().timesteps(table().at(timesteps)) == pytest.approx(timesteps, abs=1e-9)
    assert table().timesteps(np.array([0.001, 100.0])) == pytest.approx([0, 999])
