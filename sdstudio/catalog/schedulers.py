"""Every sampler the studio offers, one row each: which diffusers class, with which configuration, under which names.

At which noise levels a sampler steps is chosen apart (``catalog/schedules.py``). The k-diffusion style samplers get
their levels from the studio: with the ``timestep_spacing="leading"`` that Stable Diffusion's scheduler configs ship,
diffusers would start them at sigma 11.0 instead of 14.6 at 20 steps (washed-out pictures). DDIM and PNDM were written
for "leading" and keep it.

Sources: diffusers ``docs/source/en/api/schedulers/overview.md`` and A1111 ``modules/sd_samplers_kdiffusion.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from sdstudio.catalog.schedules import AUTOMATIC, EVERY_SCHEDULE, SCHEDULES

DEFAULT_SCHEDULER = "dpmpp_2m"


@dataclass(frozen=True, slots=True)
class SchedulerSpec:
    """One sampler as the user picks it.

    Attributes:
        key: Stable name in requests, CLI and SQL.
        title: What the user reads.
        class_name: Class in ``diffusers`` that does it.
        sampler: A1111's ``Sampler`` name, written into and read from infotext.
        automatic: Key of the schedule that "Automatic" means; "" for a sampler that has timesteps of its own.
        config: Configuration forced over the model's own scheduler configuration.
        takes: Fields of the request that act on this sampler and not on every one.
        seeded_noise: The class draws its noise from ``noise_sampler_seed`` in its config (one seed per image) and not
            from the generators handed to the pipeline.
        min_steps: Fewest steps with which the class works at all.
        needs: Package that the class imports beyond diffusers' own requirements, "" when none.
        comfyui: ComfyUI's ``sampler_name``, "" where it has none.
        invokeai: InvokeAI's name without its ``_k`` for Karras, "" where it has none.
        aliases: Further names of other programs (A1111's API, older ones).
        about: One sentence for the picker's tooltip.
    """

    key: str
    title: str
    class_name: str
    sampler: str
    automatic: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    takes: tuple[str, ...] = ()
    seeded_noise: bool = False
    min_steps: int = 1
    needs: str = ""
    comfyui: str = ""
    invokeai: str = ""
    aliases: tuple[str, ...] = ()
    about: str = ""

    @property
    def schedules(self) -> tuple[str, ...]:
        """Keys of the schedules it can follow, "automatic" first; that one alone for timesteps of its own."""
        return (AUTOMATIC, *EVERY_SCHEDULE) if self.automatic else (AUTOMATIC,)


def _multistep(**config: Any) -> dict[str, Any]:
    return {"algorithm_type": "dpmsolver++", "solver_order": 2, "solver_type": "midpoint", **config}


SCHEDULERS: tuple[SchedulerSpec, ...] = (
    SchedulerSpec(
        "dpmpp_2m", "DPM++ 2M", "DPMSolverMultistepScheduler", "DPM++ 2M", "karras", _multistep(),
        comfyui="dpmpp_2m", invokeai="dpmpp_2m", aliases=("k_dpmpp_2m",),
        about="The best first choice: clean pictures in 20 to 30 steps, and the same picture with more.",
    ),
    SchedulerSpec(
        "dpmpp_2m_sde", "DPM++ 2M SDE", "DPMSolverMultistepScheduler", "DPM++ 2M SDE", "exponential",
        _multistep(algorithm_type="sde-dpmsolver++"),
        comfyui="dpmpp_2m_sde", invokeai="dpmpp_2m_sde", aliases=("dpmpp_2m_sde_gpu", "k_dpmpp_2m_sde"),
        about="Adds fresh noise at every step: more detail and variety, wants 25 steps or more.",
    ),
    SchedulerSpec(
        "dpmpp_2m_sde_heun", "DPM++ 2M SDE Heun", "DPMSolverMultistepScheduler", "DPM++ 2M SDE Heun", "exponential",
        _multistep(algorithm_type="sde-dpmsolver++", solver_type="heun"),
        comfyui="dpmpp_2m_sde_heun", aliases=("dpmpp_2m_sde_heun_gpu",),
        about="DPM++ 2M SDE with Heun's correction: softer transitions.",
    ),
    SchedulerSpec(
        "dpmpp_3m_sde", "DPM++ 3M SDE", "DPMSolverMultistepScheduler", "DPM++ 3M SDE", "exponential",
        _multistep(algorithm_type="sde-dpmsolver++", solver_order=3),
        comfyui="dpmpp_3m_sde", invokeai="dpmpp_3m", aliases=("dpmpp_3m_sde_gpu",),
        about="Third order with fresh noise, an approximation of A1111's: wants 30 steps or more.",
    ),
    SchedulerSpec(
        "dpmpp_sde", "DPM++ SDE", "DPMSolverSDEScheduler", "DPM++ SDE", "karras",
        seeded_noise=True, needs="torchsde",
        comfyui="dpmpp_sde", invokeai="dpmpp_sde", aliases=("k_dpmpp_sde", "dpmpp_sde_gpu"),
        about="Two evaluations a step: twice the time, strong pictures from 10 steps on.",
    ),
    SchedulerSpec(
        "dpmpp_2s", "DPM++ 2S", "DPMSolverSinglestepScheduler", "DPM++ 2S a", "karras",
        {"algorithm_type": "dpmsolver++", "solver_order": 2, "lower_order_final": True}, min_steps=2,
        comfyui="dpmpp_2s_ancestral", invokeai="dpmpp_2s", aliases=("k_dpmpp_2s_a", "dpmpp_2s_a"),
        about="Single-step second order; the nearest there is to A1111's DPM++ 2S a, without its fresh noise.",
    ),
    SchedulerSpec(
        "euler", "Euler", "EulerDiscreteScheduler", "Euler", "uniform", takes=("s_churn",),
        comfyui="euler", invokeai="euler", aliases=("k_euler",),
        about="The plain first-order sampler: fast, predictable, a little soft.",
    ),
    SchedulerSpec(
        "euler_a", "Euler a", "EulerAncestralDiscreteScheduler", "Euler a", "uniform", takes=("eta",),
        comfyui="euler_ancestral", invokeai="euler_a", aliases=("k_euler_a",),
        about="Adds fresh noise at every step: lively, and the picture keeps changing with more steps.",
    ),
    SchedulerSpec(
        "heun", "Heun", "HeunDiscreteScheduler", "Heun", "uniform",
        comfyui="heun", invokeai="heun", aliases=("k_heun",),
        about="Second order, two evaluations a step: accurate, twice the time of Euler.",
    ),
    SchedulerSpec(
        "lms", "LMS", "LMSDiscreteScheduler", "LMS", "uniform", needs="scipy",
        comfyui="lms", invokeai="lms", aliases=("k_lms",),
        about="Linear multistep: fast, wants 30 steps or more to be clean.",
    ),
    SchedulerSpec(
        "dpm2", "DPM2", "KDPM2DiscreteScheduler", "DPM2", "karras",
        comfyui="dpm_2", invokeai="kdpm_2", aliases=("k_dpm_2",),
        about="Second order, two evaluations a step: accurate at few steps.",
    ),
    SchedulerSpec(
        "dpm2_a", "DPM2 a", "KDPM2AncestralDiscreteScheduler", "DPM2 a", "karras",
        comfyui="dpm_2_ancestral", invokeai="kdpm_2_a", aliases=("k_dpm_2_a",),
        about="DPM2 with fresh noise at every step.",
    ),
    SchedulerSpec(
        "ddim", "DDIM", "DDIMScheduler", "DDIM",
        config={"set_alpha_to_one": False, "steps_offset": 1, "timestep_spacing": "leading"}, takes=("eta_ddim",),
        comfyui="ddim", invokeai="ddim",
        about="The classic deterministic sampler: the same picture at any number of steps, good for image to image.",
    ),
    SchedulerSpec(
        "pndm", "PNDM", "PNDMScheduler", "PLMS",
        config={"skip_prk_steps": True, "set_alpha_to_one": False, "steps_offset": 1, "timestep_spacing": "leading"},
        invokeai="pndm", aliases=("plms",), about="The sampler Stable Diffusion first shipped with (PLMS).",
    ),
    SchedulerSpec(
        "unipc", "UniPC", "UniPCMultistepScheduler", "UniPC", "uniform",
        comfyui="uni_pc", invokeai="unipc", aliases=("uni_pc_bh2",),
        about="Predictor and corrector: usable pictures from 8 to 12 steps.",
    ),
    SchedulerSpec(
        "deis", "DEIS", "DEISMultistepScheduler", "DEIS", "uniform", comfyui="deis", invokeai="deis",
        about="Exponential integrator: good at 10 to 20 steps.",
    ),
    SchedulerSpec(
        "ddpm", "DDPM", "DDPMScheduler", "DDPM", config={"timestep_spacing": "leading", "steps_offset": 1},
        comfyui="ddpm", invokeai="ddpm",
        about="The original diffusion sampler: fresh noise at every step, wants 50 steps or more.",
    ),
    SchedulerSpec(
        "lcm", "LCM", "LCMScheduler", "LCM", comfyui="lcm", invokeai="lcm",
        about="For latent-consistency models and LoRA only: 4 to 8 steps at guidance 1 to 2.",
    ),
    SchedulerSpec(
        "tcd", "TCD", "TCDScheduler", "TCD", takes=("eta_ddim",), invokeai="tcd",
        about="For trajectory-consistency models and LoRA only: 4 to 8 steps at guidance 1 to 2.",
    ),
)  # fmt: skip

SCHEDULER_BY_KEY: Mapping[str, SchedulerSpec] = MappingProxyType({spec.key: spec for spec in SCHEDULERS})
TAKEN_BY_SOME: frozenset[str] = frozenset(name for spec in SCHEDULERS for name in spec.takes)
"""Fields of the request that act on some samplers only."""


def find_scheduler(name: str) -> SchedulerSpec | None:
    """Return the sampler that goes by ``name``, also where a schedule is part of it; see `find_sampling`."""
    found = find_sampling(name)
    return found[0] if found is not None else None


def find_sampling(name: str) -> tuple[SchedulerSpec, str] | None:
    """Return the sampler that goes by ``name``, and the key of the schedule that the name holds, "" when it holds none.

    A name is a key, a title, A1111's spelling or another program's; with a schedule behind it ("DPM++ 2M Karras",
    "dpmpp_2m_karras"), or InvokeAI's ``_k`` for Karras. Case, blanks and punctuation other than ``+`` do not matter.
    ``None`` when nothing goes by that name.
    """
    return _BY_NAME.get(_folded(name))


def find_schedule(name: str) -> str | None:
    """Return the key of the schedule that goes by ``name``: its key, title or another program's name."""
    return _SCHEDULE_BY_NAME.get(_folded(name))


def schedule_of(spec: SchedulerSpec, schedule: str) -> str:
    """Return the key of the formula that a choice of schedule means for a sampler; "" for timesteps of its own."""
    return spec.automatic if schedule == AUTOMATIC else schedule


def nearest_schedulers(name: str, count: int = 3) -> tuple[SchedulerSpec, ...]:
    """Return up to ``count`` samplers whose key or title resembles ``name``, best first, for "did you mean"."""
    names = {_folded(other): spec for spec in SCHEDULERS for other in (spec.key, spec.title)}
    found: list[SchedulerSpec] = []
    for match in get_close_matches(_folded(name), list(names), n=count * 2, cutoff=0.5):
        if names[match] not in found:
            found.append(names[match])
    return tuple(found[:count])


def _folded(name: str) -> str:
    return "".join(c for c in name.lower().replace("++", "pp") if c.isalnum() or c == "+")


def _schedule_names() -> dict[str, str]:
    return {
        _folded(name): spec.key for spec in SCHEDULES for name in (spec.key, spec.title, spec.comfyui, *spec.aliases)
        if name
    }  # fmt: skip


def _sampler_names() -> dict[str, tuple[SchedulerSpec, str]]:
    """Every name a sampler goes by, with and without a schedule; where two meet, the first row's name is kept."""
    names: dict[str, tuple[SchedulerSpec, str]] = {}
    for spec in SCHEDULERS:
        own = (spec.key, spec.title, spec.sampler, spec.comfyui, spec.invokeai, *spec.aliases)
        for name in dict.fromkeys(_folded(name) for name in own if name):
            names.setdefault(name, (spec, ""))
            if spec.automatic:
                names.setdefault(name + "k", (spec, "karras"))
                names.setdefault(name + "ka", (spec, "karras"))
                for label, schedule in _SCHEDULE_BY_NAME.items():
                    names.setdefault(name + label, (spec, schedule))
    return names


_SCHEDULE_BY_NAME: Mapping[str, str] = MappingProxyType(_schedule_names())
_BY_NAME: Mapping[str, tuple[SchedulerSpec, str]] = MappingProxyType(_sampler_names())
