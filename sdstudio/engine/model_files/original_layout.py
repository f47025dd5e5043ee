"""What each weight of a diffusers model is called in the original single-file layout, and how its shape differs there.

The inverse of ``diffusers.loaders.single_file_utils`` (0.42), whose tables name what is read; written down here because
diffusers keeps the way back only in a script. Original names: ``ldm/modules`` of CompVis' latent-diffusion, OpenAI's
and OpenCLIP's text transformer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sdstudio.core.models.checkpoint import UNET_PREFIX, VAE_PREFIX

Shapes = Mapping[str, tuple[int, ...]]

# Which text encoder has which prefix: OpenAI's under the names of transformers, OpenCLIP's under its own.
OPENAI_PREFIX: Final = {
    "text_encoder": "cond_stage_model.transformer.text_model.",
    "text_encoder_xl": "conditioner.embedders.0.transformer.text_model.",
}
OPENCLIP_PREFIX: Final = {"text_encoder": "cond_stage_model.model.", "text_encoder_2": "conditioner.embedders.1.model."}

_UNET: Final = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
}
_RESNET: Final = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection",
}  # fmt: skip
# The second name of each is what diffusers wrote until 0.14; folders of that time still have it.
_VAE_ATTENTION: Final = {
    "group_norm": "norm", "to_q": "q", "query": "q", "to_k": "k", "key": "k", "to_v": "v", "value": "v",
    "to_out.0": "proj_out", "proj_attn": "proj_out",
}  # fmt: skip
_VAE_ENDS: Final = frozenset({"conv_in", "conv_out", "conv_norm_out", "quant_conv", "post_quant_conv"})
_OPENCLIP: Final = {
    "embeddings.position_embedding.weight": "positional_embedding",
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "final_layer_norm.weight": "ln_final.weight",
    "final_layer_norm.bias": "ln_final.bias",
    "text_projection.weight": "text_projection",
}
_OPENCLIP_LAYER: Final = {
    "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Original:
    """One tensor of the original layout and what it is made of.

    Attributes:
        name: Its name there.
        sources: The tensors it is made of, joined along their first side when there are several.
        shape: Its shape there.
        transposed: Whether rows and columns change places.
    """

    name: str
    sources: tuple[str, ...]
    shape: tuple[int, ...]
    transposed: bool = False


def original_unet(shapes: Shapes, config: Mapping[str, Any]) -> Iterator[Original]:
    """Yield the tensors of a ``UNet2DConditionModel``."""
    layers = int(config.get("layers_per_block", 2))
    attended = {name.split(".attentions.")[0] for name in shapes if ".attentions." in name}
    for name, shape in shapes.items():
        original = _unet_name(name, layers, attended)
        if original:
            yield Original(UNET_PREFIX + original, (name,), shape)


def original_vae(shapes: Shapes, config: Mapping[str, Any]) -> Iterator[Original]:
    """Yield the tensors of an ``AutoencoderKL``; its attention's matrices were convolutions of one pixel there."""
    blocks = len(config.get("up_block_types", ()))
    for name, shape in shapes.items():
        attention = ".attentions." in name and name.endswith(".weight") and "group_norm" not in name
        wide = (*shape, 1, 1) if attention and len(shape) == 2 else shape
        original = _vae_name(name, blocks)
        if original:
            yield Original(VAE_PREFIX + original, (name,), wide)


def original_openai_text(shapes: Shapes, prefix: str) -> Iterator[Original]:
    """Yield the tensors of OpenAI's text encoder (``CLIPTextModel``)."""
    for name, shape in shapes.items():
        if not name.endswith("position_ids"):
            yield Original(prefix + name.removeprefix("text_model."), (name,), shape)


