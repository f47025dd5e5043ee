"""The roles of input pictures, and the fields of a request that go with them; `GenerationRequest` names each field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from sdstudio.core.params import FieldKind, Infotext, Ui

INPUT_GROUP: Final = "Input picture"


@dataclass(frozen=True, slots=True)
class InputRole:
    """One way in which a picture goes into a request.

    Attributes:
        field: The request's field that holds the picture's id, blank for none.
        title: What messages call such a picture.
        dependent: Fields that do not act while there is no such picture.
    """

    field: str
    title: str
    dependent: frozenset[str] = frozenset()

    def picture_in(self, request: Any) -> str:
        """Return the id of a request's picture in this role, "" for none."""
        return str(getattr(request, self.field))


INIT: Final = InputRole(
    "init_image", "Input picture",
    frozenset({
        "strength", "init_fit", "upscaler", "mask", "outpaint", "outpaint_fill", "outpaint_colour", "outpaint_overlap",
        "outpaint_passes", "transparency",
    }),
)  # fmt: skip
"""What is drawn over, in place of pure noise."""

MASK: Final = InputRole(
    "mask", "Mask",
    frozenset({
        "mask_mode", "masked_content", "mask_blur", "only_masked", "mask_blending", "mask_weight", "soft_bias",
        "soft_preservation", "soft_contrast", "soft_influence", "soft_threshold", "soft_difference",
    }),
)  # fmt: skip
"""Which part of the input picture is drawn over."""

DETAIL_MASK: Final = InputRole("detail_mask", "Mask of the regions")
"""Which regions of the finished picture are redrawn, each by itself."""

INPUT_ROLES: Final[dict[str, InputRole]] = {role.field: role for role in (INIT, MASK, DETAIL_MASK)}
"""Field of a request -> the role of the picture that it names; one that depends on another stands behind it."""

NEED_PICTURE: Final = frozenset(name for role in INPUT_ROLES.values() for name in role.dependent)
"""Fields that do not act while there is no input picture."""


def idle_without_picture(values: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields that do not act beside these values of a request, because their picture is missing."""
    idle: frozenset[str] = frozenset()
    for role in INPUT_ROLES.values():
        if not values.get(role.field) or role.field in idle:
            idle |= role.dependent
    return idle


PictureId: Final = Ui(kind=FieldKind.PICTURE, group=INPUT_GROUP)

InitImage = Annotated[
    str,
    Field(
        title="Input picture",
        description="A picture to begin from instead of pure noise; blank for none.",
        pattern=r"^([0-9a-f]{64})?$",
    ),
    PictureId,
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
        description="What enlarges an input picture that is smaller than the size, and ground that is drawn smaller "
        "than the picture: a network of the library; blank for Lanczos, which is quick and adds nothing.",
        max_length=4096,
    ),
    Ui(kind=FieldKind.UPSCALER, group=INPUT_GROUP),
    Infotext("Upscaler", 76, optional=True),
]  # fmt: skip
