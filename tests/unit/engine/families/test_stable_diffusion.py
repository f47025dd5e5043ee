from __future__ import annotations

import accelerate
import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

from sdstudio.catalog.families import FAMILIES, FAMILY_BY_KEY
from sdstudio.catalog.schedulers import SCHEDULERS
from sdstudio.core.errors import Cancelled, InvalidRequest
from sdstudio.core.events import Decoding, GuidanceStep, ImageMade, Notice, StepDone
from sdstudio.core.settings import Settings
from sdstudio.engine import vae as vae_module
from sdstudio.engine.device.memory import MemoryPlan, apply
from sdstudio.engine.samplers.schedulers import build_scheduler
from sdstudio.engine.vae import Vae
from tests.tiny_models import tiny_sd3
from tests.unit.engine.conftest import align_parts, info, request

KNOWN = [family.key for family in FAMILIES if family.pipelines]
ID = "5a" * 32


def pixels(image):
    return np.asarray(image.pixels, dtype=np.int16)


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "in.png"
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    Image.fromarray(np.stack([*np.meshgrid(ramp, ramp), np.full((64, 64), 90, np.uint8)], -1)).save(path)
    return path


@pytest.fixture
def begun(studio, picture):
    """Draw over the picture with a tiny model."""

    def make(family="sd1", seeds=(1,), here=None, path=None, **values):
        here = here or studio(family)
        before, here.picture = here.picture, path or picture
        try:
            return here.make(seeds, **{"init_image": ID, "strength": 0.5, "steps": 6, **values})
        finally:
            here.picture = before

    return make


@pytest.mark.parametrize("family", KNOWN)
def test_so_many_steps_are_run_as_the_strength_says(studio, begun, family):
    (image,) = begun(family)
    here = studio(family)
    assert [(step.step, step.total) for step in here.steps] == [(1, 3), (2, 3), (3, 3)]
    assert [type(event) for event in here.events][-5:] == [StepDone, StepDone, StepDone, Decoding, ImageMade]
    assert image.recipe.request.init_image == ID
    assert image.recipe.made_with["scheduler"]["class"] == "EulerDiscreteScheduler"
    assert request(init_image=ID, steps=20, strength=0.33).steps_run == 6


@pytest.mark.parametrize("family", KNOWN)
@pytest.mark.parametrize("key", ["dpmpp_2m", "euler_a", "ddim", "heun"])
def test_pixels_are_those_of_the_bare_image_to_image_pipeline(begun, tiny_models, picture, family, key):
    (image,) = begun(family, [11], scheduler=key, negative_prompt="blue")
    xl = "XL" if family == "sdxl" else ""
    cls = getattr(diffusers, f"StableDiffusion{xl}Img2ImgPipeline")  # what AutoPipelineForImage2Image would choose
    pipe = cls.from_pretrained(str(tiny_models[family]), local_files_only=True)
    asked = request(scheduler=key, steps=6)
    pipe.scheduler = build_scheduler(asked, pipe.scheduler.config, FAMILY_BY_KEY[family])
    align_parts(pipe)
    count = pipe.scheduler.steps_taken if hasattr(pipe.scheduler, "steps_taken") else 6  # DDIM's strides leave one more
    pixels_in = pipe.image_processor.preprocess(Image.open(picture))
    with torch.no_grad():
        latents = pipe.vae.encode(pixels_in).latent_dist.mode() * pipe.vae.config.scaling_factor
    bare = pipe(
        "a red heart", image=latents, strength=3.5 / count, negative_prompt="blue", guidance_scale=5.0,
        generator=torch.Generator("cpu").manual_seed(11), num_inference_steps=count,
    ).images[0]  # fmt: skip
    assert np.array_equal(pixels(image), np.asarray(bare))


@pytest.mark.parametrize("spec", SCHEDULERS, ids=lambda spec: spec.key)
def test_every_sampler_draws_over_a_picture_alone_or_in_a_batch_and_again(begun, spec):
    values = {"scheduler": spec.key, "steps": 4}
    batch = begun(seeds=[5, 6, 2**64 - 1], **values)
    (alone,) = begun(seeds=[2**64 - 1], **values)
    (again,) = begun(seeds=[2**64 - 1], **values)
    assert np.abs(pixels(batch[2]) - pixels(alone)).max() <= 2
    assert np.array_equal(pixels(alone), pixels(again))
    assert not np.array_equal(pixels(batch[0]), pixels(batch[1]))