def original_openclip_text(shapes: Shapes, prefix: str) -> Iterator[Original]:
    """Yield the tensors of OpenCLIP's text encoder; query, key and value are one matrix there."""
    for name, shape in shapes.items():
        plain = name.removeprefix("text_model.")
        if plain in _OPENCLIP:
            transposed = plain == "text_projection.weight"
            yield Original(prefix + _OPENCLIP[plain], (name,), shape[::-1] if transposed else shape, transposed)
            continue
        match = re.fullmatch(r"encoder\.layers\.(\d+)\.(.+)\.(weight|bias)", plain)
        if match is None:
            continue
        layer, inner, kind = match.groups()
        block = f"{prefix}transformer.resblocks.{layer}."
        if inner == "self_attn.q_proj":
            sources = tuple(name.replace("q_proj", f"{letter}_proj") for letter in "qkv")
            yield Original(f"{block}attn.in_proj_{kind}", sources, (3 * shape[0], *shape[1:]))
        elif inner in _OPENCLIP_LAYER:
            yield Original(f"{block}{_OPENCLIP_LAYER[inner]}.{kind}", (name,), shape)


def original_text(part: str, shapes: Shapes, config: Mapping[str, Any], is_xl: bool) -> Iterator[Original]:
    """Yield the tensors of a text encoder by the place it has in its pipeline; OpenCLIP's by its activation."""
    if config.get("hidden_act") == "quick_gelu":
        return original_openai_text(shapes, OPENAI_PREFIX[f"{part}_xl" if is_xl else part])
    return original_openclip_text(shapes, OPENCLIP_PREFIX[part])


def unused(originals: Iterable[Original], shapes: Shapes) -> list[str]:
    """Return the tensors that have no place in the original layout."""
    used = {source for original in originals for source in original.sources}
    return sorted(name for name in shapes if name not in used and not name.endswith("position_ids"))


def _unet_name(name: str, layers: int, attended: set[str]) -> str:
    for ours, theirs in _UNET.items():
        if name.startswith(ours + "."):
            rest = name.removeprefix(ours + ".")
            return f"{theirs}.{_replaced(rest, _RESNET) if '.resnets.' in ours else rest}"
    match = re.fullmatch(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.+)", name)
    if match is None:
        return ""
    way, kind, rest = match[1], match[3], match[5]
    block, layer = int(match[2]), int(match[4])
    if kind == "downsamplers":
        return f"input_blocks.{(block + 1) * (layers + 1)}.0.op.{rest.removeprefix('conv.')}"
    if kind == "upsamplers":
        place = 2 if f"up_blocks.{block}" in attended else 1
        return f"output_blocks.{block * (layers + 1) + layers}.{place}.{rest}"
    number = block * (layers + 1) + layer + (way == "down")
    inner = f"0.{_replaced(rest, _RESNET)}" if kind == "resnets" else f"1.{rest}"
    return f"{'input' if way == 'down' else 'output'}_blocks.{number}.{inner}"


def _vae_name(name: str, blocks: int) -> str:
    match = re.fullmatch(
        r"(encoder|decoder)\.(down|up)_blocks\.(\d+)\.(resnets|downsamplers|upsamplers)\.(\d+)\.(.+)", name
    )
    if match is not None:
        side, way, kind, layer, rest = match[1], match[2], match[4], match[5], match[6]
        number = int(match[3]) if way == "down" else blocks - 1 - int(match[3])
        if kind == "resnets":
            return f"{side}.{way}.{number}.block.{layer}.{_replaced(rest, {'conv_shortcut': 'nin_shortcut'})}"
        return f"{side}.{way}.{number}.{way}sample.{rest}"
    match = re.fullmatch(r"(encoder|decoder)\.mid_block\.(resnets|attentions)\.(\d+)\.(.+)", name)
    if match is not None:
        side, kind, number, rest = match[1], match[2], int(match[3]) + 1, match[4]
        if kind == "resnets":
            return f"{side}.mid.block_{number}.{_replaced(rest, {'conv_shortcut': 'nin_shortcut'})}"
        return f"{side}.mid.attn_{number}.{_replaced(rest, _VAE_ATTENTION)}"
    stem = name.rpartition(".")[0].partition(".")[2] or name.rpartition(".")[0]
    return name.replace(".conv_norm_out.", ".norm_out.") if stem in _VAE_ENDS else ""


def _replaced(name: str, table: Mapping[str, str]) -> str:
    """Replace the beginning of a name that ends in ".weight" or ".bias"."""
    stem, dot, kind = name.rpartition(".")
    return table.get(stem, stem) + dot + kind
