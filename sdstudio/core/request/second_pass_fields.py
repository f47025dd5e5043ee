"""The fields of a request for a second, larger pass over what the first has drawn (A1111's "Hires. fix").

Names, bounds and what they mean are A1111's, so that its pictures with a second pass can be made again.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Annotated, Any, Final

from pydantic import Field

from sdstudio.catalog.schedulers import SCHEDULERS
from sdstudio.catalog.schedules import SCHEDULES
from sdstudio.core.errors import InvalidRequest
from sdstudio.core.params import Choice, FieldKind, Infotext, Ui
from sdstudio.core.request.input_fields import INIT, MASK
from sdstudio.core.request.larger_size import CELL_PX, second_size, two_sides
from sdstudio.core.request.outpaint_fields import adds_ground
from sdstudio.core.request.tile_fields import NEED_TILES, SECOND_PASS_GROUP

LATENT: Final[Mapping[str, tuple[str, bool]]] = {
    "Latent": ("bilinear", False),
    "Latent (antialiased)": ("bilinear", True),
    "Latent (bicubic)": ("bicubic", False),
    "Latent (bicubic antialiased)": ("bicubic", True),
    "Latent (nearest)": ("nearest", False),
    "Latent (nearest-exact)": ("nearest-exact", False),
}
"""Name of an upscaler that enlarges latents, as A1111 has it -> torch's mode of interpolation, whether antialiased."""

NEED_SECOND_PASS: Final = frozenset({
    "hires_strength", "hires_steps", "hires_upscaler", "hires_scheduler", "hires_schedule", "hires_prompt",
    "hires_negative_prompt",
})  # fmt: skip
"""Fields that do not act without a second pass."""

SIZES: Final = frozenset({"hires", "hires_resize"})
"""Fields that decide how large a second pass in one piece draws."""

_OF_INPUT: Final = frozenset({"strength", "upscaler"})
"""Fields of an input picture that do not act where it takes the place of the first pass."""


