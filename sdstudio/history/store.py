"""The history: in which order a picture, its row and its thumbnail reach the disk, so that no crash loses any of them.

``save`` writes a row *pending*, then the file under a temporary name, renames it, and marks the row *done*. Whatever is
cut off in between, `recover` finishes or takes back at the next start. Every file holds its recipe, so a lost database
can be rebuilt from the pictures.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from PIL import Image

from sdstudio.core.errors import HistoryDamaged, HistoryError, SaveFailed, StudioError
from sdstudio.core.files import copy_whole, is_utf8, same_bytes
from sdstudio.core.paths import StudioPaths
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.settings import Settings
from sdstudio.history.bulk_work import SAVING_LOCK, saving_lock
from sdstudio.history.care.care import Care
from sdstudio.history.care.deletions import NOT_THERE
from sdstudio.history.care.recovery import Recovery, bring_back, made_at, recover
from sdstudio.history.database.lineage import Lineage
from sdstudio.history.database.listing import Listing
from sdstudio.history.database.look import Look
from sdstudio.history.database.marks import Marks
from sdstudio.history.database.rows import (
    COLUMNS,
    Entry,
    entry_of,
    folder_of,
    insert_entry,
    remove_row,
    stored_path,
    thumbnail_path,
)
from sdstudio.history.database.schema import DAMAGED_HINT, VISIBLE, Database
from sdstudio.history.database.usage import Newest, Use, newest, uses
from sdstudio.history.kept_as import KeptAs
from sdstudio.history.names import check_out
from sdstudio.history.placing import Place, Placing
from sdstudio.history.thumbnails import ensure_thumbnail, write_thumbnail

__all__ = ["Entry", "History", "Recovery"]

log = logging.getLogger(__name__)

SAVE_PATIENCE_S: Final = 30.0

Trash = Callable[[Path], Path | None]


class History:
    """All pictures that were made. Every method may be called from any thread.

    ``listing``: what views show; ``marks``: the marks on them; ``care``: backups; ``placing``: where new ones go.

    Args:
        paths: The data folder; made when missing.
        trash: Moves a file to the system's trash and returns where it lies there, ``None`` when that is unknown.
            Raises OSError or StudioError when it cannot.

    Raises:
        HistoryDamaged: The database is broken: `recovery.set_aside` and open again.
        HistoryTooNew: A newer version wrote it.
        HistoryError: It cannot be opened for another reason.
    """

    def __init__(self, paths: StudioPaths, trash: Trash) -> None:
        try:
            paths.create()
        except OSError as error:
            raise HistoryError(
                f"Data folder = {paths.home}: it cannot be made or written ({error.strerror}).",
                "Choose another one with SDSTUDIO_HOME.",
            ) from error
        self._paths = paths
        self._trash = trash
        self._kept_as = KeptAs()
        self.placing = Placing(paths)
        # The log is there when the last program that had the database open did not close it.
        unclean = paths.database.with_name(paths.database.name + "-wal").exists()
        self._database = Database(paths.database)
        self.listing = Listing(self._database, paths)
        self.marks = Marks(self._database)
        self.lineage = Lineage(self._database, paths)
        self.care = Care(self._database, paths, self.settle, trash)
        if unclean:
            self._check()
        self._unmarked: set[int] = set()
        self._unmarked_lock = threading.Lock()

    def configure(self, settings: Settings) -> None:
        """Write new pictures as these settings want them, from the next one on."""
        self._kept_as = KeptAs.chosen(settings)
        self.placing.configure(settings)

    def save(
        self,
        pixels: Image.Image,
        recipe: Recipe,
        job_id: int | None = None,
        parent_id: int | None = None,
        out: Path | None = None,
    ) -> Entry:
        """Write a picture with its recipe inside, its thumbnail and its row.

        Args:
            pixels: RGB.
            recipe: Its request has a seed.
            job_id: The job that made it.
            parent_id: The entry it is a re-run of.
            out: Where to write it instead of where the settings want it: a folder, or a file that ends in ``.png`` and
                is replaced when it exists.

        Raises:
            SaveFailed: Disk full, folder not writable, name impossible, database not writable. Nothing is left behind,
                and the pixels are still the caller's: save them again, elsewhere if need be. What an output folder
                refuses goes to the data folder first; `Placing.problem` is the reason.
        """
        check_out(out)
        created = datetime.now().astimezone()
        suffix, write = self._kept_as.writer(pixels, recipe, out)

        def keep(place: Place) -> Entry:
            return self._keep(recipe, created, write, pixels, place, job_id=job_id, parent_id=parent_id)

        if out is not None:
            return keep(self.placing.within(out, recipe, created, suffix))
        return self.placing.kept(keep, recipe, created, suffix)

    def add_copy(self, source: Path, recipe: Recipe, small: Image.Image) -> Entry:
        """Copy a picture from elsewhere into the data folder, bit for bit, with a row that has the time it was made.

        It is listed by the next call, or by `settle`: one wait for the disk less for each of many.

        Args:
            source: A whole PNG, JPEG or WebP file; it stays as it is.
            recipe: What it records; reading the copy again gives the same.
            small: RGB, of thumbnail size.

        Raises:
            SaveFailed: See `save`; also when the source cannot be read.
        """
        created, suffix = made_at(recipe, source), source.suffix.lower()
        place = self.placing.plain(recipe, created, suffix)
        return self._keep(
            recipe, created, lambda path: copy_whole(source, path), small, place, settle=False, folder=folder_of(source)
        )

    def copy_of(self, source: Path, recipe: Recipe) -> int | None:
        """Return the entry that holds the same picture, ``None`` when there is none. Raises: HistoryError."""
        seed = recipe.request.seed
        # Not by the whole recipe: a version that reads or keeps more of it would take every picture anew.
        rows = self._database.read(
            "SELECT id, path FROM entries WHERE deleted_at IS NULL AND request_seed IS ?"
            " AND json_extract(recipe, '$.request.prompt') = ?",
            (None if seed is None else str(seed), recipe.request.prompt.partition("\0")[0]),
        )
        for row in rows:
            if same_bytes(source, self._paths.home / row["path"]):
                return int(row["id"])
        return None

    def _keep(
        self,
        recipe: Recipe,
        created: datetime,
        write: Callable[[Path], None],
        small: Image.Image,
        place: Place,
        *,
        job_id: int | None = None,
        parent_id: int | None = None,
        settle: bool = True,
        folder: str | None = None,
    ) -> Entry:
        """Bring a picture, its thumbnail and its row to the disk, in the order that no crash can hurt."""
        with saving_lock(self._paths.home / SAVING_LOCK, alone=False, patience_s=SAVE_PATIENCE_S):
            try:
                entry = self._begin(recipe, created, job_id, parent_id, place, folder)
            except HistoryError as error:
                raise SaveFailed(f"The picture was not saved. {error.message}", error.hint) from error
            try:
                write(entry.path)
            except BaseException:
                self._take_back(entry.id)
                raise
            try:
                write_thumbnail(entry.thumbnail, small)
            except SaveFailed as error:  # it is made again when it is looked for
                log.warning("no thumbnail for entry %d: %s", entry.id, error)
            with self._unmarked_lock:
                self._unmarked.add(entry.id)
            try:
                if settle:
                    self.settle()
            except HistoryError as error:
                # The picture is on disk with its recipe: it is listed as soon as the database can be written again.
                log.warning("entry %d is saved and not yet listed: %s", entry.id, error)
        return entry

    def _begin(
        self, recipe: Recipe, created: datetime, job_id: int | None, parent_id: int | None, place: Place,
        folder: str | None,
    ) -> Entry:  # fmt: skip
        """Insert the pending row, which gives the picture its number and with it its name; list those before it."""
        with self._listing_waiting() as db:
            entry_id = insert_entry(db, recipe, created.isoformat(), job_id=job_id, parent_id=parent_id, folder=folder)
            path = place(db, entry_id)
            db.execute("UPDATE entries SET path = ? WHERE id = ?", (stored_path(self._paths, path), entry_id))
        small = thumbnail_path(self._paths, entry_id)
        return Entry(entry_id, path, small, recipe, created, job_id, parent_id, folder=folder or "")

    def settle(self) -> None:
        """List the pictures that are saved and not listed yet. Raises: HistoryError."""
        with self._unmarked_lock:
            waiting = bool(self._unmarked)
        if waiting:
            with self._listing_waiting():
                pass

    @contextmanager
    def _listing_waiting(self) -> Iterator[sqlite3.Connection]:
        """List what waits for it in the same transaction as the block."""
        with self._unmarked_lock:
            waiting = sorted(self._unmarked)
        with self._database.transaction() as db:
            for entry_id in waiting:
                db.execute("UPDATE entries SET state = 'done' WHERE id = ?", (entry_id,))
                # A picture written over an older one: the older entry has no file any more.
                db.execute(
                    "UPDATE entries SET deleted_at = created WHERE id <> ?1 AND deleted_at IS NULL"
                    " AND path = (SELECT path FROM entries WHERE id = ?1)",
                    (entry_id,),
                )
            yield db
        with self._unmarked_lock:
            self._unmarked.difference_update(waiting)

    def _take_back(self, entry_id: int) -> None:
        try:
            with self._database.transaction() as db:
                remove_row(db, entry_id)
        except HistoryError as error:  # the next start does it
            log.warning("the pending row %d stays: %s", entry_id, error)

    @property
    def read_only(self) -> bool:
        """Whether pictures can be looked at, searched, exported and backed up, and nothing be kept."""
        return self._database.read_only

    def check_writable(self) -> None:
        """Refuse to go on where nothing can be kept. Raises: HistoryError."""
        self._database.check_writable()

    def entries(self, query: str = "", limit: int = 200) -> list[Entry]:
        """Return pictures, the newest first.

        Args:
            query: Words that all have to be in prompt, negative prompt or model name, as parts of words too, in any
                case; a number may also be the seed. Any text is allowed.
            limit: At most this many.

        Raises:
            HistoryError: The database cannot be read.
        """
        return self.listing.entries(self.listing.ids(Look(query), limit))

    def count(self, query: str = "") -> int:
        """Return how many pictures a query finds. Raises: HistoryError."""
        return self.listing.count(Look(query))

    def get(self, entry_id: int) -> Entry:
        """Return one picture, a deleted one too.

        Raises:
            HistoryError: There is no such entry, or the database cannot be read.
        """
        rows = self._database.read(
            f"SELECT {COLUMNS} FROM entries WHERE id = ? AND state = 'done'", (_bound(entry_id),)
        )
        if not rows:
            raise HistoryError(f"Entry = {entry_id}: there is no such picture.", "Look at the list of pictures.")
        return entry_of(rows[0], self._paths)

    def thumbnail(self, entry: Entry) -> Path:
        """Return an entry's thumbnail, made again when it is missing; the picture where it cannot be kept.

        Raises:
            SaveFailed: See `ensure_thumbnail`.
        """
        if self.read_only and not entry.thumbnail.is_file():
            return entry.path
        return ensure_thumbnail(entry.thumbnail, entry.path)

    def delete(self, ids: Sequence[int]) -> list[int]:
        """Move pictures to the system's trash, keeping their rows for `restore`; return the ids that were there.

        Raises:
            HistoryError: A picture cannot be moved; those before it have been.
        """
        deleted: list[int] = []
        for entry_id in ids:
            rows = self._database.read(f"SELECT path FROM entries WHERE id = ? AND {VISIBLE}", (_bound(entry_id),))
            if rows:
                with saving_lock(self._paths.home / SAVING_LOCK, alone=False, patience_s=SAVE_PATIENCE_S):
                    self._delete(entry_id, self._paths.home / rows[0]["path"])
                deleted.append(entry_id)
        return deleted

    def _delete(self, entry_id: int, file: Path) -> None:
        # The row first: cut off in between, the picture is still there and the next start shows it again.
        is_there = file.exists()
        self._set(entry_id, datetime.now().astimezone().isoformat(), None if is_there else NOT_THERE)
        try:
            where = self._trash(file) if is_there else None
        except (OSError, StudioError) as error:
            self._set(entry_id, None, None)
            if isinstance(error, StudioError):
                raise
            raise HistoryError(
                f"Picture = {file}: it could not be moved to the trash ({error.strerror or error}).",
                "Delete the file by hand.",
            ) from error
        if where is not None:
            place = str(where) if is_utf8(str(where)) else os.fsencode(where)  # bytes are no text for SQLite
            self._set(entry_id, datetime.now().astimezone().isoformat(), place)
        with suppress(OSError):
            thumbnail_path(self._paths, entry_id).unlink(missing_ok=True)

    def restore(self, ids: Sequence[int]) -> list[Entry]:
        """Bring deleted pictures back from the trash; those that are not deleted are returned as they are.

        Raises:
            HistoryError: Some are no longer in the trash; the others have been brought back.
        """
        back, gone = list[Entry](), list[int]()
        for entry_id in ids:
            rows = self._database.read(
                f"SELECT {COLUMNS}, trashed_to FROM entries WHERE id = ? AND state = 'done'", (_bound(entry_id),)
            )
            if rows and bring_back(self._paths.home / rows[0]["path"], rows[0]["trashed_to"]):
                self._set(entry_id, None, None)
                back.append(entry_of(rows[0], self._paths))
            else:
                gone.append(entry_id)
        if gone:
            which = ", ".join(map(str, gone))
            raise HistoryError(
                f"Entry = {which}: no longer in the trash, so it cannot be brought back.",
                "Make it again with the same prompt and seed.",
            )
        return back

    def _set(self, entry_id: int, deleted_at: str | None, trashed_to: str | bytes | None) -> None:
        with self._database.transaction() as db:
            db.execute(
                "UPDATE entries SET deleted_at = ?, trashed_to = ? WHERE id = ?", (deleted_at, trashed_to, entry_id)
            )

    def uses(self) -> Mapping[tuple[str, str], Use]:
        """Return how often each model, LoRA, embedding and VAE was used, by kind and name. Raises: HistoryError."""
        return uses(self._database)

    def newest_by_model(self) -> Mapping[str, Newest]:
        """Return the newest picture of each model that drew one, by its key. Raises: HistoryError."""
        return newest(self._database, self._paths)

    def recover(self) -> Recovery:
        """Put right what the last run left behind; called once at the start. Raises: HistoryError."""
        return recover(self._database, self._paths, self.settle)

    def _check(self) -> None:
        try:
            verdict = str(self._database.read("PRAGMA quick_check(1)")[0][0])
            if verdict != "ok":
                message = f"History = {self._paths.database}: the file is damaged ({' '.join(verdict.split())})."
                raise HistoryDamaged(message, DAMAGED_HINT)
        except BaseException:
            self._database.close()
            raise

    def close(self) -> None:
        """Close the database; nothing may be called afterwards."""
        self._database.close()


def _bound(number: int) -> int:
    """Return an id that SQLite can hold; larger ones name nothing."""
    return number if abs(number) < 2**63 else -1
