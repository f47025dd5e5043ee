"""LoRA, embeddings and VAEs for the tiny pipelines, in every spelling that other programs write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

RANK = 2
ALPHA = 1.0
UNET_LAYERS = ("attn2.to_k", "attn1.to_out.0", "conv1", "downsamplers.0.conv", "upsamplers.0.conv", "proj_in")
TEXT_LAYERS = ("q_proj", "fc1")

Change = Mapping[tuple[str, str], tuple[torch.Tensor, torch.Tensor]]
"""(network, module name as diffusers has it) -> down, up."""


def pixels(image: Any) -> np.ndarray:
    """Return a made picture's pixels, as numbers that can be subtracted."""
    return np.asarray(image.pixels, dtype=np.int16)


def drawn(here: Any, *adapters: Any, **values: Any) -> np.ndarray:
    """Draw one picture with these adapters attached to the model, and leave all as it was."""
    before, here.adapters = here.adapters, adapters
    try:
        return pixels(here.make(**values)[0])
    finally:
        here.adapters = before


def change_of(pipe: Any, seed: int = 5, strength: float = 0.3) -> Change:
    """Return a random low-rank change of some layers of every kind, of UNet and text encoders."""
    generator = torch.Generator().manual_seed(seed)
    change = {}
    for network in ("unet", "text_encoder", "text_encoder_2"):
        module = getattr(pipe, network, None)
        wanted = UNET_LAYERS if network == "unet" else TEXT_LAYERS
        for name, layer in module.named_modules() if module is not None else ():
            if name.endswith(wanted):
                out, *inside = layer.weight.shape
                down = torch.randn(RANK, *inside, generator=generator)
                up = torch.randn(out, RANK, *([1, 1] if len(inside) == 3 else []), generator=generator) * strength
                change[network, name.removeprefix("text_model.")] = (down, up)
    return change


def write_kohya(change: Change, path: Path, original: bool = False) -> Path:
    """Write a change as kohya's trainer does; ``original``: with the UNet's names of the original code (SDXL)."""
    tensors = {}
    two = any(network == "text_encoder_2" for network, _ in change)
    for (network, name), (down, up) in change.items():
        if network == "unet":
            stem = "lora_unet_" + (original_name(name) if original else name).replace(".", "_")
        else:
            start = "lora_te2" if network == "text_encoder_2" else "lora_te1" if two else "lora_te"
            stem = f"{start}_text_model_{name.replace('.', '_')}"
        tensors |= {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up}
        tensors[f"{stem}.alpha"] = torch.tensor(ALPHA)
    save_file({key: value.contiguous() for key, value in tensors.items()}, path, {"ss_base_model_version": "sd_v1"})
    return path


def write_comfyui(change: Change, path: Path) -> Path:
    """Write a change as ComfyUI's own LoraSave does: its names of the model's parts, the original code's of layers."""
    tensors = {}
    for (network, name), (down, up) in change.items():
        encoder = "clip_g" if network == "text_encoder_2" else "clip_l"
        stem = f"text_encoders.{encoder}.transformer.text_model.{name}"
        if network == "unet":
            stem = f"diffusion_model.{original_name(name)}"
        tensors |= {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up}
        tensors[f"{stem}.alpha"] = torch.tensor(ALPHA)
    save_file({key: value.contiguous() for key, value in tensors.items()}, path)
    return path


def write_diffusers(change: Change, path: Path) -> Path:
    """Write a change as diffusers does today, with alpha in the notes of the header."""
    tensors = {}
    for (network, name), (down, up) in change.items():
        full = name if network == "unet" else f"text_model.{name}"
        tensors[f"{network}.{full}.lora_A.weight"] = down.contiguous()
        tensors[f"{network}.{full}.lora_B.weight"] = up.contiguous()
    notes = ", ".join(f'"{net}.lora_alpha": {ALPHA}' for net in ("unet", "text_encoder", "text_encoder_2"))
    save_file(tensors, path, {"lora_adapter_metadata": "{" + notes + "}"})
    return path


def merge(pipe: Any, change: Change, weight: float) -> None:
    """Add a change to the weights of a pipeline for good: what a LoRA has to come to."""
    for (network, name), (down, up) in change.items():
        layer = dict(getattr(pipe, network).named_modules()).get(name) or getattr(pipe, network).get_submodule(
            f"text_model.{name}"
        )
        added = (up.flatten(1) @ down.flatten(1)).reshape(layer.weight.shape) * (weight * ALPHA / RANK)
        layer.weight.data = layer.weight.data + added


def original_name(name: str) -> str:
    """Return what the original code calls a layer of the tiny UNets: two levels of one layer, attention in one."""
    rows = (
        (r"down_blocks\.0\.resnets\.0\.", "input_blocks.1.0."),
        (r"down_blocks\.0\.downsamplers\.0\.conv", "input_blocks.2.0.op"),
        (r"down_blocks\.1\.resnets\.0\.", "input_blocks.3.0."),
        (r"down_blocks\.1\.attentions\.0\.", "input_blocks.3.1."),
        (r"mid_block\.resnets\.0\.", "middle_block.0."),
        (r"mid_block\.attentions\.0\.", "middle_block.1."),
        (r"mid_block\.resnets\.1\.", "middle_block.2."),
        (r"up_blocks\.0\.resnets\.0\.", "output_blocks.0.0."),
        (r"up_blocks\.0\.attentions\.0\.", "output_blocks.0.1."),
        (r"up_blocks\.0\.resnets\.1\.", "output_blocks.1.0."),
        (r"up_blocks\.0\.attentions\.1\.", "output_blocks.1.1."),
        (r"up_blocks\.0\.upsamplers\.0\.conv", "output_blocks.1.2.conv"),
        (r"up_blocks\.1\.resnets\.0\.", "output_blocks.2.0."),
        (r"up_blocks\.1\.resnets\.1\.", "output_blocks.3.0."),
    )
    for pattern, start in rows:
        changed, count = re.subn(f"^{pattern}", start, name)
        if count:
            return re.sub(r"(_blocks?\.\d+(?:\.0)?\.)conv1$", r"\1in_layers.2", changed)
    raise AssertionError(f"{name}: the test does not know its original name")


def write_embedding(path: Path, vectors: Mapping[str, torch.Tensor]) -> Path:
    """Write an embedding: ``emb_params`` for one encoder, ``clip_l`` and ``clip_g`` for two."""
    if path.suffix == ".pt":
        torch.save({"string_to_param": dict(vectors), "name": "tiny"}, path)
    else:
        save_file(dict(vectors), path)
    return path
