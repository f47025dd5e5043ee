"""Each sampler against the published rule that its name stands for, written down once more in float64.

The model is a made-up one whose answer depends on the scaled sample alone, so that timesteps, which programs round in
different ways, do not matter. Rules: k-diffusion ``sampling.py``, ComfyUI ``comfy/k_diffusion/sampling.py`` (DDPM,
LCM), CompVis' ``ddim.py`` and ``plms.py``, UniPC (Zhao et al. 2023, algorithms 1 and 2).
"""

from __future__ import annotations

import copy
import inspect
import itertools
import math

import numpy as np
import pytest
import torch
import torchsde
from scipy import integrate

from sdstudio.catalog.families import FAMILY_BY_KEY
from sdstudio.engine.samplers.noise import NvidiaGenerator
from sdstudio.engine.samplers.noise_levels import NoiseTable, stepped_levels
from sdstudio.engine.samplers.schedulers import build_scheduler, seed_noise

from .conftest import request

BETAS = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SIGNAL = np.cumprod(1 - np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2)
TABLE = NoiseTable(np.sqrt((1 - SIGNAL) / SIGNAL), FAMILY_BY_KEY["sd1"].align_your_steps)
START = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def answer(scaled):
    """The noise that the model sees in a sample, scaled to its signal and noise."""
    return torch.tanh(1.3 * scaled) * 0.8 + 0.2 * torch.cos(3 * scaled)


def clean(x, level):
    return x - level * answer(x / (level**2 + 1) ** 0.5)


class Noise:
    """The draws of one generator, as a scheduler makes them."""

    def __init__(self, seed=5):
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, *_):
        return torch.randn(START.shape, generator=self.generator).double()


def ancestral(here, there, eta):
    up = min(there, eta * (there**2 * (here**2 - there**2) / here**2) ** 0.5)
    return (there**2 - up**2) ** 0.5, up


def euler(x, levels, noise, eta):
    for here, there in itertools.pairwise(levels):
        x = x + (x - clean(x, here)) / here * (there - here)
    return x


def euler_a(x, levels, noise, eta):
    for here, there in itertools.pairwise(levels):
        down, up = ancestral(here, there, eta)
        x = x + (x - clean(x, here)) / here * (down - here)
        x = x + noise() * up if there > 0 else x
    return x


def ddpm(x, levels, noise, eta):
    """ComfyUI's, in the space of the scaled sample."""
    for here, there in itertools.pairwise(levels):
        signal, following = 1 / (here**2 + 1), 1 / (there**2 + 1)
        alpha = signal / following
        seen = (x - clean(x, here)) / here
        x = (1 / alpha) ** 0.5 * (x / (1 + here**2) ** 0.5 - (1 - alpha) * seen / (1 - signal) ** 0.5)
        x = x + ((1 - alpha) * (1 - following) / (1 - signal)) ** 0.5 * noise() if there > 0 else x
        x = x * (1 + there**2) ** 0.5
    return x


def heun(x, levels, noise, eta):
    for here, there in itertools.pairwise(levels):
        slope = (x - clean(x, here)) / here
        ahead = x + slope * (there - here)
        x = x + (slope + (ahead - clean(ahead, there)) / there) / 2 * (there - here) if there > 0 else ahead
    return x


def dpm_2(x, levels, noise, eta):
    for here, there in itertools.pairwise(levels):
        down, up = ancestral(here, there, eta) if eta else (there, 0.0)
        slope = (x - clean(x, here)) / here
        if down == 0:
            x = x + slope * (down - here)
            continue
        middle = (here * down) ** 0.5
        between = x + slope * (middle - here)
        x = x + (between - clean(between, middle)) / middle * (down - here)
        x = x + noise() * up if up else x
    return x


def dpmpp_2s_a(x, levels, noise, eta):
    for here, there in itertools.pairwise(levels):
        down, up = ancestral(here, there, eta)
        if down == 0:
            x = clean(x, here)
        else:
            length = math.log(here / down)
            middle = here * math.exp(-length / 2)
            between = middle / here * x - math.expm1(-length / 2) * clean(x, here)
            x = down / here * x - math.expm1(-length) * clean(between, middle)
        x = x + noise() * up if there > 0 else x
    return x


