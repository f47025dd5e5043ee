"""A second pass in A1111's text: its strength goes by the key of a picture drawn over another.

What the extension "Ultimate SD upscale" records is read too: it redraws tile after tile, each as a masked part of the
picture, where the studio joins all tiles at each step. Size, tile, upscaler and strength mean the same; how tiles are
joined does not, and stays left over (its ``scripts/ultimate-upscale.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sdstudio.catalog.schedulers import SCHEDULER_BY_KEY, find_sampling
from sdstudio.catalog.schedules import AUTOMATIC
from sdstudio.core.request.larger_size import CELL_PX
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.second_pass_fields import idle_without_second_pass

STRENGTH_KEY: Final = "Denoising strength"
STRENGTH_ORDER: Final = 58
_SAMPLER_KEY: Final = "Hires sampler"
_SCHEDULE_KEY: Final = "Hires schedule type"
_ULTIMATE: Final = "Ultimate SD upscale"
_OVERLAP: Final = GenerationRequest.model_fields["tile_overlap"].default
_NO_UPSCALERS: Final = frozenset({"none", "lanczos", "nearest"})
"""Upscalers of that extension that are no file; for the last one Lanczos stands in."""
_NOT_GIVEN: Final = "Latent"
"""The upscaler of texts that name none, as A1111 reads them."""

_BEGINNINGS: Final = ("hires", "first pass size", "second pass", "tiled redraw", _ULTIMATE.casefold())
"""Begin the keys of a second, larger pass, in lower case: A1111's, those of A1111 before 2023, and SD.Next's."""

KEYS_BESIDE: Final[Mapping[str, tuple[str, ...]]] = {"hires_strength": (STRENGTH_KEY,)}
"""Field of the request -> the keys that follow from it and are not declared with it."""


def has_second_pass(pairs: Mapping[str, str]) -> bool:
    """Say whether a text's keys record a second pass, so that its strength is not that of a picture from a picture."""
    return any(key.casefold().startswith(_BEGINNINGS) for key in pairs)


def second_pass_keys(request: GenerationRequest) -> list[tuple[int, str, str]]:
    """Return the keys with their order, as `history.picture_text.pnginfo.infotext` joins them."""
    if "hires_strength" in idle_without_second_pass(dict(request)):
        return []
    return [(STRENGTH_ORDER, STRENGTH_KEY, repr(request.hires_strength).removesuffix(".0"))]


def take_second_pass(values: dict[str, Any], leftovers: dict[str, str], pairs: Mapping[str, str]) -> None:
    """Move the strength and the upscaler of a second pass to the values; what is no number stays.

    Before version 1.9 A1111's samplers had the schedule in their names.
    """
    _take_ultimate(values, leftovers)
    sampling = find_sampling(pairs.get(_SAMPLER_KEY, "")) if "hires_scheduler" in values else None
    if sampling is not None and sampling[1]:
        values.setdefault("hires_schedule", sampling[1])
    spec = SCHEDULER_BY_KEY.get(values.get("hires_scheduler") or values.get("scheduler", ""))
    if spec is not None and values.get("hires_schedule", AUTOMATIC) not in spec.schedules:  # it did nothing there
        del values["hires_schedule"]
        leftovers |= {key: text for key, text in pairs.items() if key == _SCHEDULE_KEY}
    if not values.keys() & {"hires", "hires_resize", "tile_redraw"}:
        return
    if "tile_redraw" not in values:
        values.setdefault("hires_upscaler", _NOT_GIVEN)
    try:
        strength = float(leftovers.get(STRENGTH_KEY, ""))
    except ValueError:
        return
    if 0 <= strength <= 1:
        values["hires_strength"] = strength
        del leftovers[STRENGTH_KEY]


def _take_ultimate(values: dict[str, Any], leftovers: dict[str, str]) -> None:
    """Move what "Ultimate SD upscale" records and the studio draws alike to the values."""
    names = ("upscaler", "tile_width", "tile_height")
    keys = {name: f"{_ULTIMATE} {name}" for name in names}
    upscaler, width, height = (leftovers.get(keys[name], "") for name in names)
    if not width.isdecimal() or "width" not in values or "height" not in values:
        return
    values["tile_redraw"] = f"{values['width']}x{values['height']}"
    side = int(width)
    if height in (width, "0", "") and side % CELL_PX == 0 and side > _OVERLAP:
        values["tile_size"] = side
        for name in names[1:]:
            leftovers.pop(keys[name], None)
    if upscaler.casefold() not in _NO_UPSCALERS:
        values["hires_upscaler"] = upscaler
    leftovers.pop(keys["upscaler"], None)
    leftovers[_ULTIMATE] = "its tiles were drawn one after the other; here all are drawn together at each step"
