"""What a single safetensors file is, read from the names and shapes in its header: its kind, family and variant.

Names and order follow diffusers' ``infer_diffusers_model_type`` (``loaders/single_file_utils.py``, 0.42), which answers
"v1" to everything it does not know; here what is not known is named as such. A header does not show everything: SD 2
checkpoints for v-prediction and for epsilon are alike in it, and a VAE of SD 1, SD 2 and SDXL is one architecture.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sdstudio.catalog.checkpoints import CHECKPOINTS, V_PREDICTION, text_to_image_rows
from sdstudio.catalog.detectors import DETECTORS
from sdstudio.catalog.families import FAMILIES, FAMILY_BY_KEY, family_of_pipeline
from sdstudio.catalog.few_steps import few_steps_of, predicts_picture
from sdstudio.catalog.kinds import CHECKPOINT, DETECTOR, EMBEDDING, LORA, OTHER, UPSCALER, VAE, VARIANT_BY_KEY, VARIANTS
from sdstudio.core.errors import ModelDamaged
from sdstudio.core.models.checkpoint import (
    PARTS_KEY,
    embedded_parts,
    is_edm,
    is_edm_v,
    lacks_edm_part,
    prediction_in,
    prediction_in_name,
)
from sdstudio.core.models.quantised import packed_as
from sdstudio.core.models.safetensors_header import Header
from sdstudio.core.models.unet_shape import KNOWN, unet_changes, unet_shape
from sdstudio.core.models.upscaler_files import is_compact
from sdstudio.library.scanning.adapter_family import embedding_family, family_of_architecture, lora_family

CHANNEL_VARIANTS: Final = {9: "inpaint", 8: "pix2pix", 5: "depth", 7: "upscale"}
"""Channels that a UNet takes -> variant in ``catalog.kinds``; a text-to-image one takes the latents' four."""

_TITLE: Final = "modelspec.title"
_PARTS_OF: Final = {
    "vae": ("first_stage_model.", "vae."), "text encoder": ("cond_stage_model.", "conditioner.embedders."),
}  # fmt: skip

EDM_VARIANTS: Final = {True: "edm_v", False: "edm"}
"""Whether a model that was trained at continuous noise levels predicts v -> variant in ``catalog.kinds``."""

_UNET: Final = "model.diffusion_model."
_FIRST_CONV: Final = _UNET + "input_blocks.0.0.weight"
_REFINER_TEXT: Final = "conditioner.embedders.0.model.transformer.resblocks.9.mlp.c_proj.bias"
_CROSS_ATTENTION: Final = "attn2.to_k.weight"
_VAE_IN: Final = "decoder.conv_in.weight"
_LATENT_CHANNELS: Final = 4
_COMPACT_FIRST: Final = "body.0.weight"

# Beginnings of text encoders' names, for when the width of the UNet is of no family: the most certain first.
_TEXT_ENCODERS: Final = (
    ("conditioner.embedders.1.", "sdxl"),
    ("cond_stage_model.model.", "sd2"),
    ("cond_stage_model.transformer.", "sd1"),
)

# First match wins: a piece of a tensor's name, the kind of a file with it, and what it is when it is of no use here.
_PIECES: Final = (
    *((row.sign, DETECTOR, "") for row in DETECTORS),
    ("joint_blocks.0.", CHECKPOINT, "a Stable Diffusion 3 checkpoint"),
    ("double_blocks.0.img_attn.norm.key_norm.scale", CHECKPOINT, "a Flux checkpoint"),
    ("control_model.", OTHER, "a ControlNet"),
    ("controlnet_", OTHER, "a ControlNet"),
    ("lora_", LORA, ""),
    (".lora.", LORA, ""),
    ("_lora.", LORA, ""),
    ("lokr_", LORA, ""),
    ("hada_", LORA, ""),
    ("oft_blocks", LORA, ""),
    (".on_input", LORA, ""),
    (".ia3_l", LORA, ""),
    (".oft_R", LORA, ""),
    (".boft_R", LORA, ""),
    ("bundle_emb.", LORA, ""),
    ("first_stage_model.decoder.", VAE, ""),
    (_VAE_IN, VAE, ""),
    (".RDB1.", UPSCALER, ""),
    (".rdb1.", UPSCALER, ""),
    ("conv_first.weight", UPSCALER, ""),
    ("residual_group.", UPSCALER, ""),
    ("down_blocks.0.", OTHER, "one component of a diffusers model"),
    ("text_model.encoder.layers.0.", OTHER, "a text encoder"),
)


