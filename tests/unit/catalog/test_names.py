from __future__ import annotations

import pytest

from sdstudio.catalog.names import (
    NEAREST,
    Sampling,
    from_a1111,
    from_comfyui,
    from_invokeai,
    to_a1111,
    to_comfyui,
    to_invokeai,
)
from sdstudio.catalog.schedulers import SCHEDULER_BY_KEY, SCHEDULERS

PAIRS = [(spec.key, schedule) for spec in SCHEDULERS for schedule in spec.schedules]


@pytest.mark.parametrize(
    ("sampler", "schedule", "meant"),
    [
        ("DPM++ 2M Karras", "", Sampling("dpmpp_2m", "karras")),  # before 1.9
        ("DPM++ 2M Karras", "Automatic", Sampling("dpmpp_2m", "karras")),
        ("DPM++ 2M", "Karras", Sampling("dpmpp_2m", "karras")),
        ("DPM++ 2M", "Automatic", Sampling("dpmpp_2m")),
        ("DPM++ 2M", "", Sampling("dpmpp_2m")),
        ("DPM++ 2M", "Normal", Sampling("dpmpp_2m", "uniform")),
        ("DPM++ 2M", "Polyexponential", Sampling("dpmpp_2m", "exponential")),
        ("DPM++ 2M", "Wonder", Sampling("dpmpp_2m", same_schedule=False)),
        ("DPM++ 2M SDE Exponential", "", Sampling("dpmpp_2m_sde", "exponential")),
        ("DPM++ 2S a Karras", "", Sampling("dpmpp_2s", "karras")),
        ("DPM++ SDE", "SGM Uniform", Sampling("dpmpp_sde", "sgm_uniform")),
        ("Euler a Karras", "", Sampling("euler_a", "karras")),
        ("Restart", "Karras", Sampling("heun", "karras", same_sampler=False)),
        ("DDIM", "Karras", Sampling("ddim")),  # its own levels there too
        ("PLMS", "Automatic", Sampling("pndm")),
        ("k_lms_ka", "", Sampling("lms", "karras")),
        ("Wonder", "Karras", None),
    ],
)
def test_a1111s_names_of_every_version(sampler, schedule, meant):
    assert from_a1111(sampler, schedule) == meant


@pytest.mark.parametrize(
    ("sampler", "schedule", "meant"),
    [
        ("euler", "normal", Sampling("euler", "uniform")),
        ("dpmpp_2m_sde_gpu", "karras", Sampling("dpmpp_2m_sde", "karras")),
        ("euler_ancestral", "simple", Sampling("euler_a", "simple")),
        ("dpm_2_ancestral", "beta", Sampling("dpm2_a", "beta")),
        ("uni_pc_bh2", "sgm_uniform", Sampling("unipc", "sgm_uniform")),
        ("euler", "ddim_uniform", Sampling("euler", "uniform", same_schedule=False)),
        ("ddim", "ddim_uniform", Sampling("ddim")),
        ("dpm_adaptive", "karras", Sampling("dpmpp_2m", "karras", same_sampler=False)),
        ("wonder", "karras", None),
    ],
)
def test_comfyuis_names(sampler, schedule, meant):
    assert from_comfyui(sampler, schedule) == meant


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("dpmpp_2m_k", Sampling("dpmpp_2m", "karras")),
        ("dpmpp_2m", Sampling("dpmpp_2m", "uniform")),
        ("kdpm_2_a_k", Sampling("dpm2_a", "karras")),
        ("dpmpp_3m_k", Sampling("dpmpp_3m_sde", "karras")),
        ("euler_a", Sampling("euler_a", "uniform")),
        ("ddim", Sampling("ddim")),
        ("wonder", None),
    ],
)
def test_invokeais_names(name, meant):
    assert from_invokeai(name) == meant


@pytest.mark.parametrize(("scheduler", "schedule"), PAIRS)
def test_names_come_back_from_every_program(scheduler, schedule):
    assert from_a1111(*to_a1111(scheduler, schedule)) == Sampling(scheduler, schedule)
    spec = SCHEDULER_BY_KEY[scheduler]
    levels = spec.automatic if schedule == "automatic" else schedule
    comfyui, invokeai = to_comfyui(scheduler, schedule), to_invokeai(scheduler, schedule)
    assert (comfyui is None) == (not spec.comfyui)
    if comfyui is not None:
        assert from_comfyui(*comfyui) == Sampling(scheduler, levels or "automatic")
    if invokeai is not None:
        assert from_invokeai(invokeai) == Sampling(scheduler, levels or "automatic")


def test_nearest_names_rows_and_only_what_no_row_goes_by():
    for name, key in NEAREST.items():
        assert key in SCHEDULER_BY_KEY
        found = from_a1111(name)
        assert found is not None
        assert (found.scheduler, found.same_sampler) == (key, False)
