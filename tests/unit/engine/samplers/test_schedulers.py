from __future__ import annotations

import copy
import json
from pathlib import Path

import diffusers
import numpy as np
import pytest
import torch

from sdstudio.catalog.families import FAMILY_BY_KEY
from sdstudio.catalog.schedulers import SCHEDULER_BY_KEY, SCHEDULERS
from sdstudio.catalog.schedules import EVERY_SCHEDULE
from sdstudio.core.errors import InvalidRequest
from sdstudio.engine.samplers.noise_levels import NoiseTable, stepped_levels
from sdstudio.engine.samplers.schedulers import build_scheduler, is_diffusion, scheduler_class
from tests.unit.engine.conftest import request

BETAS = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
# As stable-diffusion-xl-base-1.0 and stable-diffusion-v1-5 ship them.
SHIPPED = {
    "sdxl": {**BETAS, "timestep_spacing": "leading", "steps_offset": 1, "prediction_type": "epsilon"},
    "sd1": {**BETAS, "steps_offset": 1, "skip_prk_steps": True, "set_alpha_to_one": False},
    "sd2": {**BETAS, "steps_offset": 1, "prediction_type": "v_prediction", "set_alpha_to_one": False},
    "karras": {**BETAS, "use_karras_sigmas": True, "algorithm_type": "dpmsolver++", "solver_order": 3},
}  # fmt: skip
K_STYLE = [spec for spec in SCHEDULERS if spec.automatic]
ZERO_SNR = {**BETAS, "prediction_type": "v_prediction", "rescale_betas_zero_snr": True}


def sigmas_of_the_table() -> np.ndarray:
    """All 1000 noise levels, ascending: sqrt((1 - a) / a) of the cumulative alphas."""
    betas = np.linspace(BETAS["beta_start"] ** 0.5, BETAS["beta_end"] ** 0.5, 1000) ** 2
    alphas = np.cumprod(1 - betas)
    return np.sqrt((1 - alphas) / alphas)


def set_up(key: str, trained: dict, steps: int, family: str = "sd1", **values: object) -> object:
    asked = request(scheduler=key, steps=steps, **values)
    scheduler = build_scheduler(asked, trained, FAMILY_BY_KEY[family])
    scheduler.set_timesteps(steps)
    return scheduler


def levels_of(scheduler: object) -> np.ndarray:
    """Its levels above 0, each once: two evaluations a step list a level twice, DEIS its last one.

    The ancestral 2S lists the levels between instead.
    """
    listed = scheduler.sigmas[::2] if type(scheduler).__name__ == "Ancestral2SScheduler" else scheduler.sigmas
    return np.unique([float(sigma) for sigma in listed if sigma > 0])[::-1]


def cases() -> list[tuple[str, int]]:
    return [(spec.key, steps) for spec in SCHEDULERS for steps in sorted({spec.min_steps, 4, 10})]


@pytest.mark.parametrize(("key", "steps"), cases())
def test_every_row_runs_with_any_number_of_steps(studio, key, steps):
    here = studio("sd1")
    (image,) = here.make([3], steps=steps, scheduler=key)  # latents that are no numbers would raise InvalidNumbers
    told = here.steps
    assert [step.step for step in told] == list(range(1, len(told) + 1))
    assert {step.total for step in told} == {len(told)}
    spec = SCHEDULER_BY_KEY[key]
    second_order = getattr(scheduler_class(spec), "order", 1) == 2
    # PNDM evaluates its first step twice.
    expected = (
        2 * steps - 1 if second_order else steps + 1 if spec.class_name == "PNDMScheduler" and steps > 1 else steps
    )
    assert len(told) == expected
    assert image.recipe.made_with["scheduler"]["class"] == spec.class_name


@pytest.mark.parametrize("spec", SCHEDULERS, ids=lambda spec: spec.key)
@pytest.mark.parametrize("steps", [75, 150])
def test_every_row_has_a_schedule_for_as_many_steps_as_a_request_may_ask(spec, steps):
    scheduler = set_up(spec.key, SHIPPED["sd1"], steps)
    assert len(scheduler.timesteps) >= steps
    assert float(scheduler.timesteps[0]) > float(scheduler.timesteps[-1]) >= 0


@pytest.mark.parametrize("spec", SCHEDULERS, ids=lambda spec: spec.key)
@pytest.mark.parametrize("shipped", ["sd2", "sdxl"])
def test_every_row_keeps_what_the_model_was_trained_with(spec, shipped):
    scheduler = set_up(spec.key, SHIPPED[shipped], 20)
    for name in ("beta_start", "beta_end", "beta_schedule", "num_train_timesteps"):
        assert scheduler.config[name] == BETAS[name]
    assert scheduler.config.prediction_type == SHIPPED[shipped].get("prediction_type", "epsilon")
    assert not scheduler.config.get("clip_sample")


