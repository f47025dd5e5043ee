"""Every noise schedule the studio offers, one row each: at which noise levels a sampler steps, under which names.

A schedule is chosen apart from the sampler; `SchedulerSpec.schedules` lists which sampler takes which. The formulae
stand in ``engine/samplers/noise_levels.py`` under the same keys. "Automatic" is no formula but the sampler's own
choice, which is A1111's (``modules/sd_samplers_kdiffusion.py``).
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
        title: What the user reads.
        comfyui: ComfyUI's ``scheduler`` with the same levels, "" where it has none.
        a1111: A1111's ``Schedule type`` with the same levels where it is not the title; where A1111 has none, a name
            that it does not know.
        aliases: Further names of other programs.
        about: One sentence for the picker's tooltip.
    """

    key: str
    title: str
    comfyui: str = ""
    a1111: str = ""
    aliases: tuple[str, ...] = ()
    about: str = ""

    @property
    def schedule_type(self) -> str:
        """What A1111's text calls it."""
        return self.a1111 or self.title


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
        "uniform", "Uniform", "normal", aliases=("normal", "linspace"),
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
        "ddim_uniform", "DDIM Uniform", "ddim_uniform", a1111="DDIM",
        about="Every n-th level from the lowest up, which leaves the highest out; a step more where they do not come "
        "out even.",
    ),
    ScheduleSpec(
        "turbo", "Turbo", about="SGM Uniform at whole timesteps: what SD Turbo and SDXL Turbo were distilled for.",
    ),
    ScheduleSpec(
        "from_800", "From timestep 800",
        about="SGM Uniform that begins at timestep 800 of 1,000: what Hyper-SD's UNet for one step was distilled for.",
    ),
    ScheduleSpec(
        "beta", "Beta",
        about="Many steps at the start and at the end, few between: composition and detail get more time. A1111's: "
        "its levels follow the beta distribution.",
    ),
    ScheduleSpec(
        "beta_comfyui", "Beta (ComfyUI)", "beta", aliases=("beta_timesteps",),
        about="As Beta, but ComfyUI's: its timesteps follow the beta distribution, and those that are rounded to the "
        "same are one step.",
    ),
    ScheduleSpec(
        "align_your_steps", "Align Your Steps", aliases=("ays", "align_your_steps_11"),
        about="Levels that NVIDIA optimised for each family: the best at 10 to 15 steps.",
    ),
    ScheduleSpec(
        "align_your_steps_32", "Align Your Steps 32",
        about="NVIDIA's levels for 32 steps, which go lower: for 20 steps and more.",
    ),
    ScheduleSpec(
        "align_your_steps_gits", "Align Your Steps GITS", aliases=("gits",),
        about="Levels found from the paths that pictures take (GITS): most of the steps at low noise.",
    ),
    ScheduleSpec(
        "kl_optimal", "KL Optimal", "kl_optimal", a1111="KL Optimal (ComfyUI)",
        about="Levels that minimise a bound on the error at few steps, and a last step to no noise, as in ComfyUI.",
    ),
    ScheduleSpec(
        "kl_optimal_a1111", "KL Optimal (A1111)", a1111="KL Optimal",
        about="As KL Optimal, but the last step ends at the model's lowest level, as in A1111.",
    ),
    ScheduleSpec(
        "linear_quadratic", "Linear Quadratic", "linear_quadratic",
        about="Half of the steps close to pure noise, then ever longer ones: made for video models.",
    ),
    ScheduleSpec(
        "lcm_uniform", "LCM Uniform",
        about="Evenly spaced between the first and the last of the 50 timesteps that latent-consistency models know.",
    ),
)  # fmt: skip

SCHEDULE_BY_KEY: Mapping[str, ScheduleSpec] = MappingProxyType({spec.key: spec for spec in SCHEDULES})
EVERY_SCHEDULE: tuple[str, ...] = tuple(spec.key for spec in SCHEDULES if spec.key != AUTOMATIC)
