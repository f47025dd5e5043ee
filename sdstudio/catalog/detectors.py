"""The detectors that the studio can look for regions with: classes of transformers that find what words name.

All are under the Apache licence 2.0. Detectors for closed lists of things (DETR, RT-DETR) know no face and no hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

CONFIG_FILE: Final = "config.json"
WEIGHTS_FILE: Final = "model.safetensors"

TEXT_FILES: Final = frozenset({
    CONFIG_FILE, "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "vocab.txt", "vocab.json", "merges.txt",
})  # fmt: skip
"""What a detector's folder may hold beside its weights."""


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """One architecture of detectors.

    Attributes:
        architecture: Class of transformers, as ``config.json`` names it.
        title: What the user reads.
        sign: A piece of the name of one of its tensors that no other kind of file has.
        processor: Module and class of transformers that brings pictures into its form without torchvision.
        is_one_text: It reads all phrases as one text ("a face. a hand."), and not each by itself.
        is_padded: It sees a picture with its shorter side filled up, so that its boxes are shares of the longer.
    """

    architecture: str
    title: str
    sign: str
    processor: tuple[str, str]
    is_one_text: bool = False
    is_padded: bool = False


DETECTORS: Final = (
    DetectorSpec(
        "GroundingDinoForObjectDetection", "Grounding DINO", "fusion_layer.attn.values_text_proj.",
        ("grounding_dino.image_processing_pil_grounding_dino", "GroundingDinoImageProcessorPil"), is_one_text=True,
    ),
    DetectorSpec(
        "Owlv2ForObjectDetection", "OWLv2", "owlv2.vision_model.",
        ("owlv2.image_processing_pil_owlv2", "Owlv2ImageProcessorPil"), is_padded=True,
    ),
    DetectorSpec(
        "OwlViTForObjectDetection", "OWL-ViT", "owlvit.vision_model.",
        ("owlvit.image_processing_pil_owlvit", "OwlViTImageProcessorPil"),
    ),
)  # fmt: skip

DETECTOR_BY_ARCHITECTURE: Mapping[str, DetectorSpec] = MappingProxyType({row.architecture: row for row in DETECTORS})
