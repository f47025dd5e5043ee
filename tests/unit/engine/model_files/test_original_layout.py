"""The names of the original layout, held against diffusers' own way back, at full size and without weights."""

from __future__ import annotations

import json

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import (
    convert_ldm_clip_checkpoint,
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
    infer_diffusers_model_type,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from sdstudio.catalog.checkpoints import CHECKPOINTS
from sdstudio.core.models.checkpoint import spec_of
from sdstudio.core.paths import resources
from sdstudio.engine.model_files.folder import Component, FileParts, ModelFiles
from sdstudio.engine.model_files.loading import assemble, component_class
from sdstudio.engine.model_files.original_layout import original_text, original_unet, original_vae, unused
from sdstudio.engine.model_files.single_file import SingleFileReader
from sdstudio.engine.weight_files.weights import TorchWeights

TYPES = {
    "sd1": "v1", "sd1-inpaint": "inpainting", "sd2": "v2", "sd2-base": "v2", "sd2-inpaint": "inpainting_v2",
    "sdxl": "xl_base", "sdxl-inpaint": "xl_inpaint",
}  # fmt: skip


def config_of(key, part):
    return json.loads((resources() / "configs" / key / part / "config.json").read_text())


def network(key, part):
    """Build a network at full size, of tensors that have no values."""
    config = config_of(key, part)
    with torch.device("meta"):
        if part == "unet":
            return UNet2DConditionModel.from_config(config)
        if part == "vae":
            return AutoencoderKL.from_config(config)
        cls = CLIPTextModelWithProjection if part == "text_encoder_2" else CLIPTextModel
        return cls(CLIPTextConfig(**config))


def shapes_of(network):
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def originals(key, part):
    shapes, config = shapes_of(network(key, part)), config_of(key, part)
    if part == "unet":
        rows = list(original_unet(shapes, config))
    elif part == "vae":
        rows = list(original_vae(shapes, config))
    else:
        rows = list(original_text(part, shapes, config, key.startswith("sdxl")))
    assert unused(rows, shapes) == []
    return rows


def parts_of(key):
    index = json.loads((resources() / "configs" / key / "model_index.json").read_text())
    return [part for part in ("text_encoder", "text_encoder_2", "unet", "vae") if part in index]


@pytest.mark.parametrize("spec", CHECKPOINTS, ids=lambda spec: spec.key)
def test_every_weight_comes_back_through_diffusers(spec, tmp_path):
    """Under its name and in its shape; diffusers and the studio tell the family of the whole."""
    checkpoint = {
        row.name: torch.empty(row.shape, device="meta")
        for part in parts_of(spec.key)
        for row in originals(spec.key, part)
    }
    assert infer_diffusers_model_type(checkpoint) == TYPES[spec.key]
    header = TorchWeights(checkpoint).header
    found = spec_of(tmp_path / ("x-eps" if spec.key == "sd2-base" else "x"), header)
    assert found == spec
    for part in parts_of(spec.key):
        expected = shapes_of(network(spec.key, part))
        if part == "unet":
            back = convert_ldm_unet_checkpoint(checkpoint, config_of(spec.key, part))
        elif part == "vae":
            back = convert_ldm_vae_checkpoint(checkpoint, config_of(spec.key, part))
        elif config_of(spec.key, part)["hidden_act"] == "quick_gelu":
            back = convert_ldm_clip_checkpoint(checkpoint)
        else:
            prefix = "conditioner.embedders.1.model." if spec.family == "sdxl" else "cond_stage_model.model."
            back = convert_open_clip_checkpoint(network(spec.key, part), checkpoint, prefix)
        got = {name.removeprefix("text_model."): tuple(value.shape) for name, value in back.items()}
        assert got == {name.removeprefix("text_model."): shape for name, shape in expected.items()}


@pytest.mark.parametrize("spec", [row for row in CHECKPOINTS if row.channels == 4], ids=lambda spec: spec.key)
def test_what_ships_makes_the_pipeline_of_its_row(spec, tmp_path):
    """Put together at full size like a file that was read, with networks of no values."""
    folder = resources() / "configs" / spec.key
    files = ModelFiles(tmp_path / "x.safetensors", spec.pipeline, (), (), (), 0, FileParts(folder, None))
    reader = SingleFileReader(files, files.single, folder)
    parts = {}
    index = json.loads((folder / "model_index.json").read_text())
    for name, entry in index.items():
        if isinstance(entry, list) and None not in entry:
            part = Component(name, entry[0], entry[1], folder / name)
            is_network = name in parts_of(spec.key)
            made = network(spec.key, name) if is_network else reader.part(component_class(files, part), part, None)
            parts[name] = made
    pipe = assemble(files, folder, parts, torch.float32)
    assert type(pipe).__name__ == spec.pipeline
    assert pipe.scheduler.config.prediction_type == spec.prediction
    assert pipe.vae_scale_factor == 8
    assert getattr(pipe, "safety_checker", None) is None


def test_the_number_of_tensors_is_that_of_published_files():
    """1,131 in Stable Diffusion 1.5, one of them the text encoder's position_ids."""
    assert [len(originals("sd1", part)) for part in parts_of("sd1")] == [196, 686, 248]


def test_the_attention_of_an_old_folder_has_the_same_place():
    shapes = {
        "decoder.mid_block.attentions.0.query.weight": (8, 8),
        "decoder.mid_block.attentions.0.proj_attn.bias": (8,),
    }
    rows = list(original_vae(shapes, {"up_block_types": [0] * 4}))
    assert [row.name for row in rows] == [
        "first_stage_model.decoder.mid.attn_1.q.weight", "first_stage_model.decoder.mid.attn_1.proj_out.bias"
    ]  # fmt: skip
    assert rows[0].shape == (8, 8, 1, 1)


def test_a_weight_without_a_place_is_found():
    assert [*original_unet({"odd.weight": (1,)}, {})] == []
    assert [*original_vae({"encoder.odd.weight": (1,), "odd": (1,)}, {})] == []
    shapes = {
        "conv_in.weight": (1,),
        "encoder.layers.0.odd.weight": (1,),
        "text_model.embeddings.position_ids": (1, 77),
    }
    rows = list(original_text("text_encoder", shapes, {"hidden_act": "gelu"}, is_xl=False))
    assert unused(rows, shapes) == ["conv_in.weight", "encoder.layers.0.odd.weight"]
