"""The fields of a request that change the noise of its seed: a second seed, another size, an offset, edges that meet.

A1111 has them under "Extra" and "Tiling", and draws the same from the same values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from sdstudio.core.errors import InvalidRequest
from sdstudio.core.params import FieldKind, Infotext, Ui

SEED_MAXIMUM: Final = 2**64 - 1
"""Largest seed: ComfyUI and SDXL tools write up to 2^64-1, more than QSpinBox and SQLite integers hold."""

VARIATION_GROUP: Final = "Variation"

NEED_STRENGTH: Final = frozenset({"variation_seed", "earlier_variations"})
"""Fields that do not act while the variation strength is 0."""


def idle_without_strength(values: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields that do not act beside these values of a request, because nothing is varied."""
    return frozenset() if values.get("variation_strength") else NEED_STRENGTH


VariationStrength = Annotated[
    float,
    Field(
        title="Variation strength",
        description="How far the noise of the seed is turned towards that of the variation seed: 0 not at all, "
        "0.1 to 0.3 a picture like it, 1 the variation seed's own. Several pictures then share the seed and take the "
        "variation seeds that follow.",
        ge=0, le=1,
    ),
    Ui(step=0.05, decimals=2, slider=True, group=VARIATION_GROUP),
    Infotext("Variation seed strength", 56, optional=True),
]  # fmt: skip

VariationSeed = Annotated[
    int | None,
    Field(
        title="Variation seed",
        description="The number that the second noise grows from; blank draws a new one each time.",
        ge=0, le=SEED_MAXIMUM,
    ),
    Ui(kind=FieldKind.SEED, group=VARIATION_GROUP),
    Infotext("Variation seed", 55, optional=True),
]  # fmt: skip

VARIATIONS_MAXIMUM: Final = 64
"""Most variations that one is made of."""

_VARIATION: Final = re.compile(r"(\d{1,20})\s*:\s*(\d(?:\.\d{1,20})?(?:e-\d{1,3})?)")


def earlier_in(text: str) -> tuple[tuple[int, float], ...]:
    """Return the variation seeds and strengths that a list such as "8:0.15, 9:0.1" names, in its order.

    Raises:
        InvalidRequest: It is no such list, or names too many.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if len(parts) > VARIATIONS_MAXIMUM:
        message = f"Earlier variations = {len(parts)}: at most {VARIATIONS_MAXIMUM}."
        raise InvalidRequest("earlier_variations", message, "Leave out the last ones.")
    pairs = []
    for part in parts:
        match = _VARIATION.fullmatch(part)
        seed, strength = (int(match[1]), float(match[2])) if match else (-1, 0.0)
        if not (0 <= seed <= SEED_MAXIMUM and 0 <= strength <= 1):
            message = f"Earlier variations = {part[:40]!r}: allowed are a variation seed and a strength from 0 to 1."
            raise InvalidRequest("earlier_variations", message, "Write them as in 8:0.15, 9:0.1.")
        pairs.append((seed, strength))
    return tuple(pairs)


def _check_earlier(value: object) -> None:
    if isinstance(value, str):  # what is no text is refused by its declaration
        earlier_in(value)


def with_further(earlier: str, seed: int, strength: float) -> str:
    """Return a list of variations with one more at its end.

    Raises:
        InvalidRequest: It holds as many as are allowed.
    """
    text = ", ".join(filter(None, (earlier, f"{seed}:{strength!r}".removesuffix(".0"))))
    earlier_in(text)
    return text


EarlierVariations = Annotated[
    str,
    Field(
        title="Earlier variations",
        description="What a variation of a variation begins from: variation seeds and strengths, as in 8:0.15, 9:0.1, "
        "which turn the noise one after the other before variation seed and strength do. Blank for none; no other "
        "program reads them.",
        max_length=4096,
    ),
    Ui(group=VARIATION_GROUP, check=_check_earlier, blank="None, or 8:0.15, 9:0.1"),
    Infotext("Earlier variations", 68, optional=True),
]  # fmt: skip

SeedResizeFrom = Annotated[
    str,
    Field(
        title="Noise of another size",
        description="Lay the noise that the seed has at this size, as in 512x512, into the middle of the picture's: "
        "what was drawn at that size stays much the same at another. Blank for none.",
        pattern=r"^([1-9]\d{1,3}x[1-9]\d{1,3})?$", max_length=9,
    ),
    Ui(group=VARIATION_GROUP, blank="None, or 512x512"),
    Infotext("Seed resize from", 57, optional=True),
]  # fmt: skip

Ensd = Annotated[
    int,
    Field(
        title="Noise seed offset",
        description="Added to the seed for the noise that the sampler adds at its steps (ENSD); 31337 repeats pictures "
        "of NovelAI.",
        ge=-(2**31), le=2**31 - 1,
    ),
    Ui(group="Advanced"),
    Infotext("ENSD", 69, optional=True),
]  # fmt: skip

Seamless = Annotated[
    Literal["off", "x", "y", "both"],
    Field(
        title="Seamless",
        description="Draw a picture whose edges meet when copies of it are laid side by side: left and right, top and "
        "bottom, or all of them.",
    ),
    Ui(group=VARIATION_GROUP, titles=("Off", "Left and right", "Top and bottom", "All edges")),
    Infotext("Tiling", 79, optional=True, texts=("False", "X", "Y", "True")),
]  # fmt: skip


SEEDS_MAXIMUM: Final = 1000
"""Most seeds of one list."""

_SEED_RANGE: Final = re.compile(r"(\d{1,20})(?:\s*-\s*(\d{1,20}))?")


def seed_list(text: str) -> tuple[int, ...]:
    """Return the seeds that a list such as "1, 2, 7-9" names, each once, in its order; none for a blank one.

    Raises:
        InvalidRequest: It is no such list, or names too many.
    """
    seeds: dict[int, None] = {}
    for part in filter(None, (part.strip() for part in text.replace(";", ",").split(","))):
        match = _SEED_RANGE.fullmatch(part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last <= SEED_MAXIMUM:
            message = f"Seeds = {part[:40]!r}: allowed are numbers from 0 to {SEED_MAXIMUM} and ranges such as 7-9."
            raise InvalidRequest("seeds", message, "Write them as in 1, 2, 7-9.")
        if last - first >= SEEDS_MAXIMUM or len(seeds) + last - first >= SEEDS_MAXIMUM:
            raise InvalidRequest("seeds", f"Seeds = {part[:40]!r}: at most {SEEDS_MAXIMUM:,} in all.", "Use fewer.")
        seeds.update(dict.fromkeys(range(first, last + 1)))
    return tuple(seeds)


Seeds = Annotated[
    str,
    Field(
        title="Seeds",
        description="A list of seeds, one picture for each, as in 1, 2, 7-9, in place of seed and count; blank for "
        "none. Of variations it lists variation seeds.",
        max_length=4096,
    ),
    Ui(group=VARIATION_GROUP, check=seed_list, blank="None, or 1, 2, 7-9"),
]  # fmt: skip


def size_in(text: str) -> tuple[int, int] | None:
    """Return the width and height that a text such as 512x768 names, ``None`` for a blank one."""
    width, _, height = text.partition("x")
    return (int(width), int(height)) if height else None
