"""The fields of a request for which part of its input picture is drawn anew; `GenerationRequest` names each.

Names and bounds are those of A1111 where it has the field, so that its pictures with a mask can be made again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from sdstudio.core.params import Infotext, Ui
from sdstudio.core.request.input_fields import INPUT_GROUP, MASK, PictureId

LATENT_BLENDING: Final = "latent"
DIFFERENTIAL: Final = "differential"
SOFT_INPAINTING: Final = "soft_inpainting"

ORIGINAL: Final = "original"
LATENT_NOISE: Final = "latent_noise"
LATENT_NOTHING: Final = "latent_nothing"

NOT_MASKED: Final = "not_masked"

OF_SOFT_INPAINTING: Final = frozenset({
    "soft_bias", "soft_preservation", "soft_contrast", "soft_influence", "soft_threshold", "soft_difference",
})  # fmt: skip
"""Fields that act on soft inpainting alone."""


def idle_beside_blending(values: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields that do not act beside the way in which these values of a request blend the mask."""
    return frozenset() if values.get("mask_blending") == SOFT_INPAINTING else OF_SOFT_INPAINTING


Mask = Annotated[
    str,
    Field(
        title=MASK.title,
        description="Which part of the input picture is drawn anew: a picture of the same size, white where it is, "
        "black where everything stays as it is. Of a transparent one the opaque part counts as white.",
        pattern=r"^([0-9a-f]{64})?$",
    ),
    PictureId,
    Infotext("Mask image", 80, optional=True),
]  # fmt: skip

MaskMode = Annotated[
    Literal["masked", "not_masked"],
    Field(title="Mask mode", description="Whether what is masked is drawn anew, or all the rest of the picture."),
    Ui(group=INPUT_GROUP, titles=("Draw what is masked", "Draw what is not masked")),
    Infotext("Mask mode", 81, optional=True, texts=("Inpaint masked", "Inpaint not masked")),
]  # fmt: skip

MaskedContent = Annotated[
    Literal["original", "fill", "latent_noise", "latent_nothing"],
    Field(
        title="Masked content",
        description="What the masked part begins from: the picture itself, the colours around it, noise in latent "
        "space, or nothing there. All but the first want a strength of 0.8 or more.",
    ),
    Ui(group=INPUT_GROUP, titles=("Original", "Fill", "Latent noise", "Latent nothing")),
    Infotext(
        "Masked content", 85, optional=True, texts=("original", "fill", "latent noise", "latent nothing")
    ),
]  # fmt: skip

MaskBlur = Annotated[
    int,
    Field(
        title="Mask blur",
        description="How far the edge of the mask is softened, as the deviation of a Gaussian: the new part fades into "
        "the picture over about this many pixels.",
        ge=0, le=64,
    ),
    Ui(unit="px", slider=True, group=INPUT_GROUP),
    Infotext("Mask blur", 82),
]  # fmt: skip

OnlyMasked = Annotated[
    int | None,
    Field(
        title="Only masked",
        description="Draw only the masked part, with this much of the picture around it, at the full size, and set it "
        "back: more detail, and the picture keeps its own size. Off: the whole picture is drawn.",
        ge=0, le=256,
    ),
    Ui(unit="px", step=4, group=INPUT_GROUP, begins=32),
    Infotext("Masked area padding", 84, optional=True),
]  # fmt: skip

MaskBlending = Annotated[
    Literal["latent", "differential", "soft_inpainting"],
    Field(
        title="Mask blending",
        description="How new and old are joined at each step. Latent blending takes the mask as black and white. With "
        "differential diffusion a grey part changes in the last steps only, the lighter the earlier. Soft inpainting "
        "is A1111's: a grey part is mixed, and how far it has changed decides what is laid over the picture.",
    ),
    Ui(group=INPUT_GROUP, titles=("Latent blending", "Differential diffusion", "Soft inpainting")),
    Infotext("Mask blending", 86, optional=True),
]  # fmt: skip

MaskWeight = Annotated[
    float,
    Field(
        title="Conditional mask weight",
        description="How much of the masked part is hidden from a model for inpainting: 1 all of it, 0 nothing.",
        ge=0, le=1,
    ),
    Ui(step=0.05, decimals=2, group=INPUT_GROUP),
    Infotext("Conditional mask weight", 61, optional=True),
]  # fmt: skip

SoftBias = Annotated[
    float,
    Field(
        title="Schedule bias",
        description="When the picture is held on to: above 1 more in the first steps, below 1 more in the last.",
        ge=0, le=8,
    ),
    Ui(step=0.1, decimals=1, group=INPUT_GROUP),
    Infotext("Soft inpainting schedule bias", 88),
]  # fmt: skip

SoftPreservation = Annotated[
    float,
    Field(
        title="Preservation strength",
        description="How firmly what is masked in part is held on to; at 0 only what is black stays.",
        ge=0, le=8,
    ),
    Ui(step=0.05, decimals=2, group=INPUT_GROUP),
    Infotext("Soft inpainting preservation strength", 89),
]  # fmt: skip

SoftContrast = Annotated[
    float,
    Field(
        title="Transition contrast boost",
        description="Makes up for the contrast that is lost where old and new are mixed.",
        ge=1, le=32,
    ),
    Ui(step=0.5, decimals=1, group=INPUT_GROUP),
    Infotext("Soft inpainting transition contrast boost", 90),
]  # fmt: skip

SoftInfluence = Annotated[
    float,
    Field(
        title="Mask influence",
        description="How far the mask itself decides what is laid over the picture, beside what has changed.",
        ge=0, le=1,
    ),
    Ui(step=0.05, decimals=2, group=INPUT_GROUP),
    Infotext("Soft inpainting mask influence", 91),
]  # fmt: skip

SoftThreshold = Annotated[
    float,
    Field(
        title="Difference threshold",
        description="How much must have changed in latent space for the new part to be laid over the picture by half.",
        ge=0, le=8,
    ),
    Ui(step=0.05, decimals=2, group=INPUT_GROUP),
    Infotext("Soft inpainting difference threshold", 92),
]  # fmt: skip

SoftDifference = Annotated[
    float,
    Field(
        title="Difference contrast",
        description="How sharply what has changed is told from what has not.",
        ge=0, le=8,
    ),
    Ui(step=0.05, decimals=2, group=INPUT_GROUP),
    Infotext("Soft inpainting difference contrast", 93),
]  # fmt: skip
