"""What other programs call a sampler with its schedule, and what theirs are called here, both ways.

A1111 and ComfyUI name the two apart (A1111 before 1.9 in one: "DPM++ 2M Karras"), InvokeAI in one (``dpmpp_2m_k``). One
name is not one thing: each program's is looked up among its own first. What gives the same levels and steps by the same
rule is the same; for the rest there is the nearest, with a sentence about what is not the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from sdstudio.catalog.schedulers import (
    SCHEDULER_BY_KEY,
    SCHEDULERS,
    SchedulerSpec,
    find_sampling,
    find_schedule,
    folded,
)
from sdstudio.catalog.schedules import AUTOMATIC, SCHEDULE_BY_KEY, SCHEDULES

NEAREST: Final[Mapping[str, str]] = MappingProxyType({
    "restart": "heun", "heunpp2": "heun", "dpm fast": "dpmpp_2s", "dpm_fast": "dpmpp_2s", "dpm adaptive": "dpmpp_2m",
    "dpm_adaptive": "dpmpp_2m", "ipndm": "deis", "ipndm_v": "deis", "ddim cfg++": "ddim", "euler_cfg_pp": "euler",
    "euler_ancestral_cfg_pp": "euler_a", "euler a cfg++": "euler_a", "res_multistep": "dpmpp_2m",
    "er_sde": "dpmpp_2m_sde", "k_dpm_fast": "dpmpp_2s", "k_dpm_ad": "dpmpp_2m", "unipc cfg++": "unipc",
})  # fmt: skip
"""Samplers that diffusers lacks, in lower case -> the key of the one that comes nearest."""
COMFYUI_SAME: Final[Mapping[str, str]] = MappingProxyType({"ddim": "euler", "ddpm": "euler_a"})
"""ComfyUI's samplers by whose names another row's rule goes -> its key: DDPM's posterior is Euler's ancestral step."""
FORGE_SAME: Final[Mapping[str, str]] = MappingProxyType({"ddpm": "euler_a"})
"""The same of Forge's."""
COMFYUI_LEAVES_OUT: Final = frozenset({"dpm_2", "dpm_2_ancestral", "uni_pc", "uni_pc_bh2"})
"""Samplers for which ComfyUI's KSampler leaves out the last level before zero (``comfy/samplers.py``)."""
_A1111_STOPS_EARLY: Final = frozenset({"ddim", "pndm"})
"""Samplers that step at all but the last of their timesteps in A1111 since `_A1111_TIMESTEPS`, and in Forge: they loop
once less than there are timesteps, and end at timestep 1 (``modules/sd_samplers_timesteps_impl.py``)."""
_A1111_TIMESTEPS: Final = (1, 6)
_A1111_NEAR: Final = "A1111 since 1.6, and Forge: they leave out the last step, the one from timestep 1"
_COMFYUI_TO_ZERO: Final = "ays"
"""The schedule of ``AlignYourStepsScheduler``, which has one level more and puts zero in the last one's place."""
_OTHER_ELSEWHERE: Final[Mapping[str, str]] = MappingProxyType({
    "deis": "ComfyUI and Forge: their DEIS is another one, of third order over the steps before",
})  # fmt: skip
"""Rows whose names other programs have for something else."""
_ON_THE_CARD: Final = "its fresh noise was drawn on the graphics card"
_COMFYUI_FRESH: Final = frozenset({"euler_ancestral", "dpm_2_ancestral", "dpmpp_2s_ancestral", "lcm", "ddpm"})
_COMFYUI_NOISE: Final = "ComfyUI: the fresh noise of its steps comes from the device's own generator"
"""``default_noise_sampler`` of ``comfy/k_diffusion/sampling.py``."""
_INVOKEAI_SPACING: Final = "its levels are spaced as the model's scheduler says, and begin and end elsewhere"
_INVOKEAI_KARRAS: Final = "on SDXL its levels lie between 11 and 0.04, not between 14.6 and 0.03"
_INVOKEAI_FULL: Final = frozenset({"dpmpp_2m", "dpmpp_2m_sde", "dpmpp_3m", "dpmpp_2s", "unipc", "deis"})
"""Samplers whose class in diffusers takes Karras' range from all of the model's levels, whatever their spacing."""
_INVOKEAI_NOISE: Final = "its fresh noise does not come from the picture's seed in this way"


