"""``--init-image``: from a file, a number in the history or an id to a kept picture, and the size that follows."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from sdstudio.cli.context import Studio, opened_history
from sdstudio.core.errors import InvalidRequest
from sdstudio.core.models.model import ModelInfo, parameters_of
from sdstudio.core.paths import expanded
from sdstudio.core.pictures.input_size import size_like
from sdstudio.core.pictures.input_store import InputPictures, KeptPicture
from sdstudio.core.request.input_fields import INIT, INPUT_ROLES, MASK
from sdstudio.core.request.outpaint_fields import IN_ONE, NEED_GROUND, OUTPAINT, adds_ground, check_extent, sides_in
from sdstudio.history.name_notes import noted_names
from sdstudio.history.store import Entry

SIZE_RULE: Final = """\
With --init-image a picture begins from another one: a file, the number of a picture in the history, or the id of one
that was taken before. Without --width and --height it gets that picture's shape, with about as many pixels as the model
is made for; with one of them the other follows; with --strength 0 it keeps its own size, in multiples of 8, and so it
does with --mask, unless --only-masked draws a part of it alone. What is not masked stays pixel by pixel. With
--outpaint the result is the picture with what is added to it, and the size is what the model draws at once.
"""


@contextmanager
def with_inputs(studio: Studio, out: str | None) -> Iterator[Studio]:
    """Yield a studio whose input pictures can be kept.

    Where the pictures go into a file or folder and the data folder can only be read, that is a folder which goes with
    the run: nothing of the data folder is to be written then.

    Args:
        studio: Of this data folder.
        out: Where the pictures go, ``None`` for the history.
    """
    if out is None or _may_be_written(studio.paths.inputs):
        yield studio
        return
    with tempfile.TemporaryDirectory(prefix="sdstudio-inputs-") as folder:
        yield Studio.at(replace(studio.paths, spare_inputs=Path(folder)), studio.settings)


def _may_be_written(folder: Path) -> bool:
    """Return whether files can be put into a folder, which is made when it is missing."""
    there = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    return os.access(there, os.W_OK | os.X_OK)


def begun(values: Mapping[str, Any], model: ModelInfo, studio: Studio) -> dict[str, Any]:
    """Return given values with the input pictures kept, and with a size where none is given.

    Raises:
        InvalidRequest: Something is given that acts on an input picture alone, or there is no such kept picture.
        PictureUnreadable: It cannot be read, or is no picture.
        HistoryError: There is no picture of this number.
        SaveFailed: It cannot be kept.
    """
    rows = parameters_of(model)
    for role in INPUT_ROLES.values():
        idle = next((rows[name] for name in sorted(role.dependent & values.keys())), None)
        if idle is not None and not values.get(role.field):
            needed = f"{'an' if role.title[0] in 'AEIOU' else 'a'} {role.title.lower()}"
            message = f"{idle.title} = {values[idle.name]}: it acts on {needed}, and there is none."
            raise InvalidRequest(idle.name, message, f"Give one with {rows[role.field].flag}, or leave it out.")
    idle = next((rows[name] for name in sorted(NEED_GROUND & values.keys())), None)
    if idle is not None and not adds_ground(values):
        message = f"{idle.title} = {values[idle.name]}: it acts on ground that is added, and none is."
        raise InvalidRequest(idle.name, message, f"Say how much with {rows[OUTPAINT].flag}, or leave it out.")
    inputs = InputPictures(studio.paths)
    named = {field: str(values[field]) for field in INPUT_ROLES if values.get(field)}
    pictures = {field: kept(name, inputs, studio).id for field, name in named.items()}
    if INIT.field not in pictures:
        return {**values, **pictures}
    shape = _whole(values, inputs.size_of(pictures[INIT.field]))
    is_masked_whole = MASK.field in pictures and values.get("only_masked") is None
    keep = is_masked_whole or values.get("strength") == 0
    width, height = values.get("width"), values.get("height")
    if adds_ground({**values, **pictures}):
        keep, own = False, (rows["width"].default, rows["height"].default)
        is_within = shape[0] <= own[0] and shape[1] <= own[1]
        if values.get("outpaint_passes") != IN_ONE and not is_within:
            width, height = width or own[0], height or own[1]
    width, height = size_like(shape, rows, width, height, keep)
    return {**values, **pictures, "width": width, "height": height}


def _whole(values: Mapping[str, Any], shape: tuple[int, int]) -> tuple[int, int]:
    """Return the width and height of a picture with what is added to it. Raises: InvalidRequest."""
    sides = sides_in(values.get(OUTPAINT, ""))
    check_extent(sides, shape)
    return sides.around(shape)


def kept(named: str, inputs: InputPictures, studio: Studio) -> KeptPicture:
    """Return the kept picture of a file, of a number in the history or of an id. Raises: as `begun`."""
    path = expanded(named)
    known = inputs.find(named)
    if known is not None:
        return known
    if named.isascii() and named.isdecimal() and not path.exists():
        with opened_history(studio.paths) as history:
            entry = history.get(int(named))
        return inputs.keep(entry.path, entry.id)
    whole = path.absolute()
    if not whole.is_relative_to(studio.paths.images) and whole not in noted_names(studio.paths):
        return inputs.keep(path)
    with opened_history(studio.paths) as history:
        return inputs.keep(path, history.lineage.entry_of(whole))


def entry_of(picture: KeptPicture, studio: Studio) -> Entry | None:
    """Return the entry of the history that a kept picture is, ``None`` for any other. Raises: HistoryError."""
    if picture.entry_id is None:
        return None
    with opened_history(studio.paths, studio.settings) as history:
        return history.get(picture.entry_id)
