"""Every sampler the studio offers, one row each: which diffusers class, with which configuration, under which names.

At which noise levels a sampler steps is chosen apart (``catalog/schedules.py``). The k-diffusion style samplers get
their levels from the studio: with the ``timestep_spacing="leading"`` that Stable Diffusion's scheduler configs ship,
diffusers would start them at sigma 11.0 instead of 14.6 at 20 steps (washed-out pictures). DDIM and PNDM were written
for "leading" and keep it.

Sources: diffusers ``docs/source/en/api/schedulers/overview.md`` and A1111 ``modules/sd_samplers_kdiffusion.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from sdstudio.catalog.schedules import AUTOMATIC, EVERY_SCHEDULE, SCHEDULES

DEFAULT_SCHEDULER = "dpmpp_2m"
COMFYUI_UNIPC_END = 0.001
"""What ComfyUI's UniPC takes for zero (``comfy/extra_samplers/uni_pc.py``), where a logarithm would have no end."""


@dataclass(frozen=True, slots=True)
class SchedulerSpec:
    """One sampler as the user picks it.

    Attributes:
        key: Stable name in requests, CLI and SQL.
        title: What the user reads.
        class_name: Class in ``diffusers`` or in ``engine/samplers/k_samplers.py`` that does it.
        sampler: A1111's ``Sampler`` that gives the same, written into and read from infotext; where A1111 has none, a
            name that it does not know.
        automatic: Key of the schedule that "Automatic" means; "" for a sampler that has timesteps of its own.
        config: Configuration forced over the model's own scheduler configuration.
        levels: The formula of ``engine/samplers/noise_levels.py`` that a sampler without schedules steps at; "" for
            those of its class.
        every_timestep: Of timesteps of its own it takes every n-th to the end, as CompVis' code does; where n does not
            divide them all, that is one more than there are steps.
        leaves_out_last: Of one level more than there are steps, the last before zero is left out, unless the request
            says otherwise.
        end: The level at which the last step ends where the schedule ends at zero.
        takes: Fields of the request that act on this sampler and not on every one.
        seeded_noise: The class draws its noise from ``noise_sampler_seed`` in its config (one seed per image) and not
            from the generators handed to the pipeline.
        min_steps: Fewest steps with which the class works at all.
        needs: Package that the class imports beyond diffusers' own requirements, "" when none.
        comfyui: ComfyUI's ``sampler_name`` that gives the same, "" where it has none.
        invokeai: InvokeAI's name without its ``_k`` for Karras, "" where it has none.
        aliases: Further names of other programs (A1111's API, older ones).
        before: Compatibility of a request -> what of this row was otherwise then.
        about: One sentence for the picker's tooltip.
    """

    key: str
    title: str
    class_name: str
    sampler: str
    automatic: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    levels: str = ""
    every_timestep: bool = False
    leaves_out_last: bool = False
    end: float = 0.0
    takes: tuple[str, ...] = ()
    seeded_noise: bool = False
    min_steps: int = 1
    needs: str = ""
    comfyui: str = ""
    invokeai: str = ""
    aliases: tuple[str, ...] = ()
    before: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    about: str = ""

    def at(self, compatibility: str) -> SchedulerSpec:
        """Return the row as it was for requests of this compatibility."""
        return replace(self, **self.before[compatibility]) if compatibility in self.before else self

    @property
    def schedules(self) -> tuple[str, ...]:
        """Keys of the schedules it can follow, "automatic" first; that one alone for timesteps of its own."""
        return (AUTOMATIC, *EVERY_SCHEDULE) if self.automatic else (AUTOMATIC,)


def _multistep(**config: Any) -> dict[str, Any]:
    return {"algorithm_type": "dpmsolver++", "solver_order": 2, "solver_type": "midpoint", **config}


def _in_0_1(config: Mapping[str, Any] | None = None, **changed: Any) -> Mapping[str, Mapping[str, Any]]:
    """Return what version 0.1 did; with a configuration, it was diffusers' multistep solver with its own noise."""
    if config is not None:
        changed |= {
            "class_name": "DPMSolverMultistepScheduler", "config": config, "seeded_noise": False, "takes": (),
        }  # fmt: skip
    return {"0.1": changed}


