"""How ComfyUI's graphs step: samplers, noise levels, noise, guiders, later passes, and what a picture began from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sdstudio.catalog.names import from_comfyui
from sdstudio.catalog.schedulers import SCHEDULER_BY_KEY
from sdstudio.history.picture_text.pnginfo import NOT_THE_SAME
from tests.unit.history.foreign.graphs import custom, node, plain, read

MODEL = ["4", 0]


def sigma_ends() -> tuple[float, float]:
    """The lowest and the highest noise level of Stable Diffusion: its betas are squares of evenly spaced roots."""
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=np.float64) ** 2
    kept = np.cumprod(1 - betas)
    levels = ((1 - kept) / kept) ** 0.5
    return float(levels[0]), float(levels[-1])


def test_schedules_that_are_made_by_nodes_are_the_models_own_where_their_ends_are():
    low, high = sigma_ends()
    same: list[tuple[dict[str, Any], str]] = [
        (node("KarrasScheduler", steps=12, sigma_max=high, sigma_min=low, rho=7), "karras"),
        (node("KarrasScheduler", steps=12, sigma_max=14.614642, sigma_min=0.0291675, rho=7.0), "karras"),
        (node("ExponentialScheduler", steps=12, sigma_max=high, sigma_min=low), "exponential"),
        (node("PolyexponentialScheduler", steps=12, sigma_max=high, sigma_min=low, rho=1), "exponential"),
        (node("BasicScheduler", scheduler="simple", steps=12, denoise=1.0, model=MODEL), "simple"),
    ]
    for sigmas, key in same:
        found = read(custom(sigmas))
        assert (found.recipe.request.schedule, found.recipe.request.steps) == (key, 12), sigmas
        assert found.not_mapped == {}, sigmas


@pytest.mark.parametrize(
    ("kind", "inputs", "told"),
    [
        ("KarrasScheduler", {"sigma_max": 10, "sigma_min": 0.0291675, "rho": 7}, "sigma_max 10"),
        ("KarrasScheduler", {"sigma_max": 14.614642, "sigma_min": 0.0291675, "rho": 5}, "rho 5"),
        ("PolyexponentialScheduler", {"sigma_max": 14.614642, "sigma_min": 0.0291675, "rho": 2}, "rho 2"),
        ("BetaSamplingScheduler", {"alpha": 0.9, "beta": 0.6}, "alpha 0.9"),
        ("SDTurboScheduler", {"denoise": 1}, "SDTurboScheduler"),
        ("VPScheduler", {"beta_d": 19.9, "beta_min": 0.1, "eps_s": 0.001}, "beta_d 19.9"),
        ("LaplaceScheduler", {"mu": 0.0, "beta": 0.5}, "LaplaceScheduler"),
        ("SchedulerOfTomorrow", {"bend": 3}, "SchedulerOfTomorrow"),
        ("GITSScheduler", {"coeff": 1.2}, "coeff 1.2"),
    ],
)
def test_noise_levels_that_the_studio_has_not_are_told(kind, inputs, told):
    found = read(custom(node(kind, steps=10, **inputs)))
    assert told in found.not_mapped["Schedule type"]
    assert found.recipe.request.steps == 10


def test_hyper_sds_one_step_is_the_schedule_from_its_timestep():
    found = read(custom(node("HyperSDXL1StepUnetScheduler", steps=1, model=MODEL)))
    assert (found.recipe.request.schedule, found.recipe.request.steps) == ("from_800", 1)
    assert "Schedule type" not in found.not_mapped
    more = read(custom(node("HyperSDXL1StepUnetScheduler", steps=4, model=MODEL)))
    assert "steps 4" in more.not_mapped["Schedule type"], "the node makes one level whatever it is asked for"


def test_what_changes_noise_levels_is_told_and_what_made_them_is_read():
    levels = node("KarrasScheduler", steps=12, sigma_max=14.614642, sigma_min=0.0291675, rho=7)
    for kind, inputs in (
        ("SplitSigmas", {"step": 8}), ("FlipSigmas", {}), ("SetFirstSigma", {"sigma": 9.5}),
        ("ExtendIntermediateSigmas", {"steps": 2, "spacing": "linear"}), ("SigmasOfTomorrow", {"power": 2}),
    ):  # fmt: skip
        found = read(custom(node(kind, sigmas=["22", 0], **inputs), n22=levels))
        assert found.recipe.request.schedule == "karras", kind
        assert kind in found.not_mapped, kind


@pytest.mark.parametrize(
    ("kind", "inputs", "name", "told"),
    [
        ("SamplerEulerAncestral", {"eta": 0.5, "s_noise": 1}, "euler_ancestral", {NOT_THE_SAME}),
        ("SamplerEulerAncestral", {"eta": 1.0, "s_noise": 1.1}, "euler_ancestral",
         {"SamplerEulerAncestral", NOT_THE_SAME}),
        ("SamplerDPMPP_2M_SDE", {"solver_type": "midpoint", "eta": 1.0, "s_noise": 1, "noise_device": "gpu"},
         "dpmpp_2m_sde", {NOT_THE_SAME}),
        ("SamplerDPMPP_2M_SDE", {"solver_type": "heun", "eta": 0.3, "s_noise": 1, "noise_device": "cpu"},
         "dpmpp_2m_sde_heun", {}),
        ("SamplerDPMPP_SDE", {"eta": 0.3, "s_noise": 1, "r": 0.5}, "dpmpp_sde", {"SamplerDPMPP_SDE"}),
        ("SamplerLMS", {"order": 4}, "lms", {}),
        ("SamplerLMS", {"order": 2}, "lms", {"SamplerLMS"}),
    ],
)  # fmt: skip
def test_samplers_that_are_made_by_nodes_are_what_comfyui_calls_so(kind, inputs, name, told):
    found = read(custom(sampler=node(kind, **inputs)))
    meant = from_comfyui(name, "karras")
    assert meant is not None
    assert found.recipe.request.scheduler == meant.scheduler
    assert found.recipe.request.schedule == meant.schedule
    assert set(found.not_mapped) - {"Sampler", "Schedule type"} == set(told)
    if "eta" in SCHEDULER_BY_KEY[meant.scheduler].takes:
        assert found.recipe.request.eta == inputs["eta"]


def test_levels_of_a_node_of_their_own_leave_none_out_and_the_samplers_own_do():
    """ComfyUI's KSampler leaves out the last level before zero for DPM2; BasicScheduler and SamplerCustom do not."""
    apart = read(custom(sampler=node("KSamplerSelect", sampler_name="dpm_2"))).recipe.request
    within = read(plain(sampler={"sampler_name": "dpm_2", "scheduler": "karras"})).recipe.request
    assert (apart.scheduler, apart.last_level) == ("dpm2", "kept")
    assert (within.scheduler, within.last_level) == ("dpm2", "automatic")
    aligned = read(custom(node("AlignYourStepsScheduler", model_type="SD1", steps=12, denoise=1.0))).recipe.request
    assert (aligned.schedule, aligned.last_level) == ("align_your_steps", "left_out")


