"""The fields of a request that draw more ground around its input picture; `GenerationRequest` names each.

The result is as large as the input picture and what is added to it. Width and height are what the model draws at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import AfterValidator, Field

from sdstudio.core.errors import InvalidRequest
from sdstudio.core.params import FieldKind, Infotext, Ui
from sdstudio.core.request.input_fields import INPUT_GROUP

OUTPAINT: Final = "outpaint"
LARGEST_PX: Final = 4096
"""Longest side of a picture with what is added to it."""

EDGE: Final = "edge"
BLUR: Final = "blur"
NOISE: Final = "noise"
COLOUR: Final = "colour"

ON_WHITE: Final = "white"
AS_GROUND: Final = "ground"
KEPT: Final = "keep"

IN_DETAIL: Final = "detail"
IN_ONE: Final = "one"

NEED_GROUND: Final = frozenset({"outpaint_fill", "outpaint_colour", "outpaint_overlap", "outpaint_passes"})
"""Fields that do not act where no ground is added."""

_SIDE: Final = re.compile(r"\s*([a-z]+)\s*=\s*(-?\d{1,9})\s*(?:px)?\s*")
_HINT: Final = "Write it as left=128,top=64."


class Sides(NamedTuple):
    """How many pixels are added at each side of a picture."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def __str__(self) -> str:
        return ",".join(f"{name}={px}" for name, px in self._asdict().items() if px)

    def around(self, shape: tuple[int, int]) -> tuple[int, int]:
        """Return the width and height of a picture of this shape with what is added."""
        return self.left + shape[0] + self.right, self.top + shape[1] + self.bottom


def sides_in(text: Any) -> Sides:
    """Return the sides that a text such as "left=128,top=64" names; none are added for a blank one.

    Raises:
        InvalidRequest: It names another side, no whole number, less than 0 or more than can be, or nothing but zeros.
    """
    if not isinstance(text, str):
        raise _wrong(repr(text)[:40], f"allowed are {', '.join(Sides._fields)} with pixels")
    if not text.strip():
        return Sides()
    added: dict[str, int] = {}
    for part in text.split(","):
        match = _SIDE.fullmatch(part.lower())
        if match is None or match[1] not in Sides._fields or match[1] in added:
            what = "each side may stand once" if match and match[1] in added else "allowed is a side and its pixels"
            raise _wrong(repr(part.strip()[:40]), f"{what}: {', '.join(Sides._fields)}")
        added[match[1]] = int(match[2])
        if not 0 <= added[match[1]] < LARGEST_PX:
            raise _wrong(repr(part.strip()[:40]), f"allowed are 0 to {LARGEST_PX - 1} pixels")
    sides = Sides(**added)
    if not any(sides):
        raise _wrong(repr(text.strip()[:40]), "that adds nothing: at least one side needs a pixel or more")
    return sides


def check_extent(sides: Sides, shape: tuple[int, int]) -> None:
    """Check that a picture of this shape may grow so much. Raises: InvalidRequest."""
    wide, high = sides.around(shape)
    if any(sides) and max(wide, high) > LARGEST_PX:
        message = f"Outpaint = {sides}: {wide} x {high} is too large: at most {LARGEST_PX} on a side."
        left = [max(LARGEST_PX - side, 0) for side in shape]
        hint = f"Add at most {left[0]} pixels to the width and {left[1]} to the height."
        if max(shape) > LARGEST_PX:
            hint = f"The picture itself has {shape[0]} x {shape[1]}: make it smaller first."
        raise InvalidRequest(OUTPAINT, message, hint)


def adds_ground(values: Mapping[str, Any]) -> bool:
    """Return whether these values of a request have ground drawn: around the picture, or where it is transparent."""
    if not values.get("init_image"):
        return False
    return bool(values.get(OUTPAINT)) or values.get("transparency") == AS_GROUND