def idle_without_second_pass(values: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields that do not act beside these values, because there is no second pass, or for its size.

    An input picture is drawn over in one pass; in tiles it takes the place of the first, if all of it is drawn.
    """
    if draws_part(values):
        return NEED_SECOND_PASS | SIZES | NEED_TILES | {"tile_redraw"}
    if values.get("tile_redraw"):
        return SIZES | _OF_INPUT if values.get(INIT.field) else SIZES
    if values.get(INIT.field):
        return NEED_SECOND_PASS | SIZES | NEED_TILES
    if values.get("hires_resize"):
        return NEED_TILES | {"hires"}
    return NEED_TILES if (values.get("hires") or 1) > 1 else NEED_SECOND_PASS | NEED_TILES


def draws_part(values: Mapping[str, Any]) -> bool:
    """Say whether only a part of a picture is drawn: what is masked, or ground around it."""
    return bool(values.get(INIT.field) and values.get(MASK.field)) or adds_ground(values)


def has_second_pass(request: Any) -> bool:
    """Say whether a request asks for a second pass."""
    return "hires_strength" not in idle_without_second_pass(dict(request))


def over_input(request: Any) -> bool:
    """Say whether the second pass is drawn over an input picture, so that there is no first."""
    return bool(request.tile_redraw and INIT.picture_in(request)) and not draws_part(dict(request))


def steps_of_second(request: Any) -> int:
    """Return how many steps the second pass runs; 0 where it only enlarges, or there is none."""
    if not has_second_pass(request) or not request.hires_strength:
        return 0
    return int(request.hires_steps or request.steps)


def cost_of_second_step(request: Any) -> float:
    """Return how many steps of a request's size a step of its second pass takes as long as; by the pixels alone."""
    pixels = 1
    for side in second_size(request.width, request.height, dict(request)):
        tile = min(request.tile_size, side) if request.tile_redraw else side
        step = max(tile - request.tile_overlap, CELL_PX)
        pixels *= tile * (1 if tile == side else ceil((side - request.tile_overlap) / step))
    return float(pixels / (request.width * request.height))


def steps_of_work(request: Any) -> float:
    """Return how many steps of a request's size both passes take as long as."""
    return (0 if over_input(request) else request.steps_run) + steps_of_second(request) * cost_of_second_step(request)


def second_upscaler(request: Any) -> str:
    """Return the name of the file that enlarges a request's picture for its second pass; "" for none."""
    return request.hires_upscaler if has_second_pass(request) and request.hires_upscaler not in LATENT else ""


def second_prompts(request: Any) -> tuple[str, str]:
    """Return the prompt and the negative prompt that the second pass draws."""
    return request.hires_prompt or request.prompt, request.hires_negative_prompt or request.negative_prompt


def prompt_texts(request: Any) -> dict[str, str]:
    """Return the prompts that a request draws, by the names of their fields: those of a second pass may be others."""
    own = {"prompt": request.prompt, "negative_prompt": request.negative_prompt}
    if not has_second_pass(request):
        return own
    others = {"prompt": request.hires_prompt, "negative_prompt": request.hires_negative_prompt}
    first = {name: text for name, text in own.items() if not (others[name] and over_input(request))}
    return first | {f"hires_{name}": text for name, text in others.items() if text}


def _check_resize(value: Any) -> None:
    if isinstance(value, str) and value.strip() and two_sides(value) is None:
        message = f"Size of the second pass = {value[:40]!r}: allowed is a size as 1024x1536, each side a multiple of "
        message += "8 from 64; 0 for one that follows from the other."
        raise InvalidRequest("hires_resize", message, "Leave it blank for a multiple of the first pass.")


def _schedules() -> list[Choice]:
    return [Choice("", "As the first pass"), *(Choice(row.key, row.title, row.about) for row in SCHEDULES)]


def _samplers() -> list[Choice]:
    return [Choice("", "As the first pass"), *(Choice(spec.key, spec.sampler, spec.about) for spec in SCHEDULERS)]


Hires = Annotated[
    float,
    Field(
        title="Second pass",
        description="Draw the picture once more, so many times as large, over what the first pass has drawn: more "
        "detail without repeated subjects. 1 for none.",
        ge=1, le=4,
    ),
    Ui(step=0.25, decimals=2, slider=True, group=SECOND_PASS_GROUP),
    Infotext("Hires upscale", 100, optional=True),
]  # fmt: skip

HiresResize = Annotated[
    str,
    Field(
        title="Size of the second pass",
        description="A size in place of the multiple, as 1024x1536: what the first pass has drawn is enlarged until it "
        "covers that, and cut to it on both sides. 0 for a side that follows from the other; blank for none.",
        max_length=13,
    ),
    Ui(group=SECOND_PASS_GROUP, check=_check_resize, blank="None, or 1024x1536"),
    Infotext("Hires resize", 107, optional=True),
]

HiresStrength = Annotated[
    float,
    Field(
        title="Redraw strength",
        description="How far the enlarged picture is drawn over: 0.3 to 0.5 adds detail, more changes it. Latents that "
        "are enlarged need 0.55 or more. At 0 it is only enlarged.",
        ge=0, le=1,
    ),
    Ui(step=0.05, decimals=2, slider=True, group=SECOND_PASS_GROUP),
]  # fmt: skip

HiresSteps = Annotated[
    int,
    Field(
        title="Redraw steps",
        description="How many steps are run over the enlarged picture, whatever the strength; 0 for as many as the "
        "first pass has.",
        ge=0, le=150,
    ),
    Ui(group=SECOND_PASS_GROUP),
    Infotext("Hires steps", 102, optional=True),
]  # fmt: skip

HiresUpscaler = Annotated[
    str,
    Field(
        title="Upscaler of the second pass",
        description="What enlarges the first pass' picture: a network of the library, its latents by interpolation, or "
        "blank for Lanczos.",
        max_length=4096,
    ),
    Ui(kind=FieldKind.UPSCALER, group=SECOND_PASS_GROUP, choices=lambda: [Choice(name, name) for name in LATENT]),
    Infotext("Hires upscaler", 101, blank="Lanczos"),
]  # fmt: skip

HiresScheduler = Annotated[
    str,
    Field(title="Sampler of the second pass", description="The rule by which noise is removed in the second pass."),
    Ui(kind=FieldKind.CHOICE, choices=_samplers, group=SECOND_PASS_GROUP, more_flags=("--hires-sampler",)),
    Infotext("Hires sampler", 103, optional=True),
]

HiresSchedule = Annotated[
    str,
    Field(
        title="Schedule of the second pass",
        description="The noise levels at which the second pass steps.",
    ),
    Ui(kind=FieldKind.CHOICE, choices=_schedules, group=SECOND_PASS_GROUP),
    Infotext("Hires schedule type", 106, optional=True),
]

HiresPrompt = Annotated[
    str,
    Field(
        title="Prompt of the second pass",
        description="What the second pass draws; blank for the prompt of the first.",
        max_length=20_000,
    ),
    Ui(group=SECOND_PASS_GROUP, blank="As the first pass"),
    Infotext("Hires prompt", 104, optional=True),
]

HiresNegativePrompt = Annotated[
    str,
    Field(
        title="Negative prompt of the second pass",
        description="What the second pass keeps out; blank for the negative prompt of the first.",
        max_length=20_000,
    ),
    Ui(group=SECOND_PASS_GROUP, blank="As the first pass"),
    Infotext("Hires negative prompt", 105, optional=True),
]