@dataclass(frozen=True, slots=True)
class Sampling:
    """A sampler and a schedule that another program's names mean.

    Attributes:
        scheduler: Key of the sampler.
        schedule: Key of the schedule, one that the sampler takes.
        same_sampler: Whether the sampler is the one that was named; else the nearest there is.
        same_schedule: Whether the schedule is the one that was named; else the sampler's own.
        last_level: Whether the last level before zero is kept: the request's field, "automatic" for the sampler's way.
        near: What is not the same about sampler or schedule although they go by that name, "" for nothing.
    """

    scheduler: str
    schedule: str = AUTOMATIC
    same_sampler: bool = True
    same_schedule: bool = True
    last_level: str = AUTOMATIC
    near: str = field(default="", compare=False)


def from_a1111(sampler: str, schedule_type: str = "", version: tuple[int, int] = (0, 0)) -> Sampling | None:
    """Return what A1111's or Forge's ``Sampler`` and ``Schedule type`` mean; ``None`` for a sampler nobody knows.

    Args:
        sampler: In the spelling of any version.
        schedule_type: "" when the text has none, as before 1.9; then the sampler's name may hold it.
        version: Of A1111, zeros when it is not known.
    """
    sampling = _by_a1111(sampler, schedule_type)
    if sampling is None or version < _A1111_TIMESTEPS or sampling.scheduler not in _A1111_STOPS_EARLY:
        return sampling
    return replace(sampling, near=_A1111_NEAR) if sampling.same_sampler else sampling


def _by_a1111(sampler: str, schedule_type: str) -> Sampling | None:
    base, schedule = _split(sampler, _A1111_SCHEDULES)
    for name, held in ((sampler, ""), (base, schedule)):
        key = _A1111_SAMPLERS.get(folded(name))
        if key is not None:
            return _with_schedule(SCHEDULER_BY_KEY[key], held, schedule_type, _A1111_SCHEDULES)
    return _meant(sampler, schedule_type, _A1111_SCHEDULES)


def from_studio_0_1(sampler: str, schedule_type: str) -> Sampling | None:
    """Return what the text of the studio's version 0.1 means, which wrote A1111's names for what was only near."""
    key = _STUDIO_0_1_SAMPLERS.get(sampler)
    if key is None and schedule_type not in _STUDIO_0_1_SCHEDULES:
        return from_a1111(sampler, schedule_type)
    spec = find_sampling(key or sampler)
    return None if spec is None else _with_schedule(spec[0], spec[1], schedule_type, _STUDIO_0_1_SCHEDULES)


def from_comfyui(sampler_name: str, scheduler: str = "normal", whole_levels: bool = False) -> Sampling | None:
    """Return what ComfyUI's ``sampler_name`` and ``scheduler`` mean; ``None`` for a sampler nobody knows.

    Args:
        sampler_name: As in its graphs.
        scheduler: As in its graphs.
        whole_levels: The levels came from a node of their own (``BasicScheduler``), which leaves out none.
    """
    plain = sampler_name.strip().lower()
    base = plain.removesuffix("_gpu")
    key = _COMFYUI_SAMPLERS.get(base)
    if key is None:
        return _meant(sampler_name, scheduler, _COMFYUI_SCHEDULES)
    sampling = _with_schedule(SCHEDULER_BY_KEY[key], "", scheduler, _COMFYUI_SCHEDULES)
    near = f"ComfyUI: {_ON_THE_CARD}" if base != plain else _COMFYUI_NOISE if base in _COMFYUI_FRESH else ""
    leaves_out = (base in COMFYUI_LEAVES_OUT and not whole_levels) or folded(scheduler) == _COMFYUI_TO_ZERO
    return replace(sampling, last_level=_last_level(sampling, leaves_out), near=near)


def split_comfyui(name: str) -> tuple[str, str] | None:
    """Part "dpmpp_2m_karras" into ComfyUI's ``sampler_name`` and ``scheduler``, "" where it names none.

    ``None`` for what is not spelled as ComfyUI spells it.
    """
    for levels in ("", *(row.comfyui for row in SCHEDULES if row.comfyui)):
        base = name.removesuffix(f"_{levels}") if levels else name
        if base in _COMFYUI_SPELLINGS and (base != name or not levels):
            return base, levels
    return None


def from_invokeai(scheduler: str) -> Sampling | None:
    """Return what InvokeAI's ``scheduler`` means; without ``_k`` its levels are evenly spaced."""
    name = scheduler.strip().lower()
    key = _INVOKEAI_SAMPLERS.get(name.removesuffix("_k"))
    if key is None:
        return _meant(scheduler, "", {})
    spec = SCHEDULER_BY_KEY[key]
    if not spec.automatic:
        return Sampling(key)
    karras = name.endswith("_k")
    near = _INVOKEAI_SPACING if not karras else "" if key in _INVOKEAI_FULL else _INVOKEAI_KARRAS
    if spec.seeded_noise:
        near = f"{near}; {_INVOKEAI_NOISE}" if near else _INVOKEAI_NOISE
    sampling = Sampling(key, "karras" if karras else "uniform", near=f"InvokeAI: {near}" if near else "")
    return replace(sampling, last_level=_last_level(sampling, leaves_out=False))


