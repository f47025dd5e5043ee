"""Distilled models, which draw in a few steps: how their names show it, and with which values each kind begins.

A checkpoint does not record that it is distilled; its name does, or the title in its header. Drawn with the values of
its family it burns, so it begins with those of the published model cards, which the user may change as all values.
Guidance 1 is none, which the cards write as 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

_TRAILING: Final = {"scheduler": "euler", "schedule": "sgm_uniform"}
"""Euler from the last timestep on, evenly: diffusers' ``timestep_spacing="trailing"``, ComfyUI's ``sgm_uniform``.

DDIM without noise steps the same way on the same levels, so it stands for a card's DDIM too (Song et al. 2020, eq. 13).
"""
_LCM: Final = {"scheduler": "lcm"}
"""It has timesteps of its own: where a card names others, "lcm_any" has the same rule at the levels of any schedule."""
_AS_LCM: Final = {**_LCM, "schedule": "automatic"}
"""In place of `_TRAILING`."""


@dataclass(frozen=True, slots=True)
class FewSteps:
    """One way to distil a model.

    Attributes:
        key: Key in ``catalog.kinds.VARIANTS``.
        title: What the user reads.
        spoken: What a name is searched for, lower case, its words apart by "_".
        values: Request field -> what such a model begins with.
        special: The same for names with further words, the first that matches.
    """

    key: str
    title: str
    spoken: str
    values: Mapping[str, Any]
    special: tuple[tuple[str, Mapping[str, Any]], ...] = field(default=())


def _word(word: str) -> str:
    return rf"(?<![a-z]){word}(?![a-z])"


# First match wins. Sources are the cards on huggingface.co of the models that each comment names.
FEW_STEPS: tuple[FewSteps, ...] = (
    # ByteDance/SDXL-Lightning: Euler, trailing, guidance 0, as many steps as the file was made for (2, 4, 8).
    FewSteps("lightning", "Lightning", "lightning", {"steps": 4, "guidance_scale": 1.0, **_TRAILING}),
    # ByteDance/Hyper-SD: DDIM, trailing, guidance 0; "CFG-preserved" ones 5 to 8; for one step LCM, the UNet at 800.
    FewSteps(
        "hyper", "Hyper", r"hyper_?sd|" + r"(?<![a-z])hyper(?=_*(?:\d{1,2}_?steps?|v?\d|lora|cfg|unet|$))",
        {"steps": 8, "guidance_scale": 1.0, **_TRAILING},
        (
            (r"(?<![\d])1_?step_?unet", {"scheduler": "lcm_any", "schedule": "from_800"}),
            (r"(?<![\d])1_?steps?", _AS_LCM), (_word("cfg"), {"guidance_scale": 5.0}),
        ),
    ),
    # tianweiy/DMD2: LCM at timesteps 999, 749, 499, 249, guidance 0. (Its one-step UNet takes pure noise for that of
    # timestep 399, which no schedule does.)
    FewSteps(
        "dmd", "DMD", _word("dmd2?"),
        {"steps": 4, "guidance_scale": 1.0, "scheduler": "lcm_any", "schedule": "turbo"},
    ),
    # wangfuyun/PCM_Weights: Euler or DDIM, trailing; small CFG 1 to 2, normal CFG 2.5 to 3.5 at 4 steps, 3 to 6 at 8;
    # "LCM-like" ones as LCM.
    FewSteps(
        "pcm", "PCM", _word("pcm"), {"steps": 4, "guidance_scale": 1.5, **_TRAILING},
        (("lcm_?like", {**_AS_LCM, "guidance_scale": 1.0}), ("normal_?cfg", {"guidance_scale": 3.0})),
    ),
    # latent-consistency/lcm-lora-sdv1-5 and -sdxl: LCM, 4 to 8 steps, guidance 1 to 2.
    FewSteps("lcm", "LCM", _word("lcm"), {"steps": 6, "guidance_scale": 1.5, **_LCM}),
    # h1t/TCD-SD15-LoRA and -SDXL-: TCD, 4 steps, guidance 0, eta 0.3.
    FewSteps("tcd", "TCD", _word("tcd"), {"steps": 4, "guidance_scale": 1.0, "scheduler": "tcd", "eta_ddim": 0.3}),
    # jasperai/flash-sd and flash-sdxl: LCM, trailing, 4 steps, guidance 0.
    FewSteps("flash", "Flash", "flash_?sd", {"steps": 4, "guidance_scale": 1.0, **_LCM}),
    # stabilityai/sdxl-turbo and sd-turbo: Euler ancestral, trailing, 1 to 4 steps, guidance 0, 512 pixels. What others
    # made of the method draws at its family's size.
    FewSteps(
        "turbo", "Turbo", "turbo",
        {"steps": 4, "guidance_scale": 1.0, "scheduler": "euler_a", "schedule": "sgm_uniform"},
        ((r"^sd_?(?:xl)?_?turbo", {"width": 512, "height": 512}),),
    ),
)  # fmt: skip

FEW_STEPS_BY_KEY: Mapping[str, FewSteps] = MappingProxyType({row.key: row for row in FEW_STEPS})

STEPS_MAXIMUM: Final = 16
"""Most steps that a distilled model's name speaks of."""
_STEPS: Final = re.compile(r"(?<![\d.])(\d{1,2})_?(?:steps?|stp)(?![a-z])")
_ONE_STEP_OF_LIGHTNING: Final = re.compile(r"(?<![\d])1_?step|(?<![a-z\d])x0(?![\d])")


def few_steps_of(name: str) -> FewSteps | None:
    """Return how the model of this name was distilled, ``None`` when the name does not show it."""
    spoken = _spoken(name)
    return next((row for row in FEW_STEPS if re.search(row.spoken, spoken)), None)


def starting_values(name: str) -> Mapping[str, Any]:
    """Return what the model of this name begins with, by request field; nothing for one that is not distilled."""
    row = few_steps_of(name)
    if row is None:
        return {}
    spoken = _spoken(name)
    values = dict(row.values)
    for pattern, more in row.special:
        if re.search(pattern, spoken):
            values |= more
            break
    steps = [int(number) for number in _STEPS.findall(spoken)]
    if steps and 1 <= steps[0] <= STEPS_MAXIMUM:
        values["steps"] = steps[0]
    return values


def predicts_picture(name: str) -> bool:
    """Whether a name is that of SDXL-Lightning for one step, whose network predicts the picture itself (its card)."""
    row = few_steps_of(name)
    return row is not None and row.key == "lightning" and _ONE_STEP_OF_LIGHTNING.search(_spoken(name)) is not None


def _spoken(name: str) -> str:
    """Return a name in lower case with its words apart by "_": "realcartoonLCM-v1" is "realcartoon_lcm_v1"."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"[\s_.\-]+", "_", apart).lower()
