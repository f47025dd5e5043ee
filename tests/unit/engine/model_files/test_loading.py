from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import threading

import diffusers
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sdstudio.core.errors import (
    InvalidNumbers,
    ModelDamaged,
    ModelLoadFailed,
    ModelNotFound,
    ModelPickled,
    ModelUnsupported,
)  # fmt: skip
from sdstudio.core.events import ImageMade, ModelLoading
from sdstudio.core.models.model import ModelInfo, ModelLayout
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.core.settings import Settings
from sdstudio.library.scanning.identify import examine
from tests.tiny_models import tiny_sd3
from tests.unit.engine.conftest import info, pickle_weights, request
from tests.unit.engine.model_files.test_folder import rewrite_index


def test_progress_goes_up_part_by_part(studio):
    here = studio("sdxl", Settings(previews=False))
    here.make()
    told = here.of(ModelLoading)
    assert [event.part for event in told][:-1] == [
        part for part in ("scheduler", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "unet", "vae")
    ]  # fmt: skip
    fractions = [event.fraction for event in told]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)


def test_nothing_is_asked_from_the_network(studio, monkeypatch):
    asked = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: asked.append(address))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: asked.append(args))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    studio("sd1", Settings(previews=False)).make()
    assert asked == []


def test_nothing_is_written_to_the_terminal(studio, capfd):
    studio("sd1", Settings(previews=False)).make(prompt="red " * 200)
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


@pytest.mark.parametrize("precision", ["float32", "float16", "bfloat16"])
def test_every_network_is_loaded_in_the_number_format_of_the_settings(studio, precision):
    here = studio("sdxl", Settings(precision=precision, previews=False))
    here.make()
    networks = (here.pipe.unet, here.pipe.vae, here.pipe.text_encoder, here.pipe.text_encoder_2)
    assert {str(network.dtype) for network in networks} == {f"torch.{precision}"}


def test_weights_stored_in_half_are_float32_on_a_cpu(studio, own_copy):
    folder = own_copy()
    pipe = diffusers.StableDiffusionPipeline.from_pretrained(str(folder), local_files_only=True, dtype=torch.float16)
    pipe.save_pretrained(folder / "half")
    here = studio("sd1", path=folder / "half")
    here.make()
    assert {here.pipe.unet.dtype, here.pipe.text_encoder.dtype} == {torch.float32}


def test_a_model_with_only_the_fp16_variant_of_its_files_loads(studio, own_copy):
    folder = own_copy()
    expected = studio("sd1").make([2])[0]
    for part, name in (
        ("unet", "diffusion_pytorch_model"),
        ("vae", "diffusion_pytorch_model"),
        ("text_encoder", "model"),
    ):
        (folder / part / f"{name}.safetensors").rename(folder / part / f"{name}.fp16.safetensors")
    (image,) = studio("sd1", path=folder).make([2])
    assert np.array_equal(np.asarray(image.pixels), np.asarray(expected.pixels))


def test_a_model_split_into_shards_loads(studio, own_copy):
    folder = own_copy()
    expected = studio("sd1").make([2])[0]
    pipe = diffusers.StableDiffusionPipeline.from_pretrained(str(folder), local_files_only=True)
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    pipe.unet.save_pretrained(folder / "unet", max_shard_size="200KB")
    assert len(list((folder / "unet").glob("*.safetensors"))) > 1
    (image,) = studio("sd1", path=folder).make([2])
    assert np.array_equal(np.asarray(image.pixels), np.asarray(expected.pixels))


def test_damage_is_told_before_anything_is_loaded_and_the_engine_goes_on(studio, own_copy):
    folder = own_copy()
    here = studio("sd1", Settings(previews=False))
    good = here.model
    weights = folder / "vae" / "diffusion_pytorch_model.safetensors"
    os.truncate(weights, 5000)
    here.model = info(folder, "sd1")
    with pytest.raises(ModelDamaged, match=r"vae/diffusion_pytorch_model\.safetensors"):
        here.make()
    assert here.events == []
    here.model = good
    assert len(here.make()) == 1


def test_a_text_file_named_safetensors(studio, own_copy):
    folder = own_copy()
    (folder / "unet" / "diffusion_pytorch_model.safetensors").write_text("hello, I am a model\n" * 1000)
    with pytest.raises(ModelDamaged, match="it is no safetensors file"):
        studio("sd1", path=folder).make()