@pytest.mark.parametrize("spec", SCHEDULERS, ids=lambda spec: spec.key)
def test_how_a_model_liked_to_be_sampled_does_not_leak_into_the_row(spec):
    ours, plain = (set_up(spec.key, SHIPPED[name], 20) for name in ("karras", "sd1"))
    assert torch.equal(ours.timesteps, plain.timesteps)
    if "Multistep" in spec.class_name:
        assert ours.config.solver_order == spec.config.get("solver_order", 2)


@pytest.mark.parametrize("schedule", ["automatic", *EVERY_SCHEDULE])
def test_every_sampler_steps_at_the_levels_of_every_schedule(schedule):
    """With the spacing that SDXL ships they would start at 11.0 at 20 steps: washed-out pictures."""
    steps = 10
    table = NoiseTable(sigmas_of_the_table(), FAMILY_BY_KEY["sdxl"].align_your_steps, "sdxl")
    for spec in K_STYLE:
        scheduler = set_up(spec.key, SHIPPED["sdxl"], steps, "sdxl", schedule=schedule)
        key = spec.automatic if schedule == "automatic" else schedule
        levels, end = stepped_levels(key, table, steps, spec.leaves_out_last)
        end = end or spec.end
        asked = [*levels, end] if end else levels
        assert levels_of(scheduler)[: len(asked)] == pytest.approx(asked, rel=1e-4), spec.key
        # A start in pure noise of the first level, whether the pipeline scales it by sigma or by its signal too.
        assert float(scheduler.init_noise_sigma) in (pytest.approx(levels[0], rel=1e-4), 1.0), spec.key
        told = sorted({float(t) for t in scheduler.timesteps}, reverse=True)
        assert told[0] == pytest.approx(table.timesteps(levels)[0], abs=0.5), spec.key
        assert told[-1] >= 0
        assert len(scheduler.timesteps) in (len(levels), 2 * len(levels), 2 * len(levels) - 1), spec.key


def test_lcm_steps_at_the_timesteps_of_hyper_sds_and_dmd2s_cards():
    """LCMScheduler with ``timesteps=[800]``, and with ``[999, 749, 499, 249]``.

    The card of Hyper-SD hands the network the starting noise as it is, its node for ComfyUI as strong as at timestep
    800, which is 2 % less; the studio is as the node.
    """
    scheduler = set_up("lcm_any", SHIPPED["sdxl"], 1, "sdxl", schedule="from_800")
    assert scheduler.timesteps.tolist() == pytest.approx([800], abs=1e-3)
    noise, foretold = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    sample = noise * scheduler.init_noise_sigma
    theirs = diffusers.LCMScheduler.from_config(SHIPPED["sdxl"], clip_sample=False)
    theirs.set_timesteps(timesteps=[800], original_inference_steps=1000)
    asked = scheduler.scale_model_input(sample, scheduler.timesteps[0])
    level = sigmas_of_the_table()[800]
    assert torch.allclose(asked, noise * float(level / np.sqrt(level**2 + 1)), atol=1e-4)
    wanted = theirs.step(foretold, theirs.timesteps[0], asked).prev_sample
    made = scheduler.step(foretold, scheduler.timesteps[0], sample).prev_sample
    assert torch.allclose(made, wanted, atol=1e-4)
    four = set_up("lcm_any", SHIPPED["sdxl"], 4, "sdxl", schedule="turbo")
    assert four.timesteps.tolist() == pytest.approx([999, 749, 499, 249], abs=1e-3)


@pytest.mark.parametrize("key", ["dpm2", "dpmpp_3m_sde", "unipc", "euler"])
def test_the_level_before_zero_is_left_out_as_the_sampler_does_or_as_is_asked(key):
    """Of n + 1 levels the last is left out: by A1111 for DPM2, DPM2 a and 3M SDE, by ComfyUI for UniPC too."""
    low, high = (level ** (1 / 7) for level in sigmas_of_the_table()[[0, -1]])

    def karras(count: int) -> np.ndarray:
        return (high + np.linspace(0, 1, count) * (low - high)) ** 7

    for steps in (1, 10):
        left_out, kept = karras(steps + 1)[:-1], karras(steps)
        for values, expected in (
            ({}, kept if key == "euler" else left_out), ({"last_level": "kept"}, kept),
            ({"last_level": "left_out"}, left_out), ({"compatibility": "0.1"}, kept),
        ):  # fmt: skip
            scheduler = set_up(key, SHIPPED["sd1"], steps, schedule="karras", **values)
            assert levels_of(scheduler) == pytest.approx(expected, rel=1e-4), (steps, values)