@dataclass(frozen=True, slots=True)
class SingleFile:
    """What a file is.

    Attributes:
        kind: Key in ``catalog.kinds``.
        family: Key in ``catalog.families``; "other" when it is none of them, "" when the file does not record it.
        variant: Key in ``catalog.kinds.VARIANTS``, "" for none.
        not_a_model: What it is, with its article, when nothing can be drawn with it and it adds to no model.
        distilled_as: The words that show how a checkpoint was distilled: its name, or the title in its header; "" for
            none.
        lacks: Parts that a checkpoint lacks, "vae" and "text encoder".
    """

    kind: str
    family: str = ""
    variant: str = ""
    not_a_model: str = ""
    distilled_as: str = ""
    lacks: tuple[str, ...] = ()


def classify(header: Header, name: str = "", hint: str = "") -> SingleFile:
    """Return what the file with this header is.

    Args:
        header: Of the file.
        name: Of the file without its ending: it shows what a header does not: turbo or base, 768 or 512.
        hint: The kind that its folder is for; used where the header does not show it.
    """
    first = header.tensors.get(_FIRST_CONV)
    if first is not None and len(first.shape) == 4:
        return _checkpoint(header, name, first.shape[1])
    names = "\n".join(header.tensors)
    for piece, kind, what in _PIECES:
        if piece in names:
            return _named(header, name, kind, what)
    family = embedding_family(header)
    if family is not None:
        return SingleFile(EMBEDDING, family)
    if _COMPACT_FIRST in names and is_compact({key: entry.shape for key, entry in header.tensors.items()}):
        return SingleFile(UPSCALER)
    if hint in (LORA, VAE, EMBEDDING, UPSCALER):
        return SingleFile(hint, "", variant_of_name(name) if hint == LORA else "")
    return SingleFile(hint or OTHER, "other", "", "no checkpoint that is known here")


def variant_of_name(name: str) -> str:
    """Return the variant that a file's or folder's name speaks of, "" for none."""
    words = {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}
    folded = name.lower()
    for row in VARIANTS:
        if any(word in words or (len(word) > 4 and word in folded) for word in row.words):
            return row.key
    few = few_steps_of(name)
    return few.key if few is not None else ""


def _named(header: Header, name: str, kind: str, what: str) -> SingleFile:
    if kind == LORA:
        return SingleFile(LORA, lora_family(header), variant_of_name(name))
    if kind == VAE:
        entry = header.tensors.get(_VAE_IN) or header.tensors.get("first_stage_model." + _VAE_IN)
        if entry is not None and len(entry.shape) == 4 and entry.shape[1] != _LATENT_CHANNELS:
            return SingleFile(VAE, "other", "", f"a VAE for {entry.shape[1]} latent channels")
        return SingleFile(VAE, family_of_architecture(header.metadata.get("modelspec.architecture", "")))
    return SingleFile(kind, "other" if what else "", "", what)


