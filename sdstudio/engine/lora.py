"""What a LoRA file changes about a network, and how that is added while it runs, without a trace when it is taken off.

Nothing of the network is touched: a hook behind each layer adds ``weight x up(down(x))`` to what it says. Taken off, or
at weight 0, the network is bit for bit what it was. peft does the same by wrapping every layer; it was tried and left
out, because diffusers 0.42 cannot load the text encoder's part with transformers 5.24 ("Could not automatically infer
state dict type"), and neither reads LoHa and LoKr, which these hooks add as dense weights.

A layer is found by its name with every "." as "_", in which kohya's, diffusers' and peft's spellings agree; kohya's
files for SDXL name the UNet's layers as the original code does (`original_name`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import safetensors
import torch
from torch import nn
from torch.nn import functional

from sdstudio.core.errors import ModelDamaged, ModelUnsupported
from sdstudio.core.safetensors_header import read_header

Term = Callable[[torch.Tensor], torch.Tensor]
"""From a layer's input to what a LoRA of weight 1 adds to its output."""

NETWORKS: Final = ("unet", "text_encoder", "text_encoder_2")
# First match wins.
_PREFIXES: Final = (
    ("lora_unet_", "unet"), ("lora_te1_", "text_encoder"), ("lora_te2_", "text_encoder_2"),
    ("lora_te_", "text_encoder"), ("unet_", "unet"), ("text_encoder_2_", "text_encoder_2"),
    ("text_encoder_", "text_encoder"),
)  # fmt: skip
_SUFFIX: Final = re.compile(
    r"(?:[._]lora(?:_linear_layer)?[._](?P<half>down|up|mid|A|B)(?:\.default)?(?:\.weight)?"
    r"|\.(?P<other>alpha|diff|diff_b|[wb]_norm|dora_scale|lora_magnitude_vector(?:\.default)?(?:\.weight)?"
    r"|hada_(?:w[12]_[ab]|t[12])|lokr_(?:w[12](?:_[ab])?|t2)))$"
)
_PARTS: Final = {"A": "down", "B": "up"}
_NORMS: Final = (nn.GroupNorm, nn.LayerNorm)
_DORA: Final = frozenset({"dora_scale", "lora_magnitude_vector"})

# Original name -> diffusers' name, within a residual block of the UNet.
_RESIDUAL: Final = {
    "norm1": "in_layers_0", "conv1": "in_layers_2", "time_emb_proj": "emb_layers_1", "norm2": "out_layers_0",
    "conv2": "out_layers_3", "conv_shortcut": "skip_connection",
}  # fmt: skip
_ENDS: Final = {
    "conv_in": "input_blocks_0_0", "conv_out": "out_2", "time_embedding_linear_1": "time_embed_0",
    "time_embedding_linear_2": "time_embed_2", "add_embedding_linear_1": "label_emb_0_0",
    "add_embedding_linear_2": "label_emb_0_2",
}  # fmt: skip
_BLOCK: Final = re.compile(
    r"(?:(down|up)_blocks_(\d+)_|mid_block_)(resnets|attentions|downsamplers|upsamplers)_(\d+)_(.+)"
)


class Misfit(Exception):
    """A layer of the file has another shape than the model's: ``theirs`` and ``ours`` are the sizes that differ."""

    def __init__(self, layer: str, theirs: int, ours: int) -> None:
        super().__init__(layer)
        self.layer = layer
        self.theirs = theirs
        self.ours = ours


@dataclass(frozen=True, slots=True)
class LoraFile:
    """A file's tensors by layer and part, as it holds them.

    Attributes:
        layers: (network, flat name) -> part ("down", "up", "alpha" ..) -> tensor.
        alphas: Network -> alpha, from peft's notes in the header, where no tensor says it.
    """

    layers: Mapping[tuple[str, str], Mapping[str, torch.Tensor]]
    alphas: Mapping[str, float]