def test_requests_of_version_0_1_are_sampled_as_they_were():
    for key, class_name, order in (
        ("dpmpp_2m_sde", "DPMSolverMultistepScheduler", 2), ("dpmpp_3m_sde", "DPMSolverMultistepScheduler", 3),
    ):  # fmt: skip
        scheduler = set_up(key, SHIPPED["sd1"], 10, compatibility="0.1")
        assert type(scheduler).__name__ == class_name
        assert (scheduler.config.algorithm_type, scheduler.config.solver_order) == ("sde-dpmsolver++", order)
        assert not hasattr(scheduler, "noise_sampler")
        assert type(set_up(key, SHIPPED["sd1"], 10)).__name__ != class_name


@pytest.mark.parametrize("key", ["dpm2", "dpm2_a", "dpmpp_2m_sde", "dpmpp_3m_sde", "unipc", "dpmpp_sde", "ddim"])
def test_a_picture_of_version_0_1_is_drawn_again_as_the_stock_classes_drew_it(studio, tiny_models, key):
    """Its rules: diffusers' own class and noise, and every level kept."""
    here = studio("sd1")
    (image,) = here.make([8], scheduler=key, schedule="automatic" if key == "ddim" else "karras", steps=6,
                         compatibility="0.1")  # fmt: skip
    pipe = diffusers.StableDiffusionPipeline.from_pretrained(str(tiny_models["sd1"]), local_files_only=True)
    spec = SCHEDULER_BY_KEY[key].at("0.1")
    config = {name: value for name, value in pipe.scheduler.config.items() if name in BETAS}
    flag = {} if key == "ddim" else {"use_karras_sigmas": True, "timestep_spacing": "linspace"}
    pipe.scheduler = getattr(diffusers, spec.class_name)(**config, **spec.config, **flag, **(
        {"clip_sample": False} if key == "ddim" else {}
    ))  # fmt: skip
    if key == "dpmpp_sde":
        pipe.scheduler.noise_sampler_seed = [8]
    bare = pipe(
        "a red heart", width=64, height=64, guidance_scale=5.0, generator=torch.Generator().manual_seed(8),
        num_inference_steps=6,
    ).images[0]  # fmt: skip
    assert np.abs(np.asarray(image.pixels, np.int16) - np.asarray(bare, np.int16)).max() <= 1


def test_a_schedule_of_more_levels_than_steps_draws_and_tells_them_all(studio):
    here = studio("sd1")
    for key, calls in (("euler", 7), ("dpmpp_2s", 7), ("dpmpp_2s_a", 13), ("heun", 13), ("lms", 7), ("euler_a", 7)):
        here.make([3], steps=6, scheduler=key, schedule="ddim_uniform")
        assert [step.step for step in here.steps] == list(range(1, calls + 1)), key
    here.make([3], steps=30, scheduler="ddim")
    assert len(here.steps) == 31


@pytest.mark.parametrize("spec", K_STYLE, ids=lambda spec: spec.key)
@pytest.mark.parametrize(("schedule", "steps", "values"), [("beta", 60, {}), ("karras", 30, {"zero_snr": True})])
def test_a_sampler_begins_at_its_first_level_though_its_timesteps_are_rounded_to_one(spec, schedule, steps, values):
    scheduler = set_up(spec.key, BETAS, steps, schedule=schedule, **values)
    sample = torch.ones(1, 4, 8, 8)
    if hasattr(scheduler, "noise_sampler"):
        scheduler.noise_sampler = lambda *_: sample
    scheduler.scale_model_input(sample, scheduler.timesteps[0])
    scheduler.step(sample, scheduler.timesteps[0], sample)
    assert scheduler.step_index == 1


def test_steps_that_are_close_together_are_all_taken(studio):
    here = studio("sd1")
    here.make([3], steps=60, scheduler="dpmpp_2m", schedule="beta")
    assert [step.step for step in here.steps] == [*range(1, 61)]


@pytest.mark.parametrize("spec", K_STYLE, ids=lambda spec: spec.key)
def test_a_copy_keeps_the_levels(spec):
    scheduler = build_scheduler(request(scheduler=spec.key, schedule="beta", steps=7), BETAS, FAMILY_BY_KEY["sd1"])
    copied = copy.deepcopy(scheduler)
    copied.set_timesteps(7)
    table = NoiseTable(sigmas_of_the_table(), FAMILY_BY_KEY["sd1"].align_your_steps)
    levels, _ = stepped_levels("beta", table, 7, spec.leaves_out_last)
    assert levels_of(copied) == pytest.approx([*levels, spec.end] if spec.end else levels, rel=1e-4)
    assert not np.array_equal(levels_of(scheduler), levels_of(copied))  # the original is left as it was