def _checkpoint(header: Header, name: str, channels: int) -> SingleFile:
    tensors = header.tensors
    packed = packed_as(header)
    if packed:
        return SingleFile(CHECKPOINT, _family(header) or "other", "", f"a checkpoint with packed weights: {packed}")
    refiner = _REFINER_TEXT in tensors
    family = "sdxl" if refiner else _family(header)
    variant = CHANNEL_VARIANTS.get(channels, "refiner" if refiner else "")
    if variant and VARIANT_BY_KEY[variant].about:
        return SingleFile(CHECKPOINT, family or "other", variant, VARIANT_BY_KEY[variant].about)
    if PARTS_KEY in header.metadata:
        variant = variant or (EDM_VARIANTS[True] if is_edm_v(header) else _prediction(header, name, ""))
        return SingleFile(CHECKPOINT, _carried_family(header), variant, lacks=tuple(_lacking(header)))
    if not variant and channels != _LATENT_CHANNELS:
        return SingleFile(CHECKPOINT, "other", "", f"a checkpoint for {channels} latent channels")
    if not family:
        return SingleFile(CHECKPOINT, "other", "", "a checkpoint of an unknown family")
    lacking = lacks_edm_part(header)
    if lacking:
        return SingleFile(CHECKPOINT, "other", "", f"a Playground 2.5 checkpoint that lacks {lacking}")
    structure = _structure(header, family)
    if structure is None:
        title = FAMILY_BY_KEY[family].title
        return SingleFile(CHECKPOINT, family, "", f"another network than {title}, with other blocks")
    names = (name, header.metadata.get(_TITLE, ""))
    distilled_as = next((text for text in names if few_steps_of(text) is not None), "")
    if predicts_picture(distilled_as):
        message = "SDXL-Lightning for one step, which predicts the picture itself (x0)"
        return SingleFile(CHECKPOINT, family, "lightning", message)
    variant = variant or structure or _variant(header, distilled_as or name, family)
    return SingleFile(CHECKPOINT, family, variant, distilled_as=distilled_as, lacks=tuple(_lacking(header)))


def _lacking(header: Header) -> Iterator[str]:
    """Yield the parts that lack beside a whole UNet."""
    if unet_shape(header.tensors) is None:
        return
    for part, prefixes in _PARTS_OF.items():
        if not any(name.startswith(prefixes) for name in header.tensors):
            yield part


def _variant(header: Header, name: str, family: str) -> str:
    """Return what a text-to-image checkpoint is besides its family, by its header and then its name."""
    if is_edm_v(header) or is_edm(header):
        return EDM_VARIANTS[is_edm_v(header)]
    return _prediction(header, name, family) or variant_of_name(name)


def _structure(header: Header, family: str) -> str | None:
    """Return the variant of a network with fewer blocks, "" for a whole one, ``None`` for one that nobody knows."""
    key = next(row.key for row in CHECKPOINTS if row.family == family)
    changes = unet_changes(key, header.tensors)
    if not changes:
        return None if changes is None else ""
    shape = unet_shape(header.tensors)
    return KNOWN.get((family, shape.down), "pruned") if shape is not None else "pruned"


def _carried_family(header: Header) -> str:
    """Return the family of a file by the configuration that it carries; `identify` looks at that closely."""
    try:
        parts = embedded_parts(Path(), header)
    except ModelDamaged:
        parts = None
    if parts is None:
        return "other"
    width = parts.configs.get("unet", {}).get("cross_attention_dim")
    by_pipeline = family_of_pipeline(str(parts.index.get("_class_name")), width if isinstance(width, int) else 0).key
    noted = parts.notes.get("family")
    return noted if isinstance(noted, str) and noted in FAMILY_BY_KEY else by_pipeline


def _family(header: Header) -> str:
    """Return a checkpoint's family by the width of its UNet's attention, else by the text encoders inside."""
    readers = [name for name in header.tensors if name.endswith(_CROSS_ATTENTION) and name.startswith(_UNET)]
    widths = {header.tensors[name].shape[-1:] for name in readers}
    family = next((row.key for row in FAMILIES if (row.text_width,) in widths), "")
    if family:
        return family
    return next((key for start, key in _TEXT_ENCODERS if any(name.startswith(start) for name in header.tensors)), "")


def _prediction(header: Header, name: str, family: str) -> str:
    """Return "v_prediction" where the file records it, "v_prediction?" where its family has both and it does not."""
    prediction = prediction_in(header) or prediction_in_name(name)
    if prediction == V_PREDICTION:
        return V_PREDICTION
    predictions = {row.prediction for row in text_to_image_rows(family)}
    if prediction or len(predictions) < 2 or variant_of_name(name):
        return ""
    return V_PREDICTION if "768" in name else f"{V_PREDICTION}?"
