"""Every noise schedule the studio offers, one row each: at which noise levels a sampler steps, under which names.

A schedule is chosen apart from the sampler; `SchedulerSpec.schedules` says which sampler takes which. The formulae
stand in ``engine/noise_levels.py`` under the same keys. "Automatic" is no formula but the sampler's own choice, which
is A1111's (``modules/sd_samplers_kdiffusion.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

AUTOMATIC = "automatic"


@dataclass(frozen=True, slots=True)
class ScheduleSpec:
    """One noise schedule as the user picks it.

    Attributes:
        key: Stable name in requests, CLI and SQL.
        title: What the user reads; A1111's ``Schedule type``.
        comfyui: ComfyUI's ``scheduler``, "" where it has none.
        aliases: Further names of other programs.
        about: One sentence for the picker's tooltip.
    """

    key: str
    title: str
    comfyui: str = ""
    aliases: tuple[str, ...] = ()
    about: str = ""


SCHEDULES: tuple[ScheduleSpec, ...] = (
    ScheduleSpec(
        AUTOMATIC, "Automatic",
        about="The schedule that suits the sampler: Karras, exponential or uniform, as in A1111.",
    ),
    ScheduleSpec(
        "karras", "Karras", "karras",
        about="More of the steps at low noise, where detail forms: the best choice for most samplers.",
    ),
    ScheduleSpec(
        "exponential", "Exponential", "exponential", aliases=("polyexponential",),
        about="Each level the same fraction of the last: still more steps at low noise; suits the SDE samplers.",
    ),
    ScheduleSpec(
        "uniform", "Uniform", "normal", aliases=("normal", "linspace", "ddim_uniform"),
        about="Evenly spaced timesteps from the first to the last: what the models were trained on.",
    ),
    ScheduleSpec(
        "sgm_uniform", "SGM Uniform", "sgm_uniform", aliases=("trailing",),
        about="Evenly spaced, and the last step is as long as the others: for few steps and distilled models.",
    ),
    ScheduleSpec(
        "simple", "Simple", "simple", about="Every n-th level of the model's own table; close to SGM Uniform.",
    ),
    ScheduleSpec(
        "beta", "Beta", "beta",
        about="Many steps at the start and at the end, few between: composition and detail get more time.",
    ),
    ScheduleSpec(
        "align_your_steps", "Align Your Steps", "ays", aliases=("ays", "align_your_steps_gits"),
        about="Levels that NVIDIA optimised for each family: the best at 10 to 15 steps.",
    ),
    ScheduleSpec(
        "kl_optimal", "KL Optimal", "kl_optimal", about="Levels that minimise a bound on the error at few steps.",
    ),
)  # fmt: skip

SCHEDULE_BY_KEY: Mapping[str, ScheduleSpec] = MappingProxyType({spec.key: spec for spec in SCHEDULES})
EVERY_SCHEDULE: tuple[str, ...] = tuple(spec.key for spec in SCHEDULES if spec.key != AUTOMATIC)
