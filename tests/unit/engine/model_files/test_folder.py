from __future__ import annotations

import json
import os

import pytest

from sdstudio.core.errors import ModelDamaged, ModelNotFound, ModelUnsupported
from sdstudio.engine.model_files.folder import check_files, stamp_of


def test_a_whole_model_is_told_part_by_part(tiny_models):
    files = check_files(tiny_models["sdxl"])
    assert files.pipeline == "StableDiffusionXLPipeline"
    sizes = {part.name: part.size_bytes for part in files.components}
    assert set(sizes) == {"vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "unet", "scheduler"}
    assert sizes["unet"] == (tiny_models["sdxl"] / "unet" / "diffusion_pytorch_model.safetensors").stat().st_size
    assert sizes["tokenizer"] == 0


@pytest.mark.parametrize(
    "missing",
    [
        "unet", "vae", "text_encoder", "tokenizer", "scheduler",
        "unet/config.json", "unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors",
        "tokenizer/tokenizer.json", "scheduler/scheduler_config.json",
    ],
)  # fmt: skip
def test_whatever_is_missing_is_named(own_copy, missing):
    folder = own_copy()
    target = folder / missing
    target.rename(folder / "elsewhere")
    with pytest.raises(ModelDamaged) as error:
        check_files(folder)
    assert missing in error.value.message
    assert error.value.hint


def test_a_truncated_file_is_named_with_what_is_there_and_what_should_be(own_copy):
    folder = own_copy()
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    size = weights.stat().st_size
    os.truncate(weights, size - 1000)
    with pytest.raises(ModelDamaged) as error:
        check_files(folder)
    assert f"{weights} is damaged: 1,000 of its " in error.value.message


def test_folders_that_are_no_models(tmp_path):
    with pytest.raises(ModelNotFound, match="no such folder"):
        check_files(tmp_path / "nowhere")
    with pytest.raises(ModelNotFound, match=r"no model_index\.json"):
        check_files(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\xff\xfe", "[" * 100_000])
def test_an_unreadable_index_is_damaged(tmp_path, text):
    (tmp_path / "model_index.json").write_text(text, encoding="latin-1")
    with pytest.raises(ModelDamaged, match=r"model_index\.json is damaged"):
        check_files(tmp_path)


def rewrite_index(folder, **changes):
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, **changes}))


@pytest.mark.parametrize(
    "entry",
    [["os", "system"], ["subprocess", "Popen"], ["unet.my_code", "Net"], ["diffusers", "a.b"], ["diffusers", 3]],
)
def test_classes_from_elsewhere_are_refused(own_copy, entry):
    folder = own_copy()
    rewrite_index(folder, unet=entry)
    with pytest.raises(ModelUnsupported, match="classes of diffusers and transformers"):
        check_files(folder)


@pytest.mark.parametrize("name", [["my_pipeline", "Mine"], None, 7, "os.system"])
def test_pipelines_of_their_own_code_are_refused(own_copy, name):
    folder = own_copy()
    rewrite_index(folder, _class_name=name)
    with pytest.raises(ModelUnsupported, match="code of its own"):
        check_files(folder)


def test_parts_that_nobody_uses_are_not_looked_at(own_copy):
    folder = own_copy()
    rewrite_index(folder, safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"])
    with pytest.raises(ModelDamaged, match="lacks its folder safety_checker"):
        check_files(folder)
    assert check_files(folder, ("safety_checker",)).component("safety_checker") is None


def test_every_shard_of_a_split_file_is_looked_at(own_copy):
    folder = own_copy()
    unet = folder / "unet"
    (unet / "diffusion_pytorch_model.safetensors").rename(unet / "part-1.safetensors")
    index = {"weight_map": {"a": "part-1.safetensors", "b": "part-2.safetensors"}}
    (unet / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelDamaged, match=r"lacks unet/part-2\.safetensors"):
        check_files(folder)
    (unet / "part-2.safetensors").write_bytes((unet / "part-1.safetensors").read_bytes()[:-1])
    with pytest.raises(ModelDamaged, match=r"unet/part-2\.safetensors is damaged"):
        check_files(folder)
    (unet / "part-2.safetensors").write_bytes((unet / "part-1.safetensors").read_bytes())
    assert check_files(folder).component("unet").size_bytes == 2 * (unet / "part-1.safetensors").stat().st_size


@pytest.mark.parametrize("shards", [{}, {"a": "../../elsewhere.safetensors"}, {"a": 3}, None])
def test_an_index_of_shards_that_names_none_of_its_own_is_damaged(own_copy, shards):
    folder = own_copy()
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    index = folder / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": shards}))
    with pytest.raises(ModelDamaged, match="lists no weights"):
        check_files(folder)


def test_the_stamp_follows_every_file(own_copy):
    folder = own_copy()
    before = stamp_of(folder)
    assert stamp_of(folder) == before
    config = folder / "unet" / "config.json"
    config.write_text(config.read_text() + "\n")
    assert stamp_of(folder) != before
