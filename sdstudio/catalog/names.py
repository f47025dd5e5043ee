"""What other programs call a sampler with its schedule, and what theirs are called here, both ways.

A1111 and ComfyUI name the two apart (A1111 before 1.9 in one: "DPM++ 2M Karras"), InvokeAI in one (``dpmpp_2m_k``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from sdstudio.catalog.schedulers import SCHEDULER_BY_KEY, find_sampling, find_schedule, schedule_of
from sdstudio.catalog.schedules import AUTOMATIC, SCHEDULE_BY_KEY

NEAREST: Final[Mapping[str, str]] = MappingProxyType({
    "restart": "heun", "heunpp2": "heun", "dpm fast": "dpmpp_2s", "dpm_fast": "dpmpp_2s", "dpm adaptive": "dpmpp_2m",
    "dpm_adaptive": "dpmpp_2m", "ipndm": "deis", "ipndm_v": "deis", "ddim cfg++": "ddim", "euler_cfg_pp": "euler",
    "euler_ancestral_cfg_pp": "euler_a", "euler a cfg++": "euler_a", "res_multistep": "dpmpp_2m",
    "er_sde": "dpmpp_2m_sde", "k_dpm_fast": "dpmpp_2s", "k_dpm_ad": "dpmpp_2m", "unipc cfg++": "unipc",
})  # fmt: skip
"""Samplers that diffusers lacks, in lower case -> the key of the one that comes nearest."""
_COMFYUI_SAMPLERS: Final = frozenset(
    {spec.comfyui for spec in SCHEDULER_BY_KEY.values() if spec.comfyui}
    | {alias for spec in SCHEDULER_BY_KEY.values() for alias in spec.aliases if spec.comfyui and alias[:2] != "k_"}
    | {name for name in NEAREST if " " not in name and name[:2] != "k_" and "++" not in name}
)
_COMFYUI_SCHEDULES: Final = (
    *(spec.comfyui for spec in SCHEDULE_BY_KEY.values() if spec.comfyui), "ddim_uniform", "linear_quadratic"
)
_OTHER_SCHEDULES: Final = frozenset({"ddim_uniform", "align_your_steps_gits"})
"""Names that a row of the table goes by without being it."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """A sampler and a schedule that another program's names mean.

    Attributes:
        scheduler: Key of the sampler.
        schedule: Key of the schedule, one that the sampler takes.
        same_sampler: Whether the sampler is the one that was named; else the nearest there is.
        same_schedule: Whether the schedule is the one that was named; else the sampler's own.
    """

    scheduler: str
    schedule: str = AUTOMATIC
    same_sampler: bool = True
    same_schedule: bool = True


def from_a1111(sampler: str, schedule_type: str = "") -> Sampling | None:
    """Return what A1111's ``Sampler`` and ``Schedule type`` mean; ``None`` for a sampler nobody knows.

    Args:
        sampler: In the spelling of any version.
        schedule_type: "" when the text has none, as before 1.9; then the sampler's name may hold it.
    """
    return _meant(sampler, schedule_type)


def from_comfyui(sampler_name: str, scheduler: str = "normal") -> Sampling | None:
    """Return what ComfyUI's ``sampler_name`` and ``scheduler`` mean; ``None`` for a sampler nobody knows."""
    return _meant(sampler_name, scheduler)


def split_comfyui(name: str) -> tuple[str, str] | None:
    """Part "dpmpp_2m_karras" into ComfyUI's ``sampler_name`` and ``scheduler``, "" where it names none.

    ``None`` for what is not spelled as ComfyUI spells it.
    """
    for levels in ("", *_COMFYUI_SCHEDULES):
        base = name.removesuffix(f"_{levels}") if levels else name
        if base in _COMFYUI_SAMPLERS and (base != name or not levels):
            return base, levels
    return None


def from_invokeai(scheduler: str) -> Sampling | None:
    """Return what InvokeAI's ``scheduler`` means; without ``_k`` its levels are evenly spaced."""
    found = _meant(scheduler, "")
    if found is None or found.schedule != AUTOMATIC or not SCHEDULER_BY_KEY[found.scheduler].automatic:
        return found
    return replace(found, schedule="uniform")


def to_a1111(scheduler: str, schedule: str) -> tuple[str, str]:
    """Return A1111's ``Sampler`` and ``Schedule type`` of a sampler and a schedule by their keys."""
    spec, levels = SCHEDULER_BY_KEY.get(scheduler), SCHEDULE_BY_KEY.get(schedule)
    return spec.sampler if spec else scheduler, levels.title if levels else schedule


def to_comfyui(scheduler: str, schedule: str) -> tuple[str, str] | None:
    """Return ComfyUI's ``sampler_name`` and ``scheduler``; ``None`` for a sampler it does not have."""
    spec = SCHEDULER_BY_KEY.get(scheduler)
    if spec is None or not spec.comfyui:
        return None
    levels = SCHEDULE_BY_KEY.get(schedule_of(spec, schedule))
    return spec.comfyui, levels.comfyui if levels and levels.comfyui else "ddim_uniform"


def to_invokeai(scheduler: str, schedule: str) -> str | None:
    """Return InvokeAI's ``scheduler``; ``None`` for a pair it does not have."""
    spec = SCHEDULER_BY_KEY.get(scheduler)
    if spec is None or not spec.invokeai:
        return None
    suffix = {"karras": "_k", "uniform": "", "": ""}.get(schedule_of(spec, schedule))
    return None if suffix is None else spec.invokeai + suffix


def _meant(sampler: str, schedule: str) -> Sampling | None:
    base, said = _split(sampler)
    found = find_sampling(sampler) or find_sampling(base)
    near = NEAREST.get(sampler.strip().lower()) or NEAREST.get(base.strip().lower())
    if found is None and near is None:
        return None
    spec, held = found or (SCHEDULER_BY_KEY[near or ""], "")
    key = find_schedule(schedule) if schedule else AUTOMATIC
    if key == AUTOMATIC:
        key = held or said or AUTOMATIC
    if not spec.automatic:  # DDIM and its like have levels of their own in A1111 too, whatever its text says
        return Sampling(spec.key, AUTOMATIC, found is not None)
    known = key is not None and schedule.lower() not in _OTHER_SCHEDULES
    return Sampling(spec.key, key or AUTOMATIC, found is not None, known)


def _split(name: str) -> tuple[str, str]:
    """Return a sampler's name without the schedule that stands behind it, and that schedule's key, "" for none."""
    words = name.split()
    for count in (3, 2, 1):
        if len(words) > count:
            key = find_schedule(" ".join(words[-count:]))
            if key is not None:
                return " ".join(words[:-count]), key
    return name, ""
