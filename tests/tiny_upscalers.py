"""Small upscaler files with weights of our choosing, in every spelling that other programs write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import save_file

Weights = dict[str, torch.Tensor]


def dense_weights(
    scale: int = 4, features: int = 8, growth: int = 4, blocks: int = 2, unshuffle: int = 1, seed: int = 1
) -> Weights:
    """Return random weights of an RRDBNet under BasicSR's names."""
    ups = (scale * unshuffle).bit_length() - 1
    generator = torch.Generator().manual_seed(seed)
    weights: Weights = {}

    def convolution(name: str, channels: int, out: int) -> None:
        size = 0.6 / (channels * 9) ** 0.5
        weights[f"{name}.weight"] = torch.randn(out, channels, 3, 3, generator=generator) * size
        weights[f"{name}.bias"] = torch.randn(out, generator=generator) * 0.02

    convolution("conv_first", 3 * unshuffle**2, features)
    for block in range(blocks):
        for dense in (1, 2, 3):
            for layer in range(5):
                out = features if layer == 4 else growth
                convolution(f"body.{block}.rdb{dense}.conv{layer + 1}", features + layer * growth, out)
    for name in ("conv_body", *(f"conv_up{place + 1}" for place in range(ups)), "conv_hr"):
        convolution(name, features, features)
    convolution("conv_last", features, 3)
    weights["conv_last.bias"] += 0.5  # in the middle of what a picture shows
    return weights


def compact_weights(scale: int = 4, features: int = 8, convolutions: int = 3, seed: int = 1) -> Weights:
    """Return random weights of a compact network."""
    generator = torch.Generator().manual_seed(seed)
    widths = [3, *[features] * (convolutions + 1), 3 * scale**2]
    weights: Weights = {}
    for place, (channels, out) in enumerate(pairwise(widths)):
        size = 0.6 / (channels * 9) ** 0.5
        weights[f"body.{2 * place}.weight"] = torch.randn(out, channels, 3, 3, generator=generator) * size
        weights[f"body.{2 * place}.bias"] = torch.randn(out, generator=generator) * 0.02
        if place <= convolutions:
            weights[f"body.{2 * place + 1}.weight"] = torch.rand(out, generator=generator) * 0.3
    return weights


def as_esrgan(weights: Weights) -> Weights:
    """Return an RRDBNet's weights as ESRGAN's first code named them."""
    blocks = 1 + max(int(found[1]) for found in map(re.compile(r"body\.(\d+)\.").match, weights) if found)
    ups = sum(name.startswith("conv_up") and name.endswith("weight") for name in weights)
    layers = {"conv_first": "model.0", "conv_body": f"model.1.sub.{blocks}"}
    layers |= {f"conv_up{place}": f"model.{3 * place}" for place in range(1, ups + 1)}
    layers |= {"conv_hr": f"model.{3 * ups + 2}", "conv_last": f"model.{3 * ups + 4}"}
    return _renamed(weights, layers, r"model.1.sub.\1.RDB\2.conv\3.0.\4")


def as_bsrgan(weights: Weights) -> Weights:
    """Return an RRDBNet's weights as BSRGAN's code names them."""
    layers = {"conv_first": "conv_first", "conv_body": "trunk_conv", "conv_hr": "HRconv", "conv_last": "conv_last"}
    layers |= {f"conv_up{place}": f"upconv{place}" for place in (1, 2, 3)}
    return _renamed(weights, layers, r"RRDB_trunk.\1.RDB\2.conv\3.\4")


def _renamed(weights: Weights, layers: Mapping[str, str], block: str) -> Weights:
    renamed = {}
    for name, value in weights.items():
        layer, _, what = name.rpartition(".")
        found = re.fullmatch(r"body\.(\d+)\.rdb(\d)\.conv(\d)\.(weight|bias)", name)
        renamed[found.expand(block) if found else f"{layers[layer]}.{what}"] = value
    return renamed


def repeating_weights(scale: int = 4) -> Weights:
    """Return weights of an RRDBNet that does nothing but repeat every pixel, ``scale`` times each way.

    The colours pass through three of its features; the leaky rectifiers leave them alone, as none is negative.
    """
    weights = {name: torch.zeros_like(value) for name, value in dense_weights(scale, blocks=1).items()}
    for name, value in weights.items():
        if name.startswith(("conv_first", "conv_up", "conv_hr", "conv_last")) and name.endswith("weight"):
            for channel in range(3):
                value[channel, channel, 1, 1] = 1.0
    return weights


def write(weights: Weights, path: Path, nested: str = "") -> Path:
    """Write weights as .safetensors, or as torch's pickle, there under the name ``nested`` if one is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".safetensors":
        save_file(weights, path)
    else:
        torch.save({nested: weights, "epoch": 3} if nested else weights, path)
    return path