@pytest.mark.parametrize("spec", SCHEDULERS, ids=lambda spec: spec.key)
@pytest.mark.parametrize("asked", [{}, {"zero_snr": True}])
def test_a_model_trained_to_zero_signal_is_sampled_from_there(spec, asked):
    trained = {**ZERO_SNR, "rescale_betas_zero_snr": not asked}
    scheduler = set_up(spec.key, trained, 20, **asked)
    assert float(scheduler.timesteps[0]) == pytest.approx(999, abs=1e-4)
    assert float(scheduler.timesteps[-1]) > 40  # evenly spaced to the end: the last step is as long as the others
    assert float(scheduler.alphas_cumprod[-1]) <= 2.0**-24 * 1.01
    assert float(scheduler.alphas_cumprod[0]) == pytest.approx(float(1 - BETAS["beta_start"]), rel=1e-5)
    if spec.automatic:
        assert levels_of(scheduler)[0] == pytest.approx(4096, rel=1e-3)


@pytest.mark.parametrize("spec", SCHEDULERS, ids=lambda spec: spec.key)
@pytest.mark.parametrize("family", ["sd1", "sd2"])  # which predict noise and velocity
def test_every_sampler_draws_from_zero_signal(studio, family, spec):
    (image,) = studio(family).make([3], steps=4, scheduler=spec.key, zero_snr=True)  # numbers that are none would raise
    assert image.pixels.getbbox() is not None


@pytest.mark.parametrize("spec", SCHEDULERS, ids=lambda spec: spec.key)
def test_the_prediction_may_be_told(spec):
    for prediction in ("epsilon", "v_prediction"):
        assert set_up(spec.key, SHIPPED["sd2"], 4, prediction=prediction).config.prediction_type == prediction


def test_a_wrong_prediction_changes_the_picture(studio):
    here = studio("sd1")
    (right,), (same,), (wrong,) = (
        here.make([3], prediction=prediction) for prediction in ("automatic", "epsilon", "v_prediction")
    )
    assert right.pixels.tobytes() == same.pixels.tobytes() != wrong.pixels.tobytes()


def test_too_few_steps_are_refused():
    with pytest.raises(InvalidRequest, match="needs 2 or more"):
        set_up("dpmpp_2s", BETAS, 1)


def test_flow_matching_models_are_recognised_by_their_scheduler():
    assert not is_diffusion(diffusers.FlowMatchEulerDiscreteScheduler())
    for spec in SCHEDULERS:
        assert is_diffusion(scheduler_class(spec)())


def test_dpmpp_sde_draws_each_images_noise_from_its_own_seed(studio):
    here = studio("sd1")
    first, second = here.make([1, 2], batch_size=2, scheduler="dpmpp_sde", steps=4)
    assert first.pixels.tobytes() != second.pixels.tobytes()


def test_the_noise_of_dpmpp_sde_is_what_diffusers_draws_on_a_cpu(studio, tiny_models):
    here = studio("sd1")
    (image,) = here.make([8], scheduler="dpmpp_sde", steps=4)
    pipe = diffusers.StableDiffusionPipeline.from_pretrained(str(tiny_models["sd1"]), local_files_only=True)
    asked = request(scheduler="dpmpp_sde", steps=4)
    pipe.scheduler = build_scheduler(asked, pipe.scheduler.config, FAMILY_BY_KEY["sd1"])
    pipe.scheduler.noise_sampler_seed = [8]
    bare = pipe(
        "a red heart", width=64, height=64, guidance_scale=5.0, generator=torch.Generator().manual_seed(8),
        num_inference_steps=4,
    ).images[0]  # fmt: skip
    assert np.array_equal(np.asarray(image.pixels), np.asarray(bare))


def test_the_config_in_a_recipe_is_json(studio):
    here = studio("sd1")
    for spec in SCHEDULERS[:3]:
        (image,) = here.make([3], scheduler=spec.key)
        text = json.dumps(image.recipe.made_with["scheduler"], allow_nan=False)
        assert json.loads(text)["class"] == spec.class_name
        assert image.recipe.made_with["schedule"] == spec.automatic


def test_no_row_is_named_in_the_code():
    """A new scheduler is one row in the table: the engine must not know any by name."""
    import sdstudio.engine

    for file in Path(sdstudio.engine.__file__).parent.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        named = [spec.key for spec in SCHEDULERS if f'"{spec.key}"' in text]
        assert not named, f"{file.name} names {named}"
