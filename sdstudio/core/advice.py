"""What is likely to spoil the next picture, or has spoilt the last one, and the change that helps: one row each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from sdstudio.core.models.model import ModelInfo, parameters_of
from sdstudio.core.pictures.looks import Looks
from sdstudio.core.request.detail_fields import has_detail
from sdstudio.core.request.input_fields import INIT, MASK
from sdstudio.core.request.mask_fields import ORIGINAL
from sdstudio.core.request.outpaint_fields import adds_ground
from sdstudio.core.request.second_pass_fields import idle_without_second_pass

FEW_STEPS_SAMPLERS: Final = frozenset({"lcm", "tcd"})
"""Made for distilled models: 4 to 8 steps, guidance 1 to 2 (diffusers ``api/schedulers/lcm``, ``tcd``)."""
LEAST_STEPS: Final = 10
DISTILLED_GUIDANCE: Final = 1.5
LARGE: Final = 1.8
"""So many times the pixels a model was trained with, and subjects repeat (hires.fix exists for this in A1111)."""
SMALL: Final = 0.4
WIDE: Final = 2.2
HALF_DRAWN: Final = 0.5
INPUT_LOST: Final = 0.9
CONTENT_LOST: Final = 0.7
INPUT_KEPT: Final = 0.1
"""Strengths over an input picture. Measured on the built-in model, a heart drawn over as a pizza in 20 steps: up to 0.1
a pixel changes by at most 1 % of its range, at 0.5 by 16 %, from 0.8 on by 28 %, as much as without the heart."""
_GREY_ON_PURPOSE: Final = re.compile(
    r"black and white|monochrome|greyscale|grayscale|pencil|ink|sketch|charcoal|fog|mist|pale|pastel|white background",
    re.IGNORECASE,
)

_APART: Final = re.compile(r"\\[\s\S]|<\w+:[^<>]*>|\bAND\b|[()\[\]{},#]")
"""What keeps words of a prompt together, or apart; characters behind a backslash and networks are passed over."""


@dataclass(frozen=True, slots=True)
class ShownPicture:
    """What is known when advice is looked for.

    Attributes:
        values: The values of the panel, by field, and both prompts.
        model: The chosen model.
        chunks: How many chunks the prompt has; 0 when it is not counted.
        looks: Numbers of the last picture, ``None`` when it was made with other values.
        defaults: The model's, by field.
        guidance_maximum: The strongest guidance that is worth advising; above it colours burn.
    """

    values: Mapping[str, Any]
    model: ModelInfo
    chunks: int = 0
    looks: Looks | None = None
    defaults: Mapping[str, Any] = field(init=False)
    guidance_maximum: float = field(init=False)

    def __post_init__(self) -> None:
        rows = parameters_of(self.model)
        object.__setattr__(self, "defaults", MappingProxyType({name: row.default for name, row in rows.items()}))
        burning = max(15.0, 2.5 * self.usual_guidance)
        object.__setattr__(self, "guidance_maximum", min(burning, rows["guidance_scale"].maximum or burning))

    @property
    def guidance(self) -> float:
        """The guidance scale."""
        return float(self.values["guidance_scale"])

    @property
    def usual_guidance(self) -> float:
        """The model's default."""
        return float(self.defaults["guidance_scale"])

    @property
    def is_distilled(self) -> bool:
        """Whether the model itself asks for few steps, as turbo and LCM models do."""
        return int(self.defaults["steps"]) < LEAST_STEPS

    @property
    def strength(self) -> float:
        """How far the picture is drawn by the model: 1 where it begins from noise alone."""
        if not self.values.get(INIT.field):
            return 1.0
        return float(self.values["hires_strength" if self.values.get("tile_redraw") else "strength"])

    @property
    def is_masked(self) -> bool:
        """Whether only a part of a picture is drawn, or what lies around it."""
        return bool(self.values.get(INIT.field)) and (bool(self.values.get(MASK.field)) or self.has_ground)

    @property
    def has_ground(self) -> bool:
        """Whether ground is added to a picture."""
        return adds_ground(self.values)

    @property
    def is_only_detailed(self) -> bool:
        """Whether nothing but regions of a picture is drawn."""
        return bool(self.values.get(INIT.field)) and not self.steps_run and has_detail(self.values)

    @property
    def steps_run(self) -> int:
        """How many of the steps are run, as `GenerationRequest.steps_run` counts."""
        return int(self.values["steps"] * self.strength)

    @property
    def pixels(self) -> float:
        """Pixels of the picture, as a multiple of what the model was trained with."""
        width, height = self.model.size_presets[0]
        return float(self.values["width"] * self.values["height"] / (width * height))

    @property
    def shape(self) -> float:
        """Longer side over shorter side."""
        sides = sorted((self.values["width"], self.values["height"]))
        return float(sides[1] / sides[0])


