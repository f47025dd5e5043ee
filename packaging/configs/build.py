"""Makes ``resources/configs`` anew: the component configurations of each family, and CLIP's vocabulary from its table.

    python packaging/configs/build.py PATH/TO/bpe_simple_vocab_16e6.txt.gz PATH/TO/LICENSE

The table ships in ``open_clip_torch`` (``open_clip/bpe_simple_vocab_16e6.txt.gz``, MIT), before in OpenAI's CLIP (MIT).
What the configurations say are facts about published networks: ``v1-inference.yaml`` (CompVis),
``v2-inference-v.yaml`` (Stability AI) and ``sd_xl_base.yaml`` (Stability AI), written in the words of diffusers.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, EulerDiscreteScheduler, PNDMScheduler, UNet2DConditionModel

CONFIGS = Path(__file__).resolve().parents[2] / "resources" / "configs"
START, END = "<|startoftext|>", "<|endoftext|>"
TOKENS, MERGES = 49408, 49152 - 256 - 2
CREDITS = """\
vocab.json and merges.txt were made from bpe_simple_vocab_16e6.txt.gz, which OpenAI published with CLIP
(https://github.com/openai/CLIP, MIT License, Copyright (c) 2021 OpenAI) and which OpenCLIP ships too
(https://github.com/mlfoundations/open_clip, MIT License, see LICENSE).
"""

BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000}
DOWN = ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D")
UP = ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D")
SD1_UNET = {
    "sample_size": 64, "block_out_channels": (320, 640, 1280, 1280), "layers_per_block": 2, "down_block_types": DOWN,
    "up_block_types": UP, "cross_attention_dim": 768, "attention_head_dim": 8,
}  # fmt: skip
SD2_UNET = {
    **SD1_UNET, "cross_attention_dim": 1024, "attention_head_dim": (5, 10, 20, 20), "use_linear_projection": True,
}  # fmt: skip
SDXL_UNET = {
    "sample_size": 128, "block_out_channels": (320, 640, 1280), "layers_per_block": 2,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), "cross_attention_dim": 2048,
    "attention_head_dim": (5, 10, 20), "transformer_layers_per_block": (1, 2, 10), "use_linear_projection": True,
    "addition_embed_type": "text_time", "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 2816,
}  # fmt: skip
VAE = {
    "block_out_channels": (128, 256, 512, 512), "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4, "layers_per_block": 2, "latent_channels": 4,
}  # fmt: skip
# The end token by its true number: with the 2 of the published files transformers looks for the largest number in a
# prompt instead, which is another token once an embedding was added to the vocabulary.
CLIP = {
    "attention_dropout": 0.0, "bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 49407,
    "initializer_factor": 1.0, "initializer_range": 0.02, "layer_norm_eps": 1e-05, "max_position_embeddings": 77,
    "model_type": "clip_text_model", "vocab_size": TOKENS,
}  # fmt: skip
CLIP_L = {
    "architectures": ["CLIPTextModel"], **CLIP, "hidden_act": "quick_gelu", "hidden_size": 768,
    "intermediate_size": 3072, "num_attention_heads": 12, "num_hidden_layers": 12, "projection_dim": 768,
}  # fmt: skip
# OpenCLIP's ViT-H without its last layer, which Stable Diffusion 2 never uses.
CLIP_H = {
    "architectures": ["CLIPTextModel"], **CLIP, "hidden_act": "gelu", "hidden_size": 1024,
    "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 23, "projection_dim": 512,
}  # fmt: skip
CLIP_G = {
    "architectures": ["CLIPTextModelWithProjection"], **CLIP, "hidden_act": "gelu", "hidden_size": 1280,
    "intermediate_size": 5120, "num_attention_heads": 20, "num_hidden_layers": 32, "projection_dim": 1280,
}  # fmt: skip


def main() -> None:
    """Write everything."""
    table, licence = (Path(argument) for argument in sys.argv[1:3])
    _write_vocabulary(table, licence, CONFIGS / "clip")
    pndm = PNDMScheduler(**BETAS, skip_prk_steps=True, set_alpha_to_one=False, steps_offset=1)
    v_prediction = DDIMScheduler(
        **BETAS, prediction_type="v_prediction", clip_sample=False, set_alpha_to_one=False, steps_offset=1
    )
    euler = EulerDiscreteScheduler(**BETAS, timestep_spacing="leading", steps_offset=1)
    sd_vae = {**VAE, "sample_size": 512, "scaling_factor": 0.18215}
    _write("sd1", pndm, SD1_UNET, sd_vae, [CLIP_L])
    _write("sd1-inpaint", pndm, {**SD1_UNET, "in_channels": 9}, sd_vae, [CLIP_L], "StableDiffusionInpaintPipeline")
    wide = {**SD2_UNET, "sample_size": 96, "upcast_attention": True}  # in half precision 2.1 overflows without
    _write("sd2", v_prediction, wide, {**sd_vae, "sample_size": 768}, [CLIP_H])
    _write("sd2-base", pndm, SD2_UNET, sd_vae, [CLIP_H])
    _write("sd2-inpaint", pndm, {**SD2_UNET, "in_channels": 9}, sd_vae, [CLIP_H], "StableDiffusionInpaintPipeline")
    sdxl_vae = {**VAE, "sample_size": 1024, "scaling_factor": 0.13025, "force_upcast": True}
    two = [CLIP_L, CLIP_G]
    _write("sdxl", euler, SDXL_UNET, sdxl_vae, two, "StableDiffusionXLPipeline")
    for_inpainting = {**SDXL_UNET, "in_channels": 9}
    _write("sdxl-inpaint", euler, for_inpainting, sdxl_vae, two, "StableDiffusionXLInpaintPipeline")


def _write_vocabulary(table: Path, licence: Path, folder: Path) -> None:
    """CLIP's tokens are every byte, every byte at a word's end, what the merges make, and both ends of a prompt."""
    lines = gzip.decompress(table.read_bytes()).decode("utf-8").split("\n")[1 : MERGES + 1]
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    letters = [*map(chr, printable), *(chr(256 + place) for place in range(len(rest)))]
    tokens = [
        *letters,
        *(letter + "</w>" for letter in letters),
        *(line.replace(" ", "") for line in lines),
        START,
        END,
    ]
    assert len(set(tokens)) == len(tokens) == TOKENS
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {token: number for number, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False, separators=(",", ":")), "utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(lines) + "\n", "utf-8")
    shutil.copyfile(licence, folder / "LICENSE")
    (folder / "CREDITS.txt").write_text(CREDITS, "utf-8")


def _write(
    name: str, scheduler: Any, unet: dict[str, Any], vae: dict[str, Any], encoders: list[dict[str, Any]],
    pipeline: str = "StableDiffusionPipeline",
) -> None:  # fmt: skip
    folder = CONFIGS / name
    index: dict[str, Any] = {
        "_class_name": pipeline,
        "_diffusers_version": "0.42.0",
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "scheduler": ["diffusers", type(scheduler).__name__],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    if len(encoders) == 1:
        index |= {"requires_safety_checker": False, "safety_checker": [None, None]}
    for place, encoder in enumerate(encoders):
        ending = f"_{place + 1}" if place else ""
        index[f"text_encoder{ending}"] = ["transformers", encoder["architectures"][0]]
        index[f"tokenizer{ending}"] = ["transformers", "CLIPTokenizer"]
        _json(folder / f"text_encoder{ending}" / "config.json", encoder)
        _json(folder / f"tokenizer{ending}" / "tokenizer_config.json", _tokenizer(encoder))
    _json(folder / "model_index.json", index)
    with torch.device("meta"):
        networks = {"unet": UNet2DConditionModel(**unet), "vae": AutoencoderKL(**vae)}
    for part, network in networks.items():
        _json(folder / part / "config.json", _config(network))
    _json(folder / "scheduler" / "scheduler_config.json", _config(scheduler))


def _tokenizer(encoder: dict[str, Any]) -> dict[str, Any]:
    """OpenAI's CLIP fills a prompt up with its end token, OpenCLIP with token 0, which is "!"."""
    return {
        "tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True, "add_prefix_space": False,
        "errors": "replace", "bos_token": START, "eos_token": END, "unk_token": END,
        "pad_token": END if encoder["hidden_act"] == "quick_gelu" else "!",
    }  # fmt: skip


def _config(part: Any) -> dict[str, Any]:
    values = json.loads(part.to_json_string())
    return {name: value for name, value in values.items() if name not in ("_name_or_path", "_use_default_values")}


def _json(path: Path, values: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
