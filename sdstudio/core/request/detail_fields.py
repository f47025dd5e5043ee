"""The fields of a request that redraw regions of its finished picture, each at the full size ("detailer").

Names, bounds and what they mean are those of A1111's ADetailer extension where it has the field. It finds regions with
a network of its own for each kind of thing; here one network finds what words name, and regions can be marked by hand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import Field

from sdstudio.core.errors import InvalidRequest
from sdstudio.core.params import FieldKind, Infotext, Ui
from sdstudio.core.request.input_fields import DETAIL_MASK

DETAIL_GROUP: Final = "Detailer"

NEED_QUERY: Final = frozenset({
    "detail_model", "detail_confidence", "detail_top_k", "detail_min_ratio", "detail_max_ratio",
})  # fmt: skip
"""Fields that act only where regions are looked for."""

NEED_REGIONS: Final = NEED_QUERY | {
    "detail_grow", "detail_blur", "detail_padding", "detail_strength", "detail_prompt", "detail_negative_prompt",
    "detail_steps", "detail_guidance",
}  # fmt: skip
"""Fields that do not act where there are no regions."""

OF_REGIONS: Final = ("detail", "detail_boxes", DETAIL_MASK.field)
"""Fields of which each can name regions."""

REGIONS_MAXIMUM: Final = 100
"""Most regions of one picture."""

SEPARATOR: Final = "[SEP]"
"""Stands between the prompts of regions; the last one goes for all that follow, as in ADetailer."""
SKIPPED: Final = "[SKIP]"
"""In place of a region's prompt: leave it as it is."""

WHOLE_PROMPT: Final = "[PROMPT]"
"""Stands within a region's prompt for the picture's."""

Box = tuple[int, int, int, int]
"""Left, top, right and bottom, in pixels; right and bottom lie outside."""

_NUMBER: Final = re.compile(r"-?\d{1,5}")


def has_detail(values: Mapping[str, Any]) -> bool:
    """Say whether these values of a request redraw regions."""
    return any(str(values.get(name) or "").strip() for name in OF_REGIONS)


