"""What ``sdstudio.json`` in a model's folder may hold, and what of it is used: a bad value is named, not used."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sdstudio.catalog.families import FAMILY_BY_KEY
from sdstudio.catalog.previews import PreviewSpec, Rgb
from sdstudio.catalog.schedulers import SCHEDULER_BY_KEY
from sdstudio.catalog.schedules import AUTOMATIC
from sdstudio.core.errors import InvalidRequest
from sdstudio.core.params import parameters
from sdstudio.core.request.request import GenerationRequest

NOTES_FILE: Final = "sdstudio.json"

_DEFAULTS: Final = (
    "width", "height", "steps", "guidance_scale", "scheduler", "schedule", "clip_skip", "prediction", "zero_snr",
    "finish", "finish_upscaler", "tile_size", "tile_overlap",
)  # fmt: skip
_SIZE_MAXIMUM: Final = 2**20
_NAME_MAXIMUM: Final = 80
_EXAMPLE_MAXIMUM: Final = 500


@dataclass(slots=True)
class ModelNotes:
    """What was believed, and in ``warnings`` what was not."""

    name: str = ""
    family: str = ""
    defaults: dict[str, Any] = field(default_factory=dict)
    preview: PreviewSpec | None = None
    examples: tuple[str, ...] = ()
    warnings: list[str] = field(default_factory=list)


def read_notes(folder: Path) -> ModelNotes:
    """Read the notes of the model in ``folder``; empty notes when it has none."""
    path = folder / NOTES_FILE
    notes = ModelNotes()
    try:
        if path.stat().st_size > _SIZE_MAXIMUM:
            notes.warnings.append(f"{NOTES_FILE} is larger than {_SIZE_MAXIMUM:,} bytes and was not read.")
            return notes
        raw = json.loads(path.read_bytes())
    except FileNotFoundError:
        return notes
    except (OSError, ValueError, RecursionError) as error:
        notes.warnings.append(f"{NOTES_FILE} could not be read: {error}.")
        return notes
    if not isinstance(raw, dict):
        notes.warnings.append(f"{NOTES_FILE} holds no JSON object.")
        return notes
    return believed(raw)


def believed(raw: dict[str, Any]) -> ModelNotes:
    """Return what is believed of notes that were read already."""
    notes = ModelNotes()
    _take_words(notes, raw)
    _take_defaults(notes, raw)
    _take_preview(notes, raw)
    return notes


def _take_words(notes: ModelNotes, raw: dict[str, Any]) -> None:
    match raw.get("name"):
        case None:
            pass
        case str(name) if 0 < len(name.strip()) <= _NAME_MAXIMUM and name.isprintable():
            notes.name = name.strip()
        case name:
            _distrust(notes, "name", name, f"a line of at most {_NAME_MAXIMUM} characters")
    match raw.get("family"):
        case None:
            pass
        case str(family) if family in FAMILY_BY_KEY:
            notes.family = family
        case family:
            _distrust(notes, "family", family, ", ".join(FAMILY_BY_KEY))
    match raw.get("examples"):
        case None:
            pass
        case list(examples) if all(isinstance(text, str) and len(text) <= _EXAMPLE_MAXIMUM for text in examples):
            notes.examples = tuple(text for text in examples if text.strip())
        case examples:
            _distrust(notes, "examples", examples, "a list of prompts")


def _take_defaults(notes: ModelNotes, raw: dict[str, Any]) -> None:
    rows = {row.name: row for row in parameters(GenerationRequest)}
    for name in _DEFAULTS:
        value = raw.get(name)
        if value is None:
            continue
        try:
            checked = GenerationRequest.checked({name: value})
        except InvalidRequest:
            _distrust(notes, name, value, rows[name].allowed)
        else:
            notes.defaults[name] = getattr(checked, name)
            own = SCHEDULER_BY_KEY[checked.scheduler].automatic
            if name == "scheduler" and checked.schedule not in (AUTOMATIC, own):
                notes.defaults["schedule"] = checked.schedule  # "Euler Karras"


def _take_preview(notes: ModelNotes, raw: dict[str, Any]) -> None:
    if raw.get("latent_rgb") is None:
        return
    match raw["latent_rgb"]:
        case [_, *_] as rows if all(_is_rgb(row) for row in rows):
            factors: tuple[Rgb, ...] = tuple((float(r), float(g), float(b)) for r, g, b in rows)
        case rows:
            _distrust(notes, "latent_rgb", rows, "a list of [r, g, b] numbers, one for each latent channel")
            return
    bias: Rgb = (0.0, 0.0, 0.0)
    match raw.get("latent_rgb_bias"):
        case None:
            pass
        case [r, g, b] as row if _is_rgb(row):
            bias = (float(r), float(g), float(b))
        case row:
            _distrust(notes, "latent_rgb_bias", row, "[r, g, b] numbers")
            return
    notes.preview = PreviewSpec(NOTES_FILE, factors, bias)


def _is_rgb(row: Any) -> bool:
    return (
        isinstance(row, list)
        and len(row) == 3
        and all(isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e6 for value in row)
    )


def _distrust(notes: ModelNotes, name: str, value: Any, allowed: str) -> None:
    notes.warnings.append(f"{NOTES_FILE}: {name} = {str(value)[:60]!r} is not used: allowed is {allowed}.")