def idle_without_ground(values: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields that do not act beside these values of a request, for want of ground that is added."""
    if not adds_ground(values):
        return NEED_GROUND
    idle = {"init_fit", "only_masked", "seamless"}
    return frozenset(idle if values.get("outpaint_fill") == COLOUR else idle | {"outpaint_colour"})


def _wrong(given: str, allowed: str) -> InvalidRequest:
    return InvalidRequest(OUTPAINT, f"Outpaint = {given}: {allowed}.", _HINT)


def _in_order(text: str) -> str:
    try:
        return str(sides_in(text))
    except InvalidRequest as error:
        raise ValueError(error.message) from None


def _check_colour(value: Any) -> None:
    if not isinstance(value, str) or not re.fullmatch(_COLOUR, value):
        message = f"Colour of the ground = {str(value)[:40]!r}: allowed is red, green and blue in hexadecimal digits."
        raise InvalidRequest("outpaint_colour", message, "Write it as #808080.")


_COLOUR: Final = r"#[0-9a-fA-F]{6}"

Outpaint = Annotated[
    str,
    Field(
        title="Outpaint",
        description="Draw more around the input picture: how many pixels are added at which side, as in "
        "left=128,top=64. The picture itself stays pixel by pixel, but for the overlap.",
        max_length=200,
    ),
    AfterValidator(_in_order),
    Ui(kind=FieldKind.SIDES, unit="px", step=8, group=INPUT_GROUP, check=sides_in),
    Infotext("Outpaint", 94, optional=True),
]  # fmt: skip

OutpaintFill = Annotated[
    Literal["edge", "blur", "noise", "colour"],
    Field(
        title="New ground",
        description="What the ground that is added begins from: the edge of the picture drawn out, the colours around "
        "it blurred, noise, or one colour. All want a strength of 0.8 or more.",
    ),
    Ui(group=INPUT_GROUP, titles=("Edge drawn out", "Blurred surroundings", "Noise", "One colour")),
    Infotext("Outpaint fill", 95, optional=True, texts=("edge", "blur", "noise", "colour")),
]  # fmt: skip

OutpaintColour = Annotated[
    str,
    Field(
        title="Colour of the ground",
        description="The colour that the new ground begins from, as in #808080: red, green and blue.",
        pattern=f"^{_COLOUR}$",
    ),
    AfterValidator(str.lower),
    Ui(group=INPUT_GROUP, check=_check_colour, blank="As in #808080"),
    Infotext("Outpaint colour", 96, optional=True),
]  # fmt: skip

OutpaintOverlap = Annotated[
    int,
    Field(
        title="Overlap",
        description="How far the new ground reaches into the picture, where it fades out: 8 to 32 pixels hide the "
        "seam. At 0 no pixel of the picture changes.",
        ge=0, le=64,
    ),
    Ui(unit="px", step=4, slider=True, group=INPUT_GROUP),
    Infotext("Outpaint overlap", 97, optional=True),
]  # fmt: skip

OutpaintPasses = Annotated[
    Literal["side", "detail", "one"],
    Field(
        title="Passes",
        description="What is seen of the picture while the ground is drawn, piece by piece, each as large as the size "
        "says and at most half of it new: as much as the picture's shorter side is long; or no more than the size "
        "holds, in full detail; or all of it, in one pass. What is drawn smaller is enlarged by the upscaler.",
    ),
    Ui(group=INPUT_GROUP, titles=("Along its shorter side", "In full detail", "One, over all of it")),
    Infotext("Outpaint passes", 98, optional=True, texts=("side", "detail", "one")),
]  # fmt: skip

Transparency = Annotated[
    Literal["white", "ground", "keep"],
    Field(
        title="What is transparent",
        description="What becomes of the transparent part of an input picture: it is seen on white, it is drawn anew "
        "like ground that is added, or the result is as transparent as the picture was.",
    ),
    Ui(group=INPUT_GROUP, titles=("Seen on white", "Drawn as new ground", "Kept transparent")),
    Infotext("Transparency", 99, optional=True, texts=("white", "ground", "keep")),
]  # fmt: skip
