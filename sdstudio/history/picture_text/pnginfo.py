"""How a picture carries its recipe: exactly, for the studio, under ``sdstudio``, and as A1111 text, for all others.

The text's keys, order, quoting and reading rules are those of A1111 (``modules/infotext_utils.py``, and Forge's
``create_infotext``). It cannot hold every prompt (a line that begins with "Negative prompt:", blanks at the ends), so
the exact JSON stands beside it.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from PIL import ExifTags, Image, PngImagePlugin

from sdstudio import __version__
from sdstudio.catalog.names import from_a1111, from_studio_0_1, to_a1111
from sdstudio.catalog.schedulers import TAKEN_BY_SOME
from sdstudio.core.compatibility import FIRST_COMPATIBILITY
from sdstudio.core.errors import InvalidRequest
from sdstudio.core.files import write_whole
from sdstudio.core.params import FieldKind, Parameter, parameters
from sdstudio.core.request.input_fields import INIT
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.rules import idle_fields
from sdstudio.history.picture_text import detail_text, mask_text, second_pass_text
from sdstudio.history.picture_text.a1111_text import NEGATIVE, a1111_version, parse_pairs
from sdstudio.history.picture_text.attached_text import A1111_NOISE, attached_keys, tagged_prompt, take_attached
from sdstudio.history.picture_text.detail_text import detail_keys, take_detail
from sdstudio.history.picture_text.mask_text import mask_keys, take_mask
from sdstudio.history.picture_text.second_pass_text import has_second_pass, second_pass_keys, take_second_pass
from sdstudio.history.picture_text.texts import MAKER_NOTE

log = logging.getLogger(__name__)

RECIPE_KEY: Final = "sdstudio"
A1111_KEY: Final = "parameters"
NOT_THE_SAME: Final = "Sampler (not the same)"
"""Key under which it is kept what is different about a sampler of that name elsewhere."""
_SIZE = re.compile(r"^(\d{1,9})\s*[xX×]\s*(\d{1,9})$")

# A1111 writes these beside what the request's fields declare; the numbers place them among the fields' orders.
_SAMPLER_ORDER, _SCHEDULE_ORDER, _SIZE_ORDER, _HASH_ORDER, _MODEL_ORDER = 20, 21, 50, 52, 54
_UNFINISHED_ORDER, _VERSION_ORDER = 98, 99
UNFINISHED_KEY: Final = "Unfinished"
"""Records of a picture that was cancelled at which of its ``Steps`` that was; no other program knows the key."""

_KEYS_BESIDE: Final[Mapping[str, tuple[str, ...]]] = {
    "scheduler": ("Sampler", "Schedule type"),
    "schedule": ("Schedule type",),
    "rng": ("RNG",),
    "width": ("Size",),
    "height": ("Size",),
    "model": ("Model hash", "Model"),
    "app": ("Version",),
    **mask_text.KEYS_BESIDE,
    **second_pass_text.KEYS_BESIDE,
    **detail_text.KEYS_BESIDE,
}
"""Field of the request or the recipe -> the keys that follow from it and are not declared with it."""


@dataclass(frozen=True, slots=True)
class Infotext:
    """A1111 text, read.

    Attributes:
        values: For `GenerationRequest.checked`, every one allowed.
        leftovers: What the studio has no field for, or holds a value it does not allow, key -> text as it stood.
    """

    values: dict[str, Any]
    leftovers: dict[str, str]


def write_png(file: Path | BinaryIO, pixels: Image.Image, recipe: Recipe) -> None:
    """Write a PNG with its recipe inside; a path is written whole or not at all.

    Raises:
        SaveFailed: For a path: disk full, folder not writable, name impossible.
    """

    def write(to: BinaryIO) -> None:
        pixels.save(to, "PNG", pnginfo=png_texts(recipe))

    if isinstance(file, Path):
        write_whole(file, write)
    else:
        write(file)


def own_recipe(texts: Mapping[str, str]) -> Recipe | None:
    """Return the studio's own recipe among a picture's texts, ``None`` when there is none that can be read."""
    own = texts.get(RECIPE_KEY) or _behind_mark(texts.get(MAKER_NOTE, ""))
    if own:
        try:
            return Recipe.stored(own)
        except ValueError as error:
            log.warning("a picture's recipe cannot be read: %s", error)
    return None


def _behind_mark(note: str) -> str:
    mark, _, rest = note.partition(":")
    return rest if mark == RECIPE_KEY else ""


def exif_of(recipe: Recipe, without: Collection[str] = ()) -> Image.Exif:
    """Return what a JPEG or WebP file carries: A1111's text as user comment, the exact recipe as maker note."""
    exif = Image.Exif()
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    # Big-endian, as A1111's piexif writes it.
    inner[ExifTags.Base.UserComment] = b"UNICODE\0" + infotext(recipe, without).encode("utf-16-be", "replace")
    inner[ExifTags.Base.MakerNote] = f"{RECIPE_KEY}:{recipe_json(recipe, without)}".encode()
    return exif


