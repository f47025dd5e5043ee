"""Which deleted pictures come back by themselves: those that never reached the trash, and those whose disk is back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from sdstudio.core.paths import StudioPaths
from sdstudio.core.request.recipe import Recipe
from sdstudio.history.database.rows import stored_recipe
from sdstudio.history.database.schema import VISIBLE, Database

NOT_THERE: Final = ""
"""Stands for the place in the trash where a picture's file was not there to be moved, as on a disk not plugged in."""


def undo_cut_off_deletions(database: Database, paths: StudioPaths, recipe_of: Callable[[Path], Recipe | None]) -> int:
    """List pictures again that never reached the trash, or that were gone and are back. Raises: HistoryError.

    Outside the data folder a name is no proof: the file there has to record what the row knows. One that another row
    names is that row's.

    Returns:
        How many.
    """
    rows = database.read(
        "SELECT id, path, recipe FROM entries AS gone WHERE deleted_at IS NOT NULL"
        f" AND coalesce(trashed_to, '{NOT_THERE}') = '{NOT_THERE}'"
        f" AND NOT EXISTS (SELECT 1 FROM entries WHERE path = gone.path AND {VISIBLE})"
    )
    still_there = []
    for row in rows:
        file = paths.home / row["path"]
        if file.is_file() and (file.is_relative_to(paths.images) or recipe_of(file) == stored_recipe(row["recipe"])):
            still_there.append((row["id"],))
    with database.transaction() as db:
        db.executemany("UPDATE entries SET deleted_at = NULL WHERE id = ?", still_there)
    return len(still_there)