@dataclass(frozen=True, slots=True)
class AdviceRow:
    """One piece of advice.

    Attributes:
        key: Stable name, under which it is dismissed.
        field: The parameter it stands beside.
        applies: Whether it holds.
        text: What is wrong, and what helps.
        change: Field -> the value that helps.
    """

    key: str
    field: str
    applies: Callable[[ShownPicture], bool]
    text: str
    change: Callable[[ShownPicture], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Advice:
    """A row that applies, with its change worked out."""

    key: str
    field: str
    text: str
    change: Mapping[str, Any]

    @property
    def title(self) -> str:
        """The title of the button that does it."""
        if "prompt" in self.change:
            return "Move it to the front"
        if {"width", "height"} <= set(self.change):
            return f"Use {self.change['width']} × {self.change['height']}"
        if "steps" in self.change:
            return f"Use {self.change['steps']} steps"
        return f"Use {next(iter(self.change.values())):g}"


def advice_for(situation: ShownPicture) -> tuple[Advice, ...]:
    """Return everything that applies, one for each parameter at most: the first row of the table counts."""
    by_field: dict[str, Advice] = {}
    idle = idle_without_second_pass(situation.values)
    for row in ADVICE if situation.strength else ():  # at 0 nothing is drawn: no advice on drawing
        if row.field not in by_field and row.field not in idle and row.applies(situation):
            change = dict(row.change(situation))
            if any(situation.values.get(name) != value for name, value in change.items()):
                by_field[row.field] = Advice(row.key, row.field, row.text, MappingProxyType(change))
    return tuple(by_field.values())


def _working_guidance(now: ShownPicture) -> dict[str, float]:
    return {"guidance_scale": now.usual_guidance if now.usual_guidance > 1 else DISTILLED_GUIDANCE}


def _nearest_size(now: ShownPicture) -> dict[str, int]:
    wanted = now.values["width"] / now.values["height"]
    width, height = min(now.model.size_presets, key=lambda size: abs(size[0] / size[1] - wanted))
    return {"width": width, "height": height}


def _more_guidance(now: ShownPicture) -> dict[str, float | int]:
    if now.guidance < now.usual_guidance:
        return {"guidance_scale": now.usual_guidance}
    if now.values["steps"] < now.defaults["steps"]:
        return {"steps": now.defaults["steps"]}
    return {"guidance_scale": max(now.guidance, min(round(now.guidance * 1.3 * 2) / 2, now.guidance_maximum))}


def _last_first(now: ShownPicture) -> dict[str, str]:
    """Move what stands behind the last comma to the front; nothing where that would change what the rest means."""
    prompt = str(now.values["prompt"])
    text = prompt.rstrip(" ,\n")
    comma = _last_comma(text)
    last, others = text[comma + 1 :].strip(), text[: max(comma, 0)].strip()
    return {"prompt": f"{last}, {others}" if others else prompt}


def _last_comma(text: str) -> int:
    """Return where the last comma outside of brackets stands; -1 for none, and where a part cannot go alone."""
    opened, last = 0, -1
    for match in _APART.finditer(text):
        sign = match.group()
        if sign in "([{":
            opened += 1
        elif sign in ")]}":
            opened -= 1
        elif sign == "," and not opened:
            last = match.start()
        if opened < 0 or sign in ("#", "AND"):
            return -1
    return -1 if opened else last


ADVICE: Final[tuple[AdviceRow, ...]] = (
    AdviceRow(
        "negative_at_one", "guidance_scale",
        lambda now: now.guidance <= 1 and bool(str(now.values["negative_prompt"]).strip()),
        "The negative prompt does nothing while the guidance scale is 1.",
        _working_guidance,
    ),
    AdviceRow(
        "distilled_guidance", "guidance_scale",
        lambda now: now.values["scheduler"] in FEW_STEPS_SAMPLERS and now.guidance > max(2.5, now.usual_guidance),
        "This sampler is made for a guidance scale of 1 to 2; colours burn out above.",
        lambda now: {"guidance_scale": min(DISTILLED_GUIDANCE, now.usual_guidance)},
    ),
    AdviceRow(
        "oversaturated", "guidance_scale",
        lambda now: now.looks is not None and now.looks.is_oversaturated and now.guidance > now.usual_guidance
        and now.strength > HALF_DRAWN,
        "The last picture's colours are burnt: the guidance scale is high for this model.",
        lambda now: {"guidance_scale": now.usual_guidance},
    ),
    AdviceRow(
        "washed_out", "guidance_scale",
        lambda now: now.looks is not None and now.looks.is_washed_out and not now.is_distilled
        and now.strength > HALF_DRAWN
        and not _GREY_ON_PURPOSE.search(str(now.values["prompt"])),
        "The last picture is washed out: more guidance or more steps give it contrast.",
        _more_guidance,
    ),
    AdviceRow(
        "too_high", "guidance_scale",
        lambda now: now.guidance > now.guidance_maximum,
        "So high a guidance scale burns colours and hardens edges.",
        lambda now: {"guidance_scale": now.usual_guidance},
    ),
    AdviceRow(
        "too_low", "guidance_scale",
        lambda now: now.usual_guidance >= 4 and now.guidance < 0.5 * now.usual_guidance
        and now.values["scheduler"] not in FEW_STEPS_SAMPLERS,
        "So low a guidance scale ignores parts of the prompt.",
        lambda now: {"guidance_scale": now.usual_guidance},
    ),
    AdviceRow(
        "few_steps", "steps",
        lambda now: now.values["steps"] < LEAST_STEPS and not now.is_distilled
        and now.values["scheduler"] not in FEW_STEPS_SAMPLERS,
        "Too few steps for this sampler: the picture stays blurred or noisy.",
        lambda now: {"steps": now.defaults["steps"]},
    ),
    AdviceRow(
        "input_lost", "strength",
        lambda now: bool(now.values.get(INIT.field)) and not now.is_masked and now.strength > INPUT_LOST,
        "So high a strength leaves nothing of the input picture.",
        lambda now: {"strength": HALF_DRAWN},
    ),
    AdviceRow(
        "fill_shows", "strength",
        lambda now: now.has_ground and now.strength < INPUT_LOST,
        "At so low a strength what the new ground begins from shows through.",
        lambda now: {"strength": 1.0},
    ),
    AdviceRow(
        "content_shows", "strength",
        lambda now: now.is_masked and now.values.get("masked_content", ORIGINAL) != ORIGINAL
        and now.strength < CONTENT_LOST,
        "At so low a strength what the masked part begins from shows through.",
        lambda now: {"strength": INPUT_LOST},
    ),
    AdviceRow(
        "input_kept", "strength",
        lambda now: not now.is_only_detailed and (now.strength < INPUT_KEPT or not now.steps_run),
        "So low a strength changes next to nothing.",
        lambda now: {"strength": 0.4},
    ),
    AdviceRow(
        "too_large", "width",
        lambda now: now.strength > HALF_DRAWN and (now.pixels > LARGE or (now.shape > WIDE and now.pixels > 1.1)),
        "Far larger than the model was trained with: subjects and patterns repeat.",
        _nearest_size,
    ),
    AdviceRow(
        "too_small", "width",
        lambda now: now.pixels < SMALL,
        "Far smaller than the model was trained with: subjects fall apart.",
        _nearest_size,
    ),
    AdviceRow(
        "far_back", "prompt",
        lambda now: now.chunks > 2,
        "The end of a prompt this long counts little. What matters most belongs in front.",
        _last_first,
    ),
)  # fmt: skip
