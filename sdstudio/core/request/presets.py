"""Presets: values of parameters under a name, all of them or some, kept as plain JSON that can be shared.

A preset may hold values that this version does not know or allow; they are kept as they are, and left aside when it is
used. A file that cannot be read is reported and never written over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sdstudio.core.errors import InvalidRequest, StudioError
from sdstudio.core.files import write_whole
from sdstudio.core.json_text import json_of
from sdstudio.core.paths import StudioPaths

FORMAT: Final = "sdstudio presets 1"
NAME_MAXIMUM: Final = 120
FILE_MAXIMUM_BYTES: Final = 8_000_000
PRESETS_MAXIMUM: Final = 5_000
STYLES: Final = "styles"
"""Under this name stand the chosen styles, beside the parameters."""


@dataclass(frozen=True, slots=True)
class Preset:
    """Values under a name.

    Attributes:
        name: What the user reads; no two presets of a book share one.
        values: Name of a parameter, or `STYLES` -> its value, as JSON has it.
    """

    name: str
    values: Mapping[str, Any]

    def with_values(self, values: Mapping[str, Any]) -> Preset:
        """Return this preset with other values for those parameters that it holds."""
        return Preset(self.name, {name: values.get(name, value) for name, value in self.values.items()})


class PresetBook:
    """The presets of one data folder.

    Args:
        path: The user's file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def of(cls, paths: StudioPaths) -> PresetBook:
        """Return the book of a data folder."""
        return cls(paths.presets)

    @property
    def presets(self) -> tuple[Preset, ...]:
        """All presets by their names. Raises: StudioError when the file cannot be read."""
        return read_presets(self._path) if self._path.exists() else ()

    def named(self, name: str) -> Preset:
        """Return a preset. Raises: StudioError when there is none of this name, or the file cannot be read."""
        match = next((preset for preset in self.presets if preset.name == name), None)
        if match is None:
            raise StudioError(f"Preset = {name[:60]!r}: there is no preset of this name.", "Choose one from the list.")
        return match

    def keep(self, presets: Iterable[Preset]) -> None:
        """Keep these in place of all that were there. Raises: StudioError when the file is damaged or not writable."""
        if self._path.exists():
            read_presets(self._path)  # a damaged one may be repaired in an editor
        write_presets(self._path, ordered(presets))

    def add(self, preset: Preset) -> None:
        """Keep a preset, in place of one of its name. Raises: StudioError, as `keep`."""
        self.keep(merged(self.presets, [preset]))

    def rename(self, old: str, new: str) -> None:
        """Give a preset another name. Raises: InvalidRequest, StudioError as `keep`."""
        name = checked_name(new)
        presets = self.presets
        if name != old and any(preset.name == name for preset in presets):
            raise InvalidRequest("name", f"Name = “{name}”: another preset has it.", "Choose another.")
        self.keep(Preset(name, each.values) if each.name == old else each for each in presets)

    def remove(self, name: str) -> None:
        """Keep all but one. Raises: StudioError, as `keep`."""
        self.keep(preset for preset in self.presets if preset.name != name)


def checked_name(text: str) -> str:
    """Return a name without needless blanks. Raises: InvalidRequest."""
    name = " ".join(text.split())
    if not name or len(name) > NAME_MAXIMUM:
        raise InvalidRequest("name", f"Name = “{name[:20]}”: 1 to {NAME_MAXIMUM} characters.", "Choose another.")
    return name


def merged(presets: Sequence[Preset], others: Iterable[Preset]) -> tuple[Preset, ...]:
    """Return presets with others added, each in the place of the one that has its name already."""
    by_name = {preset.name: preset for preset in presets}
    by_name.update((preset.name, preset) for preset in others)
    return ordered(by_name.values())


def ordered(presets: Iterable[Preset]) -> tuple[Preset, ...]:
    """Return presets by their names."""
    return tuple(sorted(presets, key=lambda preset: (preset.name.casefold(), preset.name)))


def read_presets(path: Path) -> tuple[Preset, ...]:
    """Read a file of presets.

    Raises:
        StudioError: It cannot be read, or is no such file.
    """
    try:
        if path.stat().st_size > FILE_MAXIMUM_BYTES:
            raise _refused(path, f"it is larger than {FILE_MAXIMUM_BYTES // 1_000_000} MB")
        table = json_of(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from error
    except ValueError as error:
        raise _refused(path, "it is damaged, or no JSON") from error
    rows = table.get("presets") if isinstance(table, dict) else None
    if not isinstance(rows, list) or len(rows) > PRESETS_MAXIMUM:
        raise _refused(path, "it holds no list of presets")
    presets = []
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("values"), dict) or not isinstance(row.get("name"), str):
            raise _refused(path, "a preset in it has no name or no values")
        try:
            presets.append(Preset(checked_name(row["name"]), row["values"]))
        except InvalidRequest as error:
            raise _refused(path, "a preset in it has a name that is empty or too long") from error
    return merged((), presets)


def write_presets(path: Path, presets: Iterable[Preset]) -> None:
    """Write a file of presets, whole or not at all. Raises: SaveFailed."""
    rows = [{"name": preset.name, "values": dict(preset.values)} for preset in presets]
    text = json.dumps({"format": FORMAT, "presets": rows}, ensure_ascii=False, indent=1)
    write_whole(path, lambda file: file.write(f"{text}\n".encode("utf-8", "replace")))


def _refused(path: Path, why: str) -> StudioError:
    return StudioError(f"Presets = {path.name}: {why}.", "Mend the file, or move it away; it is left as it is.")
