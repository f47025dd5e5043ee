"""The fields of a request that begins from a picture; `GenerationRequest` names each with its default."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from sdstudio.core.params import Infotext, Kind, Ui

INPUT_GROUP: Final = "Input picture"

NEED_PICTURE: Final = frozenset({"strength", "init_fit", "upscaler"})
"""Fields that do not act while there is no input picture."""

InitImage = Annotated[
    str,
    Field(
        title="Input picture",
        description="A picture to begin from instead of pure noise; blank for none.",
        pattern=r"^([0-9a-f]{64})?$",
    ),
    Ui(kind=Kind.PICTURE, group=INPUT_GROUP),
    Infotext("Init image", 75, optional=True),
]  # fmt: skip

Strength = Annotated[
    float,
    Field(
        title="Denoising strength",
        description="How far the input picture is drawn over: 1 all of it, and so many of the steps are run: at 0.5, "
        "10 of 20. Where that leaves none, it is only fitted to the size, without a model.",
        ge=0, le=1,
    ),
    Ui(step=0.05, decimals=2, slider=True, group=INPUT_GROUP),
    Infotext("Denoising strength", 58),
]  # fmt: skip

InitFit = Annotated[
    Literal["crop", "pad", "stretch"],
    Field(
        title="If the shape differs",
        description="How an input picture of another shape is brought to the size: crop it, pad it with white, or "
        "stretch it.",
    ),
    Ui(group=INPUT_GROUP),
    Infotext("Resize mode", 59),
]  # fmt: skip

Upscaler = Annotated[
    str,
    Field(
        title="Upscaler",
        description="What enlarges an input picture that is smaller than the size: a network of the library; blank for "
        "Lanczos, which is quick and adds nothing.",
        max_length=4096,
    ),
    Ui(kind=Kind.UPSCALER, group=INPUT_GROUP),
    Infotext("Upscaler", 76, optional=True),
]  # fmt: skip
