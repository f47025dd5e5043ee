"""What single files are, told from the tensors' names and shapes; where those say nothing, from metadata and name."""

from __future__ import annotations

import pytest

from sdstudio.core.models.safetensors_header import Header, TensorEntry
from sdstudio.library.scanning.single_file import SingleFile, classify, variant_of_name

_CONV = "model.diffusion_model.input_blocks.0.0.weight"
_REFINER = "conditioner.embedders.0.model.transformer.resblocks.9.mlp.c_proj.bias"
_ATTENTION = "model.diffusion_model.input_blocks.{}.1.transformer_blocks.0.attn2.to_k.weight"


def _header(shapes: dict[str, tuple[int, ...]], **metadata: str) -> Header:
    return Header({name: TensorEntry("F16", shape, 0, 0) for name, shape in shapes.items()}, metadata)


def _checkpoint(width: int, channels: int = 4, block: int = 2) -> dict[str, tuple[int, ...]]:
    return {_CONV: (320, channels, 3, 3), _ATTENTION.format(block): (320, width), "first_stage_model.decoder.x": (1,)}


@pytest.mark.parametrize(
    ("shapes", "family"),
    [
        (_checkpoint(768), "sd1"),
        (_checkpoint(1024), "sd2"),
        (_checkpoint(2048, block=4), "sdxl"),
        (_checkpoint(2048, block=4) | {"conditioner.embedders.0.transformer.text_model.x": (1,)}, "sdxl"),
        (_checkpoint(32) | {"cond_stage_model.transformer.text_model.x": (1,)}, "sd1"),
        (_checkpoint(32) | {"cond_stage_model.model.transformer.resblocks.0.x": (1,)}, "sd2"),
        (_checkpoint(32) | {"conditioner.embedders.1.model.x": (1,)}, "sdxl"),
    ],
)
def test_a_checkpoint_is_known_by_its_attention_width_else_by_its_text_encoders(shapes, family):
    kind = classify(_header(shapes))
    assert (kind.kind, kind.family, kind.not_a_model) == ("checkpoint", family, "")


@pytest.mark.parametrize(
    ("shapes", "family", "variant"),
    [
        (_checkpoint(768, channels=9), "sd1", "inpaint"),
        (_checkpoint(1024, channels=9), "sd2", "inpaint"),
        (_checkpoint(2048, channels=9, block=4), "sdxl", "inpaint"),
        (_checkpoint(768, channels=8), "sd1", "pix2pix"),
        (_checkpoint(1024, channels=5), "sd2", "depth"),
        (_checkpoint(1024, channels=7), "sd2", "upscale"),
        (_checkpoint(1280) | {_REFINER: (1,)}, "sdxl", "refiner"),
    ],
)
def test_what_draws_over_a_picture_is_told_with_its_family(shapes, family, variant):
    kind = classify(_header(shapes))
    assert (kind.kind, kind.family, kind.variant) == ("checkpoint", family, variant)
    assert bool(kind.not_a_model) is (variant != "inpaint"), "which can be drawn with"


@pytest.mark.parametrize(
    ("name", "metadata", "variant"),
    [
        ("model", {}, "v_prediction?"),
        ("v2-1_768-ema-pruned", {}, "v_prediction"),
        ("512-base-ema", {}, ""),
        ("sd_turbo", {}, "turbo"),
        ("model", {"modelspec.prediction_type": "epsilon"}, ""),
        ("model", {"modelspec.prediction_type": "v"}, "v_prediction"),
        ("model", {"modelspec.architecture": "stable-diffusion-v2-768-v"}, "v_prediction"),
        ("model", {"modelspec.architecture": "stable-diffusion-v2-512"}, ""),
    ],
)
def test_what_an_sd2_predicts_is_told_where_the_file_or_its_name_say_so(name, metadata, variant):
    assert classify(_header(_checkpoint(1024), **metadata), name).variant == variant


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("sd_xl_turbo_1.0_fp16", "turbo"), ("DreamShaperXL_Turbo_v2", "turbo"), ("sdxlturbo", "turbo"),
        ("sdxl_lightning_4step", "lightning"), ("realcartoonLCM_v1", "lcm"), ("LCM_Dreamshaper_v7", "lcm"),
        ("dreamshaper-8-lcm", "lcm"), ("Hyper-SDXL-8steps-lora", "hyper"), ("noobaiXL-vpred-1.0", "v_prediction"),
        ("Hyper-SD15-8steps", "hyper"), ("v1-5-pruned-emaonly", ""), ("calcmaster", ""), ("", ""),
    ],
)  # fmt: skip
def test_a_name_speaks_of_a_variant(name, variant):
    assert variant_of_name(name) == variant


