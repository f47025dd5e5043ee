"""What other programs put beside a model: a picture (``name.preview.png``), and the trigger words of a LoRA.

Words stand in A1111's ``name.json`` ("activation text"), in ``name.civitai.info`` ("trainedWords") as its helpers write
it, in Stability Matrix' ``name.cm-info.json`` ("TrainedWords") and in the ``name.metadata.json`` of ComfyUI's LoRA
manager ("civitai": {"trainedWords"}). All are of unknown origin: they are read as JSON, up to a size, and give words
and nothing else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from sdstudio.library.scanning.facts import one_line

_MIDDLES: Final = (".preview", "", ".thumb")
_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp")
_WORD_LISTS: Final = (
    (".civitai.info", ("trainedWords",)), (".cm-info.json", ("TrainedWords",)),
    (".metadata.json", ("civitai", "trainedWords")), (".metadata.json", ("trainedWords",)),
)  # fmt: skip
"""Ending of a file beside a model -> where in it a list of words stands."""
MAXIMUM_BYTES: Final = 20 * 2**20
_WORDS_MAXIMUM_BYTES: Final = 2**20
_WORDS_MAXIMUM: Final = 24


def pictures_beside(files: Iterable[Path]) -> dict[Path, Path]:
    """Return the files of models that have a picture beside them, each with it; every folder is read once."""
    folders: dict[Path, dict[str, str]] = {}
    covers: dict[Path, Path] = {}
    for file in files:
        folder = file.parent
        if folder not in folders:
            folders[folder] = _pictures_in(folder)
        for middle in _MIDDLES:
            names = (f"{file.stem}{middle}{suffix}".lower() for suffix in _SUFFIXES)
            name = next((folders[folder][name] for name in names if name in folders[folder]), "")
            if name:
                covers[file] = folder / name
                break
    return covers


def _pictures_in(folder: Path) -> dict[str, str]:
    """Return the names of a folder's pictures by their lower case; an unreadable folder has none."""
    try:
        with os.scandir(folder) as entries:
            return {
                entry.name.lower(): entry.name
                for entry in entries
                if entry.name.lower().endswith(_SUFFIXES) and entry.is_file() and entry.stat().st_size <= MAXIMUM_BYTES
            }
    except OSError:
        return {}


def words_beside(file: Path) -> tuple[str, ...]:
    """Return the words that files beside a LoRA or an embedding give it; none when there are no such files."""
    words: list[str] = []
    activation = _json(file.with_suffix(".json")).get("activation text")
    if isinstance(activation, str):
        words += activation.split(",")
    for ending, names in _WORD_LISTS:
        value: Any = _json(file.with_suffix(ending))
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, list):
            words += [word for word in value if isinstance(word, str)]
    lines = (one_line(word) for word in words)
    return tuple(dict.fromkeys(line for line in lines if line))[:_WORDS_MAXIMUM]


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _WORDS_MAXIMUM_BYTES:
            return {}
        raw = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return raw if isinstance(raw, dict) else {}
