"""How any picture is read: the studio's own recipe, else what another program wrote, as a recipe of ours.

A foreign picture's recipe names the model as its program did; which model of the library that is, is found when the
parameters are used, for it may come to the library later. What the studio has no field for is kept in the recipe.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Final

from PIL import Image

from sdstudio.core.compatibility import NEWEST_COMPATIBILITY
from sdstudio.core.errors import InvalidRequest, PictureUnreadable
from sdstudio.core.params import parameters
from sdstudio.core.pictures.opening import load_whole, opened_picture
from sdstudio.core.request.recipe import IMPORTED, Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.picture_text.foreign.found import Found
from sdstudio.history.picture_text.foreign.origin import INPUT_PICTURE, Reading, origin_of
from sdstudio.history.picture_text.foreign.programs import PROGRAMS
from sdstudio.history.picture_text.foreign.stealth import stealth_texts
from sdstudio.history.picture_text.pnginfo import own_recipe, read_pairs
from sdstudio.history.picture_text.texts import texts_of
from sdstudio.history.thumbnails import reduced

log = logging.getLogger(__name__)

VALUE_MAXIMUM: Final = 400
"""Longest value kept of what was not taken over, in characters."""
LEFTOVERS_MAXIMUM: Final = 60
_HELD_ELSEWHERE: Final = frozenset({"Model", "Model hash", "Version"})
RECORDED_FIELDS: Final = ("steps", "guidance_scale", "scheduler", "seed", "width", "height")
"""Every program records them; where one does not, that is shown."""


def read_picture(path: Path | BinaryIO) -> Reading | None:
    """Return what a picture records, ``None`` when it records nothing.

    Raises:
        PictureUnreadable: Missing, empty, damaged, no picture, or larger than allowed.
    """
    with opened_picture(path) as image:
        reading = _reading(texts_of(image), image.size)
        if reading is None:
            image.load()
            reading = _late_reading(image)
    return reading


def examine_picture(path: Path) -> tuple[Reading | None, Image.Image]:
    """Read a picture to its end, and return what it records and a copy of thumbnail size.

    Raises:
        PictureUnreadable: See `read_picture`; also a wrong checksum, and pixels that end too early.
    """
    with opened_picture(path) as image:
        reading = _reading(texts_of(image), image.size)
        load_whole(path, image)
        return reading or _late_reading(image), reduced(image)


def read_texts_of_picture(texts: Mapping[str, str]) -> Reading | None:
    """Return what texts record that stand in a picture which is not at hand, ``None`` when they record nothing."""
    return _reading(texts, None)


def recipe_of(path: Path) -> Recipe | None:
    """Return how a picture was made, ``None`` when it does not record or cannot be read."""
    try:
        reading = read_picture(path)
    except PictureUnreadable as error:
        log.info("no recipe: %s", error)
        return None
    return reading.recipe if reading else None


def _late_reading(image: Image.Image) -> Reading | None:
    """Read what is only there once the pixels are: text behind them, and text hidden in them."""
    return _reading(texts_of(image), image.size) or _reading(stealth_texts(image), image.size)


def _reading(texts: Mapping[str, str], size: tuple[int, int] | None) -> Reading | None:
    recipe = own_recipe(texts)
    if recipe is not None:
        return origin_of(recipe) or Reading("", recipe)
    for program in PROGRAMS:
        found = program.read(texts)
        if found is not None:
            return _of(found, size)
    return None


def _of(found: Found, size: tuple[int, int] | None) -> Reading | None:
    """Turn what was found into a recipe; without a prompt and steps it was no picture's parameters after all."""
    own_size = "Size" not in found.pairs and size is not None
    if own_size and size is not None:
        found.add_size(*size)
    read = read_pairs(found.tagged_prompt(), found.negative, found.pairs)
    if own_size:  # a size that the picture did not record is no loss when it is not allowed
        for key in ("Size-1", "Size-2"):
            read.leftovers.pop(key, None)
    if not read.values.get("prompt") and "steps" not in read.values:
        return None
    unmapped = {
        name: f"{read.leftovers[name]}; {text}" if name in read.leftovers and name != INPUT_PICTURE else text
        for name, text in found.unmapped.items()
    }
    model = read.leftovers.get("Model", "")
    mapped = {name: text for name, text in read.leftovers.items() if name not in _HELD_ELSEWHERE}
    left = shortened({**mapped, **unmapped})
    titles = {row.name: row.title for row in parameters(GenerationRequest)}
    assumed = tuple(titles[name] for name in RECORDED_FIELDS if name not in read.values)
    kept: dict[str, Any] = {"program": found.program, "not_mapped": left, "assumed": list(assumed)}
    recipe = Recipe(
        app=found.program,
        request=_request({**read.values, "model": model}),
        model_name=model,
        model_hash=read.leftovers.get("Model hash", ""),
        made_with={IMPORTED: kept},
    )
    return Reading(found.program, recipe, MappingProxyType(left), assumed)


def shortened(left: dict[str, str]) -> dict[str, str]:
    """Return what was not taken over, no longer than is kept; how much more there was is added."""
    names = list(left)
    kept = {
        name[:80]: left[name] if len(left[name]) <= VALUE_MAXIMUM else left[name][: VALUE_MAXIMUM - 1] + "…"
        for name in names[:LEFTOVERS_MAXIMUM]
    }
    if len(names) > LEFTOVERS_MAXIMUM:
        kept["And more"] = ", ".join(names[LEFTOVERS_MAXIMUM : 2 * LEFTOVERS_MAXIMUM])[:VALUE_MAXIMUM]
    return kept


def _request(values: dict[str, Any]) -> GenerationRequest:
    """Build a request of values that are allowed one by one; where they do not go together, only what always does."""
    try:
        return GenerationRequest.checked(values)
    except InvalidRequest as error:
        log.info("the values of a picture do not go together: %s", error)
        return GenerationRequest.stored({"compatibility": NEWEST_COMPATIBILITY, **values})