@pytest.mark.parametrize("spec", SCHEDULERS, ids=lambda spec: spec.key)
@pytest.mark.parametrize("strength", [0.25, 1.0])
def test_every_sampler_takes_one_step_and_all_of_them(studio, begun, spec, strength):
    (image,) = begun(scheduler=spec.key, steps=4, strength=strength)
    assert pixels(image).std() > 0
    assert len(studio("sd1").steps) >= 4 * strength


def test_a_schedule_of_another_number_of_levels_runs_as_many_steps_as_the_strength_says(studio, begun):
    here = studio("sd1")
    for values, calls in (
        ({"scheduler": "euler"}, 3), ({"scheduler": "dpmpp_2s_a"}, 5), ({"scheduler": "dpmpp_2m", "strength": 0.2}, 1),
        ({"scheduler": "euler", "strength": 1.0}, 6), ({"scheduler": "ddim", "schedule": "automatic"}, 3),
    ):  # fmt: skip
        begun(**{"schedule": "ddim_uniform", **values})  # 7 levels for 6 steps
        assert len(here.steps) == calls, values
    for key in ("dpmpp_2s_a", "heun"):  # to the lowest level: no step of first order at the end
        begun(scheduler=key, schedule="kl_optimal_a1111")
        assert len(here.steps) == 6


@pytest.mark.parametrize("values", [{"strength": 0.0}, {"strength": 0.1, "steps": 6}])
def test_where_no_step_is_left_the_pictures_own_pixels_come_back_without_a_model(studio, begun, picture, values):
    here = studio("sd1", Settings(previews=False))
    images = begun(here=here, seeds=[3, 4], **values)
    for index, image in enumerate(images):
        assert np.array_equal(pixels(image), np.asarray(Image.open(picture)))
        assert (image.index, image.recipe.request.seed) == (index, 3 + index)
    assert [type(event) for event in here.events if not isinstance(event, Notice)] == [ImageMade, ImageMade]
    assert here.engine.loaded is None
    said = ["Denoising strength = 0.1: of 6 steps it leaves none to draw over it."] if values["strength"] else []
    assert [notice.message for notice in here.notices] == said


def test_the_strength_decides_how_far_the_picture_is_left(begun, picture):
    own = np.asarray(Image.open(picture), dtype=np.int16)
    far = [np.abs(pixels(begun(strength=strength, steps=10)[0]) - own).mean() for strength in (0, 0.4, 1)]
    assert far[0] == 0
    assert far[0] < far[1]
    assert not np.array_equal(pixels(begun(strength=0.4)[0]), pixels(begun(strength=0.9)[0]))


def test_the_other_noise_draws_another_picture_and_the_same_one_again(begun):
    (cpu,), (nvidia,), (again,) = begun(), begun(rng="nvidia"), begun(rng="nvidia", scheduler="euler")
    assert not np.array_equal(pixels(cpu), pixels(nvidia))
    assert np.array_equal(pixels(nvidia), pixels(again))
    begun(rng="nvidia", scheduler="euler_a", seeds=(1, 2))


@pytest.mark.parametrize("switch", ["attention_slicing", "vae_slicing", "vae_tiling", "channels_last"])
def test_memory_switches_draw_about_the_same(studio, begun, switch):
    (plain,) = begun()
    (thrifty,) = begun(here=studio("sd1", Settings(previews=False, **{switch: True})))
    assert np.abs(pixels(plain) - pixels(thrifty)).max() <= 2


@pytest.mark.parametrize("offload", ["model", "sequential"])
@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_parts_that_are_offloaded_draw_the_same(studio, begun, family, offload):
    """On the CPU's own device, for want of another: the hooks are the ones a GPU gets."""
    here = studio(family, Settings(previews=False))
    (before,) = begun(here=here)
    if offload == "model":
        apply(MemoryPlan(offload="model"), MemoryPlan(), here.pipe, torch.device("cpu", 0))
    else:
        for part in here.pipe.components.values():
            if isinstance(part, torch.nn.Module):
                accelerate.cpu_offload(part, torch.device("cpu"), offload_buffers=True)
        assert {weight.device.type for weight in here.pipe.vae.parameters()} == {"meta"}
    for _ in range(2):
        (image,) = begun(here=here)
        assert np.abs(pixels(image) - pixels(before)).max() <= 1


def test_half_precision_and_autocast_draw_about_the_same(studio, begun):
    (plain,) = begun("sdxl")
    (half,) = begun(here=studio("sdxl", Settings(previews=False, precision="bfloat16")))
    (cast,) = begun(here=studio("sdxl", Settings(previews=False, autocast=True)))
    for image in (half, cast):
        assert 0 < np.abs(pixels(image) - pixels(plain)).mean() < 12