def lms(x, levels, noise, eta):
    slopes = []
    for i, (here, there) in enumerate(itertools.pairwise(levels)):
        slopes = [*slopes[-3:], (x - clean(x, here)) / here]
        order = len(slopes)

        def basis(at, j, i=i, order=order):
            return math.prod((at - levels[i - k]) / (levels[i - j] - levels[i - k]) for k in range(order) if k != j)

        for j, slope in enumerate(reversed(slopes)):
            x = x + integrate.quad(basis, here, there, args=(j,), epsrel=1e-6)[0] * slope
    return x


def dpmpp_2m(x, levels, noise, eta):
    before = last = None
    for here, there in itertools.pairwise(levels):
        seen = clean(x, here)
        if there == 0:
            return seen
        length = math.log(here / there)
        told = seen if before is None else seen + length / (2 * last) * (seen - before)
        x, before, last = there / here * x - math.expm1(-length) * told, seen, length
    return x


def sde(order, rule):
    def walked(x, levels, noise, eta):
        past = []
        for here, there in itertools.pairwise(levels):
            seen = clean(x, here)
            if there == 0:
                return seen
            length = math.log(here / there)
            h = length * (1 + eta)
            x = math.exp(-h) * x - math.expm1(-h) * seen
            phi_2 = math.expm1(-h) / h + 1
            if len(past) >= 2 and order == 3:
                (c2, h2), (c1, h1) = past[-2:]
                r0, r1 = h1 / length, h2 / length
                d0, d1 = (seen - c1) / r0, (c1 - c2) / r1
                x = x + phi_2 * (d0 + (d0 - d1) * r0 / (r0 + r1)) - (phi_2 / h - 0.5) * (d0 - d1) / (r0 + r1)
            elif past:
                c1, h1 = past[-1]
                x = x + (phi_2 if rule == "heun" else -0.5 * math.expm1(-h)) * (seen - c1) / (h1 / length)
            if eta:
                x = x + noise(here, there) * there * (-math.expm1(-2 * length * eta)) ** 0.5
            past.append((seen, length))
        return x

    return walked


def lcm(x, levels, noise, eta):
    for here, there in itertools.pairwise(levels):
        x = clean(x, here)
        x = x + there * noise() if there > 0 else x
    return x


def unipc(order, variant):
    def ratios(step, known, here, p):
        """B(h), the ratios r_k, and the two sides of the linear system for the weights (equation 9)."""
        h = -step
        r = [(math.log(1 / known[-1 - k][1]) - math.log(1 / here)) / step for k in range(1, p)] + [1.0]
        b_h = h if variant == "bh1" else math.expm1(h)
        phi, factorial, right = math.expm1(h) / h - 1, 1, []
        for k in range(1, p + 1):
            right.append(phi * factorial / b_h)
            factorial *= k + 1
            phi = phi / h - 1 / factorial
        return b_h, r, np.array([[q**k for q in r] for k in range(p)]), np.array(right)

    def walked(x, levels, noise, eta):
        known = []  # (clean picture, level) of the steps before
        x = x / (1 + levels[0] ** 2) ** 0.5  # in the space of the scaled sample
        start, corrected_with = None, 0
        for i, (here, there) in enumerate(itertools.pairwise(levels)):
            signal = 1 / (1 + here**2) ** 0.5
            seen = clean(x / signal, here)
            if known:  # correct the sample that was predicted, now that the model has seen it
                last, p = known[-1][1], corrected_with
                step = math.log(last / here)
                b_h, r, left, right = ratios(step, known, last, p)
                weights = np.linalg.solve(left, right) if p > 1 else [0.5]
                before, past = known[-1][0], zip(weights[:-1], r, known[-2::-1], strict=False)
                moved = sum(w * (c - before) / q for w, q, (c, _) in past) + weights[-1] * (seen - before)
                base = here * signal / (last / (1 + last**2) ** 0.5) * start - signal * math.expm1(-step) * before
                x = base - signal * b_h * moved
            known.append((seen, here))
            start, p = x, min(order, len(levels) - 1 - i, i + 1)
            corrected_with = p
            if there == 0:
                return seen
            step, signal = math.log(here / there), 1 / (1 + there**2) ** 0.5
            b_h, r, left, right = ratios(step, known, here, p)
            x = there * signal / (here / (1 + here**2) ** 0.5) * x - signal * math.expm1(-step) * seen
            if p > 1:
                weights = [0.5] if p == 2 else np.linalg.solve(left[:-1, :-1], right[:-1])
                past = zip(weights, r, known[-2::-1], strict=False)
                x = x - signal * b_h * sum(w * (c - seen) / q for w, q, (c, _) in past)
        return x * (1 + levels[-1] ** 2) ** 0.5

    return walked