SCHEDULERS: tuple[SchedulerSpec, ...] = (
    SchedulerSpec(
        "dpmpp_2m", "DPM++ 2M", "DPMSolverMultistepScheduler", "DPM++ 2M", "karras",
        _multistep(lower_order_final=False),
        comfyui="dpmpp_2m", invokeai="dpmpp_2m", aliases=("k_dpmpp_2m",),
        about="The best first choice: clean pictures in 20 to 30 steps, and the same picture with more.",
    ),
    SchedulerSpec(
        "dpmpp_2m_sde", "DPM++ 2M SDE", "Sde2MScheduler", "DPM++ 2M SDE", "exponential",
        takes=("eta",), seeded_noise=True, needs="torchsde",
        comfyui="dpmpp_2m_sde", invokeai="dpmpp_2m_sde", aliases=("dpmpp_2m_sde_gpu", "k_dpmpp_2m_sde"),
        before=_in_0_1(_multistep(algorithm_type="sde-dpmsolver++")),
        about="Adds fresh noise at every step: more detail and variety, wants 25 steps or more.",
    ),
    SchedulerSpec(
        "dpmpp_2m_sde_heun", "DPM++ 2M SDE Heun", "Sde2MHeunScheduler", "DPM++ 2M SDE Heun", "exponential",
        takes=("eta",), seeded_noise=True, needs="torchsde",
        comfyui="dpmpp_2m_sde_heun", aliases=("dpmpp_2m_sde_heun_gpu", "k_dpmpp_2m_sde_heun"),
        before=_in_0_1(_multistep(algorithm_type="sde-dpmsolver++", solver_type="heun")),
        about="DPM++ 2M SDE with Heun's correction: softer transitions.",
    ),
    SchedulerSpec(
        "dpmpp_3m", "DPM++ 3M", "DPMSolverMultistepScheduler", "DPM++ 3M", "karras", _multistep(solver_order=3),
        invokeai="dpmpp_3m", about="DPM++ 2M's third-order relative, without fresh noise: 20 steps or more.",
    ),
    SchedulerSpec(
        "dpmpp_3m_sde", "DPM++ 3M SDE", "Sde3MScheduler", "DPM++ 3M SDE", "exponential",
        leaves_out_last=True, takes=("eta",), seeded_noise=True, needs="torchsde",
        comfyui="dpmpp_3m_sde", aliases=("dpmpp_3m_sde_gpu", "k_dpmpp_3m_sde"),
        before=_in_0_1(_multistep(algorithm_type="sde-dpmsolver++", solver_order=3), leaves_out_last=False),
        about="Third order with fresh noise: wants 30 steps or more.",
    ),
    SchedulerSpec(
        "dpmpp_sde", "DPM++ SDE", "DPMSolverSDEScheduler", "DPM++ SDE", "karras",
        seeded_noise=True, needs="torchsde",
        comfyui="dpmpp_sde", invokeai="dpmpp_sde", aliases=("k_dpmpp_sde", "dpmpp_sde_gpu"),
        about="Two evaluations a step: twice the time, strong pictures from 10 steps on.",
    ),
    SchedulerSpec(
        "dpmpp_2s_a", "DPM++ 2S a", "Ancestral2SScheduler", "DPM++ 2S a", "karras", takes=("eta", "ensd"),
        comfyui="dpmpp_2s_ancestral", aliases=("k_dpmpp_2s_a",),
        about="Two evaluations and fresh noise at every step: lively pictures from 10 steps on, at twice the time.",
    ),
    SchedulerSpec(
        "dpmpp_2s", "DPM++ 2S", "DPMSolverSinglestepScheduler", "DPM++ 2S", "karras",
        {"algorithm_type": "dpmsolver++", "solver_order": 2, "lower_order_final": True}, min_steps=2,
        invokeai="dpmpp_2s",
        about="Single-step second order, without fresh noise: one evaluation a step, unlike DPM++ 2S a.",
    ),
    SchedulerSpec(
        "euler", "Euler", "EulerDiscreteScheduler", "Euler", "uniform", takes=("s_churn",),
        comfyui="euler", invokeai="euler", aliases=("k_euler",),
        about="The plain first-order sampler: fast, predictable, a little soft.",
    ),
    SchedulerSpec(
        "euler_a", "Euler a", "EulerAncestralDiscreteScheduler", "Euler a", "uniform", takes=("eta", "ensd"),
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
        leaves_out_last=True, before=_in_0_1(leaves_out_last=False),
        comfyui="dpm_2", invokeai="kdpm_2", aliases=("k_dpm_2",),
        about="Second order, two evaluations a step: accurate at few steps.",
    ),
    SchedulerSpec(
        "dpm2_a", "DPM2 a", "KDPM2AncestralDiscreteScheduler", "DPM2 a", "karras", takes=("ensd",),
        leaves_out_last=True, before=_in_0_1(leaves_out_last=False),
        comfyui="dpm_2_ancestral", invokeai="kdpm_2_a", aliases=("k_dpm_2_a",),
        about="DPM2 with fresh noise at every step.",
    ),
    SchedulerSpec(
        "ddim", "DDIM", "DDIMScheduler", "DDIM",
        config={"set_alpha_to_one": False, "steps_offset": 1, "timestep_spacing": "leading"}, takes=("eta_ddim",),
        every_timestep=True, before=_in_0_1(every_timestep=False),
        invokeai="ddim",
        about="The classic deterministic sampler: the same picture at any number of steps, good for image to image.",
    ),
    SchedulerSpec(
        "pndm", "PNDM", "PNDMScheduler", "PLMS",
        config={"skip_prk_steps": True, "set_alpha_to_one": False, "steps_offset": 1, "timestep_spacing": "leading"},
        every_timestep=True, before=_in_0_1(every_timestep=False), invokeai="pndm", aliases=("plms",),
        about="The sampler Stable Diffusion first shipped with (PLMS).",
    ),
    SchedulerSpec(
        "unipc", "UniPC", "UniPCMultistepScheduler", "UniPC (diffusers)", "uniform",
        leaves_out_last=True, before=_in_0_1(leaves_out_last=False), invokeai="unipc",
        about="Predictor and corrector of second order: usable pictures from 8 to 12 steps.",
    ),
    SchedulerSpec(
        "unipc_a1111", "UniPC (A1111)", "UniPCMultistepScheduler", "UniPC",
        config={"solver_order": 3, "solver_type": "bh1"}, levels="time_uniform",
        about="UniPC of third order at A1111's own levels, which end at the model's lowest.",
    ),
    SchedulerSpec(
        "unipc_bh1", "UniPC bh1", "UniPCMultistepScheduler", "UniPC bh1", "uniform",
        {"solver_order": 3, "solver_type": "bh1"}, leaves_out_last=True, end=COMFYUI_UNIPC_END, comfyui="uni_pc",
        about="UniPC of third order, ComfyUI's: for pictures from there.",
    ),
    SchedulerSpec(
        "unipc_bh2", "UniPC bh2", "UniPCMultistepScheduler", "UniPC bh2", "uniform",
        {"solver_order": 3, "solver_type": "bh2"}, leaves_out_last=True, end=COMFYUI_UNIPC_END, comfyui="uni_pc_bh2",
        about="UniPC of third order in its second variant, ComfyUI's: steadier at few steps.",
    ),
    SchedulerSpec(
        "deis", "DEIS", "DEISMultistepScheduler", "DEIS (diffusers)", "uniform", invokeai="deis",
        about="Exponential integrator: good at 10 to 20 steps.",
    ),
    SchedulerSpec(
        "ddpm", "DDPM", "DDPMScheduler", "DDPM (diffusers)", config={"timestep_spacing": "leading", "steps_offset": 1},
        invokeai="ddpm",
        about="The original diffusion sampler: fresh noise at every step, wants 50 steps or more.",
    ),
    SchedulerSpec(
        "lcm", "LCM", "LCMScheduler", "LCM (diffusers)", invokeai="lcm",
        about="For latent-consistency models and LoRA only: 4 to 8 steps at guidance 1 to 2.",
    ),
    SchedulerSpec(
        "lcm_any", "LCM any schedule", "ConsistencyScheduler", "LCM", "lcm_uniform", comfyui="lcm", aliases=("k_lcm",),
        about="As LCM, at the levels of any schedule, as A1111 and ComfyUI have it.",
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
    sampling = find_sampling(name)
    return sampling[0] if sampling is not None else None


def find_sampling(name: str) -> tuple[SchedulerSpec, str] | None:
    """Return the sampler that goes by ``name``, and the key of the schedule that the name holds, "" when it holds none.

    A name is a key, a title, A1111's spelling or another program's; with a schedule behind it ("DPM++ 2M Karras",
    "dpmpp_2m_karras"), or InvokeAI's ``_k`` for Karras. Case, blanks and punctuation other than ``+`` do not matter.
    ``None`` when nothing goes by that name.
    """
    return _BY_NAME.get(folded(name))


def find_schedule(name: str) -> str | None:
    """Return the key of the schedule that goes by ``name``: its key, title or another program's name."""
    return _SCHEDULE_BY_NAME.get(folded(name))


def schedule_of(spec: SchedulerSpec, schedule: str) -> str:
    """Return the key of the formula that a choice of schedule means for a sampler; "" for timesteps of its own."""
    return spec.automatic if schedule == AUTOMATIC else schedule


def nearest_schedulers(name: str, count: int = 3) -> tuple[SchedulerSpec, ...]:
    """Return up to ``count`` samplers whose key or title resembles ``name``, best first, for "did you mean"."""
    names = {folded(other): spec for spec in SCHEDULERS for other in (spec.key, spec.title)}
    specs: list[SchedulerSpec] = []
    for match in get_close_matches(folded(name), list(names), n=count * 2, cutoff=0.5):
        if names[match] not in specs:
            specs.append(names[match])
    return tuple(specs[:count])


def folded(name: str) -> str:
    """Return a name without what does not matter in it: case, blanks and punctuation other than ``+``."""
    return "".join(c for c in name.lower().replace("++", "pp") if c.isalnum() or c == "+")


def _schedule_names() -> dict[str, str]:
    """Every name a schedule goes by; where two meet, keys and titles win, then the first row's."""
    own = [(name, row) for row in SCHEDULES for name in (row.key, row.title)]
    others = [(name, row) for row in SCHEDULES for name in (row.comfyui, *row.aliases) if name]
    names: dict[str, str] = {}
    for name, row in (*own, *others):
        names.setdefault(folded(name), row.key)
    return names


def _sampler_names() -> dict[str, tuple[SchedulerSpec, str]]:
    """Every name a sampler goes by, with and without a schedule; where two meet, as with schedules."""
    own = [(name, spec) for spec in SCHEDULERS for name in (spec.key, spec.title)]
    others = [
        (name, spec) for spec in SCHEDULERS
        for name in (spec.sampler, spec.comfyui, spec.invokeai, *spec.aliases) if name
    ]  # fmt: skip
    names: dict[str, tuple[SchedulerSpec, str]] = {}
    for name, spec in (*own, *others):
        names.setdefault(folded(name), (spec, ""))
    for name, (spec, schedule) in list(names.items()):
        if spec.automatic and not schedule:
            for label, key in (("k", "karras"), ("ka", "karras"), *_SCHEDULE_BY_NAME.items()):
                names.setdefault(name + label, (spec, key))
    return names


_SCHEDULE_BY_NAME: Mapping[str, str] = MappingProxyType(_schedule_names())
_BY_NAME: Mapping[str, tuple[SchedulerSpec, str]] = MappingProxyType(_sampler_names())