def test_folders_and_files_that_are_not_models(studio, tmp_path):
    with pytest.raises(ModelNotFound):
        studio("sd1", path=tmp_path / "gone").make()
    with pytest.raises(ModelNotFound):
        studio("sd1", path=tmp_path).make()
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"12345678")
    here = studio("sd1", path=file)
    with pytest.raises(ModelDamaged, match="no safetensors file"):
        here.make()
    here.model = ModelInfo("k", "k", file, "sd1", ModelLayout.SINGLE_FILE)
    with pytest.raises(ModelDamaged, match="no safetensors file"):
        here.make()
    file.unlink()
    with pytest.raises(ModelNotFound):
        here.make()


@pytest.mark.parametrize("name", ["NoSuchPipeline", "StableDiffusionImg2ImgPipeline", "StableVideoDiffusionPipeline"])
def test_pipelines_that_do_not_draw_from_text_are_named(studio, own_copy, name):
    folder = own_copy()
    rewrite_index(folder, _class_name=name)
    with pytest.raises(ModelUnsupported, match=name):
        studio("sd1", path=folder).make()


def test_a_component_class_that_does_not_exist_is_named(studio, own_copy):
    folder = own_copy()
    rewrite_index(folder, unet=["diffusers", "UNet9DConditionModel"])
    with pytest.raises(ModelUnsupported, match=r"its unet is diffusers\.UNet9DConditionModel"):
        studio("sd1", path=folder).make()


def change_weights(file, change):
    weights = load_file(file)
    change(weights)
    save_file(weights, file, metadata={"format": "pt"})


