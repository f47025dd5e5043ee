"""The fields of a request that name files beside its model; `GenerationRequest` names each with its default."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sdstudio.catalog.kinds import WEIGHT_MAXIMUM
from sdstudio.core.params import FieldKind, Ui

LoraName = Annotated[str, Field(min_length=1, max_length=4096)]
LoraWeight = Annotated[float, Field(ge=-WEIGHT_MAXIMUM, le=WEIGHT_MAXIMUM)]

Loras = Annotated[
    tuple[tuple[LoraName, LoraWeight], ...],
    Field(
        title="LoRA",
        description="Small files that add a style, a character or a concept, and how strongly each is to act. "
        "Also in the prompt: <lora:name:0.8>.",
        max_length=32,
    ),
    Ui(kind=FieldKind.LORAS, group="LoRA and VAE", flag="--lora"),
]

Vae = Annotated[
    str,
    Field(
        title="VAE",
        description="Turns latents into pixels in place of the model's own; blank for that. Changes colours and "
        "fine detail.",
        max_length=4096,
    ),
    Ui(kind=FieldKind.VAE, group="LoRA and VAE"),
]
