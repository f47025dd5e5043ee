"""What a crash can leave behind, how it is put right, and how a lost database comes back from the pictures."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from sdstudio.core.errors import HistoryError
from sdstudio.core.files import TEMPORARY, is_utf8
from sdstudio.core.paths import StudioPaths
from sdstudio.core.pictures.opening import ENDINGS, shown
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.trash import take_out
from sdstudio.history.bulk_work import SAVING_LOCK, saving_lock
from sdstudio.history.care.carry_over import carry_over_jobs, carry_over_marks
from sdstudio.history.care.deletions import NOT_THERE, undo_cut_off_deletions
from sdstudio.history.care.marks_copy import keep_marks
from sdstudio.history.care.moved import moved_pictures, reunite
from sdstudio.history.database.rows import index_words, insert_entry, remove_row, stored_path, stored_recipe
from sdstudio.history.database.schema import Database
from sdstudio.history.name_notes import noted_names
from sdstudio.history.names import number_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was put right.

    Attributes:
        recovered: Pictures that were saved and not yet listed, or whose row was lost.
        dropped: Rows whose picture never came to be.
        swept: Temporary files removed.
        restored: Pictures whose deletion was cut off before they reached the trash.
        moved: Pictures that were found again elsewhere, or under another name.
        marked: Pictures whose ratings, tags, collections and origin came back.
        kept: The damaged database that was set aside, ``None`` when it was whole.
    """

    recovered: int = 0
    dropped: int = 0
    swept: int = 0
    restored: int = 0
    moved: int = 0
    marked: int = 0
    kept: Path | None = None

    def __str__(self) -> str:
        """Return a line for the user, "" when there is nothing to show."""
        pictures = "1 picture" if self.recovered == 1 else f"{self.recovered} pictures"
        if self.kept is not None:
            message = f"The history file was damaged: it was kept as {self.kept.name} and rebuilt from {pictures}."
            marked = "1 of them" if self.marked == 1 else f"{self.marked} of them"
            return f"{message} Ratings and tags of {marked} could be kept." if self.marked else message
        sentences = []
        if self.recovered:
            marked = f", {self.marked} of them with ratings or tags" if self.marked else ""
            sentences.append(f"{pictures} recovered{marked}.")
        if self.moved:
            they = "1 picture was" if self.moved == 1 else f"{self.moved} pictures were"
            sentences.append(f"{they} moved or renamed, and found again.")
        return " ".join(sentences)


def recover(database: Database, paths: StudioPaths, settle: Callable[[], None] = lambda: None) -> Recovery:
    """Put right what a crash left behind, and keep the day's copy of what only the database knows.

    Does nothing while another process is saving a picture.

    Args:
        database: The history's.
        paths: The data folder.
        settle: Lists what this process has saved and not listed yet: no crash left that behind.

    Raises:
        HistoryError: The database cannot be written.
    """
    with saving_lock(paths.home / SAVING_LOCK, alone=True) as alone:
        if not alone:
            log.info("another process is saving a picture; nothing is tidied up now")
            return Recovery()
        settle()
        done = recover_now(database, paths)
        keep_marks(database, date.today())
    if done != Recovery():
        log.warning("put right after the last run: %s", repr(done))
    return done


def recover_now(database: Database, paths: StudioPaths) -> Recovery:
    """Put everything right; the caller holds the saving lock alone. Raises: HistoryError."""
    swept = _sweep(paths)
    finished, dropped = _finish_pending(database, paths)
    restored = undo_cut_off_deletions(database, paths, _recipe_of)
    known = {row["path"] for row in database.read("SELECT path FROM entries")}
    orphans = [(number, file) for number, file in _numbered(paths) if stored_path(paths, file) not in known]
    taken = {number for number, _ in orphans}
    orphans += [(number, file) for file, number in noted_orphans(database, paths).items() if number not in taken]
    recipes = {file: recipe for _, file in orphans if (recipe := _recipe_of(file)) is not None}
    moved = moved_pictures(database, paths, recipes)
    reunite(database, paths, moved)
    found = set(moved.values())
    adopted = adopt_files(database, paths, [each for each in orphans if each[1] not in found])
    marked = carry_over_marks(database, adopted)
    return Recovery(finished + len(adopted), dropped, swept, restored, len(moved), marked)


def _recipe_of(file: Path) -> Recipe | None:
    from sdstudio.history.picture_text.foreign.reading import recipe_of  # noqa: PLC0415 (long to import; the window opens before)

    return recipe_of(file)


def _sweep(paths: StudioPaths) -> int:
    count = 0
    for folder in (paths.images, paths.thumbnails):
        for file in folder.glob(f"*/*{TEMPORARY}"):
            with suppress(OSError):
                file.unlink()
                count += 1
    return count


