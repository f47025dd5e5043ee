"""How an entry lies in the table: path relative to the data folder, recipe as JSON, words in the text index."""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sdstudio.core.folding import folded
from sdstudio.core.paths import StudioPaths
from sdstudio.core.pictures.opening import shown
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.picture_text.attached_text import attached_names
from sdstudio.history.thumbnails import SUFFIX


@dataclass(frozen=True)
class Entry:
    """One picture of the history.

    Attributes:
        id: Grows with every picture and is never given twice; newer is larger, whatever the clock shows.
        path: The picture's file.
        thumbnail: Its small copy; made when the picture is saved, and again by `History.thumbnail` when it is missing.
        recipe: What it was made with.
        created: When it was saved.
        job_id: The job that made it, ``None`` for the command line or when the job was removed from the list.
        parent_id: The entry it is a re-run or a variation of.
        rating: 0 for none, 1 to 5.
        favourite: Whether it was marked as one.
        folder: Where it was imported from, with ``/`` on every system; "" for what was made here.
    """

    id: int
    path: Path
    thumbnail: Path
    recipe: Recipe
    created: datetime
    job_id: int | None = None
    parent_id: int | None = None
    rating: int = 0
    favourite: bool = False
    folder: str = ""


log = logging.getLogger(__name__)

COLUMNS = "id, path, recipe, created, job_id, parent_id, rating, favourite, folder"


def entry_of(row: sqlite3.Row, paths: StudioPaths) -> Entry:
    """Return the entry that a row of `COLUMNS` holds."""
    return Entry(
        id=row["id"],
        path=paths.home / row["path"],  # an absolute path stays as it is
        thumbnail=thumbnail_path(paths, row["id"]),
        recipe=stored_recipe(row["recipe"]),
        created=datetime.fromisoformat(row["created"]),
        job_id=row["job_id"],
        parent_id=row["parent_id"],
        rating=row["rating"],
        favourite=bool(row["favourite"]),
        folder=row["folder"] or "",
    )


def stored_recipe(text: str) -> Recipe:
    """Return the recipe of a row; where it is none, an empty one, so that the picture stays listed."""
    try:
        return Recipe.stored(text)
    except ValueError as error:
        log.warning("a row's recipe cannot be read: %s", error)
        return Recipe(app="", request=GenerationRequest())


def thumbnail_path(paths: StudioPaths, entry_id: int) -> Path:
    """Return where an entry's thumbnail lies; a thousand to a folder."""
    return paths.thumbnails / f"{entry_id // 1000:03d}" / f"{entry_id}{SUFFIX}"


def folder_of(source: Path) -> str:
    """Return the folder of a picture from elsewhere as the table holds it, with ``/`` on every system."""
    return shown(source.absolute().parent.as_posix())


def stored_path(paths: StudioPaths, path: Path) -> str:
    """Return a path as the table holds it: relative inside the data folder, so that the folder can be moved."""
    return path.relative_to(paths.home).as_posix() if path.is_relative_to(paths.home) else str(path)


def insert_entry(
    db: sqlite3.Connection,
    recipe: Recipe,
    created: str,
    *,
    entry_id: int | None = None,
    job_id: int | None = None,
    parent_id: int | None = None,
    folder: str | None = None,
) -> int:
    """Insert a pending row without a path, index its words and return its id. A job that is gone becomes NULL."""
    cursor = db.execute(
        "INSERT INTO entries (id, state, path, created, recipe, job_id, parent_id, folder)"
        " VALUES (?, 'pending', '', ?, ?,"
        " (SELECT id FROM jobs WHERE id = ?), (SELECT id FROM entries WHERE id = ?), ?)",
        (entry_id, created, recipe.model_dump_json(), job_id, parent_id, folder),
    )
    assert cursor.lastrowid is not None
    index_words(db, cursor.lastrowid, recipe)
    return cursor.lastrowid


def index_words(db: sqlite3.Connection, entry_id: int, recipe: Recipe) -> None:
    """Make an entry's words findable. No trigger does it: SQLite's JSON functions stop at a NUL character.

    They are folded, as the words of a query are. Two line ends are put behind each text, so that its last letters, too,
    begin a trigram.
    """
    model = " ".join((recipe.model_name or recipe.request.model, *attached_names(recipe)))
    texts = (recipe.request.prompt, recipe.request.negative_prompt, model)
    db.execute(
        "INSERT OR REPLACE INTO entries_text (rowid, prompt, negative_prompt, model_name) VALUES (?, ?, ?, ?)",
        (entry_id, *(folded(text.replace("\0", " ")) + "\n\n" for text in texts)),
    )


def remove_row(db: sqlite3.Connection, entry_id: int) -> None:
    """Remove a row whose picture never came to be."""
    db.execute("DELETE FROM entries WHERE id = ?", (entry_id,))
    db.execute("DELETE FROM entries_text WHERE rowid = ?", (entry_id,))