def dpmpp_sde(x, levels, noise, eta):
    for here, there in itertools.pairwise(levels):
        seen = clean(x, here)
        if there == 0:
            return seen
        middle = (here * there) ** 0.5
        down, up = ancestral(here, middle, eta)
        between = down / here * x + (1 - down / here) * seen + noise(here, middle) * up
        down, up = ancestral(here, there, eta)
        x = down / here * x + (1 - down / here) * clean(between, middle) + noise(here, there) * up
    return x


RULES = [
    # sampler, its rule, the part of fresh noise
    ("euler", euler, 0), ("euler_a", euler_a, 1), ("euler_a", ddpm, 1), ("heun", heun, 0), ("lms", lms, 0),
    ("dpm2", dpm_2, 0), ("dpm2_a", dpm_2, 1), ("dpmpp_2s_a", dpmpp_2s_a, 1), ("dpmpp_2s_a", dpmpp_2s_a, 0.4),
    ("dpmpp_2m", dpmpp_2m, 0), ("dpmpp_2m_sde", sde(2, "midpoint"), 1), ("dpmpp_2m_sde", sde(2, "midpoint"), 0.5),
    ("dpmpp_2m_sde_heun", sde(2, "heun"), 1), ("dpmpp_3m_sde", sde(3, "heun"), 1), ("dpmpp_3m_sde", sde(3, "heun"), 0),
    ("dpmpp_sde", dpmpp_sde, 1), ("lcm_any", lcm, 1), ("unipc", unipc(2, "bh2"), 0), ("unipc_bh1", unipc(3, "bh1"), 0),
    ("unipc_bh2", unipc(3, "bh2"), 0), ("unipc_a1111", unipc(3, "bh1"), 0),
]  # fmt: skip
LEFT_OUT = {"dpm2", "dpm2_a", "dpmpp_3m_sde", "unipc", "unipc_bh1", "unipc_bh2"}


def drawn(scheduler, seed=5):
    """The sample after all steps, in k-diffusion's space, and the number of times the model was asked."""
    scheduler.set_timesteps(len(scheduler.timesteps))
    if hasattr(scheduler, "noise_sampler"):
        scheduler.noise_sampler = Noise(seed)
    takes = inspect.signature(scheduler.step).parameters
    fresh = {"generator": torch.Generator().manual_seed(seed)} if "generator" in takes else {}
    scaled = hasattr(scheduler, "_sigma_to_alpha_sigma_t")
    first = float(scheduler.sigmas[0])
    x = (START * first / ((1 + first**2) ** 0.5 if scaled else 1)).float()
    for timestep in scheduler.timesteps:
        told = answer(scheduler.scale_model_input(x, timestep))
        x = scheduler.step(told, timestep, x, **fresh, return_dict=False)[0]
    reached = float(scheduler.sigmas[len(scheduler.timesteps)]) if scheduler.ends_above_zero else 0.0
    return x.double() * ((1 + reached**2) ** 0.5 if scaled else 1), len(scheduler.timesteps)


@pytest.mark.parametrize(
    ("schedule", "counts"),
    [("karras", (2, 9)), ("kl_optimal_a1111", (1, 8))],  # to zero, and to the lowest level
)
def test_every_sampler_steps_by_the_rule_of_its_name(schedule, counts):
    wrong = {}
    for key, rule, eta in RULES:
        for steps in counts:
            fresh = {"eta": eta} if eta not in (0, 1) or (eta == 0 and "sde" in key) else {}
            own = {} if key == "unipc_a1111" else {"schedule": schedule}
            scheduler = copy.deepcopy(
                build_scheduler(request(scheduler=key, steps=steps, **own, **fresh), BETAS, FAMILY_BY_KEY["sd1"])
            )
            levels, end = stepped_levels(own.get("schedule", "time_uniform"), TABLE, steps, key in LEFT_OUT)
            if key in ("unipc_bh1", "unipc_bh2"):
                end = end or 0.001  # ComfyUI's
            ours, _ = drawn(scheduler)
            theirs = rule(START * levels[0], [*levels.tolist(), end], Noise(), eta)
            error = float((ours - theirs).abs().max() / theirs.abs().max())
            if not error < 1e-4:
                wrong[key, eta, steps] = error
    assert not wrong


