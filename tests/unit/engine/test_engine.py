from __future__ import annotations

import threading

import diffusers
import numpy as np
import pytest
import torch
import transformers

from sdstudio.catalog.families import FAMILIES, FAMILY_BY_KEY
from sdstudio.catalog.schedulers import SCHEDULERS
from sdstudio.core.errors import InvalidNumbers, InvalidRequest, StudioError
from sdstudio.core.events import Decoding, ImageMade, ModelLoading, StepDone
from sdstudio.core.settings import Settings
from sdstudio.engine.engine import Engine, make_engine
from sdstudio.engine.samplers.schedulers import build_scheduler
from tests.tiny_models import tiny_sd3

from .conftest import align_parts, request

KNOWN = [family.key for family in FAMILIES if family.pipelines]


def pixels(image: ImageMade) -> np.ndarray:
    return np.asarray(image.pixels, dtype=np.int16)


@pytest.mark.parametrize("family", KNOWN)
def test_every_family_draws_a_picture_of_the_size_asked_for(studio, family):
    here = studio(family, Settings(previews=False))
    (image,) = here.make([7], width=72, height=64)
    assert image.pixels.size == (72, 64)
    assert image.pixels.mode == "RGB"
    assert image.recipe.request.seed == 7
    assert image.recipe.model_family == family
    kinds = [type(event) for event in here.events]
    assert kinds[0] is ModelLoading
    assert kinds[-5:] == [StepDone, StepDone, StepDone, Decoding, ImageMade]


@pytest.mark.parametrize("family", KNOWN)
@pytest.mark.parametrize("guidance", [1.0, 6.5])
@pytest.mark.parametrize("key", ["dpmpp_2m", "euler_a", "ddim"])
def test_pixels_are_those_of_a_bare_script(studio, tiny_models, family, guidance, key):
    here = studio(family)
    (image,) = here.make([11], scheduler=key, guidance_scale=guidance, negative_prompt="blue")

    pipe = diffusers.DiffusionPipeline.from_pretrained(str(tiny_models[family]), local_files_only=True)
    pipe.scheduler = build_scheduler(request(scheduler=key), pipe.scheduler.config, FAMILY_BY_KEY[family])
    align_parts(pipe)
    bare = pipe(
        "a red heart", negative_prompt="blue", width=64, height=64, guidance_scale=guidance,
        generator=torch.Generator("cpu").manual_seed(11), num_inference_steps=3,
    ).images[0]  # fmt: skip
    assert np.array_equal(pixels(image), np.asarray(bare))


@pytest.mark.parametrize("spec", SCHEDULERS, ids=lambda spec: spec.key)
def test_a_picture_of_a_batch_is_the_same_made_alone_and_again(studio, spec):
    here = studio("sd1")
    batch = here.make([5, 6, 2**64 - 1], batch_size=3, scheduler=spec.key, steps=4)
    assert [image.index for image in batch] == [0, 1, 2]
    assert [image.recipe.made_with["batch_index"] for image in batch] == [0, 1, 2]
    last = batch[2]
    (alone,) = here.make([last.recipe.request.seed], scheduler=spec.key, steps=4)
    assert np.abs(pixels(last) - pixels(alone)).max() <= 2
    (again,) = here.make([last.recipe.request.seed], scheduler=spec.key, steps=4)
    assert np.array_equal(pixels(alone), pixels(again))
    assert not np.array_equal(pixels(batch[0]), pixels(batch[1]))


def test_seeds_that_do_not_fill_the_last_batch_are_all_made_in_order(studio):
    here = studio("sd1")
    images = here.make([1, 2, 3, 4, 5], batch_size=2)
    assert [image.recipe.request.seed for image in images] == [1, 2, 3, 4, 5]
    assert [image.recipe.made_with["batch_size"] for image in images] == [2, 2, 2, 2, 1]
    assert {step.image_count for step in here.steps} == {5}
    assert sorted({(step.image, step.count) for step in here.steps}) == [(0, 2), (2, 2), (4, 1)]


