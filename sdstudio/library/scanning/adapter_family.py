"""For which family a LoRA or an embedding was made: by the shapes in its header, else by what its metadata claims.

The family follows from the width of the text that a layer reads (768, 1024, 2048). Names come in kohya's style
(``lora_unet_.._attn2_to_k.lora_down.weight``), in diffusers' (``unet.. .attn2.to_k.lora_A.weight``) and in LyCORIS'
(``hada_w1_b``, ``lokr_w2``). Metadata: kohya's ``ss_base_model_version`` and ``modelspec.architecture``.
"""

from __future__ import annotations

import re
from typing import Final

from sdstudio.catalog.families import FAMILIES
from sdstudio.core.models.safetensors_header import Header

_FAMILY_BY_WIDTH: Final = {row.text_width: row.key for row in FAMILIES if row.text_width}

# A layer that reads the prompt, and the matrix of it whose last side is the layer's input.
_READS_TEXT: Final = re.compile(r"attn2[._](?:processor[._])?to_[kv]")
_INPUT_SIDE: Final = re.compile(
    r"\.lora_down\.weight$|\.lora_A\.(?:\w+\.)?weight$|[._]lora\.down\.weight$|\.hada_w1_b$|\.lora_down$"
)
# Other architectures' LoRA, by a piece of any name: Flux, Stable Diffusion 3 and further transformers.
_OTHERS: Final = ("double_blocks", "joint_blocks", "single_transformer_blocks", ".norm1_context")
_SECOND_ENCODER: Final = (
    "\nlora_te2_", "\nlora_te1_", "\ntext_encoder_2.", "\ntext_encoders.clip_g.", "\nclip_g.", "\nlycoris_te2_",
)  # fmt: skip
# kohya-ss/sd-scripts `train_util.py`: sd_v1, sd_v2, sd_v2_768_v, sdxl_base_v0-9, sdxl_base_v1-0, sd3_m, flux1 ..
_CLAIMS: Final = (
    (re.compile(r"^(?:sd_v1|sd1|sd_1)"), "sd1"),
    (re.compile(r"^(?:sd_v2|sd2|sd_2)"), "sd2"),
    (re.compile(r"^sdxl"), "sdxl"),
    (re.compile(r"^(?:sd3|flux|lumina|hunyuan|wan|qwen|chroma)"), "other"),
)
# Width of one vector: CLIP ViT-L, OpenCLIP ViT-H; SDXL's embeddings hold one of each encoder.
_EMBEDDING_WIDTHS: Final = {768: "sd1", 1024: "sd2"}
_EMBEDDING_PAIR: Final = frozenset({"clip_g", "clip_l"})
_SECOND_OF_PAIR: Final = "clip_g"
"""SDXL's second encoder; "clip_l" alone may be of SD 1 too."""
_EMBEDDING_NAMES: Final = ("emb_params", "string_to_param.*")
_VECTORS_MAXIMUM: Final = 1000


def lora_family(header: Header) -> str:
    """Return a LoRA's family: a key, "other" for one that is not supported, "" when the file does not record it."""
    names = "\n".join(("", *header.tensors))
    if any(piece in names for piece in _OTHERS):
        return "other"
    for name in header.tensors:
        if _READS_TEXT.search(name) and _INPUT_SIDE.search(name):
            family = _FAMILY_BY_WIDTH.get(_input_width(header, name))
            if family:
                return family
    if any(start in names for start in _SECOND_ENCODER):
        return "sdxl"
    claim = header.metadata.get("ss_base_model_version", "")
    family = next((key for pattern, key in _CLAIMS if pattern.search(claim)), "")
    return family or family_of_architecture(header.metadata.get("modelspec.architecture", "")) or _by_encoder(header)


def family_of_architecture(architecture: str) -> str:
    """Return the family that a ``modelspec.architecture`` names: "stable-diffusion-xl-v1-base/lora" is SDXL."""
    for start, family in (
        ("stable-diffusion-v1", "sd1"), ("stable-diffusion-v2", "sd2"), ("stable-diffusion-xl", "sdxl"),
    ):  # fmt: skip
        if architecture.startswith(start):
            return family
    return "other" if architecture else ""


def embedding_family(header: Header) -> str | None:
    """Return an embedding's family, "" for one of a width that no family has; ``None`` when it is no embedding."""
    tensors = header.tensors
    if tensors and set(tensors) <= _EMBEDDING_PAIR:
        return "sdxl" if _SECOND_OF_PAIR in tensors else ""
    named = next((name for name in _EMBEDDING_NAMES if name in tensors), None)
    if named is None and len(tensors) != 1:
        return None
    name = named or next(iter(tensors))
    entry = tensors[name]
    shape = entry.shape
    is_vectors = 1 <= len(shape) <= 2 and (len(shape) == 1 or shape[0] <= _VECTORS_MAXIMUM)
    if not is_vectors or not (named or shape[-1] in _EMBEDDING_WIDTHS):
        return None
    return _EMBEDDING_WIDTHS.get(shape[-1], "")


def _by_encoder(header: Header) -> str:
    """Return the family of a LoRA for the text encoder alone, by its width; SDXL's first encoder has SD 1's."""
    for name in header.tensors:
        if name.startswith("lora_te_") and "fc2" not in name and _INPUT_SIDE.search(name):
            return _EMBEDDING_WIDTHS.get(_input_width(header, name), "")
    return ""


def _input_width(header: Header, name: str) -> int:
    shape = header.tensors[name].shape
    return shape[1] if len(shape) >= 2 else 0