def recipe_json(recipe: Recipe, without: Collection[str] = ()) -> str:
    """Return the exact recipe; ``without`` names fields of its request that are left out."""
    values = recipe.model_dump(mode="json")
    for name in without:
        values["request"].pop(name, None)
    return json.dumps(values, ensure_ascii=False) if without else recipe.model_dump_json()


def png_texts(recipe: Recipe, without: Collection[str] = ()) -> PngImagePlugin.PngInfo:
    """Return what a PNG file carries: the exact recipe, and A1111's text."""
    texts = PngImagePlugin.PngInfo()  # before the pixels: some readers stop there
    texts.add_itxt(RECIPE_KEY, recipe_json(recipe, without))
    texts.add_text(A1111_KEY, infotext(recipe, without))  # tEXt when it is Latin-1, else iTXt
    return texts


def infotext(recipe: Recipe, without: Collection[str] = ()) -> str:
    """Return A1111's ``parameters`` text of a recipe; ``without`` names fields of the request that are left out."""
    hidden = {key for name in without for key in keys_of(name)}
    request = recipe.request
    keys: list[tuple[int, str, str]] = []
    idle = idle_fields(dict(request))
    for row in parameters(GenerationRequest):
        value = getattr(request, row.name)
        if row.infotext is None or row.name in idle or value is None:
            continue
        if not row.infotext.optional or value != row.default:
            keys.append((row.infotext.order, row.infotext.key, _shown(row, value)))
    sampler, schedule = to_a1111(request.scheduler, request.schedule)
    keys += [
        (_SAMPLER_ORDER, "Sampler", sampler),
        (_SCHEDULE_ORDER, "Schedule type", schedule),
        (_SIZE_ORDER, "Size", f"{request.width}x{request.height}"),
        (_HASH_ORDER, "Model hash", recipe.model_hash),
        (_MODEL_ORDER, "Model", recipe.model_name or request.model),
        *attached_keys(recipe),
        *mask_keys(request),
        *second_pass_keys(request),
        *detail_keys(request),
        (_UNFINISHED_ORDER, UNFINISHED_KEY, "step {} of {}".format(*recipe.unfinished) if recipe.unfinished else ""),
        (_VERSION_ORDER, "Version", f"{RECIPE_KEY} {__version__}"),
    ]
    line = ", ".join(f"{key}: {_quoted(value)}" for _, key, value in sorted(keys) if value and key not in hidden)
    negative = f"\n{NEGATIVE} {request.negative_prompt}" if request.negative_prompt else ""
    return f"{tagged_prompt(recipe)}{negative}\n{line}".replace("\0", " ").strip()


def keys_of(name: str) -> tuple[str, ...]:
    """Return the keys under which a field of the request stands in the text."""
    row = _ROWS.get(name)
    own = (row.infotext.key,) if row is not None and row.infotext is not None else ()
    return own + _KEYS_BESIDE.get(name, ())


def _shown(row: Parameter, value: Any) -> str:
    if value == "" and row.infotext is not None:
        return row.infotext.blank
    if row.kind is FieldKind.CHOICE:
        return next((text for choice, text in _choice_texts(row) if choice == value), str(value))
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _choice_texts(row: Parameter) -> list[tuple[Any, str]]:
    """Return the values of a choice with what the text writes for each."""
    titles = tuple(choice.title for choice in row.choices)
    texts = row.infotext.texts if row.infotext is not None and row.infotext.texts else titles
    return [(choice.value, text) for choice, text in zip(row.choices, texts, strict=True)]


def _quoted(value: str) -> str:
    if any(mark in value for mark in ",:\n\r") or value.startswith('"'):
        return json.dumps(value, ensure_ascii=False)
    return value