def test_the_recipe_holds_what_the_picture_depends_on(studio):
    (image,) = studio("sd2").make([3], scheduler="dpmpp_2m")
    made_with = image.recipe.made_with
    assert made_with["dtype"] == "float32"
    assert made_with["device_type"] == "cpu"
    assert made_with["rng"] == "cpu"
    libraries = (torch, diffusers, transformers)
    assert made_with["versions"] == {library.__name__: library.__version__ for library in libraries}
    assert made_with["scheduler"]["class"] == "DPMSolverMultistepScheduler"
    assert made_with["scheduler"]["config"]["prediction_type"] == "v_prediction"
    assert "use_karras_sigmas" not in made_with["scheduler"]["config"]
    assert made_with["schedule"] == "karras"
    assert made_with["vae_retry"] is False
    assert image.recipe.app.startswith("sdstudio ")
    assert image.recipe.created.endswith("+00:00")
    assert image.recipe.duration_s > 0
    assert image.recipe == type(image.recipe).model_validate_json(image.recipe.model_dump_json())


def test_the_same_model_is_not_loaded_twice_and_a_changed_one_is(studio, own_copy):
    here = studio("sd1", path=own_copy("sd1"))
    here.make()
    first = here.pipe
    assert here.of(ModelLoading)[-1].fraction == 1.0
    here.make(scheduler="ddim")
    assert here.of(ModelLoading) == []
    assert here.pipe is first
    weights = here.model.path / "unet" / "diffusion_pytorch_model.safetensors"
    copy = weights.with_suffix(".part")
    copy.write_bytes(weights.read_bytes())
    copy.replace(weights)
    here.make()
    assert here.pipe is not first


def test_a_new_precision_takes_effect_with_the_next_picture(studio):
    here = studio("sd1")
    (first,) = here.make([3])
    here.engine.configure(Settings(precision="bfloat16", previews=False))
    (second,) = here.make([3])
    assert here.pipe.unet.dtype == torch.bfloat16
    assert second.recipe.made_with["dtype"] == "bfloat16"
    here.engine.configure(Settings(previews=False))
    (third,) = here.make([3])
    assert np.array_equal(pixels(first), pixels(third))


@pytest.mark.parametrize(("guidance", "rows"), [(1.0, 2), (1.5, 4)])
def test_guidance_of_one_skips_the_unconditional_pass(studio, guidance, rows):
    here = studio("sd1")
    here.make()
    seen = []
    hook = here.pipe.unet.register_forward_pre_hook(lambda module, args: seen.append(args[0].shape[0]))
    here.make([1, 2], batch_size=2, guidance_scale=guidance)
    hook.remove()
    assert set(seen) == {rows}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_numbers_that_break_in_the_unet_are_told_with_their_step(studio, precision):
    here = studio("sd1", Settings(precision=precision, previews=False))
    (before,) = here.make([9])
    calls = []

    def break_third(module, args, output):
        calls.append(1)
        if len(calls) == 2:
            output[0][0, 0, 0, 0] = float("nan")

    hook = here.pipe.unet.register_forward_hook(break_third)
    with pytest.raises(InvalidNumbers, match="at step 2 of 3") as error:
        here.make([9])
    hook.remove()
    assert ("float32" in error.value.hint) == (precision != "float32")
    assert here.steps[-1].step == 1
    assert here.of(ImageMade) == []
    (after,) = here.make([9])
    assert np.array_equal(pixels(before), pixels(after))


def test_a_decoder_that_overflows_decodes_again_in_float32(studio):
    here = studio("sd1", Settings(precision="bfloat16", previews=False))
    (before,) = here.make([9])
    seen = []

    def overflow(module, args, output):
        seen.append(output.dtype)
        return output * float("inf") if output.dtype == torch.bfloat16 else None

    hook = here.pipe.vae.decoder.conv_out.register_forward_hook(overflow)
    (image,) = here.make([9])
    hook.remove()
    assert seen == [torch.bfloat16, torch.float32]
    assert image.recipe.made_with["vae_retry"] is True
    assert here.pipe.vae.dtype == torch.bfloat16
    assert np.abs(pixels(image) - pixels(before)).mean() < 10
    (after,) = here.make([9])
    assert np.array_equal(pixels(before), pixels(after))
    assert after.recipe.made_with["vae_retry"] is False


