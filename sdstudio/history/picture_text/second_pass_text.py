"""A second pass in A1111's text: its strength goes by the key of a picture drawn over another, its size by two keys.

``Hires upscale`` is a factor, ``Hires resize`` a size, which is read where it is so many times the first on both sides
(A1111 ``modules/processing.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.second_pass_fields import idle_without_second_pass
from sdstudio.core.request.seed_fields import size_in

STRENGTH_KEY: Final = "Denoising strength"
STRENGTH_ORDER: Final = 58
_RESIZE_KEY: Final = "Hires resize"
_NOT_GIVEN: Final = "Latent"
"""The upscaler of texts that name none, as A1111 reads them."""

_BEGINNINGS: Final = ("hires", "first pass size", "second pass")
"""Begin the keys of a second, larger pass, in lower case: A1111's, those of A1111 before 2023, and SD.Next's."""

KEYS_BESIDE: Final[Mapping[str, tuple[str, ...]]] = {"hires_strength": (STRENGTH_KEY,), "hires": (_RESIZE_KEY,)}
"""Field of the request -> the keys that follow from it and are not declared with it."""


def has_second_pass(pairs: Mapping[str, str]) -> bool:
    """Say whether a text's keys record a second pass, so that its strength is not that of a picture from a picture."""
    return any(key.casefold().startswith(_BEGINNINGS) for key in pairs)


def second_pass_keys(request: GenerationRequest) -> list[tuple[int, str, str]]:
    """Return the keys with their order, as `history.picture_text.pnginfo.infotext` joins them."""
    if "hires_strength" in idle_without_second_pass(dict(request)):
        return []
    return [(STRENGTH_ORDER, STRENGTH_KEY, repr(request.hires_strength).removesuffix(".0"))]


def take_second_pass(values: dict[str, Any], leftovers: dict[str, str]) -> None:
    """Move the factor, the strength and the upscaler of a second pass to the values; what is no number stays."""
    size = size_in(leftovers.get(_RESIZE_KEY, ""))
    factor = _factor(size, values) if size is not None and "hires" not in values else 0.0
    if factor:
        values["hires"] = factor
        del leftovers[_RESIZE_KEY]
    if "hires" not in values:
        return
    values.setdefault("hires_upscaler", _NOT_GIVEN)
    try:
        strength = float(leftovers.get(STRENGTH_KEY, ""))
    except ValueError:
        return
    if 0 <= strength <= 1:
        values["hires_strength"] = strength
        del leftovers[STRENGTH_KEY]


def _factor(size: tuple[int, int], values: Mapping[str, Any]) -> float:
    """Return by how much a size is larger than that of the first pass; 0 where it is no factor that can be had."""
    if "width" not in values or "height" not in values:
        return 0.0
    factors = {round(side / values[name], 2) for side, name in zip(size, ("width", "height"), strict=True)}
    (factor, *others) = factors
    return factor if not others and 1 < factor <= 4 else 0.0
