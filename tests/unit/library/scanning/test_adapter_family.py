"""For which family a LoRA or an embedding was made, in every style of names that trainers write."""

from __future__ import annotations

import pytest

from sdstudio.core.models.safetensors_header import Header, TensorEntry
from sdstudio.library.scanning.adapter_family import embedding_family, family_of_architecture, lora_family

_KOHYA = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight"


def _header(shapes: dict[str, tuple[int, ...]], **metadata: str) -> Header:
    return Header({name: TensorEntry("F16", shape, 0, 0) for name, shape in shapes.items()}, metadata)


@pytest.mark.parametrize(("width", "family"), [(768, "sd1"), (1024, "sd2"), (2048, "sdxl"), (999, "")])
@pytest.mark.parametrize(
    "name",
    [
        _KOHYA,
        "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.lora_A.weight",
        "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_v.lora_A.default.weight",
        "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.lora.down.weight",
        "down_blocks.1.attentions.0.transformer_blocks.0.attn2.processor.to_k_lora.down.weight",
        "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_v.hada_w1_b",
    ],
)
def test_the_width_of_the_text_a_layer_reads_tells(name, width, family):
    assert lora_family(_header({name: (8, width)})) == family


def test_a_layer_that_reads_the_picture_tells_nothing():
    names = {
        "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_k.lora_down.weight": (8, 1024),
        "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.lora_up.weight": (768, 8),
    }
    assert lora_family(_header(names)) == ""


@pytest.mark.parametrize(
    ("shapes", "metadata", "family"),
    [
        ({"lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": (4, 1280)}, {}, "sdxl"),
        ({"text_encoder_2.text_model.encoder.layers.0.mlp.fc1.lora_A.weight": (4, 1280)}, {}, "sdxl"),
        ({"lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": (4, 768)}, {}, "sd1"),
        ({"lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": (4, 1024)}, {}, "sd2"),
        ({"lora_unet_double_blocks_0_img_attn_proj.lora_down.weight": (4, 3072)}, {}, "other"),
        ({"lora_unet_joint_blocks_0_context_block_attn_qkv.lora_down.weight": (4, 1536)}, {}, "other"),
        ({"transformer.single_transformer_blocks.0.attn.to_k.lora_A.weight": (4, 3072)}, {}, "other"),
        ({"x.lokr_w1": (4, 4)}, {"ss_base_model_version": "sd_v1"}, "sd1"),
        ({"x.lokr_w1": (4, 4)}, {"ss_base_model_version": "sd_v2_768_v"}, "sd2"),
        ({"x.lokr_w1": (4, 4)}, {"ss_base_model_version": "sdxl_base_v1-0"}, "sdxl"),
        ({"x.lokr_w1": (4, 4)}, {"ss_base_model_version": "flux1"}, "other"),
        ({"x.lokr_w1": (4, 4)}, {"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"}, "sdxl"),
        ({"x.lokr_w1": (4, 4)}, {"ss_base_model_version": "?"}, ""),
        ({_KOHYA: (8, 768)}, {"ss_base_model_version": "sdxl_base_v1-0"}, "sd1"),
    ],
)
def test_names_and_metadata_tell_where_no_width_does(shapes, metadata, family):
    assert lora_family(_header(shapes, **metadata)) == family


@pytest.mark.parametrize(
    ("architecture", "family"),
    [
        ("stable-diffusion-v1/lora", "sd1"), ("stable-diffusion-v2-512", "sd2"),
        ("stable-diffusion-xl-v1-base/textual-inversion", "sdxl"), ("flux-1-dev/lora", "other"), ("", ""),
    ],
)  # fmt: skip
def test_an_architecture_names_its_family(architecture, family):
    assert family_of_architecture(architecture) == family


@pytest.mark.parametrize(
    ("shapes", "family"),
    [
        ({"emb_params": (4, 768)}, "sd1"), ({"emb_params": (4, 1024)}, "sd2"), ({"emb_params": (4, 32)}, ""),
        ({"<token>": (768,)}, "sd1"), ({"clip_l": (4, 768), "clip_g": (4, 1280)}, "sdxl"), ({"clip_l": (4, 768)}, ""),
        ({"clip_g": (4, 1280)}, "sdxl"), ({"emb_params": (4, 768), "step": (1,)}, "sd1"),
        ({"w": (1,)}, None), ({"w": (4, 4, 768)}, None), ({"w": (100_000, 768)}, None), ({}, None),
        ({"a": (4, 768), "b": (4, 768)}, None),
    ],
)  # fmt: skip
def test_an_embedding_is_known_by_its_width(shapes, family):
    assert embedding_family(_header(shapes)) == family