def test_a_decoder_broken_in_float32_too_is_an_error_and_no_picture(studio):
    here = studio("sd1")
    here.make()
    hook = here.pipe.vae.decoder.conv_out.register_forward_hook(lambda module, args, output: output * float("nan"))
    with pytest.raises(InvalidNumbers, match="VAE"):
        here.make()
    hook.remove()
    assert here.of(ImageMade) == []
    assert len(here.make()) == 1


@pytest.mark.parametrize(("family", "expected"), [("sdxl", torch.float32), ("sd1", torch.float16)])
def test_only_sdxl_upcasts_its_decoder_as_the_stock_pipelines_do(studio, family, expected):
    here = studio(family, Settings(precision="float16", previews=False))
    here.make()
    seen = []
    hook = here.pipe.vae.decoder.conv_in.register_forward_pre_hook(lambda module, args: seen.append(args[0].dtype))
    here.make()
    hook.remove()
    assert seen[0] == expected
    assert here.pipe.vae.dtype == torch.float16


def test_an_image_by_image_decode_tells_each(studio):
    here = studio("sd1", Settings(vae_slicing=True, previews=False))
    here.make([1, 2, 3], batch_size=3)
    assert [event.image for event in here.of(Decoding)] == [0, 1, 2]


def test_a_device_that_is_not_there_is_named_with_what_is(studio):
    here = studio("sd1", Settings(device="cuda"))
    if torch.cuda.is_available():
        pytest.skip("this computer has one")
    with pytest.raises(StudioError, match="Device = cuda: here there is auto, cpu"):
        here.make()
    assert "not there" in here.engine.status().device


def test_status_tells_device_memory_and_model(studio):
    here = studio("sd1", Settings(previews=False))
    before = here.engine.status()
    assert before.model == ""
    assert before.total_bytes > before.used_bytes > 0
    here.make()
    assert here.engine.status().model == here.model.key
    assert here.engine.status().dtype == "float32"
    here.engine.unload()
    assert here.engine.status().model == ""


def test_words_that_a_model_outside_the_families_does_not_read_are_told_and_nothing_fails(studio, tmp_path):
    here = studio("other", path=tiny_sd3(tmp_path / "tiny-sd3"))

    def told():
        return [notice.message for notice in here.notices if "tokens" in notice.message]

    here.make(prompt="red cat " * 60 + "heart", negative_prompt="a " * 100)
    assert told() == [
        "Prompt = 121 tokens: this model reads 75, nothing from “cat” on.",
        "Negative prompt = 100 tokens: this model reads 75, nothing from “a” on.",
    ]
    here.make(prompt="red cat " * 60, negative_prompt="a " * 100, guidance_scale=1.0)
    assert len(told()) == 1


@pytest.mark.parametrize("prompt", ["", "🐸🎨", "قلب أحمر", "a\n\nb", "x" * 20_000, "\x00"])
def test_any_text_is_drawn(studio, prompt):
    assert len(studio("sd1").make(prompt=prompt, steps=1)) == 1


def test_too_few_steps_for_a_sampler_name_the_field(studio):
    here = studio("sd1")
    with pytest.raises(InvalidRequest, match=r"Steps = 1: DPM\+\+ 2S needs 2") as error:
        here.make(steps=1, scheduler="dpmpp_2s")
    assert error.value.field == "steps"


def test_seeds_beyond_two_to_the_63_are_taken(studio):
    here = studio("sd1")
    for seed in (2**63, 2**64 - 1):
        (image,) = here.make([seed])
        assert image.recipe.request.seed == seed
    with pytest.raises(ValueError, match="seed"):
        request(seed=2**64)


def test_an_engine_works_from_another_thread_than_it_was_built_in(studio):
    here = studio("sd1")
    images = []
    thread = threading.Thread(target=lambda: images.extend(here.make([4])), name="sdstudio-test")
    thread.start()
    thread.join()
    (again,) = here.make([4])
    assert np.array_equal(pixels(images[0]), pixels(again))


def test_make_engine_builds_one_with_the_settings():
    engine = make_engine(Settings(precision="float16"))
    assert isinstance(engine, Engine)
    assert engine.status().dtype == "float16"
    engine.close()
