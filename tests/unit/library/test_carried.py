"""Single files in the library: which can be drawn with, at which size, and what one that was a folder still knows."""

from __future__ import annotations

import json
import zipfile

import pytest
from PIL import Image

from sdstudio.core.errors import InvalidRequest, ModelPickled, ModelUnsupported
from sdstudio.core.models.checkpoint import PARTS_KEY, EmbeddedParts
from sdstudio.core.models.model import ModelLayout
from sdstudio.core.models.safetensors_writer import SafetensorsWriter, TensorPlan
from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.settings import PICKLES_TITLE
from sdstudio.library.library import Library
from sdstudio.library.resolving import RequestResolver
from sdstudio.library.scanning.facts import VAE_HINT
from sdstudio.library.scanning.identify import examine
from sdstudio.library.scanning.pickled import family_in_pickle

_CONV = "model.diffusion_model.input_blocks.0.0.weight"
_ATTENTION = "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight"


def checkpoint(path, width, metadata=None):
    plans = {_CONV: TensorPlan("F16", (2, 4, 3, 3)), _ATTENTION: TensorPlan("F16", (1, width))}
    with SafetensorsWriter(path, plans, metadata or {}) as writer:
        for name in writer.names:
            writer.write(name, bytes(plans[name].size_bytes))
    return path


@pytest.mark.parametrize(
    ("name", "width", "family", "pipeline", "size"),
    [
        ("x", 768, "sd1", "StableDiffusionPipeline", (512, 512)),
        ("v2-1_768-ema", 1024, "sd2", "StableDiffusionPipeline", (768, 768)),
        ("unknown", 1024, "sd2", "StableDiffusionPipeline", (768, 768)),
        ("512-base-ema", 1024, "sd2", "StableDiffusionPipeline", (512, 512)),
        ("sd_turbo", 1024, "sd2", "StableDiffusionPipeline", (512, 512)),
        ("x", 2048, "sdxl", "StableDiffusionXLPipeline", (1024, 1024)),
    ],
)
def test_a_checkpoint_can_be_drawn_with_at_its_size(tmp_path, name, width, family, pipeline, size):
    found = examine(checkpoint(tmp_path / f"{name}.safetensors", width))
    assert found.error is None
    info = found.info
    assert (info.layout, info.family, info.pipeline) == (ModelLayout.SINGLE_FILE, family, pipeline)
    assert info.size_presets[0] == size


def carried(pipeline="StableDiffusionPipeline", **notes):
    configs = {"unet": {"cross_attention_dim": 24, "sample_size": 8}, "vae": {"block_out_channels": [8, 8, 8, 8]}}
    return {PARTS_KEY: EmbeddedParts({"_class_name": pipeline}, configs, {}, notes).as_text()}


def test_a_file_that_was_a_folder_keeps_its_notes(home):
    notes = carried(family="sd2", steps=7, examples=["a red heart"], width=64, height=64)
    checkpoint(home.models / "x.safetensors", 24, notes)
    info = Library(home).find("x")
    assert (info.family, info.problem, info.examples) == ("sd2", "", ("a red heart",))
    assert (info.defaults["steps"], info.size_presets[0]) == (7, (64, 64))


def test_a_file_that_was_a_folder_without_notes_is_known_by_its_pipeline(home):
    checkpoint(home.models / "x.safetensors", 24, carried("StableDiffusionXLPipeline"))
    assert Library(home).find("x").family == "sdxl"


def test_a_folder_that_draws_over_pictures_does_not_as_a_file_either(home):
    checkpoint(home.models / "x.safetensors", 24, carried("StableDiffusionImg2ImgPipeline"))
    with pytest.raises(ModelUnsupported, match="only text-to-image"):
        Library(home).find("x")