def split_infotext(text: str) -> Infotext:
    """Read A1111 text of any version into values for a request and what is left over."""
    prompt, negative, pairs = parse_pairs(text)
    if "Steps" in pairs:
        pairs.setdefault("RNG", A1111_NOISE)
    return read_pairs(prompt, negative, pairs) if prompt or negative or pairs else Infotext({}, {})


def read_pairs(prompt: str, negative: str, pairs: Mapping[str, str]) -> Infotext:
    """Read prompts and A1111's keys with their texts into values for a request and what is left over.

    Whatever another program calls a thing, it is kept here under A1111's key, so that each declared field is read in
    one place.
    """
    values: dict[str, Any] = {}
    leftovers = dict(pairs)
    for name, text_value in (("prompt", prompt), ("negative_prompt", negative)):
        _take(values, leftovers, name, name, text_value)
    passed = {"strength"} if has_second_pass(pairs) else set()
    for row in parameters(GenerationRequest):
        if row.infotext is not None and row.infotext.key in leftovers and row.name not in passed:
            _take(values, leftovers, row.name, row.infotext.key, leftovers[row.infotext.key])
    size = _SIZE.match(leftovers.get("Size", ""))
    if size:
        _take(values, leftovers, "width", "Size-1", size[1])
        _take(values, leftovers, "height", "Size-2", size[2])
        del leftovers["Size"]
    take_detail(values, leftovers, pairs)
    if "Sampler" in leftovers:
        _take_sampler(values, leftovers)
    take_second_pass(values, leftovers, pairs)
    if _by_studio_0_1(pairs):
        values.setdefault("compatibility", FIRST_COMPATIBILITY)
    take_attached(values, leftovers)
    take_mask(values, leftovers)
    if "strength" in values and INIT.field not in values:
        leftovers.setdefault(INIT.title, "made from another picture, which is not inside")
    return Infotext(values, leftovers)


def _take(values: dict[str, Any], leftovers: dict[str, str], name: str, key: str, text: str) -> None:
    """Move a text to the values when it is allowed for its field, else leave it over."""
    row = _ROWS[name]
    try:
        values[name] = getattr(GenerationRequest.checked({name: _value(row, text)}), name)
        leftovers.pop(key, None)
    except (ValueError, OverflowError, InvalidRequest):
        leftovers[key] = text


def _value(row: Parameter, text: str) -> Any:
    """Return the value of a field in a text. Raises: ValueError."""
    match row.kind:
        case FieldKind.TEXT | FieldKind.PICTURE | FieldKind.SIDES | FieldKind.UPSCALER | FieldKind.DETECTOR:
            blank = row.infotext.blank.casefold() if row.infotext is not None else ""
            return "" if blank and text.casefold() == blank else text
        case FieldKind.NUMBER:
            return float(text)
        case FieldKind.TOGGLE:
            return {"true": True, "false": False}.get(text.lower(), text)
        case FieldKind.CHOICE:
            return next((choice for choice, written in _choice_texts(row) if text.lower() == written.lower()), text)
        case _:
            return int(text)


def _by_studio_0_1(pairs: Mapping[str, str]) -> bool:
    return pairs.get("Version", "").startswith(f"{RECIPE_KEY} {FIRST_COMPATIBILITY}")


def _take_sampler(values: dict[str, Any], leftovers: dict[str, str]) -> None:
    """Take sampler and schedule; what was not the same stays left over, beside the nearest there is."""
    sampler, schedule = leftovers["Sampler"], leftovers.get("Schedule type", "")
    if _by_studio_0_1(leftovers):
        sampling = from_studio_0_1(sampler, schedule)
    else:
        sampling = from_a1111(sampler, schedule, a1111_version(leftovers.get("Version", "")))
    if sampling is None:
        return
    values |= {"scheduler": sampling.scheduler, "schedule": sampling.schedule}
    if sampling.same_sampler:
        del leftovers["Sampler"]
    if sampling.same_schedule:
        leftovers.pop("Schedule type", None)
    if sampling.near:
        leftovers.setdefault(NOT_THE_SAME, sampling.near)
    for name in idle_fields(values) & TAKEN_BY_SOME & values.keys():
        row = _ROWS[name]
        if values[name] != row.default and row.infotext is not None:  # it did nothing there either
            leftovers[row.infotext.key] = _shown(row, values[name])
        del values[name]


_ROWS: Final[Mapping[str, Parameter]] = {row.name: row for row in parameters(GenerationRequest)}