def idle_without_regions(values: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields that do not act beside these values of a request."""
    if not has_detail(values):
        return NEED_REGIONS
    return frozenset() if str(values.get("detail") or "").strip() else NEED_QUERY


def is_only_detailed(request: Any) -> bool:
    """Say whether a request draws nothing but regions of its input picture, which then keeps its own size."""
    return bool(request.init_image) and not request.steps_run and has_detail(dict(request))


def detector_of(request: Any) -> str | None:
    """Return the name of the file that finds a request's regions, "" for any; ``None`` where none is looked for."""
    return request.detail_model if request.detail.strip() else None


def check_query(text: str) -> None:
    """Make sure that a query names something. Raises: InvalidRequest: It holds nothing but marks."""
    if text.strip() and not re.search(r"\w", text):
        message = f"Look for = {text[:40]!r}: allowed are words for what is looked for."
        raise InvalidRequest("detail", message, "Write it as in: a face. a hand.")


def boxes_of(text: str) -> tuple[Box, ...]:
    """Return the boxes that a text such as "10,20,90,100; 5,5,40,40" lists, in its order.

    Raises:
        InvalidRequest: It is no such list, a box has no area, or there are too many.
    """
    boxes: list[Box] = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        numbers = [number.strip() for number in part.split(",")]
        whole = [int(number) for number in numbers if _NUMBER.fullmatch(number)]
        if len(whole) != len(numbers) or len(whole) != 4 or whole[0] >= whole[2] or whole[1] >= whole[3]:
            message = f"Boxes = {part[:40]!r}: allowed is left,top,right,bottom in pixels, left < right, top < bottom."
            raise InvalidRequest("detail_boxes", message, "Write them as in 10,20,90,100; 5,5,40,40.")
        boxes.append((whole[0], whole[1], whole[2], whole[3]))
    if len(boxes) > REGIONS_MAXIMUM:
        message = f"Boxes = {len(boxes)} of them: allowed are at most {REGIONS_MAXIMUM}."
        raise InvalidRequest("detail_boxes", message, "Use fewer.")
    return tuple(boxes)


def boxes_text(boxes: tuple[Box, ...]) -> str:
    """Return boxes as `boxes_of` reads them."""
    return "; ".join(",".join(map(str, box)) for box in boxes)


def check_boxes(text: str, size: tuple[int, int]) -> None:
    """Make sure that each box covers some of a picture of this width and height.

    Raises:
        InvalidRequest: One does not.
    """
    width, height = size
    for left, top, right, bottom in boxes_of(text):
        if right <= 0 or bottom <= 0 or left >= width or top >= height:
            message = f"Boxes = {left},{top},{right},{bottom}: it lies outside of the picture, {width} x {height}."
            raise InvalidRequest("detail_boxes", message, f"Use 0 to {width} across and 0 to {height} down.")


def part_for(text: str, index: int) -> str:
    """Return what a prompt says for the region of this number, from 0."""
    parts = [part.strip() for part in text.split(SEPARATOR)]
    return parts[min(index, len(parts) - 1)]


def prompt_for(text: str, index: int, whole: str) -> str:
    """Return the prompt of a region: what is said for it, with the picture's prompt where that is named, or this."""
    return part_for(text, index).replace(WHOLE_PROMPT, whole) or whole


def region_texts(request: Any) -> dict[str, str]:
    """Return the prompts of a request's regions, by the names of their fields; those that are the picture's are not."""
    names = ("detail_prompt", "detail_negative_prompt") if has_detail(dict(request)) else ()
    return {name: getattr(request, name) for name in names if getattr(request, name)}


def prompt_up_to(text: str, count: int) -> str:
    """Return a prompt that says the same for so many regions, and skips all others."""
    return SEPARATOR.join([*(part_for(text, index) for index in range(count)), SKIPPED])


def check_detail(request: Any) -> None:
    """Make sure that a request's detailer can do something.

    Raises:
        InvalidRequest: A value does not go with another.
    """
    if request.detail and request.detail_min_ratio > request.detail_max_ratio:
        message = (
            f"Smallest share = {request.detail_min_ratio:g}: allowed is at most the largest share, "
            f"{request.detail_max_ratio:g}."
        )
        raise InvalidRequest("detail_min_ratio", message, "Use 0 and 1 for regions of any size.")


Detail = Annotated[
    str,
    Field(
        title="Look for",
        description="What is redrawn at the full size once the picture is finished, in words that a detector looks "
        "for, as in: a face. a hand. Blank for none.",
        max_length=1000,
    ),
    Ui(group=DETAIL_GROUP, check=check_query, more_flags=("--query",), blank="None, or: a face. a hand."),
    Infotext("Detailer query", 115, optional=True),
]  # fmt: skip

DetailModel = Annotated[
    str,
    Field(
        title="Detector",
        description="The network of the library that looks for it; blank for the first there is.",
        max_length=4096,
    ),
    Ui(kind=FieldKind.DETECTOR, group=DETAIL_GROUP),
    Infotext("Detailer model", 116, optional=True),
]  # fmt: skip

DetailBoxes = Annotated[
    str,
    Field(
        title="Boxes",
        description="Regions marked by hand, in pixels of the picture before it is enlarged at the end: "
        "left,top,right,bottom, and ; between two of them.",
        max_length=4096,
    ),
    Ui(group=DETAIL_GROUP, check=boxes_of, more_flags=("--boxes",), blank="None, or 10,20,90,100"),
    Infotext("Detailer boxes", 117, optional=True),
]  # fmt: skip

DetailMask = Annotated[
    str,
    Field(
        title=DETAIL_MASK.title,
        description="Regions painted by hand: a picture of the size of theirs, black, with each region white. "
        "What is white and does not touch is a region of its own, from left to right.",
        pattern=r"^([0-9a-f]{64})?$",
    ),
    Ui(kind=FieldKind.PICTURE, group=DETAIL_GROUP),
    Infotext("Detailer mask", 118, optional=True),
]  # fmt: skip

DetailPrompt = Annotated[
    str,
    Field(
        title="Prompt of the regions",
        description="What is drawn there; blank for the prompt of the picture. [SEP] parts the prompts of several "
        "regions, marked ones first, then found ones from left to right; [SKIP] leaves one as it is, and [PROMPT] is "
        "the prompt of the picture.",
        max_length=20_000,
    ),
    Ui(group=DETAIL_GROUP, blank="As the picture"),
    Infotext("ADetailer prompt", 120, optional=True),
]  # fmt: skip

DetailNegativePrompt = Annotated[
    str,
    Field(
        title="Negative prompt of the regions",
        description="What is kept out there, with [SEP] too; blank for the negative prompt of the picture.",
        max_length=20_000,
    ),
    Ui(group=DETAIL_GROUP, blank="As the picture"),
    Infotext("ADetailer negative prompt", 121, optional=True),
]  # fmt: skip

DetailConfidence = Annotated[
    float,
    Field(title="Confidence", description="How sure the detector must be of a region.", ge=0, le=1),
    Ui(step=0.05, decimals=2, slider=True, group=DETAIL_GROUP),
    Infotext("ADetailer confidence", 122, optional=True),
]  # fmt: skip

DetailTopK = Annotated[
    int,
    Field(
        title="At most",
        description="Of the regions that are found, take only so many, the largest; 0 for all.",
        ge=0, le=REGIONS_MAXIMUM,
    ),
    Ui(group=DETAIL_GROUP),
    Infotext("ADetailer mask only top k", 123, optional=True),
]  # fmt: skip

DetailMinRatio = Annotated[
    float,
    Field(title="Smallest share", description="Leave regions out that are a smaller share of the picture.", ge=0, le=1),
    Ui(step=0.01, decimals=3, group=DETAIL_GROUP),
    Infotext("ADetailer mask min ratio", 124, optional=True),
]  # fmt: skip

DetailMaxRatio = Annotated[
    float,
    Field(title="Largest share", description="Leave regions out that are a larger share of the picture.", ge=0, le=1),
    Ui(step=0.01, decimals=3, group=DETAIL_GROUP),
    Infotext("ADetailer mask max ratio", 125, optional=True),
]  # fmt: skip

DetailGrow = Annotated[
    int,
    Field(
        title="Grow regions",
        description="By how many pixels a region becomes wider and higher before it is drawn, half on each side; less "
        "than 0 makes it smaller.",
        ge=-128, le=128,
    ),
    Ui(unit="px", step=4, group=DETAIL_GROUP),
    Infotext("ADetailer dilate erode", 126, optional=True),
]  # fmt: skip

DetailBlur = Annotated[
    int,
    Field(
        title="Blur of the regions",
        description="How far the edge of a region is softened, as the deviation of a Gaussian; less in small ones.",
        ge=0, le=64,
    ),
    Ui(unit="px", group=DETAIL_GROUP),
    Infotext("ADetailer mask blur", 127, optional=True),
]  # fmt: skip

DetailStrength = Annotated[
    float,
    Field(
        title="Strength of the detailer",
        description="How far a region is drawn over: 0.3 to 0.5 adds detail, more changes it.",
        ge=0.05, le=1,
    ),
    Ui(step=0.05, decimals=2, slider=True, group=DETAIL_GROUP),
    Infotext("ADetailer denoising strength", 128, optional=True),
]  # fmt: skip

DetailPadding = Annotated[
    int,
    Field(
        title="Around the regions",
        description="How much of the picture around a region the model sees while it draws it.",
        ge=0, le=256,
    ),
    Ui(unit="px", step=4, group=DETAIL_GROUP),
    Infotext("ADetailer inpaint padding", 129, optional=True),
]  # fmt: skip

DetailSteps = Annotated[
    int,
    Field(
        title="Steps of the detailer",
        description="Of these the strength takes its share; 0 for as many as the picture has.",
        ge=0, le=150,
    ),
    Ui(group=DETAIL_GROUP),
    Infotext("ADetailer steps", 131, optional=True),
]  # fmt: skip

DetailGuidance = Annotated[
    float,
    Field(
        title="Guidance scale of the detailer",
        description="How closely the prompt of the regions is followed; 0 for the guidance scale of the picture.",
        ge=0, le=30,
    ),
    Ui(step=0.5, decimals=1, group=DETAIL_GROUP),
    Infotext("ADetailer CFG scale", 133, optional=True),
]  # fmt: skip
