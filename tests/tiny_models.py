"""Tiny real pipelines with random weights, built in code: stock diffusers classes at sizes that run in milliseconds.

They draw noise and are for loading and running code only; no user ever sees one. The weights come from a fixed seed, so
that a folder built twice holds the same bytes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

WORDS = ("red", "heart", "blue", "cat", "frog", "face", "background", "slice", "pizza", "a", "on", "of", "the", "and")
SIZE = 64


def tiny_sd1(path: Path, safety_checker: bool = False) -> Path:
    """Write a Stable Diffusion 1 folder (epsilon, PNDM as shipped with SD 1.5), optionally with a safety checker."""
    from diffusers import PNDMScheduler, StableDiffusionPipeline

    torch.manual_seed(1)
    parts: dict[str, Any] = {"safety_checker": None, "feature_extractor": None, "image_encoder": None}
    if safety_checker:
        parts |= _checker()
    pipe = StableDiffusionPipeline(
        vae=_vae(),
        text_encoder=_text_encoder(32, "quick_gelu"),
        tokenizer=clip_tokenizer(),
        unet=_unet(32),
        scheduler=PNDMScheduler(skip_prk_steps=True, set_alpha_to_one=False, steps_offset=1, **_BETAS),
        requires_safety_checker=safety_checker,
        **parts,
    )
    return _write(pipe, path, "Tiny SD 1", "sd1")


def tiny_sd1_inpaint(path: Path) -> Path:
    """Write a Stable Diffusion 1 folder for inpainting: its UNet takes nine channels."""
    from diffusers import PNDMScheduler, StableDiffusionInpaintPipeline

    torch.manual_seed(5)
    pipe = StableDiffusionInpaintPipeline(
        vae=_vae(),
        text_encoder=_text_encoder(32, "quick_gelu"),
        tokenizer=clip_tokenizer(),
        unet=_unet(32, in_channels=9),
        scheduler=PNDMScheduler(skip_prk_steps=True, set_alpha_to_one=False, steps_offset=1, **_BETAS),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return _write(pipe, path, "Tiny SD 1 for inpainting", "sd1")


def tiny_sd2(path: Path) -> Path:
    """Write a Stable Diffusion 2 folder: v-prediction, linear projections, pad token "!"."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    torch.manual_seed(2)
    pipe = StableDiffusionPipeline(
        vae=_vae(),
        text_encoder=_text_encoder(24, "gelu"),
        tokenizer=clip_tokenizer(pad="!"),
        unet=_unet(24, use_linear_projection=True),
        scheduler=DDIMScheduler(
            prediction_type="v_prediction", set_alpha_to_one=False, steps_offset=1, clip_sample=False, **_BETAS
        ),
        safety_checker=None,
        feature_extractor=None,
        image_encoder=None,
        requires_safety_checker=False,
    )
    return _write(pipe, path, "Tiny SD 2", "sd2")


def tiny_sdxl(path: Path) -> Path:
    """Write a Stable Diffusion XL folder: two text encoders of different widths, force_upcast VAE, leading spacing."""
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    torch.manual_seed(3)
    unet = _unet(
        16 + 24,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 24,
    )
    pipe = StableDiffusionXLPipeline(
        vae=_vae(scaling_factor=0.13025, force_upcast=True),
        text_encoder=_text_encoder(16, "quick_gelu"),
        text_encoder_2=_text_encoder(24, "gelu", projection=True),
        tokenizer=clip_tokenizer(),
        tokenizer_2=clip_tokenizer(pad="!"),
        unet=unet,
        scheduler=EulerDiscreteScheduler(timestep_spacing="leading", steps_offset=1, **_BETAS),
        add_watermarker=False,
    )
    return _write(pipe, path, "Tiny SDXL", "sdxl")


def tiny_sdxl_inpaint(path: Path) -> Path:
    """Write a Stable Diffusion XL folder for inpainting, made of the plain one's parts but for the UNet."""
    from diffusers import StableDiffusionXLInpaintPipeline, StableDiffusionXLPipeline, UNet2DConditionModel

    plain = StableDiffusionXLPipeline.from_pretrained(tiny_sdxl(path), local_files_only=True)
    torch.manual_seed(6)
    unet = UNet2DConditionModel.from_config({**plain.unet.config, "in_channels": 9})
    pipe = StableDiffusionXLInpaintPipeline(**{**plain.components, "unet": unet}, add_watermarker=False)
    return _write(pipe, path, "Tiny SDXL for inpainting", "sdxl")


