"""Text that records how a picture was made, without the picture: copied from a page, a chat, or the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from pydantic import ValidationError

from sdstudio.core.params import parameters
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.rules import modern
from sdstudio.history.picture_text.foreign.found import object_in, short_text
from sdstudio.history.picture_text.foreign.origin import Reading
from sdstudio.history.picture_text.foreign.reading import RECORDED_FIELDS, read_texts_of_picture, shortened
from sdstudio.history.picture_text.pnginfo import A1111_KEY, RECIPE_KEY

LONGEST: Final = 400_000
"""Longest text that is looked into, in characters: a large workflow of ComfyUI has 200,000."""
_JSON_PLACES: Final = (A1111_KEY, "invokeai_metadata", "sd-metadata", "Comment", "prompt", "workflow")
"""Under which names of a PNG's texts other programs write JSON; what was copied does not show which it was."""
_OWN_FACTS: Final = frozenset({"prompt", "steps", "scheduler", "schedule", "guidance_scale"})
"""Stand in every line of ``sdstudio generate --json``."""


def read_pasted(text: str) -> Reading | None:
    """Return what a text records about how a picture was made, ``None`` when it is something else, such as a prompt.

    Read are A1111's text, a recipe of the studio, the lines of ``sdstudio history show --json`` and ``sdstudio generate
    --json``, and the JSON that other programs write into pictures.
    """
    if len(text) > LONGEST:
        return None
    values = object_in(text)
    if not values:
        return read_texts_of_picture({A1111_KEY: text})
    own = _own_recipe(values)
    if own is not None:
        return _told(read_texts_of_picture({RECIPE_KEY: json.dumps(own)}), own["request"])
    readings = (read_texts_of_picture({place: text}) for place in _JSON_PLACES)
    return next((reading for reading in readings if reading is not None), None)


def _told(reading: Reading | None, request: Mapping[str, Any]) -> Reading | None:
    """Return what the studio's own JSON tells: no word of it becomes a default in silence, as a stored one's may.

    It may have been written by a person or a script. What it lacks, or has wrong, stays as it is in the window.
    """
    if reading is None:
        return None
    titles = {row.name: row.title for row in parameters(GenerationRequest)}
    refused = _refused(request)
    kept = [name for name in titles if name in refused or (name in RECORDED_FIELDS and name not in request)]
    wrong = {titles.get(name, name): short_text(value) for name, value in refused.items()}
    not_mapped = shortened({**reading.not_mapped, **wrong})
    return replace(reading, not_mapped=not_mapped, assumed=(*reading.assumed, *(titles[name] for name in kept)))


def _refused(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values that are not allowed, and those of keys that nobody knows."""
    try:
        GenerationRequest(**modern(request))
    except ValidationError as error:
        return {str(item["loc"][0]): item["input"] for item in error.errors()}
    return {}


def _own_recipe(values: Mapping[str, Any]) -> Mapping[str, Any] | None:
    inside = values.get("recipe")
    if isinstance(inside, dict):
        values = inside
    if isinstance(values.get("request"), dict):
        return {"app": "", **values}
    if values.keys() >= _OWN_FACTS:
        names = {row.name for row in parameters(GenerationRequest)}
        request = {name: value for name, value in values.items() if name in names}
        of_model = {name: values[name] for name in ("model_name", "model_hash") if isinstance(values.get(name), str)}
        return {"app": "", "request": request, **of_model}
    return None
