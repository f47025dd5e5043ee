"""Which input pictures the history needs and has no more, and which are kept that nothing needs any more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sdstudio.core.pictures.input_store import InputPictures, KeptPicture
from sdstudio.core.request.input_fields import INPUT_ROLES
from sdstudio.history.database.schema import VISIBLE, Database

SPARE_AFTER_S: Final = 24 * 3600.0
"""One that was chosen less long ago may stand in a window that has not used it yet."""
_ENTRIES: Final = "SELECT id, path, json_extract(recipe, '$.request.' || ?) AS input FROM entries"
_JOBS: Final = "SELECT json_extract(request, '$.' || ?) AS input FROM jobs"


def without_input(database: Database, inputs: InputPictures) -> Iterator[tuple[int, Path, str]]:
    """Yield id, stored path and input picture of each entry of the list whose input picture is gone."""
    there = {kept.id for kept in inputs.all()}
    for field in INPUT_ROLES:
        for row in database.read(f"{_ENTRIES} WHERE {VISIBLE} ORDER BY id", (field,)):
            if row["input"] and row["input"] not in there:
                yield row["id"], Path(row["path"]), str(row["input"])


def spare_inputs(database: Database, inputs: InputPictures) -> Iterator[KeptPicture]:
    """Yield the pictures that no entry needs, those in the trash counted in, and no job of the queue's list."""
    kept = list(inputs.all())  # before the database is read: what comes in meanwhile is not among them
    asked = ((sql, field) for sql in (_ENTRIES, _JOBS) for field in INPUT_ROLES)
    needed = {row["input"] for sql, field in asked for row in database.read(sql, (field,))}
    now = time.time()
    yield from (one for one in kept if one.id not in needed and now - inputs.kept_at(one.id) > SPARE_AFTER_S)
