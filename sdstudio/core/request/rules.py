"""What of a request goes together: which schedule a sampler takes, and which fields act at all.

Until 0.1 a sampler and its schedule were one field ("dpmpp_2m_karras"); `modern` reads what was written then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from sdstudio.catalog.schedulers import (
    SCHEDULER_BY_KEY,
    TAKEN_BY_SOME,
    SchedulerSpec,
    find_sampling,
    find_schedule,
    nearest_schedulers,
)
from sdstudio.catalog.schedules import AUTOMATIC, SCHEDULE_BY_KEY, SCHEDULES
from sdstudio.core.compatibility import A1111, FIRST_COMPATIBILITY
from sdstudio.core.errors import InvalidRequest
from sdstudio.core.params import Choice
from sdstudio.core.request.detail_fields import (
    NEED_REGIONS,
    check_boxes,
    check_detail,
    has_detail,
    idle_without_regions,
)
from sdstudio.core.request.finish_fields import (
    FINISH_FIELDS,
    LANCZOS,
    idle_without_finish,
    is_finished,
    largest_finish,
    made_size,
)
from sdstudio.core.request.input_fields import INPUT_ROLES, NEED_PICTURE, idle_without_picture
from sdstudio.core.request.larger_size import SIDE_MAXIMUM, check_size, second_size
from sdstudio.core.request.mask_fields import (
    LATENT_NOISE,
    LATENT_NOTHING,
    OF_SOFT_INPAINTING,
    SOFT_INPAINTING,
    idle_beside_blending,
)
from sdstudio.core.request.outpaint_fields import KEPT, adds_ground, idle_without_ground
from sdstudio.core.request.second_pass_fields import (
    LATENT,
    NEED_SECOND_PASS,
    SIZES,
    has_second_pass,
    idle_without_second_pass,
    over_input,
)
from sdstudio.core.request.seed_fields import NEED_STRENGTH, idle_without_strength
from sdstudio.core.request.tile_fields import NEED_TILES, check_tiles


def named(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return loose values with sampler and schedule by their keys; a schedule that the sampler's name holds wins.

    Raises:
        InvalidRequest: Nothing goes by such a name.
    """
    values = dict(values)
    if isinstance(values.get("schedule"), str):
        values["schedule"] = _schedule_key(values["schedule"])
    if values.get("hires_schedule") and isinstance(values["hires_schedule"], str):
        values["hires_schedule"] = _schedule_key(values["hires_schedule"], "hires_schedule")
    if values.get("hires_scheduler") and isinstance(values["hires_scheduler"], str):
        spec, schedule = _sampling(values["hires_scheduler"], "hires_scheduler")
        values["hires_scheduler"] = spec.key
        if schedule:
            values["hires_schedule"] = schedule
    if str(values.get("finish_upscaler")).casefold() == LANCZOS.casefold():
        values["finish_upscaler"] = ""
    if isinstance(values.get("scheduler"), str):
        spec, schedule = _sampling(values["scheduler"])
        values["scheduler"] = spec.key
        if schedule:
            values["schedule"] = schedule
    return values


