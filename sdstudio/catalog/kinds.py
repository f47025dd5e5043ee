"""What lies in a model library: the kinds of files and the variants of checkpoints, one row each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from sdstudio.catalog.few_steps import FEW_STEPS


@dataclass(frozen=True, slots=True)
class AssetKind:
    """One kind of file that a model library holds.

    Attributes:
        key: Stable name in the command line and in `Asset.kind`.
        title: What the user reads, for one.
        plural: The same for many.
        about: One sentence: what it does to a picture.
        suffixes: Endings of files that may be one, lower case; pickles only in a folder for that kind.
        body_hash: Whether other programs name it by the sha256 of what follows the header (AutoV3).
    """

    key: str
    title: str
    plural: str
    about: str
    suffixes: tuple[str, ...]
    body_hash: bool = False


CHECKPOINT: Final = "checkpoint"
LORA: Final = "lora"
VAE: Final = "vae"
EMBEDDING: Final = "embedding"
UPSCALER: Final = "upscaler"
DETECTOR: Final = "detector"
OTHER: Final = "other"

WEIGHT_MAXIMUM: Final = 10.0
"""Strongest weight of a LoRA, either way; far beyond what leaves a picture."""

KINDS: tuple[AssetKind, ...] = (
    AssetKind(
        CHECKPOINT, "Checkpoint", "Checkpoints", "A whole model: it draws pictures by itself.",
        (".safetensors", ".ckpt"),
    ),
    AssetKind(
        LORA, "LoRA", "LoRA", "Adds a style, a character or a concept to a checkpoint of its family.",
        (".safetensors", ".pt", ".ckpt", ".bin"), body_hash=True,
    ),
    AssetKind(
        VAE, "VAE", "VAE", "Turns latents into pixels in place of the checkpoint's own.",
        (".safetensors", ".pt", ".ckpt", ".bin"),
    ),
    AssetKind(
        EMBEDDING, "Embedding", "Embeddings", "A word of its own for the prompt (textual inversion).",
        (".safetensors", ".pt", ".bin"), body_hash=True,
    ),
    AssetKind(
        UPSCALER, "Upscaler", "Upscalers", "Makes finished pictures larger.", (".safetensors", ".pth", ".pt", ".bin")
    ),
    AssetKind(DETECTOR, "Detector", "Detectors", "Finds what words name in a picture.", (".safetensors",)),
    AssetKind(OTHER, "Other", "Other", "A file of a kind that the studio does not use.", (".safetensors",)),
)  # fmt: skip

KIND_BY_KEY: Mapping[str, AssetKind] = MappingProxyType({row.key: row for row in KINDS})

PICKLES: Final = frozenset({".ckpt", ".pt", ".pth", ".bin", ".pkl"})
"""Endings of files that hold pickled Python objects."""


@dataclass(frozen=True, slots=True)
class Variant:
    """What a checkpoint or LoRA is besides its family.

    Attributes:
        key: Stable name in `Asset.variant`.
        title: What the user reads.
        words: Words in its name by which it is recognised, lower case; empty when only the header shows it.
        defaults: Request field -> the value such a model wants.
        about: What is the matter with it, for messages; "" for one that draws like its family.
    """

    key: str
    title: str
    words: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    about: str = ""


INPAINT: Final = "inpaint"

VARIANTS: tuple[Variant, ...] = (
    Variant(INPAINT, "Inpainting"),
    Variant("pix2pix", "Pix2Pix", about="a checkpoint for editing pictures (pix2pix)"),
    Variant("depth", "Depth", about="a checkpoint for depth to image"),
    Variant("upscale", "Upscaling", about="a checkpoint for upscaling"),
    Variant("refiner", "Refiner", about="the SDXL refiner"),
    Variant("v_prediction", "v-prediction", ("v-pred", "vpred", "v_pred", "v-prediction", "v_prediction")),
    Variant("v_prediction?", "v-prediction?"),
    # stabilityai/cosxl: v-prediction at noise levels from 0.002 to 120.
    Variant("edm_v", "CosXL (EDM v-prediction)"),
    # playgroundai/playground-v2.5-1024px-aesthetic: 50 steps, guidance 3.
    Variant("edm", "Playground 2.5 (EDM)", defaults={"steps": 50, "guidance_scale": 3.0}),
    # Cut out of their family's network; they draw.
    Variant("ssd-1b", "SSD-1B (pruned)"),
    Variant("vega", "Segmind Vega (pruned)"),
    Variant("koala", "KOALA (pruned)"),
    Variant("pruned", "Pruned"),
    *(Variant(row.key, row.title) for row in FEW_STEPS),
)

VARIANT_BY_KEY: Mapping[str, Variant] = MappingProxyType({row.key: row for row in VARIANTS})