def to_a1111(scheduler: str, schedule: str) -> tuple[str, str]:
    """Return A1111's ``Sampler`` and ``Schedule type`` of a sampler and a schedule by their keys.

    Where A1111 has none that gives the same, it is a name that A1111 does not know, and reads back as what it was.
    """
    spec, levels = SCHEDULER_BY_KEY.get(scheduler), SCHEDULE_BY_KEY.get(schedule)
    return spec.sampler if spec else scheduler, levels.schedule_type if levels else schedule


def _last_level(sampling: Sampling, leaves_out: bool) -> str:
    spec = SCHEDULER_BY_KEY[sampling.scheduler]
    if not spec.automatic or spec.leaves_out_last == leaves_out:
        return AUTOMATIC
    return "left_out" if leaves_out else "kept"


def _meant(sampler: str, schedule: str, schedules: Mapping[str, str]) -> Sampling | None:
    base, own_schedule = _split(sampler, schedules)
    sampling = find_sampling(sampler) or find_sampling(base)
    near = NEAREST.get(sampler.strip().lower()) or NEAREST.get(base.strip().lower())
    if sampling is None and near is None:
        return None
    spec, held = sampling or (SCHEDULER_BY_KEY[near or ""], "")
    other = _OTHER_ELSEWHERE.get(spec.key, "") if sampling is not None else ""
    result = _with_schedule(spec, held or own_schedule, schedule, schedules)
    return replace(result, same_sampler=sampling is not None, near=other)


def _with_schedule(spec: SchedulerSpec, held: str, schedule: str, schedules: Mapping[str, str]) -> Sampling:
    """Return a sampler with the schedule in a name, or that its own name held."""
    if not spec.automatic:  # its levels are its own in other programs too, whatever their text names
        return Sampling(spec.key)
    key = (schedules.get(folded(schedule)) or find_schedule(schedule)) if schedule else AUTOMATIC
    if key == AUTOMATIC:
        key = held or AUTOMATIC
    return Sampling(spec.key, key or AUTOMATIC, same_schedule=key is not None)


def _split(name: str, schedules: Mapping[str, str]) -> tuple[str, str]:
    """Return a sampler's name without the schedule that stands behind it, and that schedule's key, "" for none."""
    words = name.split()
    for count in (4, 3, 2, 1):
        if len(words) > count:
            label = " ".join(words[-count:])
            key = schedules.get(folded(label)) or find_schedule(label)
            if key is not None:
                return " ".join(words[:-count]), key
    return name, ""


_A1111_SAMPLERS: Final[Mapping[str, str]] = MappingProxyType(
    {folded(spec.sampler): spec.key for spec in SCHEDULERS} | dict(FORGE_SAME)
)
_A1111_SCHEDULES: Final[Mapping[str, str]] = MappingProxyType({folded(row.schedule_type): row.key for row in SCHEDULES})
_STUDIO_0_1_SAMPLERS: Final[Mapping[str, str]] = MappingProxyType({
    "DPM++ 2S a": "dpmpp_2s", "UniPC": "unipc", "DEIS": "deis", "DDPM": "ddpm", "LCM": "lcm",
})  # fmt: skip
_STUDIO_0_1_SCHEDULES: Final[Mapping[str, str]] = MappingProxyType(
    {"KL Optimal": "kl_optimal", folded("KL Optimal"): "kl_optimal"}
)
_COMFYUI_SAMPLERS: Final[Mapping[str, str]] = MappingProxyType(
    {spec.comfyui: spec.key for spec in SCHEDULERS if spec.comfyui} | dict(COMFYUI_SAME)
)
_COMFYUI_SPELLINGS: Final = frozenset(
    {*_COMFYUI_SAMPLERS, *_OTHER_ELSEWHERE}
    | {alias for spec in SCHEDULERS for alias in spec.aliases if spec.comfyui and alias[:2] != "k_"}
    | {name for name in NEAREST if " " not in name and name[:2] != "k_" and "++" not in name}
)
_COMFYUI_SCHEDULES: Final[Mapping[str, str]] = MappingProxyType(
    {folded(row.comfyui): row.key for row in SCHEDULES if row.comfyui}
)
_INVOKEAI_SAMPLERS: Final[Mapping[str, str]] = MappingProxyType(
    {spec.invokeai: spec.key for spec in SCHEDULERS if spec.invokeai}
)