def read_lora(path: Path) -> LoraFile:
    """Read a LoRA file. Only safetensors: the header is checked, no code is run.

    Raises:
        ModelNotFound: There is no such file.
        ModelDamaged: It is truncated, or no safetensors file.
        ModelUnsupported: It holds no LoRA, or one of a kind that is not known here.
    """
    if path.suffix.lower() != ".safetensors":
        said = f"LoRA = {path.name}: only .safetensors files are read."
        raise ModelUnsupported(said, "Get it as .safetensors: others may hold code.")
    notes = read_header(path).metadata
    layers: dict[tuple[str, str], dict[str, torch.Tensor]] = {}
    try:
        with safetensors.safe_open(path, "pt") as file:
            for key in file.keys():  # noqa: SIM118 (no dictionary)
                match = _SUFFIX.search(key)
                if match is None:
                    continue
                part = match["other"] or _PARTS.get(match["half"], match["half"])
                if part.split(".")[0] in _DORA:
                    said = f"LoRA = {path.name}: it is a DoRA, which cannot be drawn with yet."
                    raise ModelUnsupported(said, "Choose a plain LoRA, LoCon, LoHa or LoKr.")
                layers.setdefault(_place(key[: match.start()]), {})[part] = file.get_tensor(key)
    except (safetensors.SafetensorError, OSError) as error:
        said = f"{path} could not be read: {error}."
        raise ModelDamaged(said, "Get the file again from where it came from.") from error
    if not layers:
        raise ModelUnsupported(f"LoRA = {path.name}: it holds no LoRA.", "Choose another file.")
    return LoraFile(layers, _alphas(notes))


def layers_of(pipe: Any) -> dict[tuple[str, str], nn.Module]:
    """Return the layers of a pipeline that a LoRA can change, by every name that files have for them."""
    layers: dict[tuple[str, str], nn.Module] = {}
    for network in NETWORKS:
        module = getattr(pipe, network, None)
        if module is None:
            continue
        named = {name.replace(".", "_").removeprefix("text_model_"): layer for name, layer in module.named_modules()}
        for flat, layer in named.items():
            if isinstance(layer, nn.Linear | nn.Conv2d) or (isinstance(layer, _NORMS) and layer.weight is not None):
                others = _other_names(flat, module.config, named) if network == "unet" else ()
                layers.update(dict.fromkeys(((network, name) for name in (flat, *others)), layer))
    return layers


def term(layer: nn.Module, name: str, parts: Mapping[str, torch.Tensor], alpha: float | None) -> Term | None:
    """Return what a file adds to a layer, in the layer's number format; ``None`` when it says nothing about it.

    Args:
        layer: Linear, convolution or norm.
        name: Of the layer, for `Misfit`.
        parts: The file's tensors for it.
        alpha: Where no tensor says it; ``None``: the rank.

    Raises:
        Misfit: The shapes are another model's.
    """
    if isinstance(layer, _NORMS):
        return _norm(layer, name, parts)
    added, bias = _weight(layer, name, parts, alpha), parts.get("diff_b")
    if bias is None:
        return added
    shift = _fitting(bias, layer, name)
    if isinstance(layer, nn.Conv2d):
        shift = shift.reshape(-1, 1, 1)
    return (lambda x: shift) if added is None else lambda x: added(x) + shift


def _norm(layer: nn.GroupNorm | nn.LayerNorm, name: str, parts: Mapping[str, torch.Tensor]) -> Term | None:
    """Return what LyCORIS adds to a norm's scale and shift."""
    if not {"w_norm", "b_norm"} <= set(parts):
        return None
    scale, shift = (_fitting(parts[part], layer, name) for part in ("w_norm", "b_norm"))
    if isinstance(layer, nn.GroupNorm):
        return lambda x: functional.group_norm(x, layer.num_groups, scale, shift, layer.eps)
    return lambda x: functional.layer_norm(x, layer.normalized_shape, scale, shift, layer.eps)