def test_weights_that_no_file_holds_are_noticed(studio, own_copy):
    folder = own_copy()
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    change_weights(file, lambda weights: weights.pop("conv_out.weight"))
    with pytest.raises((ModelDamaged, ModelLoadFailed), match="unet"):
        studio("sd1", path=folder).make()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("part", ["unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "text_encoder/model"])
def test_weights_that_are_no_numbers_are_noticed(studio, own_copy, part, value):
    folder = own_copy()
    names = []

    def spoil(weights):
        names.append(next(name for name in sorted(weights) if name.endswith("weight") and weights[name].numel() > 100))
        weights[names[0]].view(-1)[5] = value

    change_weights(folder / f"{part}.safetensors", spoil)
    with pytest.raises(ModelDamaged, match="holds invalid numbers") as error:
        studio("sd1", path=folder).make()
    assert part.split("/")[0] in error.value.message


def test_large_half_precision_weights_are_not_taken_for_infinity(studio, own_copy):
    folder = own_copy()

    def enlarge(weights):
        weights["conv_in.bias"] += 30_000.0

    change_weights(folder / "unet" / "diffusion_pytorch_model.safetensors", enlarge)
    here = studio("sd1", Settings(precision="float16", previews=False), folder)
    with contextlib.suppress(InvalidNumbers):
        here.make()
    assert here.engine.status().model == here.model.key


def test_parts_of_different_models_do_not_load(studio, own_copy, tiny_models):
    folder = own_copy()
    config = json.loads((folder / "unet" / "config.json").read_text())
    (folder / "unet" / "config.json").write_text(json.dumps({**config, "block_out_channels": [32, 64]}))
    with pytest.raises((ModelLoadFailed, ModelDamaged), match="unet"):
        studio("sd1", path=folder).make()


def test_an_empty_vocabulary_is_noticed(studio, own_copy):
    folder = own_copy()
    file = folder / "tokenizer" / "tokenizer.json"
    tokenizer = json.loads(file.read_text())
    tokenizer["model"]["vocab"] = {"a": 0, "b": 1, "<|startoftext|>": 2, "<|endoftext|>": 3}
    tokenizer["model"]["merges"] = []
    tokenizer["added_tokens"] = []
    file.write_text(json.dumps(tokenizer))
    with pytest.raises((ModelDamaged, ModelLoadFailed), match="tokenizer"):
        studio("sd1", path=folder).make()


def test_any_other_text_to_image_pipeline_draws_with_its_generic_parameters(studio, own_copy):
    """Through AutoPipelineForText2Image's table; this one decodes by itself, its latents being unknown."""
    folder = own_copy()
    rewrite_index(folder, _class_name="StableDiffusionPAGPipeline")
    here = studio("other", path=folder)
    images = here.make([3, 4], batch_size=2, width=72)
    assert type(here.pipe).__name__ == "StableDiffusionPAGPipeline"
    assert [image.pixels.size for image in images] == [(72, 64)] * 2
    (alone,) = here.make([4], width=72)
    assert np.abs(np.asarray(images[1].pixels, dtype=int) - np.asarray(alone.pixels, dtype=int)).max() <= 2


def test_a_flow_matching_model_draws_with_its_own_sampler_and_says_so(studio, tmp_path):
    here = studio("other", path=tiny_sd3(tmp_path / "tiny-sd3"))
    images = here.make([3, 4], batch_size=2, scheduler="dpmpp_2m", width=72)
    assert type(here.pipe).__name__ == "StableDiffusion3Pipeline"
    assert [image.pixels.size for image in images] == [(72, 64)] * 2
    assert images[0].recipe.made_with["scheduler"]["class"] == "FlowMatchEulerDiscreteScheduler"
    assert "is sampled with its own FlowMatchEulerDiscreteScheduler: DPM++ 2M" in here.notices[0].message
    assert len(here.steps) == 3


def test_the_rules_of_another_pipeline_are_said_in_one_line(studio, own_copy, monkeypatch):
    folder = own_copy()
    rewrite_index(folder, _class_name="StableDiffusionPAGPipeline")
    here = studio("other", path=folder)
    here.make()

    def strict(self, *args, **kwargs):
        raise ValueError("`height` has to be divisible by 16")

    monkeypatch.setattr(type(here.pipe), "check_inputs", strict)
    with pytest.raises(ModelUnsupported, match="divisible by 16"):
        here.make()


def test_files_with_emoji_and_blanks_in_their_path(studio, own_copy, tmp_path):
    odd = tmp_path / "модель 🐸 x"
    own_copy().rename(odd)
    assert len(studio("sd1", path=odd).make()) == 1


def test_a_folder_deleted_after_loading_is_not_found(studio, own_copy, tmp_path):
    folder = own_copy()
    here = studio("sd1", path=folder)
    here.make()
    folder.rename(tmp_path / "moved")
    with pytest.raises(ModelNotFound):
        here.engine.generate(ResolvedRequest(request(), here.model), [1], 1, lambda event: None, threading.Event())
    (tmp_path / "moved").rename(folder)
    assert isinstance(here.make()[0], ImageMade)


def test_a_folder_of_pickles_draws_only_when_the_settings_say_so(studio, own_copy):
    folder = own_copy()
    expected = studio("sd1").make([2])[0]
    pickle_weights(folder)
    here = studio("sd1", Settings(previews=False), folder)
    with pytest.raises(ModelPickled, match=r"model-sd1: the weights of its text_encoder are there only as a pickle"):
        here.make([2])
    here.engine.configure(Settings(previews=False, open_pickles=True))
    (image,) = here.make([2])
    assert np.array_equal(np.asarray(image.pixels), np.asarray(expected.pixels))
    assert "model-sd1 is a pickle" in here.notices[0].message
    here.engine.configure(Settings(previews=False))
    with pytest.raises(ModelPickled):
        here.make([2])


def test_pickles_beside_safetensors_are_left_alone(studio, own_copy, tmp_path):
    folder = own_copy()
    shutil.copytree(folder, tmp_path / "both")
    pickle_weights(tmp_path / "both")
    for path in (tmp_path / "both").glob("*/*.bin"):
        (folder / path.relative_to(tmp_path / "both")).write_bytes(b"nothing that could be read")
    expected = studio("sd1").make([2])[0]
    (image,) = studio("sd1", path=folder).make([2])
    assert np.array_equal(np.asarray(image.pixels), np.asarray(expected.pixels))


def test_a_pickled_safety_checker_is_in_the_way_only_when_it_is_used(studio, own_copy):
    folder = own_copy()
    (folder / "safety_checker").mkdir()
    rewrite_index(folder, safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"])
    (folder / "safety_checker" / "config.json").write_text("{}")
    (folder / "safety_checker" / "pytorch_model.bin").write_bytes(b"pickled")
    assert examine(folder).error is None
    assert len(studio("sd1", Settings(previews=False, safety_checker=False), folder).make()) == 1
    with pytest.raises(ModelPickled, match="safety_checker"):
        studio("sd1", Settings(previews=False, safety_checker=True), folder).make()
