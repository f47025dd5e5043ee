"""Models trained at continuous noise levels draw what diffusers' own schedulers for them draw, with every sampler."""

from __future__ import annotations

import math
import threading

import diffusers
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sdstudio.catalog.schedulers import SCHEDULERS
from sdstudio.core.errors import InvalidRequest, ModelDamaged
from sdstudio.core.models.model import ModelInfo, ModelLayout
from sdstudio.core.models.safetensors_header import read_header
from sdstudio.core.models.work import ConvertOrder
from sdstudio.core.settings import Settings
from sdstudio.engine.model_files.convert import convert
from sdstudio.engine.samplers.edm import Edm
from tests.tiny_adapters import pixels

MEAN, DEVIATION = [-1.6574, 1.886, -1.383, 2.5155], [8.4927, 5.9022, 6.5498, 5.2299]
KINDS = {
    "cosxl": {"edm_vpred.sigma_max": torch.tensor(120.0), "edm_vpred.sigma_min": torch.tensor(0.002)},
    "playground": {
        name: torch.tensor(values).view(1, 4, 1, 1) for name, values in (("edm_mean", MEAN), ("edm_std", DEVIATION))
    },
}


@pytest.fixture
def edm(studio, single_files, tmp_path):
    """Give a studio with a tiny SDXL whose file says that it is of a kind."""

    def made(kind):
        source = single_files("sdxl")
        path = tmp_path / f"{kind}.safetensors"
        save_file(load_file(source) | KINDS[kind], path, read_header(source).metadata)
        here = studio("sdxl", Settings(previews=False), path)
        here.model = ModelInfo(path.stem, path.stem, path, "sdxl", ModelLayout.SINGLE_FILE)
        return here

    return made


def stock(here, scheduler, steps):
    """Return what the stock pipeline draws with the same parts and this scheduler, as `Studio.make` asks for it."""
    pipe = diffusers.StableDiffusionXLPipeline(
        **{**here.pipe.components, "scheduler": scheduler}, add_watermarker=False,
        force_zeros_for_empty_prompt=here.pipe.config.force_zeros_for_empty_prompt,
    )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    image = pipe(
        "a red heart", width=64, height=64, num_inference_steps=steps, guidance_scale=5.0,
        generator=torch.Generator().manual_seed(1),
    ).images[0]  # fmt: skip
    return np.asarray(image, dtype=np.int16)


@pytest.mark.parametrize(
    ("kind", "sampler", "schedule", "scheduler"),
    [
        (
            "cosxl", "euler", "exponential",
            diffusers.EDMEulerScheduler(0.002, 120.0, 1.0, "exponential", prediction_type="v_prediction"),
        ),
        ("cosxl", "euler", "karras", diffusers.EDMEulerScheduler(0.002, 120.0, 1.0, prediction_type="v_prediction")),
        ("playground", "dpmpp_2m", "karras", diffusers.EDMDPMSolverMultistepScheduler(0.002, 80.0, 0.5)),
        ("playground", "euler", "karras", diffusers.EDMEulerScheduler(0.002, 80.0, 0.5)),
    ],
)  # fmt: skip
def test_it_draws_what_the_stock_pipeline_draws_with_the_scheduler_made_for_it(edm, kind, sampler, schedule, scheduler):
    here = edm(kind)
    (image,) = here.make(steps=6, scheduler=sampler, schedule=schedule)
    wanted = stock(here, scheduler, 6)
    assert wanted.std() > 5
    assert np.abs(pixels(image) - wanted).max() <= 2
    assert here.notices == []
    (plain,) = here.make(steps=6, scheduler="euler_a")
    assert np.abs(pixels(plain) - wanted).max() > 5


def test_the_table_is_the_formula_of_karras_in_units_of_the_datas_deviation():
    made = Edm(0.002, 80.0, 0.5, is_v=False)
    scheduler = diffusers.EulerDiscreteScheduler.from_config(dict(made.trained))
    generator = np.random.default_rng(1)
    for sigma in (0.05, 1.0, 30.0, 80.0):
        x, said = generator.normal(size=2)
        c_skip = 0.5**2 / (sigma**2 + 0.5**2)
        clean = c_skip * x + sigma * 0.5 / math.sqrt(sigma**2 + 0.5**2) * said
        ours, v = sigma / 0.5, -said
        assert math.isclose(0.5 * ((x / 0.5) / (ours**2 + 1) - ours / math.sqrt(ours**2 + 1) * v), clean)
        place = np.interp(math.log(sigma), np.linspace(math.log(0.002), math.log(80), 1000), np.arange(1000))
        assert math.isclose(float(made.network_time(torch.tensor(place))), 0.25 * math.log(sigma), abs_tol=1e-4)
        level = float(((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod).sqrt()[round(place)])
        assert math.isclose(level, ours, rel_tol=0.02)


def test_every_sampler_tells_the_network_noise_levels_of_its_own_range(edm):
    here = edm("cosxl")
    here.make(steps=1)
    heard: list[float] = []
    handle = here.pipe.unet.time_proj.register_forward_pre_hook(lambda _m, args: heard.append(float(args[0].max())))
    low, high = 0.25 * math.log(0.002), 0.25 * math.log(120.0)
    odd = {}
    for row in SCHEDULERS:
        heard.clear()
        (image,) = here.make(steps=4, scheduler=row.key)
        from_the_top = not row.automatic or abs(heard[0] - high) < 1e-3
        if not from_the_top or not all(low - 1e-3 <= time <= high + 1e-3 for time in heard) or pixels(image).std() < 1:
            odd[row.key] = heard[:]
    handle.remove()
    assert odd == {}


def test_what_would_take_it_for_another_model_is_refused(edm):
    here = edm("cosxl")
    for values, said in (({"zero_snr": True}, "Zero terminal SNR"), ({"prediction": "epsilon"}, "Prediction")):
        with pytest.raises(InvalidRequest, match=f"{said}: cosxl was trained at noise levels of its own"):
            here.make(**values)
    here.make(prediction="v_prediction")


@pytest.mark.parametrize("kind", KINDS)
def test_the_folder_made_of_it_draws_the_same_and_as_before_where_a_recipe_is_that_old(edm, studio, tmp_path, kind):
    here = edm(kind)
    (image,) = here.make(scheduler="dpmpp_2m")
    convert(ConvertOrder(here.model.path, tmp_path / "folder", ModelLayout.FOLDER), lambda _: None, threading.Event())
    there = studio("sdxl", Settings(previews=False), tmp_path / "folder")
    (again,) = there.make(scheduler="dpmpp_2m")
    assert np.abs(pixels(again) - pixels(image)).max() <= 1
    (old,) = there.make(scheduler="dpmpp_2m", compatibility="0.1")
    assert np.abs(pixels(old) - stock(there, there.pipe.scheduler, 3)).max() <= 1
    assert "is sampled with its own EDM" in there.notices[0].message


def test_noise_levels_and_latents_that_are_no_numbers_of_theirs_are_said(edm, single_files):
    for kind, name, value in (
        ("cosxl", "edm_vpred.sigma_max", torch.zeros(0)),
        ("cosxl", "edm_vpred.sigma_min", torch.zeros(3)),
        ("playground", "edm_mean", torch.zeros(3)),
    ):
        here = edm(kind)
        weights = load_file(here.model.path) | {name: value}
        save_file(weights, here.model.path, read_header(single_files("sdxl")).metadata)
        with pytest.raises(ModelDamaged, match=rf"its {name} is \[\d\]: allowed are \d numbers"):
            here.make()
