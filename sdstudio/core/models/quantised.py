"""Which weights of a file are small numbers that are to be multiplied, and which are packed in a way nobody here knows.

Scaled fp8 is ComfyUI's way: ``layer.weight`` in eight bits, beside it ``layer.scale_weight`` (or, in newer files,
``layer.weight_scale``), and the weight is the product; ``scaled_fp8``, ``layer.scale_input`` and ``layer.comfy_quant``
are marks and hints for fast kernels. Without the product a picture is noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Final

from sdstudio.core.models.safetensors_header import Header

_SCALES: Final = (".scale_weight", ".weight_scale")
_HINTS: Final = (".scale_input", ".input_scale", ".comfy_quant")
_MARK: Final = "scaled_fp8"
_NOTE: Final = "_quantization_metadata"
"""ComfyUI's note in a header: which layer is quantised how."""
_EIGHT_BITS: Final = ("F8_E4M3", "F8_E5M2")

# Ends of names -> how weights are packed that have one beside them.
_PACKED: Final = (
    (".quant_state.bitsandbytes__nf4", "NF4 by bitsandbytes"),
    (".quant_state.bitsandbytes__fp4", "FP4 by bitsandbytes"),
    (".absmax", "4 bits by bitsandbytes"),
    (".SCB", "int8 by bitsandbytes"),
    (".qweight", "GPTQ or AWQ"),
    (".wscales", "SVDQuant by Nunchaku"),
    (".weight_scale_2", "NVFP4"),
)
_PARTS: Final = ("model.diffusion_model.", "first_stage_model.", "cond_stage_model.", "conditioner.", "vae.")
_WHOLE: Final = frozenset({"U8", "I8", "I16", "U16", "I32", "U32", "F4", "F8_E8M0"})


def scales_of(header: Header) -> Mapping[str, str]:
    """Return each weight that is to be multiplied, with the name of what it is multiplied by."""
    found = {}
    for name in header.tensors:
        for ending in _SCALES:
            weight = f"{name.removesuffix(ending)}.weight"
            if name.endswith(ending) and weight in header.tensors and _fits(header, weight, name):
                found[weight] = name
    return found


def is_extra(name: str) -> bool:
    """Whether a tensor is about other weights: a scale, a hint for kernels, the mark of such a file."""
    return name.endswith((*_SCALES, *_HINTS)) or name.rpartition(".")[2] == _MARK


def packed_as(header: Header) -> str:
    """Return how a file's weights are packed that nobody here can unpack, "" when none are."""
    names = header.tensors
    for ending, how in _PACKED:
        if any(name.endswith(ending) for name in names):
            return how
    scaled = scales_of(header)
    for name in names:
        if name.endswith(_SCALES) and f"{name.rpartition('.')[0]}.weight" in names and name not in scaled.values():
            weight = names[f"{name.rpartition('.')[0]}.weight"]
            return f"{weight.dtype} with scales of {' x '.join(map(str, names[name].shape)) or 'one number'}"
    odd = next((name for name, entry in names.items() if _is_packed(name, entry.dtype)), "")
    return f"whole numbers ({names[odd].dtype}), as GGUF's and other packed weights are" if odd else ""


def without_notes(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return a header's notes without the one about scales, for a copy that has none."""
    return {name: text for name, text in metadata.items() if name != _NOTE}


def _is_packed(name: str, dtype: str) -> bool:
    return dtype in _WHOLE and name.startswith(_PARTS) and name.endswith(".weight")


def _fits(header: Header, weight: str, scale: str) -> bool:
    """Whether a scale is one number, or one for each row of a weight in eight bits."""
    entry, shape = header.tensors[weight], header.tensors[scale].shape
    count = prod(shape)
    return entry.dtype in _EIGHT_BITS and (count == 1 or (bool(entry.shape) and count == shape[0] == entry.shape[0]))