def test_a_sampler_that_nobody_knows_is_told_beside_its_schedule():
    found = read(custom(sampler=node("SamplerOfTomorrow", order=7)))
    assert found.not_mapped["Sampler"] == "SamplerOfTomorrow"
    assert found.not_mapped["Schedule type"] == "karras"
    assert "Sampler" in found.assumed


def test_guiders_say_how_strongly_they_guide():
    def guided(guider: dict[str, Any]) -> dict[str, Any]:
        nodes = custom()
        nodes["3"] = node("SamplerCustomAdvanced", noise=["23", 0], guider=["24", 0], sampler=["20", 0],
                          sigmas=["21", 0], latent_image=["5", 0])  # fmt: skip
        return nodes | {"23": node("RandomNoise", noise_seed=77), "24": guider}

    basic = read(guided(node("BasicGuider", model=MODEL, conditioning=["6", 0])))
    assert basic.recipe.request.guidance_scale == 1.0
    assert (basic.recipe.request.seed, basic.recipe.request.prompt) == (77, "a bottle")
    cfg = read(guided(node("CFGGuider", model=MODEL, positive=["6", 0], negative=["7", 0], cfg=4.5)))
    assert (cfg.recipe.request.guidance_scale, cfg.recipe.request.negative_prompt) == (4.5, "blurry")
    assert cfg.not_mapped == {}
    dual = node("DualCFGGuider", model=MODEL, cond1=["6", 0], cond2=["6", 0], negative=["7", 0], cfg_conds=5.0,
                cfg_cond2_negative=3.0)  # fmt: skip
    told = read(guided(dual))
    assert told.recipe.request.guidance_scale == 5.0
    assert "cfg_cond2_negative 3" in told.not_mapped["DualCFGGuider"]


