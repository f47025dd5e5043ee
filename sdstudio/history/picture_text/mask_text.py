"""A mask in A1111's text beside the fields' own keys: whether the whole picture is drawn, and how it is soft.

A1111 writes ``Inpaint area: Only masked`` with ``Masked area padding`` behind it, and a padding it does not write is 32
(``modules/infotext_utils.py``); soft inpainting, an extension of its own, has a key that records it was on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sdstudio.core.request.input_fields import MASK, idle_without_picture
from sdstudio.core.request.mask_fields import SOFT_INPAINTING
from sdstudio.core.request.request import GenerationRequest

_AREA_KEY: Final = "Inpaint area"
_ONLY_MASKED: Final = "Only masked"
_PADDING: Final = 32
_SOFT_KEY: Final = "Soft inpainting enabled"
_SOFT_ON: Final = "True"
# Places among the keys that the request's fields declare (`core.request.mask_fields`).
_AREA_ORDER, _SOFT_ORDER = 83, 87

KEYS_BESIDE: Final[Mapping[str, tuple[str, ...]]] = {"only_masked": (_AREA_KEY,), "mask_blending": (_SOFT_KEY,)}
"""Field of the request -> the keys that follow from it and are not declared with it."""


def mask_keys(request: GenerationRequest) -> list[tuple[int, str, str]]:
    """Return the keys with their order, as `history.picture_text.pnginfo.infotext` joins them."""
    if MASK.field in idle_without_picture(dict(request)) or not MASK.picture_in(request):
        return []
    area = _ONLY_MASKED if request.only_masked is not None else ""
    soft = _SOFT_ON if request.mask_blending == SOFT_INPAINTING else ""
    return [(_AREA_ORDER, _AREA_KEY, area), (_SOFT_ORDER, _SOFT_KEY, soft)]


def take_mask(values: dict[str, Any], leftovers: dict[str, str]) -> None:
    """Move what A1111's keys record of a mask to the values, and report that the mask itself is not inside."""
    area = leftovers.get(_AREA_KEY, "")
    if area == _ONLY_MASKED:
        values.setdefault("only_masked", _PADDING)
        del leftovers[_AREA_KEY]
    elif area == "Whole picture":
        values.pop("only_masked", None)
        del leftovers[_AREA_KEY]
    soft = leftovers.get(_SOFT_KEY, "")
    if soft in (_SOFT_ON, "False"):
        if soft == _SOFT_ON:
            values["mask_blending"] = SOFT_INPAINTING
        del leftovers[_SOFT_KEY]
    if MASK.dependent & values.keys() and MASK.field not in values:
        leftovers.setdefault(MASK.title, "drawn with a mask, which is not inside")