@pytest.mark.parametrize("text", ["{", json.dumps({"index": []})])
def test_parts_that_nobody_wrote_leave_the_rest_of_the_library_alone(home, text):
    checkpoint(home.models / "x.safetensors", 24, {PARTS_KEY: text})
    checkpoint(home.models / "good.safetensors", 768)
    problems = {model.key: model.problem for model in Library(home).models()}
    assert problems["good"] == ""
    assert PARTS_KEY in problems["x"]


def pickle(path, *names):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + b"\x00".join(name.encode() for name in names))
    return path


@pytest.mark.parametrize(
    ("encoder", "family"),
    [
        ("cond_stage_model.transformer.text_model.x", "sd1"),
        ("cond_stage_model.model.x", "sd2"),
        ("conditioner.embedders.1.model.x", "sdxl"),
        ("nothing", ""),
    ],
)
def test_a_pickle_tells_its_family_without_being_opened(tmp_path, encoder, family):
    assert family_in_pickle(pickle(tmp_path / "x.ckpt", _CONV, encoder)) == family
    (tmp_path / "old.ckpt").write_bytes(f"{_CONV} {encoder}".encode())
    assert family_in_pickle(tmp_path / "old.ckpt") == family
    (tmp_path / "broken.ckpt").write_bytes((tmp_path / "x.ckpt").read_bytes()[:-30])
    assert family_in_pickle(tmp_path / "broken.ckpt") in (family, "")
    assert family_in_pickle(tmp_path / "gone.ckpt") == ""


def test_a_pickle_can_be_drawn_with_only_when_the_settings_say_so(home):
    pickle(home.models / "x.ckpt", _CONV, "cond_stage_model.transformer.y", "first_stage_model.z")
    library = Library(home)
    with pytest.raises(ModelPickled, match="is a pickle"):
        library.find("x")
    assert "Convert it" in next(model.problem for model in library.models() if model.key == "x")
    library.set_open_pickles(True)
    library.rescan()
    assert library.find("x").family == "sd1"
    assert [model.problem for model in library.models() if model.key == "x"] == [""]
    assert [asset.problem for asset in library.assets() if asset.key == "x"] == [""]


def test_a_pickle_without_a_vae_says_so_in_the_list_once_it_may_be_opened(home):
    pickle(home.models / "x.ckpt", _CONV, "cond_stage_model.transformer.y")
    library = Library(home)
    [model] = [model for model in library.models() if model.key == "x"]
    assert "is a pickle" in model.problem
    assert not model.is_usable
    library.set_open_pickles(True)
    library.rescan()
    model = library.find("x")
    assert model.problem.endswith(f"x.ckpt holds no VAE. {VAE_HINT}")
    assert model.lacks_vae
    assert model.is_usable
    assert [asset.problem for asset in library.assets() if asset.key == "x"] == [model.problem]


def test_embeddings_vaes_and_upscalers_that_are_pickles_ask_the_same_setting(home):
    for name in ("embeddings/old.pt", "VAE/soft.pt", "upscale_models/4x.pth"):
        (home.models / name).parent.mkdir()
        (home.models / name).write_bytes(b"\x80\x02}.")
    library = Library(home)
    model = library.find("starter")
    resolver = RequestResolver(library)
    Image.new("RGB", (8, 8)).save(home.home / "small.png")
    key = InputPictures(home).keep(home.home / "small.png").id
    asked = {
        "Embedding = old: .*is a pickle": GenerationRequest(prompt="a cat, old"),
        "VAE = soft: .*is a pickle": GenerationRequest(prompt="a cat", vae="soft"),
        "Upscaler = 4x: .*is a pickle": GenerationRequest(init_image=key, upscaler="4x"),
    }
    for said, request in asked.items():
        with pytest.raises(InvalidRequest, match=said) as caught:
            resolver.check(request, model)
        assert PICKLES_TITLE in str(caught.value)
    library.set_open_pickles(True)
    library.rescan()
    for request in asked.values():
        resolver.check(request, model)
    assert {asset.key: asset.problem for asset in library.assets() if asset.root == home.models} == {
        "old": "", "soft": "", "4x": "",
    }  # fmt: skip
