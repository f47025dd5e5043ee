"""Which layers of a loaded pipeline a LoRA can change, by every name that files have for them.

Kohya's files for SDXL and ComfyUI's own name the UNet's layers as the original code of Stable Diffusion does.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from typing import Any, Final

from torch import nn

from sdstudio.core.models.lora_names import UNET

NORMS: Final = (nn.GroupNorm, nn.LayerNorm)

# Original name -> diffusers' name, within a residual block of the UNet.
_RESIDUAL: Final = {
    "norm1": "in_layers_0", "conv1": "in_layers_2", "time_emb_proj": "emb_layers_1", "norm2": "out_layers_0",
    "conv2": "out_layers_3", "conv_shortcut": "skip_connection",
}  # fmt: skip
_ENDS: Final = {
    "conv_in": "input_blocks_0_0", "conv_norm_out": "out_0", "conv_out": "out_2",
    "time_embedding_linear_1": "time_embed_0", "time_embedding_linear_2": "time_embed_2",
    "add_embedding_linear_1": "label_emb_0_0", "add_embedding_linear_2": "label_emb_0_2",
}  # fmt: skip
_BLOCK: Final = re.compile(
    r"(?:(down|up)_blocks_(\d+)_|mid_block_)(resnets|attentions|downsamplers|upsamplers)_(\d+)_(.+)"
)


def layers_of(pipe: Any, networks: Sequence[str]) -> dict[tuple[str, str], nn.Module]:
    """Return the layers of these parts of a pipeline that a LoRA can change, by every name that files have for them."""
    layers: dict[tuple[str, str], nn.Module] = {}
    for network in networks:
        module = getattr(pipe, network, None)
        if module is None:
            continue
        named = {name.replace(".", "_").removeprefix("text_model_"): layer for name, layer in module.named_modules()}
        for flat, layer in named.items():
            if isinstance(layer, nn.Linear | nn.Conv2d) or (isinstance(layer, NORMS) and layer.weight is not None):
                others = _other_names(flat, module.config, named) if network == UNET else ()
                layers.update(dict.fromkeys(((network, name) for name in (flat, *others)), layer))
    return layers


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