def _fitting(values: torch.Tensor, layer: nn.Module, name: str) -> torch.Tensor:
    """Return one number for each output of a layer, in its number format. Raises: Misfit."""
    weight: torch.Tensor = layer.weight  # type: ignore[assignment]
    if values.numel() != weight.shape[0]:
        raise Misfit(name, values.numel(), weight.shape[0])
    return values.reshape(-1).to(weight.dtype)


def _weight(layer: nn.Module, name: str, parts: Mapping[str, torch.Tensor], alpha: float | None) -> Term | None:
    """Return what comes of a change of a layer's weight."""
    said = parts.get("alpha")
    if said is not None:
        alpha = float(said)
    weight: torch.Tensor = layer.weight  # type: ignore[assignment]
    if "down" in parts and "up" in parts:
        return _low_rank(layer, weight, name, parts, alpha)
    dense = _dense(parts, alpha)
    if dense is None:
        return None
    if dense.numel() != weight.numel() or dense.shape[0] != weight.shape[0]:
        raise Misfit(name, dense[0].numel(), weight[0].numel())
    dense = dense.reshape(weight.shape).to(weight.dtype)
    if isinstance(layer, nn.Conv2d):
        return lambda x: _convolved(x, dense, layer)
    return lambda x: functional.linear(x, dense)


