"""The detailer in A1111's text beside the fields' own keys: what its extension ADetailer writes of one unit.

Its detectors are networks for one kind of thing each. Such a network is not drawn with here, and stays left over; what
its name says it finds is looked for by words. Units behind the first (``ADetailer model 2nd``) stay left over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sdstudio.core.params import parameters
from sdstudio.core.request.detail_fields import NEED_REGIONS, has_detail
from sdstudio.core.request.request import GenerationRequest

_MODEL_KEY: Final = "ADetailer model"
_CLASSES_KEY: Final = "ADetailer model classes"
_ON: Final = "True"
_SEPARATE: Final[Mapping[str, tuple[int, str]]] = {
    "detail_steps": (130, "ADetailer use separate steps"),
    "detail_guidance": (132, "ADetailer use separate CFG scale"),
}
"""Field -> place and key of what switches it on."""
_QUERIES: Final[Mapping[str, str]] = {"face": "a face.", "hand": "a hand.", "person": "a person.", "eyes": "eyes."}
"""Word in the name of one of ADetailer's networks -> what finds the same things by words."""

KEYS_BESIDE: Final[Mapping[str, tuple[str, ...]]] = {name: (key,) for name, (_place, key) in _SEPARATE.items()}
"""Field of the request -> the keys that follow from it and are not declared with it."""


def detail_keys(request: GenerationRequest) -> list[tuple[int, str, str]]:
    """Return the keys with their order, as `history.picture_text.pnginfo.infotext` joins them."""
    if not has_detail(dict(request)):
        return []
    return [(place, key, _ON) for name, (place, key) in _SEPARATE.items() if getattr(request, name)]


def take_detail(values: dict[str, Any], leftovers: dict[str, str], pairs: Mapping[str, str]) -> None:
    """Move what ADetailer's keys record of its first unit to the values; without something to find all stays left over.

    Args:
        values: For a request, with what the fields' own keys hold.
        leftovers: The keys that are not taken.
        pairs: All keys of the text.
    """
    if "detail" not in values:
        query = _query(leftovers)
        if query:
            values["detail"] = query
    keys = {row.name: row.infotext.key for row in parameters(GenerationRequest) if row.infotext is not None}
    for name, (_place, key) in _SEPARATE.items():
        if leftovers.get(key) == _ON and name in values:
            del leftovers[key]
    if has_detail(values):
        return
    for name in NEED_REGIONS & values.keys():
        del values[name]
        leftovers[keys[name]] = pairs[keys[name]]


def _query(leftovers: dict[str, str]) -> str:
    """Return the words for what ADetailer looks for, "" where nobody knows."""
    classes = [part.strip() for part in leftovers.get(_CLASSES_KEY, "").split(",") if part.strip()]
    if classes:
        del leftovers[_CLASSES_KEY]
        return " ".join(f"{name}." for name in classes)
    model = leftovers.get(_MODEL_KEY, "").casefold()
    return next((query for word, query in _QUERIES.items() if word in model), "")
