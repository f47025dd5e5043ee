from __future__ import annotations

import pytest

from sdstudio.catalog.names import (
    NEAREST,
    Sampling,
    from_a1111,
    from_comfyui,
    from_invokeai,
    to_a1111,
)
from sdstudio.catalog.schedulers import SCHEDULER_BY_KEY, SCHEDULERS
from sdstudio.catalog.schedules import SCHEDULES


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
        ("DPM++ 2S a Karras", "", Sampling("dpmpp_2s_a", "karras")),
        ("DPM++ 2S a", "Automatic", Sampling("dpmpp_2s_a")),
        ("DPM++ 2M", "KL Optimal", Sampling("dpmpp_2m", "kl_optimal_a1111")),
        ("DPM++ 2M", "Beta", Sampling("dpmpp_2m", "beta")),
        ("DPM++ 2M", "DDIM", Sampling("dpmpp_2m", "ddim_uniform")),
        ("Euler", "Turbo", Sampling("euler", "turbo")),
        ("Euler", "Align Your Steps", Sampling("euler", "align_your_steps")),
        ("Euler", "Align Your Steps 11", Sampling("euler", "align_your_steps")),
        ("Euler", "Align Your Steps 32", Sampling("euler", "align_your_steps_32")),
        ("Euler", "Align Your Steps GITS", Sampling("euler", "align_your_steps_gits")),
        ("DPM2", "Karras", Sampling("dpm2", "karras")),  # whose last level is left out here too
        ("UniPC", "Karras", Sampling("unipc_a1111")),
        ("LCM", "Automatic", Sampling("lcm_any")),
        ("DDPM", "Karras", Sampling("euler_a", "karras")),  # Forge's, which is ComfyUI's
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
        ("dpm_2_ancestral", "beta", Sampling("dpm2_a", "beta_comfyui")),
        ("dpmpp_2s_ancestral", "karras", Sampling("dpmpp_2s_a", "karras")),
        ("uni_pc", "normal", Sampling("unipc_bh1", "uniform")),
        ("uni_pc_bh2", "sgm_uniform", Sampling("unipc_bh2", "sgm_uniform")),
        ("dpmpp_3m_sde_gpu", "exponential", Sampling("dpmpp_3m_sde", "exponential", last_level="kept")),
        ("euler", "ddim_uniform", Sampling("euler", "ddim_uniform")),
        ("euler", "kl_optimal", Sampling("euler", "kl_optimal")),
        ("euler", "linear_quadratic", Sampling("euler", "linear_quadratic")),
        ("euler", "ays", Sampling("euler", "align_your_steps", last_level="left_out")),
        ("euler", "beta57", Sampling("euler", same_schedule=False)),
        ("ddim", "ddim_uniform", Sampling("euler", "ddim_uniform")),
        ("ddim", "karras", Sampling("euler", "karras")),
        ("ddpm", "normal", Sampling("euler_a", "uniform")),
        ("lcm", "sgm_uniform", Sampling("lcm_any", "sgm_uniform")),
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
        ("kdpm_2_a_k", Sampling("dpm2_a", "karras", last_level="kept")),
        ("unipc", Sampling("unipc", "uniform", last_level="kept")),
        ("dpmpp_3m_k", Sampling("dpmpp_3m", "karras")),  # without fresh noise
        ("euler_a", Sampling("euler_a", "uniform")),
        ("ddim", Sampling("ddim")),
        ("wonder", None),
    ],
)
def test_invokeais_names(name, meant):
    assert from_invokeai(name) == meant


def test_levels_from_a_node_of_their_own_leave_none_out():
    assert from_comfyui("dpm_2", "karras", whole_levels=True) == Sampling("dpm2", "karras", last_level="kept")
    assert from_comfyui("euler", "karras", whole_levels=True) == Sampling("euler", "karras")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (from_comfyui("deis", "normal"), "another one"),
        (from_a1111("DEIS", "Normal"), "another one"),
        (from_comfyui("dpmpp_2m_sde_gpu", "karras"), "graphics card"),
        (from_comfyui("euler_ancestral", "karras"), "fresh noise"),
        (from_comfyui("lcm", "sgm_uniform"), "fresh noise"),
        (from_invokeai("euler"), "spaced"),
        (from_invokeai("euler_k"), "on SDXL"),
        (from_invokeai("dpmpp_2m_sde_k"), "fresh noise"),
        (from_invokeai("dpmpp_2m_k"), ""),
        (from_comfyui("dpmpp_2m_sde", "karras"), ""),
        (from_a1111("DPM++ 2M SDE", "Karras"), ""),
    ],
)
def test_what_is_near_but_not_the_same_is_said(found, said):
    assert said in found.near
    assert bool(found.near) is bool(said)


def test_a1111_names_come_back():
    """Nothing that the studio writes for A1111 means something else there, or becomes something else here."""
    for spec in SCHEDULERS:
        for schedule in spec.schedules:
            back = from_a1111(*to_a1111(spec.key, schedule))
            assert (back, back.near) == (Sampling(spec.key, schedule), "")


A1111_SAMPLERS = {
    "Euler a", "Euler", "LMS", "Heun", "DPM2", "DPM2 a", "DPM++ 2S a", "DPM++ 2M", "DPM++ SDE", "DPM++ 2M SDE",
    "DPM++ 2M SDE Heun", "DPM++ 3M SDE", "DPM fast", "DPM adaptive", "Restart", "DDIM", "PLMS", "UniPC", "LCM",
}  # fmt: skip
A1111_SCHEDULES = {
    "Automatic", "Uniform", "Karras", "Exponential", "Polyexponential", "SGM Uniform", "KL Optimal", "Align Your Steps",
    "Simple", "Normal", "DDIM", "Beta", "Turbo", "Align Your Steps GITS", "Align Your Steps 32",
}  # fmt: skip


def test_a_name_that_a1111_knows_is_written_for_what_is_the_same_there_alone():
    written = {spec.sampler: spec.key for spec in SCHEDULERS if spec.sampler in A1111_SAMPLERS}
    assert written == {
        "Euler a": "euler_a", "Euler": "euler", "LMS": "lms", "Heun": "heun", "DPM2": "dpm2", "DPM2 a": "dpm2_a",
        "DPM++ 2S a": "dpmpp_2s_a", "DPM++ 2M": "dpmpp_2m", "DPM++ SDE": "dpmpp_sde", "DPM++ 2M SDE": "dpmpp_2m_sde",
        "DPM++ 2M SDE Heun": "dpmpp_2m_sde_heun", "DPM++ 3M SDE": "dpmpp_3m_sde", "DDIM": "ddim", "PLMS": "pndm",
        "UniPC": "unipc_a1111", "LCM": "lcm_any",
    }  # fmt: skip
    levels = {row.schedule_type: row.key for row in SCHEDULES if row.schedule_type in A1111_SCHEDULES}
    assert levels == {
        "Automatic": "automatic", "Uniform": "uniform", "Karras": "karras", "Exponential": "exponential",
        "SGM Uniform": "sgm_uniform", "KL Optimal": "kl_optimal_a1111", "Align Your Steps": "align_your_steps",
        "Simple": "simple", "DDIM": "ddim_uniform", "Beta": "beta", "Turbo": "turbo",
        "Align Your Steps GITS": "align_your_steps_gits", "Align Your Steps 32": "align_your_steps_32",
    }  # fmt: skip


def test_nearest_names_rows_and_only_what_no_row_goes_by():
    for name, key in NEAREST.items():
        assert key in SCHEDULER_BY_KEY
        found = from_a1111(name)
        assert found is not None
        assert (found.scheduler, found.same_sampler) == (key, False)