def test_a_vae_that_overflows_encodes_again_in_float32(studio, begun, monkeypatch):
    here = studio("sd1", Settings(previews=False, precision="bfloat16"))
    retrieve = vae_module.retrieve_latents

    def overflowing(encoded, sample_mode):
        latents = retrieve(encoded, sample_mode=sample_mode)
        return latents if latents.dtype == torch.float32 else latents * float("inf")

    monkeypatch.setattr(vae_module, "retrieve_latents", overflowing)
    (image,) = begun(here=here)
    assert image.recipe.made_with["vae_retry"] is True
    assert here.pipe.vae.dtype == torch.bfloat16


def test_a_batch_that_does_not_fit_is_drawn_in_less(studio, begun, monkeypatch):
    encode, calls = Vae.encode, []

    def full(self, picture):
        calls.append(self._plan.vae_tiling)
        if not self._plan.vae_tiling:
            raise torch.OutOfMemoryError("out of memory")
        return encode(self, picture)

    monkeypatch.setattr(Vae, "encode", full)
    here = studio("sd1", Settings(previews=False))
    (image,) = begun(here=here)
    assert calls == [False, True]
    assert [notice.message for notice in here.notices] == ["Not enough memory: trying again with VAE tiling."]
    assert image.recipe.made_with["memory"] == {"vae_tiling": True}


def test_a_cancel_is_heard_while_the_vae_encodes(studio, begun):
    here = studio("sd1", Settings(previews=False))
    begun(here=here)
    encoder = here.pipe.vae.encoder.down_blocks[0]
    hook = encoder.register_forward_pre_hook(lambda *_: here.cancel.set())
    with pytest.raises(Cancelled):
        begun(here=here)
    hook.remove()
    assert here.steps == []
    assert len(begun(here=here)) == 1


def test_the_guidance_of_the_steps_that_are_run_is_recorded(studio, begun):
    here = studio("sd1")
    (plain,) = begun(steps=10)
    here.engine.record(True)
    try:
        (told,) = begun(steps=10)
    finally:
        here.engine.record(False)
    steps = here.of(GuidanceStep)
    assert [(step.step, step.total) for step in steps] == [(n, 5) for n in range(1, 6)]
    assert np.array_equal(pixels(told), pixels(plain))


def test_the_hint_of_a_strength_that_is_too_small_helps(studio, begun):
    here = studio("sd1", Settings(previews=False))
    begun(here=here, strength=0.1, steps=6)
    (notice,) = here.notices
    assert notice.hint == "Use 0.17 or more, or more steps."
    begun(here=here, strength=0.17, steps=6)
    assert len(here.steps) == 1


def test_the_steps_over_a_picture_have_previews(studio, begun):
    here = studio("sd1", Settings(previews=True, preview_interval_ms=0))
    begun(here=here)
    assert [step.preview is not None for step in here.steps] == [True] * 3


def test_prompt_editing_and_guidance_parts_count_the_steps_that_are_run(begun):
    (plain,) = begun(prompt="a red heart")
    (late,) = begun(prompt="[a red heart:a blue cat:0.99]")
    (early,) = begun(prompt="[a red heart:a blue cat:0.4]")
    assert np.array_equal(pixels(plain), pixels(late))
    assert not np.array_equal(pixels(plain), pixels(early))


def test_a_text_picture_is_what_it_was_after_one_from_a_picture(studio, begun):
    here = studio("sd1")
    (before,) = here.make([1])
    begun()
    (after,) = here.make([1])
    assert np.array_equal(pixels(before), pixels(after))


def test_another_kind_of_model_refuses_in_one_line(studio, begun, tmp_path):
    path = tiny_sd3(tmp_path / "sd3")
    here = studio("other", path=path)
    here.model = info(path, "other")
    with pytest.raises(InvalidRequest, match="cannot begin from one") as raised:
        begun(here=here, scheduler="euler", steps=2, strength=1.0)
    assert raised.value.field == "init_image"


def test_a_model_with_channels_that_nobody_fills_refuses_in_one_line(studio, begun):
    here = studio("sd1", Settings(previews=False))
    here.make()
    here.pipe.unet.register_to_config(in_channels=8)
    with pytest.raises(InvalidRequest, match="cannot begin from one"):
        begun(here=here)


def test_a_request_whose_picture_nobody_found_is_refused(studio):
    with pytest.raises(InvalidRequest, match="nobody said where it lies") as raised:
        studio("sd1").make(init_image=ID)
    assert raised.value.field == "init_image"