def _finish_pending(database: Database, paths: StudioPaths) -> tuple[int, int]:
    finished = dropped = 0
    noted = noted_names(paths)
    for row in database.read("SELECT id, path, recipe FROM entries WHERE state = 'pending' ORDER BY id"):
        file = paths.home / row["path"]
        recipe = _recipe_of(file) if row["path"] else None
        # Outside the data folder a name is no proof: the file may be an older picture that was to be replaced.
        placed = file.is_relative_to(paths.images) or noted.get(file) == row["id"]
        ours = recipe is not None and (placed or recipe == stored_recipe(row["recipe"]))
        with database.transaction() as db:
            if recipe is not None and ours:
                db.execute(
                    "UPDATE entries SET state = 'done', recipe = ? WHERE id = ?", (recipe.model_dump_json(), row["id"])
                )
                index_words(db, row["id"], recipe)
                finished += 1
            else:
                remove_row(db, row["id"])
                dropped += 1
        if row["path"] and not ours:
            with suppress(OSError):  # the temporary file of a picture that was to be saved elsewhere
                file.with_name(file.name + TEMPORARY).unlink(missing_ok=True)
    return finished, dropped


def noted_orphans(database: Database, paths: StudioPaths) -> dict[Path, int]:
    """Return the pictures that were put where nobody would look for them, that no row names, and their numbers.

    The picture of a row that lies elsewhere by now, as in a backup, is none of them. Raises: HistoryError.
    """
    rows = {row["id"]: row["path"] for row in database.read("SELECT id, path FROM entries")}
    known = set(rows.values())
    orphans: dict[Path, int] = {}
    for file, number in noted_names(paths).items():
        if stored_path(paths, file) in known or not os.path.isfile(file):
            continue
        if number in rows and _recipe_of(file) == _recipe_of(paths.home / rows[number]):
            continue
        orphans[file] = number
    return orphans


def adopt_files(database: Database, paths: StudioPaths, files: Sequence[tuple[int | None, Path]]) -> list[int]:
    """Give a row to pictures in the data folder that have none, and return the ids of the rows.

    Args:
        database: The history's.
        paths: The data folder.
        files: The number in each picture's name, and the picture; a number that is free becomes its id again.

    Raises:
        HistoryError: The database cannot be written.
    """
    if not files:
        return []
    ids = {row["id"] for row in database.read("SELECT id FROM entries")}
    adopted: list[int] = []
    with database.transaction() as db:
        for number, file in sorted(files, key=lambda each: (each[0] is None, each)):
            recipe = _recipe_of(file)
            if recipe is None:
                continue
            wanted = None if number in ids else number
            entry_id = insert_entry(db, recipe, made_at(recipe, file).isoformat(), entry_id=wanted)
            db.execute("UPDATE entries SET state = 'done', path = ? WHERE id = ?", (stored_path(paths, file), entry_id))
            ids.add(entry_id)
            adopted.append(entry_id)
    return adopted


def _numbered(paths: StudioPaths) -> Iterator[tuple[int | None, Path]]:
    noted = noted_names(paths)
    for file in paths.images.glob("*/*"):
        number = number_of(file)
        if number is None or file in noted or file.suffix.lower() not in ENDINGS:
            continue
        if is_utf8(stored_path(paths, file)):
            yield number, file
        else:
            log.warning("not listed, its name is not UTF-8: %s; check --repair gives it another", shown(str(file)))


def made_at(recipe: Recipe, file: Path) -> datetime:
    """Return when a picture was made: by its recipe, else by the file's own time."""
    with suppress(ValueError, OverflowError):
        return datetime.fromisoformat(recipe.created).astimezone()
    try:
        return datetime.fromtimestamp(file.stat().st_mtime).astimezone()
    except (OSError, ValueError, OverflowError):
        return datetime.now().astimezone()


def set_aside(paths: StudioPaths) -> Path:
    """Move a damaged database out of the way and return its new name; `recover` then rebuilds it from the pictures.

    Jobs that can still be read are carried over.

    Raises:
        HistoryError: It cannot be moved.
    """
    kept = paths.database.with_name(f"{paths.database.name}.bad-{datetime.now():%Y%m%d-%H%M%S}")
    try:
        for ending in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.replace(f"{paths.database}{ending}", f"{kept}{ending}")
    except OSError as error:
        raise HistoryError(
            f"History = {paths.database}: the damaged file cannot be moved ({error.strerror}).",
            "Allow writing to its folder, then start again.",
        ) from error
    log.error("the history was damaged; it was kept as %s", kept)
    with closing(Database(paths.database)) as database:
        carry_over_jobs(kept, database)
    return kept


def bring_back(file: Path, trashed_to: str | bytes | None) -> bool:
    """Bring a picture back from the trash; False when it is no longer there. Raises: HistoryError."""
    if trashed_to == NOT_THERE:
        return True  # nor was it when it was deleted
    place = Path(os.fsdecode(trashed_to)) if trashed_to else None
    try:
        return take_out(file, place)
    except OSError as error:
        raise HistoryError(
            f"Picture = {shown(str(place))}: it could not be brought back ({error.strerror or error}).",
            "Move it out of the trash by hand.",
        ) from error