def _low_rank(
    layer: nn.Module, weight: torch.Tensor, name: str, parts: Mapping[str, torch.Tensor], alpha: float | None
) -> Term:
    down, up, mid = parts["down"], parts["up"], parts.get("mid")
    rank = down.shape[0]
    width = weight.shape[1]
    if down[0].numel() not in (width, weight[0].numel()) or up.shape[0] != weight.shape[0] or up.shape[1] != rank:
        theirs = (down.shape[1], up.shape[0])
        ours = (width, weight.shape[0])
        differing = 0 if theirs[0] != ours[0] else 1
        raise Misfit(name, theirs[differing], ours[differing])
    up = (up.float() * ((rank if alpha is None else alpha) / rank)).to(weight.dtype)
    down = down.to(weight.dtype)
    if not isinstance(layer, nn.Conv2d):
        down, up = down.reshape(rank, -1), up.reshape(-1, rank)
        return lambda x: functional.linear(functional.linear(x, down), up)
    up = up.reshape(-1, rank, 1, 1)
    if mid is not None:
        down, mid = down.reshape(rank, width, 1, 1), mid.to(weight.dtype)
        return lambda x: functional.conv2d(_convolved(functional.conv2d(x, down), mid, layer), up)
    if down[0].numel() == weight[0].numel():
        down = down.reshape(rank, *weight.shape[1:])
    else:  # a 1 x 1 kernel sees the middle of the layer's own
        sides = [weight.shape[3] // 2] * 2 + [weight.shape[2] // 2] * 2
        down = functional.pad(down.reshape(rank, width, 1, 1), sides)
    return lambda x: functional.conv2d(_convolved(x, down, layer), up)


def _convolved(x: torch.Tensor, weight: torch.Tensor, layer: nn.Conv2d) -> torch.Tensor:
    return functional.conv2d(x, weight, None, layer.stride, layer.padding, layer.dilation, layer.groups)


def _dense(parts: Mapping[str, torch.Tensor], alpha: float | None) -> torch.Tensor | None:
    """Return the whole change of a layer's weight in float32: LoHa, LoKr and plain differences."""
    get = {name: tensor.float() for name, tensor in parts.items()}
    if "diff" in get:
        return get["diff"]
    if "hada_w1_a" in get:
        rank = get["hada_w1_b"].shape[0]
        halves = [_hada(get, number) for number in "12"]
        return halves[0] * halves[1] * ((rank if alpha is None else alpha) / rank)
    if not any(name.startswith("lokr_w") for name in get):
        return None
    first, rank_1 = _kron_side(get, "1")
    second, rank_2 = _kron_side(get, "2")
    rank = rank_2 or rank_1
    while first.ndim < second.ndim:
        first = first.unsqueeze(-1)
    scale = 1.0 if not rank else (rank if alpha is None else alpha) / rank
    return torch.kron(first.contiguous(), second.contiguous()) * scale


def _hada(parts: Mapping[str, torch.Tensor], number: str) -> torch.Tensor:
    a, b, middle = parts[f"hada_w{number}_a"], parts[f"hada_w{number}_b"], parts.get(f"hada_t{number}")
    if middle is None:
        return a @ b
    return torch.einsum("ijkl,jr,ip->prkl", middle, b, a)  # LyCORIS rebuilds Tucker's form so


def _kron_side(parts: Mapping[str, torch.Tensor], number: str) -> tuple[torch.Tensor, int]:
    """Return one factor of a LoKr and its rank, 0 when it is whole."""
    whole = parts.get(f"lokr_w{number}")
    if whole is not None:
        return whole, 0
    a, b, middle = parts[f"lokr_w{number}_a"], parts[f"lokr_w{number}_b"], parts.get("lokr_t2")
    if number == "2" and middle is not None:
        return torch.einsum("ijkl,jr,ip->prkl", middle, b, a), b.shape[0]
    return (a @ b.reshape(b.shape[0], -1)).reshape(a.shape[0], *b.shape[1:]), b.shape[0]


def _place(stem: str) -> tuple[str, str]:
    """Return the network and the flat name of a layer that a key begins with."""
    flat = stem.replace(".", "_").removeprefix("base_model_model_")
    network, rest = next(((net, flat[len(start) :]) for start, net in _PREFIXES if flat.startswith(start)), ("", flat))
    rest = rest.replace("_processor_", "_")  # diffusers before 0.20
    return network or "unet", rest.removeprefix("text_model_")


def _other_names(flat: str, config: Any, named: Container[str]) -> Iterator[str]:
    """Yield what else files call a layer of the UNet."""
    if flat.endswith("to_out_0"):  # diffusers before 0.20
        yield flat.removesuffix("_0")
    if isinstance(config.layers_per_block, int):
        original = original_name(flat, config.layers_per_block, named)
        if original:
            yield original


def original_name(flat: str, layers_per_block: int, named: Container[str]) -> str:
    """Return what the original code of Stable Diffusion calls a layer of the UNet, "" when it has none.

    It numbers residual blocks, attentions and samplers in one row on the way down and in another on the way up.
    """
    if flat in _ENDS:
        return _ENDS[flat]
    match = _BLOCK.fullmatch(flat)
    if match is None:
        return ""
    way, level, kind, place, rest = match[1], int(match[2] or 0), match[3], int(match[4]), match[5]
    inside = _RESIDUAL.get(rest, rest) if kind == "resnets" else rest
    if way is None:
        return f"middle_block_{1 if kind == 'attentions' else 2 * place}_{inside}"
    block = level * (layers_per_block + 1) + place
    if way == "down":
        if kind == "downsamplers":
            return f"input_blocks_{block + 1 + layers_per_block}_0_op"
        return f"input_blocks_{block + 1}_{int(kind == 'attentions')}_{inside}"
    if kind == "upsamplers":  # behind the attention, where the level has one
        return f"output_blocks_{block + layers_per_block}_{1 + (f'up_blocks_{level}_attentions_0' in named)}_{inside}"
    return f"output_blocks_{block}_{int(kind == 'attentions')}_{inside}"


def _alphas(notes: Mapping[str, str]) -> dict[str, float]:
    """Return the alphas that diffusers notes in the header, by network."""
    try:
        said = json.loads(notes.get("lora_adapter_metadata", "{}"))
    except (ValueError, RecursionError):
        return {}
    if not isinstance(said, dict):
        return {}
    pairs = ((network, said.get(f"{network}.lora_alpha")) for network in NETWORKS)
    return {network: float(alpha) for network, alpha in pairs if isinstance(alpha, int | float)}
