"""The fields of a request for the last thing that is done to a picture: it is enlarged so many times.

A1111 records the same as the upscaling that its "Extras" do after drawing ("Postprocess upscale by"). A picture of
which only a masked part was drawn, or to which ground was added, keeps the size of the picture around it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import Field

from sdstudio.catalog.built_in import DRAWINGS, UPSCALER_NAME
from sdstudio.core.params import Choice, FieldKind, Infotext, Ui
from sdstudio.core.request.larger_size import SIDE_MAXIMUM, second_size
from sdstudio.core.request.outpaint_fields import adds_ground
from sdstudio.core.request.second_pass_fields import idle_without_second_pass

FINISH_FIELDS: Final = frozenset({"finish", "finish_upscaler"})

LANCZOS: Final = "Lanczos"
"""What texts call a blank upscaler, and people may."""

_STEP_PX: Final = 8

Size = tuple[int, int]


def enlarged_size(size: Size, factor: float) -> Size:
    """Return the width and height of a picture that is enlarged so many times, in multiples of 8 as those drawn."""
    wide, high = (round(side * factor / _STEP_PX) * _STEP_PX for side in size)
    return wide, high


def idle_without_finish(values: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields that do not act beside these values of a request."""
    if (values.get("init_image") and values.get("mask")) or adds_ground(values):
        return FINISH_FIELDS
    if values.get("tile_redraw"):  # it names the size that the picture is to have
        return FINISH_FIELDS
    return frozenset() if (values.get("finish") or 1) > 1 else frozenset({"finish_upscaler"})


def is_finished(request: Any) -> bool:
    """Say whether a request's pictures are enlarged at the end."""
    return "finish_upscaler" not in idle_without_finish(dict(request))


def drawn_size(values: Mapping[str, Any]) -> Size:
    """Return the width and height of what these values of a request draw, by its second pass where it has one."""
    size = int(values["width"]), int(values["height"])
    has_second_pass = "hires_strength" not in idle_without_second_pass(values)
    return second_size(*size, values) if has_second_pass else size


def made_size(values: Mapping[str, Any]) -> Size:
    """Return the width and height of the pictures that these values of a request make.

    A masked picture's are those of its input picture, which values do not show: it is taken to be as large as is drawn.
    """
    size = drawn_size(values)
    return size if "finish_upscaler" in idle_without_finish(values) else enlarged_size(size, float(values["finish"]))


def largest_finish(values: Mapping[str, Any]) -> float:
    """Return how many times the pictures of these values of a request can be enlarged at most, 1 or more."""
    return max(1.0, SIDE_MAXIMUM / max(drawn_size(values)))


Finish = Annotated[
    float,
    Field(
        title="Finish",
        description="Enlarge the finished picture so many times, the last thing that is done to it: with 4, a picture "
        "of 128 px has 512. 1 for none.",
        ge=1, le=8,
    ),
    Ui(unit="×", step=1, decimals=2, group="Size"),
    Infotext("Postprocess upscale by", 110, optional=True),
]  # fmt: skip

FinishUpscaler = Annotated[
    str,
    Field(
        title="Upscaler of the finish",
        description="What enlarges the finished picture: the built-in network, which is made for drawings, another of "
        "the library, or blank for Lanczos.",
        max_length=4096,
    ),
    Ui(kind=FieldKind.UPSCALER, group="Size", choices=lambda: [Choice(DRAWINGS, UPSCALER_NAME, "Made for drawings.")]),
    Infotext("Postprocess upscaler", 111, blank=LANCZOS),
]  # fmt: skip

OWN_UPSCALER: Final = DRAWINGS
"""The upscaler of a request that names none."""
