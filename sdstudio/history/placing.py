"""Which file a new picture becomes: output folder and name pattern of the user's, and the plain place when they fail.

The plain place is ``images/DAY/NUMBER-PROMPT-SEED`` in the data folder. Whatever keeps a picture out of the output
folder, it goes there instead, and `problem` is the reason.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from sdstudio.core.errors import InvalidRequest, SaveFailed
from sdstudio.core.name_pattern import DEFAULT_PATTERN, Named, relative_name
from sdstudio.core.output_folder import check_output_folder
from sdstudio.core.paths import StudioPaths
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.settings import Settings
from sdstudio.history.database.rows import stored_path
from sdstudio.history.name_notes import note_name, tells_its_number
from sdstudio.history.names import free_path

log = logging.getLogger(__name__)

T = TypeVar("T")
Place = Callable[[sqlite3.Connection, int], Path]
"""Returns the file of the picture that gets this number. Raises: SaveFailed."""


class Placing:
    """Every method may be called from any thread."""

    def __init__(self, paths: StudioPaths) -> None:
        self._paths = paths
        self._chosen: tuple[Path | None, str] = (None, DEFAULT_PATTERN)
        self._failed: SaveFailed | None = None

    def configure(self, settings: Settings) -> None:
        """Put new pictures where these settings want them, from the next one on."""
        chosen = settings.output_folder, settings.name_pattern
        if chosen != self._chosen:
            self._chosen, self._failed = chosen, None

    @property
    def folder(self) -> Path:
        """Where the next picture goes, or a folder of its own in there."""
        chosen = self._chosen[0]
        return self._paths.images if chosen is None or self._unusable(chosen) else chosen

    @property
    def problem(self) -> SaveFailed | None:
        """Why the next picture, or the last one, is not where the user wants it; ``None`` when it is."""
        chosen = self._chosen[0]
        return (self._unusable(chosen) if chosen is not None else None) or self._failed

    def kept(self, keep: Callable[[Place], T], recipe: Recipe, created: datetime, suffix: str) -> T:
        """Have a picture kept where the user wants it, or in the plain place where that fails. Raises: SaveFailed."""
        chosen = self._chosen
        try:
            kept, failed = keep(self._of_user(*chosen, recipe, created, suffix)), None
        except SaveFailed as error:
            if chosen == (None, DEFAULT_PATTERN):
                raise
            log.warning("a picture goes to the data folder: %s", error)
            kept, failed = keep(self.plain(recipe, created, suffix)), error
            if chosen[0] is not None and self._unusable(chosen[0]) is not None:
                failed = None  # it is looked at again whenever it is asked for
        if chosen == self._chosen:
            self._failed = failed
        return kept

    def _of_user(self, folder: Path | None, pattern: str, recipe: Recipe, created: datetime, suffix: str) -> Place:
        def place(db: sqlite3.Connection, number: int) -> Path:
            unusable = self._unusable(folder) if folder is not None else None
            if unusable is not None:
                raise unusable
            path = self._free(db, folder or self._paths.images, pattern, Named(number, recipe, created), suffix)
            if not tells_its_number(self._paths, path, number):
                note_name(self._paths, path, number)
            return path

        return place

    def plain(self, recipe: Recipe, created: datetime, suffix: str) -> Place:
        """Return the plain place."""
        return lambda db, number: self._free(
            db, self._paths.images, DEFAULT_PATTERN, Named(number, recipe, created), suffix
        )

    def within(self, out: Path, recipe: Recipe, created: datetime, suffix: str) -> Place:
        """Return a file of a plain name in a folder that was asked for, or the very file; nobody looks for it there."""

        def place(_db: sqlite3.Connection, number: int) -> Path:
            if not os.path.isdir(out):
                return out.absolute()
            name = relative_name(DEFAULT_PATTERN, Named(number, recipe, created)).name
            return free_path(out.absolute() / (name + suffix))

        return place

    def _free(self, db: sqlite3.Connection, folder: Path, pattern: str, named: Named, suffix: str) -> Path:
        def is_known(path: Path) -> bool:  # that of a picture in the trash, which may be brought back
            where = stored_path(self._paths, path)
            return db.execute("SELECT 1 FROM entries WHERE path = ? LIMIT 1", (where,)).fetchone() is not None

        wanted = folder / relative_name(pattern, named)
        return free_path(wanted.with_name(wanted.name + suffix), is_known)

    def _unusable(self, folder: Path) -> SaveFailed | None:
        try:
            check_output_folder(folder)
        except InvalidRequest as error:
            return SaveFailed(error.message, error.hint)
        home, images = self._paths.home, self._paths.images
        if folder.resolve().is_relative_to(home.resolve()) and not folder.resolve().is_relative_to(images.resolve()):
            message = f"Output folder = {folder}: in the data folder, pictures are kept in {images} alone."
            return SaveFailed(message, "Choose another folder.")
        return None