def ddim(x, timesteps):
    for here, there in itertools.pairwise([*timesteps, 0]):  # 0: the signal of the lowest timestep, not all of it
        x = moved(x, here, there, answer(x))
    return x


def plms(x, timesteps):
    seen = []
    for here, there in itertools.pairwise([*timesteps, 0]):
        noise = answer(x)
        if not seen:
            told = (noise + answer(moved(x, here, there, noise))) / 2
        elif len(seen) == 1:
            told = (3 * noise - seen[-1]) / 2
        elif len(seen) == 2:
            told = (23 * noise - 16 * seen[-1] + 5 * seen[-2]) / 12
        else:
            told = (55 * noise - 59 * seen[-1] + 37 * seen[-2] - 9 * seen[-3]) / 24
        seen.append(noise)
        x = moved(x, here, there, told)
    return x


def moved(x, here, there, noise):
    clean_x = (x - (1 - SIGNAL[here]) ** 0.5 * noise) / SIGNAL[here] ** 0.5
    return SIGNAL[there] ** 0.5 * clean_x + (1 - SIGNAL[there]) ** 0.5 * noise


@pytest.mark.parametrize(("key", "rule"), [("ddim", ddim), ("pndm", plms)])
@pytest.mark.parametrize("steps", [2, 20, 30])
def test_samplers_with_timesteps_of_their_own_go_through_every_nth(key, rule, steps):
    """CompVis and A1111 before 1.6: 31 timesteps for 30 steps, from 991 down; diffusers begins at 958."""
    scheduler = build_scheduler(request(scheduler=key, steps=steps), BETAS, FAMILY_BY_KEY["sd1"])
    scheduler.set_timesteps(steps)
    x = START.float()
    for timestep in scheduler.timesteps:
        x = scheduler.step(answer(x), timestep, x, return_dict=False)[0]
    theirs = rule(START, [t + 1 for t in range(0, 1000, 1000 // steps)][::-1])
    assert float((x.double() - theirs).abs().max() / theirs.abs().max()) < 1e-4
    old = build_scheduler(request(scheduler=key, steps=30, compatibility="0.1"), BETAS, FAMILY_BY_KEY["sd1"])
    old.set_timesteps(30)
    assert int(old.timesteps[0]) == 958


def test_a_brownian_tree_grows_from_an_nvidia_cards_numbers_too():
    """A1111's noise of an SDE sampler with RNG NV: torchsde's tree, each node drawn by Philox from its own seed."""
    brownian_interval = pytest.importorskip("torchsde._brownian.brownian_interval")
    like = torch.empty(1, 4, 8, 8)
    drew = {}
    for source in ("cpu", "nvidia"):
        scheduler = copy.deepcopy(
            build_scheduler(request(scheduler="dpmpp_2m_sde", steps=4), BETAS, FAMILY_BY_KEY["sd1"])
        )
        seed_noise(scheduler, [7], like, source)
        scheduler.set_timesteps(4)
        drew[source] = scheduler.noise_sampler(scheduler.sigmas[0], scheduler.sigmas[1])
    low, high = float(scheduler.sigmas[3]), float(scheduler.sigmas[0])
    own, calls = brownian_interval._randn, []
    brownian_interval._randn = lambda size, dtype, device, seed: calls.append(seed) or NvidiaGenerator(seed).randn(size)
    try:
        tree = torchsde.BrownianTree(low, torch.zeros(4, 8, 8), high, entropy=7)
        theirs = (tree(float(scheduler.sigmas[1]), high) * -1 / (high - float(scheduler.sigmas[1])) ** 0.5)[None]
    finally:
        brownian_interval._randn = own
    assert calls
    assert torch.allclose(drew["nvidia"], -theirs, atol=1e-5) or torch.allclose(drew["nvidia"], theirs, atol=1e-5)
    assert not torch.allclose(drew["nvidia"], drew["cpu"], atol=0.1)