def modern(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values that any version wrote, as this one would have: "dpmpp_2m_karras" is a sampler and a schedule.

    A sampler without a schedule in its name stepped at evenly spaced levels then, whatever is automatic now.
    """
    values = dict(values)
    if "schedule" not in values and isinstance(values.get("scheduler"), str):
        sampling = find_sampling(values["scheduler"])
        if sampling is not None:
            spec, schedule = sampling
            values["scheduler"] = spec.key
            values["schedule"] = schedule or ("uniform" if spec.automatic else AUTOMATIC)
    return values


def over_defaults(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return given values over a model's defaults, of which those that belong to its own sampler go with it.

    Raises:
        InvalidRequest: Nothing goes by the given sampler's name.
    """
    if isinstance(given.get("scheduler"), str):
        spec, _ = _sampling(given["scheduler"])
        if spec.key != defaults.get("scheduler"):
            leaving = OF_SCHEDULES | TAKEN_BY_SOME
            defaults = {name: value for name, value in defaults.items() if name not in leaving}
    return {**defaults, **given}


OF_SCHEDULES: Final = frozenset({"schedule", "last_level"})
"""Fields of a request that act on every sampler but those with noise levels of their own."""

DEPENDENT: Final = (
    TAKEN_BY_SOME
    | NEED_PICTURE
    | NEED_STRENGTH
    | NEED_SECOND_PASS
    | NEED_TILES
    | SIZES
    | FINISH_FIELDS
    | NEED_REGIONS
    | OF_SCHEDULES
    | {"tile_redraw", "seamless", "emphasis"}
)
"""Fields of a request that act only beside certain values of others."""

DECIDING: Final = (
    "scheduler",
    *INPUT_ROLES,
    "mask_blending",
    "outpaint",
    "outpaint_fill",
    "transparency",
    "variation_strength",
    "hires",
    "hires_resize",
    "tile_redraw",
    "finish",
    "detail",
    "detail_boxes",
    "prompt_syntax",
    "compatibility",
)
"""Fields whose values decide which others act."""


def idle_fields(values: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields of a request that do not act beside these values of it: sampler, by its key, input picture."""
    idle = idle_without_picture(values) | idle_beside_blending(values) | idle_without_strength(values)
    idle |= idle_without_second_pass(values) | idle_without_finish(values) | idle_without_regions(values)
    idle |= idle_without_ground(values)
    spec = SCHEDULER_BY_KEY.get(values.get("scheduler", ""))
    if spec is None:
        return idle
    idle |= TAKEN_BY_SOME - set(spec.at(values.get("compatibility", "")).takes)
    return idle if spec.automatic else idle | OF_SCHEDULES


def idle_prompt_fields(values: Mapping[str, Any]) -> frozenset[str]:
    """Return the same for how prompts are read, which texts keep all the same: what A1111 calls emphasis is its own."""
    is_other = values.get("prompt_syntax", A1111) != A1111 and values.get("compatibility") != FIRST_COMPATIBILITY
    return frozenset({"emphasis"}) if is_other else frozenset()


def schedule_choices(scheduler: str = "") -> list[Choice]:
    """Return the schedules to choose from; with a sampler's key, the first names what is automatic for it."""
    spec = SCHEDULER_BY_KEY.get(scheduler)
    choices = [Choice(row.key, row.title, row.about) for row in SCHEDULES]
    if spec is not None and spec.automatic:
        choices[0] = replace(choices[0], title=f"Automatic ({SCHEDULE_BY_KEY[spec.automatic].title})")
    return choices


def check_together(request: Any, given: Mapping[str, Any]) -> None:
    """Check that the given fields of a request agree with each other.

    Raises:
        InvalidRequest: Two do not.
    """
    _check_blending(request, given)
    _check_second_pass(request)
    _check_finish(request)
    check_detail(request)
    if not request.init_image and {"width", "height"} <= given.keys():
        check_boxes(request.detail_boxes, second_size(request.width, request.height, dict(request)))
    _check_ground(request)
    spec = SCHEDULER_BY_KEY.get(request.scheduler)
    if spec is None or "scheduler" not in given:
        return
    if request.schedule not in spec.schedules:
        title = SCHEDULE_BY_KEY[request.schedule].title if request.schedule in SCHEDULE_BY_KEY else request.schedule
        message = f"Schedule = {title}: {spec.title} has noise levels of its own."
        raise InvalidRequest("schedule", message, f"Use {AUTOMATIC}, or another sampler.")
    if not spec.automatic and request.last_level != AUTOMATIC and "last_level" in given:
        title = type(request).model_fields["last_level"].title
        message = f"{title} = {request.last_level}: {spec.title} has noise levels of its own."
        raise InvalidRequest("last_level", message, f"Use {AUTOMATIC}, or another sampler.")
    for name in sorted(TAKEN_BY_SOME - set(spec.at(request.compatibility).takes)):
        field = type(request).model_fields[name]
        if name in given and getattr(request, name) != field.default:
            message = f"{field.title} = {getattr(request, name):g}: it does not act on {spec.title}."
            others = ", ".join(other.key for other in SCHEDULER_BY_KEY.values() if name in other.takes)
            raise InvalidRequest(name, message, f"Leave it at {field.default:g}, or use {others}.")


def _check_blending(request: Any, given: Mapping[str, Any]) -> None:
    if "mask_blending" not in given or request.mask_blending == SOFT_INPAINTING:
        return
    for name in sorted(OF_SOFT_INPAINTING & given.keys()):
        field = type(request).model_fields[name]
        if getattr(request, name) != field.default:
            message = f"{field.title} = {getattr(request, name):g}: it acts on soft inpainting alone."
            raise InvalidRequest(name, message, f"Leave it at {field.default:g}, or set Mask blending to that.")


def _check_ground(request: Any) -> None:
    """Check that what is said of a mask goes with ground that is added: the ground begins from its own fill."""
    if request.init_image and request.transparency == KEPT and has_detail(dict(request)):
        message = "What is transparent = keep: not while regions are redrawn, which is done on white."
        raise InvalidRequest("transparency", message, "Redraw the regions later, or keep no transparency.")
    if not request.mask or not adds_ground(dict(request)):
        return
    for name, others, instead in (
        ("mask_blending", (SOFT_INPAINTING,), "latent blending or differential diffusion"),
        ("masked_content", (LATENT_NOISE, LATENT_NOTHING), "original or fill"),
    ):
        if getattr(request, name) in others:
            title, value = type(request).model_fields[name].title, getattr(request, name).replace("_", " ")
            message = f"{title} = {value}: not while ground is added to the picture (Outpaint)."
            raise InvalidRequest(name, message, f"Use {instead}, or add the ground first.")


def _check_second_pass(request: Any) -> None:
    check_tiles(request)
    if not has_second_pass(request):
        return
    field = "tile_redraw" if request.tile_redraw else "hires_resize" if request.hires_resize else "hires"
    size = second_size(request.width, request.height, dict(request))
    title = type(request).model_fields[field].title
    if field == "hires" and max(size) > SIDE_MAXIMUM:
        message = f"{title} = {request.hires:g}: {size[0]} x {size[1]} is too large: at most {SIDE_MAXIMUM} on a side."
        most = math.floor(SIDE_MAXIMUM / max(request.width, request.height) * 100) / 100
        raise InvalidRequest("hires", message, f"Use {most:g} or less, or begin smaller.")
    check_size(size, f"{title} = {getattr(request, field)}", field, is_tiled=bool(request.tile_redraw))
    if over_input(request) and request.hires_upscaler in LATENT:
        message = f"{type(request).model_fields['hires_upscaler'].title} = {request.hires_upscaler}: "
        message += "an input picture is enlarged as it is seen."
        raise InvalidRequest("hires_upscaler", message, "Use another one, or leave it blank.")
    spec = SCHEDULER_BY_KEY.get(request.hires_scheduler or request.scheduler)
    if spec is not None and request.hires_schedule and request.hires_schedule not in spec.schedules:
        schedule = SCHEDULE_BY_KEY[request.hires_schedule].title
        title = type(request).model_fields["hires_schedule"].title
        message = f"{title} = {schedule}: {spec.title} has noise levels of its own."
        raise InvalidRequest("hires_schedule", message, "Leave it as it begins, or use another sampler.")


def _check_finish(request: Any) -> None:
    size = made_size(dict(request))
    if max(size) <= SIDE_MAXIMUM or not is_finished(request):
        return
    title = type(request).model_fields["finish"].title
    message = f"{title} = {request.finish:g}: {size[0]} x {size[1]} is too large: at most {SIDE_MAXIMUM} on a side."
    most = math.floor(largest_finish(dict(request)) * 100) / 100
    raise InvalidRequest("finish", message, f"Use {most:g} or less, or begin smaller.")


def _sampling(name: str, field: str = "scheduler") -> tuple[SchedulerSpec, str]:
    sampling = find_sampling(name)
    if sampling is not None:
        return sampling
    near = nearest_schedulers(name)
    hint = "See them all with `sdstudio schedulers`."
    if near:
        hint = f"Did you mean {' or '.join(spec.key for spec in near)}?"
    raise InvalidRequest(field, f"Sampler = {name[:60]!r}: there is no such sampler.", hint)


def _schedule_key(name: str, field: str = "schedule") -> str:
    key = find_schedule(name)
    if key is None:
        allowed = ", ".join(spec.key for spec in SCHEDULES)
        message = f"Schedule = {name[:60]!r}: allowed is {allowed}."
        raise InvalidRequest(field, message, f"The default is {AUTOMATIC}.")
    return key