def test_a_sampler_that_does_less_than_a_whole_picture_says_so():
    advanced = node("KSamplerAdvanced", add_noise="enable", noise_seed=5, steps=25, cfg=7, sampler_name="euler",
                    scheduler="normal", start_at_step=0, end_at_step=20, return_with_leftover_noise="enable",
                    model=MODEL, positive=["6", 0], negative=["7", 0], latent_image=["5", 0])  # fmt: skip
    told = read(plain(n3=advanced)).not_mapped["KSamplerAdvanced"]
    assert "end_at_step 20" in told
    assert "return_with_leftover_noise" in told
    advanced["inputs"] |= {"end_at_step": 10_000, "return_with_leftover_noise": "disable"}
    assert read(plain(n3=advanced)).not_mapped == {}
    unknown = {**plain()["3"], "class_type": "KSamplerOfTomorrow"}
    unknown["inputs"] = {**unknown["inputs"], "wobble": 3}
    assert read(plain(n3=unknown)).not_mapped == {"KSamplerOfTomorrow": "wobble 3"}


def test_what_comes_after_the_first_sampler_is_told():
    found = read(plain(
        n10=node("LatentUpscaleBy", samples=["3", 0], scale_by=1.5),
        n11=node("KSampler", seed=6, steps=8, cfg=7, sampler_name="euler", scheduler="normal", denoise=0.5,
                 model=["15", 0], positive=["12", 0], negative=["7", 0], latent_image=["10", 0]),
        n12=node("CLIPTextEncode", text="sharper", clip=["4", 1]),
        n8=node("VAEDecode", samples=["11", 0], vae=["4", 2]),
        n15=node("LoraLoader", lora_name="late.pt", strength_model=1, strength_clip=1, model=MODEL, clip=["4", 1]),
        n13=node("FaceDetailer", image=["8", 0], model=MODEL, seed=1, steps=9, cfg=6, sampler_name="euler", denoise=0.4,
                 positive=["6", 0], negative=["7", 0], guide_size=384),
        n14=node("ImageScale", image=["13", 0], width=2048, height=2048),
        n9=node("SaveImage", images=["14", 0]),
    ))  # fmt: skip
    left = found.not_mapped
    assert left["Pass 2"] == "steps 8, cfg 7, denoise 0.5, sampler_name euler"
    assert "FaceDetailer" in left["Pass 3"]
    assert "guide_size 384" in left["FaceDetailer"]
    assert left["Other prompts"] == "sharper"
    assert "LatentUpscaleBy" in left["Other nodes"]
    assert "LoraLoader of late.pt" in left["Other nodes"]
    assert "ImageScale" in left["Other nodes"]


def test_what_a_picture_began_from_is_told():
    inside = {"n11": node("LoadImage", image="in.png"), "n12": node("VAEEncode", pixels=["11", 0], vae=["4", 2])}
    masked = node("SetLatentNoiseMask", samples=["12", 0], mask=["11", 1])
    left = read(plain(sampler={"latent_image": ["10", 0], "denoise": 0.5}, n10=masked, **inside)).not_mapped
    assert "all 25 steps were run, the last of 50" in left["Input picture"]
    assert "SetLatentNoiseMask" in left
    blended = node("LatentBlend", samples1=["5", 0], samples2=["12", 0], blend_factor=0.3)
    assert "0.3" in read(plain(sampler={"latent_image": ["10", 0]}, n10=blended, **inside)).not_mapped["LatentBlend"]
    named = node("SDXL Empty Latent Image (rgthree)", dimensions="1216 x 832 (landscape)", clip_scale=2, batch_size=1)
    picked = read(plain(sampler={"latent_image": ["10", 0]}, n10=named))
    assert (picked.recipe.request.width, picked.recipe.request.height) == (1216, 832)
    noise = node("NoisyLatentOfTomorrow", width=512, height=640, power=2)
    told = read(plain(sampler={"latent_image": ["10", 0]}, n10=noise))
    assert told.not_mapped == {"NoisyLatentOfTomorrow": "power 2"}
    assert told.recipe.request.height == 640
