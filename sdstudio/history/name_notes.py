"""Where each picture went whose place does not show its number: a line on the disk before the picture is.

Pictures in ``images/*/NUMBER-*`` are found again without a database. Those with names after another pattern, and those
in an output folder, which may be full of other programs' pictures, are found by these lines: no others are taken there.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from sdstudio.core.files import save_failed
from sdstudio.core.paths import StudioPaths
from sdstudio.history.database.rows import stored_path
from sdstudio.history.names import number_of

NOTES: Final = "names.jsonl"
"""File in the data folder: in each line the number of a picture and its path, as the database has it."""


def tells_its_number(paths: StudioPaths, path: Path, number: int) -> bool:
    """Whether a picture's number can be read from where it lies."""
    return path.parent.parent == paths.images and number_of(path) == number


def note_name(paths: StudioPaths, path: Path, number: int) -> None:
    """Write down where a picture is about to be, for good. Raises: SaveFailed."""
    file = paths.home / NOTES
    line = json.dumps([number, stored_path(paths, path)], ensure_ascii=False)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            # Begun with a line end: what stands before may have been cut off in its middle.
            os.write(descriptor, f"\n{line}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise save_failed(file, error) from error


def noted_names(paths: StudioPaths) -> dict[Path, int]:
    """Return where pictures were put and their numbers; of two that were given one name, the later one's."""
    try:
        lines = (paths.home / NOTES).read_bytes().splitlines()
    except OSError:
        return {}
    noted: dict[Path, int] = {}
    for line in lines:
        try:
            number, path = json.loads(line)
            noted[paths.home / path] = int(number)
        except (ValueError, TypeError):  # blank, or cut off
            continue
    return noted
