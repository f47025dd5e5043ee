"""The fields of a request for a second, larger pass over what the first has drawn (A1111's "Hires. fix").

Names, bounds and what they mean are A1111's, so that its pictures with a second pass can be made again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import Field

from sdstudio.catalog.schedulers import SCHEDULERS
from sdstudio.core.params import Choice, FieldKind, Infotext, Ui

SECOND_PASS_GROUP: Final = "Second pass"

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
    "hires_strength", "hires_steps", "hires_upscaler", "hires_scheduler", "hires_prompt", "hires_negative_prompt",
})  # fmt: skip
"""Fields that do not act without a second pass."""


SIDE_MAXIMUM: Final = 4096
"""Longest side of what a second pass draws, in pixels."""

_CELL_PX: Final = 8


def second_size(width: int, height: int, factor: float) -> tuple[int, int]:
    """Return the width and height of what a second pass draws: so many times the first's, in multiples of 8."""
    wide, high = (int(side * factor) // _CELL_PX * _CELL_PX for side in (width, height))
    return wide, high


def idle_without_second_pass(values: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields that do not act beside these values: an input picture is drawn over in one pass."""
    if values.get("init_image"):
        return NEED_SECOND_PASS | {"hires"}
    return frozenset() if (values.get("hires") or 1) > 1 else NEED_SECOND_PASS


def second_upscaler(request: Any) -> str:
    """Return the name of the file that enlarges a request's picture for its second pass; "" for none."""
    has_second_pass = "hires_upscaler" not in idle_without_second_pass(dict(request))
    return request.hires_upscaler if has_second_pass and request.hires_upscaler not in LATENT else ""


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

HiresStrength = Annotated[
    float,
    Field(
        title="Strength of the second pass",
        description="How far the enlarged picture is drawn over: 0.3 to 0.5 adds detail, more changes it. Latents that "
        "are enlarged need 0.55 or more. At 0 it is only enlarged.",
        ge=0, le=1,
    ),
    Ui(step=0.05, decimals=2, slider=True, group=SECOND_PASS_GROUP),
]  # fmt: skip

HiresSteps = Annotated[
    int,
    Field(
        title="Steps of the second pass",
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