def tiny_sd3(path: Path) -> Path:
    """Write a Stable Diffusion 3 folder without its third encoder: flow matching, a family that no table row names."""
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

    torch.manual_seed(4)
    transformer = SD3Transformer2DModel(
        sample_size=SIZE // 8, patch_size=1, in_channels=4, out_channels=4, num_layers=1, attention_head_dim=8,
        num_attention_heads=4, caption_projection_dim=32, joint_attention_dim=32, pooled_projection_dim=32,
    )  # fmt: skip
    pipe = StableDiffusion3Pipeline(
        vae=_vae(scaling_factor=1.5305),
        text_encoder=_text_encoder(16, "quick_gelu", projection=True),
        text_encoder_2=_text_encoder(16, "gelu", projection=True),
        text_encoder_3=None,
        tokenizer=clip_tokenizer(),
        tokenizer_2=clip_tokenizer(),
        tokenizer_3=None,
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )
    pipe.vae.register_to_config(shift_factor=0.0609)
    return _write(pipe, path, "Tiny SD 3", "other")


_BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000}


def _write(pipe: Any, path: Path, name: str, family: str) -> Path:
    pipe.set_progress_bar_config(disable=True)
    pipe.save_pretrained(path, safe_serialization=True)
    about = {
        "name": name, "family": family, "width": SIZE, "height": SIZE, "steps": 4, "guidance_scale": 5.0,
        "scheduler": "euler", "examples": ["a red heart"], "concepts": ["heart"],
    }  # fmt: skip
    (path / "sdstudio.json").write_text(json.dumps(about), encoding="utf-8")
    return path


def _unet(text_width: int, **more: Any) -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=SIZE // 8,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=8,
        attention_head_dim=8,
        cross_attention_dim=text_width,
        **more,
    )


def _vae(scaling_factor: float = 0.18215, force_upcast: bool = False) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        sample_size=SIZE,
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        scaling_factor=scaling_factor,
        force_upcast=force_upcast,
    )


def _text_encoder(width: int, act: str, projection: bool = False) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    vocabulary = _vocabulary()
    config = CLIPTextConfig(
        vocab_size=len(vocabulary),
        hidden_size=width,
        intermediate_size=2 * width,
        projection_dim=width,
        num_hidden_layers=4,
        num_attention_heads=2,
        max_position_embeddings=77,
        hidden_act=act,
        bos_token_id=vocabulary["<|startoftext|>"],
        eos_token_id=vocabulary["<|endoftext|>"],
        pad_token_id=vocabulary["<|endoftext|>"],
    )
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config).eval()


def clip_tokenizer(pad: str = "<|endoftext|>") -> Any:
    """Return a CLIP tokenizer with one token for each of `WORDS`."""
    from transformers import CLIPTokenizer

    return CLIPTokenizer(vocab=_vocabulary(), merges=_merges(), pad_token=pad, model_max_length=77)


def _merges() -> list[tuple[str, str]]:
    """Merges that make one token of each word of `WORDS`; any other word is spelled out byte by byte."""
    merges: dict[tuple[str, str], None] = {}
    for word in WORDS:
        letters = [*word[:-1], word[-1] + "</w>"]
        while len(letters) > 1:
            merges[(letters[0], letters[1])] = None
            letters[:2] = ["".join(letters[:2])]
    return list(merges)


def _vocabulary() -> dict[str, int]:
    """CLIP's shape: every byte, every byte at the end of a word, the merged words, start and end."""
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(letter + "</w>" for letter in letters), *("".join(pair) for pair in _merges())]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return {token: i for i, token in enumerate(dict.fromkeys(tokens))}


def _checker() -> dict[str, Any]:
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPImageProcessor

    side = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(text_config=side, vision_config={**side, "image_size": 32, "patch_size": 16}, projection_dim=16)
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    return {"safety_checker": StableDiffusionSafetyChecker(config).eval(), "feature_extractor": processor}