def test_a_v_prediction_sdxl_carries_a_tensor_that_says_so():
    shapes = _checkpoint(2048, block=4) | {"v_pred": ()}
    assert classify(_header(shapes)) == SingleFile("checkpoint", "sdxl", "v_prediction")


@pytest.mark.parametrize(
    ("shapes", "kind", "family"),
    [
        ({"lora_unet_down_blocks_0.lora_down.weight": (4, 320)}, "lora", ""),
        ({"unet.down_blocks.0.to_k.lora.up.weight": (4, 320)}, "lora", ""),
        ({"lora_unet_down_blocks_0_attn2_to_k.hada_w1_b": (4, 768)}, "lora", "sd1"),
        ({"emb_params": (2, 768)}, "embedding", "sd1"),
        ({"<cat-toy>": (1, 1024)}, "embedding", "sd2"),
        ({"clip_g": (2, 1280), "clip_l": (2, 768)}, "embedding", "sdxl"),
        ({"decoder.conv_in.weight": (512, 4, 3, 3)}, "vae", ""),
        ({"first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3)}, "vae", ""),
        ({"model.1.sub.0.RDB1.conv1.0.weight": (32, 64, 3, 3)}, "upscaler", ""),
        ({"conv_first.weight": (64, 3, 3, 3), "body.0.rdb1.conv1.weight": (32, 64, 3, 3)}, "upscaler", ""),
        ({"body.0.weight": (64, 3, 3, 3), "body.1.weight": (64,)}, "upscaler", ""),
    ],
)
def test_other_kinds_are_told_with_their_family(shapes, kind, family):
    assert classify(_header(shapes)) == SingleFile(kind, family)


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        (_checkpoint(999), "unknown family"),
        (_checkpoint(768, channels=16), "16 latent channels"),
        (_checkpoint(2048) | {"edm_mean": (4,)}, "Playground"),
        ({"model.diffusion_model.joint_blocks.0.context_block.attn.qkv.weight": (1,)}, "Stable Diffusion 3"),
        ({"double_blocks.0.img_attn.norm.key_norm.scale": (1,)}, "Flux"),
        ({"control_model.input_blocks.0.0.weight": (320, 4, 3, 3)}, "ControlNet"),
        ({"decoder.conv_in.weight": (512, 16, 3, 3)}, "16 latent channels"),
        ({"down_blocks.0.resnets.0.conv1.weight": (320, 320, 3, 3)}, "component"),
        ({"w": (1,)}, "no checkpoint"),
        ({}, "no checkpoint"),
        ({_CONV: (3,)}, "no checkpoint"),
    ],
)
def test_what_is_not_supported_is_named_honestly(shapes, said):
    kind = classify(_header(shapes))
    assert said in kind.not_a_model
    assert kind.family == "other"


@pytest.mark.parametrize("hint", ["lora", "vae", "embedding", "upscaler"])
def test_a_folder_speaks_for_a_file_whose_header_tells_nothing(hint):
    assert classify(_header({"w": (1,)}), hint=hint) == SingleFile(hint)
    assert classify(_header(_checkpoint(768)), hint=hint).kind == "checkpoint"


def test_models_of_continuous_noise_levels_and_cut_networks_are_told_by_name():
    plain = _checkpoint(2048, block=4)
    assert classify(_header(plain | {"edm_vpred.sigma_max": ()}), "cosxl_base").variant == "edm_v"
    assert classify(_header(plain | {"edm_mean": (1, 4, 1, 1), "edm_std": (1, 4, 1, 1)})).variant == "edm"
    assert classify(_header(plain | {"edm_mean": (1, 4, 1, 1)})).not_a_model.endswith("lacks edm_std")
