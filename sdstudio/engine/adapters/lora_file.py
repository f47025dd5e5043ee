"""A LoRA file's tensors by the layer that they change, the embeddings that it brings along, and what is left over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import safetensors
import torch

from sdstudio.core.errors import ModelDamaged, ModelUnsupported
from sdstudio.core.models.lora_config import LayerScale, LoraConfig, read_config
from sdstudio.core.models.lora_names import DORA, LayerPart, LoraNames, Unread, read_names
from sdstudio.core.models.safetensors_header import TensorEntry, read_header

_NUMBERS: Final = frozenset({"alpha", "scale", "scalar", "on_input"})
_VECTORS: Final = frozenset({
    "diff", "diff_b", "w_norm", "b_norm", "dora_scale", "magnitude", "ia3", "ia3_l", "rescale"
})  # fmt: skip
_FLOATS: Final = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
_WHOLE: Final = frozenset({"I64", "I32", "I16", "I8", "U8", "BOOL"})
_FETCH_AGAIN: Final = "Get the file again from where it came from."


@dataclass(frozen=True, slots=True)
class LoraLayer:
    """What a file holds for one layer.

    Attributes:
        network: "unet", "text_encoder" or "text_encoder_2".
        name: The layer's flat name.
        parts: Part -> tensor, as the file has it.
        scale: Alpha and rank of its configuration.
    """

    network: str
    name: str
    parts: Mapping[str, torch.Tensor]
    scale: LayerScale


@dataclass(frozen=True, slots=True)
class LoraFile:
    """A file's content.

    Attributes:
        layers: Each once.
        embeddings: Name -> key -> tensor, of those that it brings along.
        unread: Tensors that nothing is computed from.
        remarks: What of its configuration is not followed, a sentence each.
    """

    layers: tuple[LoraLayer, ...]
    embeddings: Mapping[str, Mapping[str, torch.Tensor]]
    unread: tuple[Unread, ...]
    remarks: tuple[str, ...]


def read_lora(path: Path, as_first: bool = False) -> LoraFile:
    """Read a LoRA file. Only safetensors: the header is checked, no code is run.

    Args:
        path: Of the file.
        as_first: As version 0.1 read it, which knew fewer spellings and no ``alpha_pattern``, ``use_rslora`` or
            ``adapter_config.json``; what that version refused has no layers then.

    Raises:
        ModelNotFound: There is no such file.
        ModelDamaged: It is truncated, or no safetensors file, or holds no numbers where some belong.
        ModelUnsupported: It holds no LoRA.
    """
    if path.suffix.lower() != ".safetensors":
        message = f"LoRA = {path.name}: only .safetensors files are read."
        raise ModelUnsupported(
            message, f"Write it anew with `sdstudio models convert {path.name}`: others may hold code."
        )
    header = read_header(path)
    names = read_names(header.tensors, path.parent.name, as_first)
    if as_first and any(place.part in DORA or place.part == "magnitude" for place in names.parts.values()):
        return LoraFile((), {}, (), ())
    for name, place in names.parts.items():
        _check(path, name, place.part, header.tensors[name])
    config = read_config(path, header.metadata, as_first)
    try:
        with safetensors.safe_open(path, "pt") as file:
            lora_file = _sorted(path, names, {name: file.get_tensor(name) for name in _wanted(names)}, config)
    except (safetensors.SafetensorError, OSError) as error:
        raise ModelDamaged(f"{path} could not be read: {error}.", _FETCH_AGAIN) from error
    if not lora_file.layers and not as_first:
        kinds = ", ".join(row.reason for row in names.unread)
        message = f"LoRA = {path.name}: it holds no LoRA{f' that can be drawn with ({kinds})' if kinds else ''}."
        raise ModelUnsupported(message, "Choose another file.")
    return lora_file


def _wanted(names: LoraNames) -> list[str]:
    return [*names.parts, *(name for keys in names.bundled.values() for _key, name in keys)]


def _sorted(path: Path, names: LoraNames, tensors: Mapping[str, torch.Tensor], config: LoraConfig) -> LoraFile:
    parts: dict[tuple[str, str], dict[str, torch.Tensor]] = {}
    stems: dict[tuple[str, str], LayerPart] = {}
    for name, place in names.parts.items():
        own = parts.setdefault((place.network, place.layer), {})
        if place.part in own:
            raise ModelDamaged(f"{path} is damaged: it holds {name[:120]} under two names.", _FETCH_AGAIN)
        own[place.part] = tensors[name]
        stems.setdefault((place.network, place.layer), place)
    layers = tuple(
        LoraLayer(network, name, own, config.of(network, stems[network, name].stem))
        for (network, name), own in parts.items()
    )
    bundled = {embedding: {key: tensors[name] for key, name in keys} for embedding, keys in names.bundled.items()}
    return LoraFile(layers, bundled, names.unread, config.remarks)


def _check(path: Path, name: str, part: str, entry: TensorEntry) -> None:
    """Check that a part has a shape that can be computed with. Raises: ModelDamaged."""
    sides = len(entry.shape)
    is_number = part in _NUMBERS and all(side == 1 for side in entry.shape)
    is_vector = part in _VECTORS and sides in (1, 2, 4)
    is_matrix = part not in _NUMBERS | _VECTORS and sides in (2, 3, 4)
    allowed = _FLOATS | _WHOLE if part in _NUMBERS else _FLOATS
    if 0 in entry.shape or entry.dtype not in allowed or not (is_number or is_vector or is_matrix):
        shape = " x ".join(map(str, entry.shape)) or "one number"
        raise ModelDamaged(f"{path} is damaged: its {name[:120]} is {shape} of {entry.dtype}.", _FETCH_AGAIN)
