from __future__ import annotations

import copy

import diffusers
import numpy as np
import pytest
import torch

from sdstudio.catalog.families import FAMILY_BY_KEY
from sdstudio.engine.samplers.schedulers import build_scheduler
from tests.unit.engine.conftest import request

BETAS = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def scheduler_of(steps, **values):
    scheduler = copy.deepcopy(build_scheduler(request(steps=steps, **values), BETAS, FAMILY_BY_KEY["sd1"]))
    scheduler.set_timesteps(steps)
    return scheduler


def walked(scheduler, seed=1, batch=1):
    """Latents after all steps, with an answer that depends on sample and timestep alone; and those before each step."""
    generators = [torch.Generator().manual_seed(seed + i) for i in range(batch)]
    start = torch.Generator().manual_seed(7)
    sample = torch.randn((batch, 4, 8, 8), generator=start) * float(scheduler.init_noise_sigma)
    seen = []
    for timestep in scheduler.timesteps:
        seen.append(sample)
        told = torch.tanh(scheduler.scale_model_input(sample, timestep)) + float(timestep) / 1000
        sample = scheduler.step(told, timestep, sample, generator=generators, return_dict=False)[0]
    return sample, seen


def test_euler_a_without_eta_is_euler():
    soft, _ = walked(scheduler_of(12, scheduler="euler_a", eta=0.0))
    plain, _ = walked(scheduler_of(12, scheduler="euler"))
    assert torch.allclose(soft, plain, rtol=1e-4, atol=1e-4)


def ancestral(scheduler, eta, seed=1):
    """k-diffusion's ``sample_euler_ancestral``, with the noise that the scheduler draws."""
    generator = torch.Generator().manual_seed(seed)
    sample = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(7)) * float(scheduler.init_noise_sigma)
    for place, timestep in enumerate(scheduler.timesteps):
        before, after = (float(scheduler.sigmas[place + i]) for i in (0, 1))
        told = torch.tanh(sample / (before**2 + 1) ** 0.5) + float(timestep) / 1000
        up = min(after, eta * (after**2 * (before**2 - after**2) / before**2) ** 0.5)
        down = (after**2 - up**2) ** 0.5
        sample = sample + told * (down - before) + torch.randn(sample.shape, generator=generator) * up
    return sample


@pytest.mark.parametrize("eta", [0.3, 0.999, 1.0])
def test_eta_is_k_diffusions(eta):
    ours, _ = walked(scheduler_of(8, scheduler="euler_a", eta=eta))
    theirs = ancestral(scheduler_of(8, scheduler="euler_a"), eta)
    assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_without_churn_it_is_the_stock_scheduler():
    assert type(scheduler_of(5, scheduler="euler").step) is type(diffusers.EulerDiscreteScheduler().step)
    assert "step" not in vars(scheduler_of(5, scheduler="euler"))
    assert "step" not in vars(scheduler_of(5, scheduler="euler_a"))


@pytest.mark.parametrize("amount", [2.0, 40.0])
def test_churn_lifts_each_level_before_the_model_looks(amount):
    steps = 10
    plain, lifted = (scheduler_of(steps, scheduler="euler", s_churn=churn) for churn in (0.0, amount))
    factor = 1 + min(amount / steps, 2**0.5 - 1)
    assert np.allclose(lifted.sigmas[:-1], plain.sigmas[:-1] * factor, rtol=1e-6)
    assert float(lifted.init_noise_sigma) == pytest.approx(float(plain.init_noise_sigma) * factor)
    assert float(lifted.timesteps[3]) > float(plain.timesteps[3])
    assert float(lifted.timesteps[0]) == 999
    # With a model that foresees nothing, the sample is noise of exactly the level that the scheduler says.
    sample = torch.randn((1, 4, 64, 64)) * float(lifted.init_noise_sigma)
    for place, timestep in enumerate(lifted.timesteps):
        assert float(sample.std()) == pytest.approx(float(lifted.sigmas[place]), rel=0.03)
        answer = sample / lifted.sigmas[place]
        sample = lifted.step(answer, timestep, sample, generator=torch.Generator().manual_seed(place)).prev_sample
    assert float(sample.abs().max()) < 1e-4


@pytest.mark.parametrize("values", [{"scheduler": "euler", "s_churn": 10.0}, {"scheduler": "euler_a", "eta": 0.4}])
def test_fresh_noise_comes_from_each_pictures_own_seed(studio, values):
    here = studio("sd1")
    batch = here.make([5, 6], batch_size=2, steps=4, **values)
    (alone,), (again,) = here.make([6], steps=4, **values), here.make([6], steps=4, **values)
    assert np.abs(np.asarray(batch[1].pixels, np.int16) - np.asarray(alone.pixels, np.int16)).max() <= 2
    assert alone.pixels.tobytes() == again.pixels.tobytes()
    plain = here.make([6], steps=4, scheduler=values["scheduler"])[0]
    assert alone.pixels.tobytes() != plain.pixels.tobytes()


@pytest.mark.parametrize("scheduler", ["ddim", "tcd"])
def test_eta_reaches_the_samplers_that_take_it_themselves(studio, scheduler):
    here = studio("sd1")
    none, all_ = (here.make([6], steps=4, scheduler=scheduler, eta_ddim=eta)[0] for eta in (0.0, 1.0))
    assert none.pixels.tobytes() != all_.pixels.tobytes()


def test_churn_draws_an_nvidia_cards_noise_too(studio):
    here = studio("sd1")
    cpu, nvidia = (here.make([6], steps=4, scheduler="euler", s_churn=10.0, rng=rng)[0] for rng in ("cpu", "nvidia"))
    assert cpu.pixels.tobytes() != nvidia.pixels.tobytes()


def test_levels_that_are_lifted_beyond_the_models_own_are_all_stepped_at(studio):
    here = studio("sd1")
    here.make([3], steps=20, scheduler="euler", s_churn=10)  # the first two have one timestep, the model's last
    assert [step.step for step in here.steps] == [*range(1, 21)]
