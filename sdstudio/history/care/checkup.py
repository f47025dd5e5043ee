"""Whether history and pictures agree: files without rows, rows without files, and what else can come apart.

Repairing destroys nothing: a row whose picture is gone is taken out of sight and comes back by itself when the file
does (`recovery`), a picture without a row is listed again, and a file that records nothing is left where it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sdstudio.core.errors import HistoryError, PictureUnreadable, SaveFailed
from sdstudio.core.files import TEMPORARY, is_utf8
from sdstudio.core.paths import StudioPaths
from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.pictures.opening import ENDINGS, begins_as_picture, check_whole, shown
from sdstudio.core.request.recipe import Recipe
from sdstudio.history.bulk_work import SAVING_LOCK, OnProgress, never, saving_lock, unheard
from sdstudio.history.care.input_check import spare_inputs, without_input
from sdstudio.history.care.moved import is_there, moved_pictures, pictures_like, reunite
from sdstudio.history.care.recovery import adopt_files, noted_orphans, recover_now
from sdstudio.history.database.rows import index_words, stored_path, stored_recipe
from sdstudio.history.database.schema import VISIBLE, Database
from sdstudio.history.names import free_path, nameable, number_of
from sdstudio.history.picture_text.foreign.reading import recipe_of

PATIENCE_S: Final = 10.0
"""How long repairing waits for a save in another process."""
EACH: Final = 50
"""Progress is reported every so many pictures."""

DATABASE, UNFINISHED, NO_FILE, NO_ROW, STRANGER, DAMAGED, NO_WORDS, THUMBNAIL, NO_INPUT, SPARE_INPUT, BAD_NAME = (
    "database", "unfinished", "no_file", "no_row", "stranger", "damaged", "no_words", "thumbnail", "no_input",
    "spare_input", "bad_name",
)  # fmt: skip
_NOT_LISTED: Final = "the history does not list it"
HARMLESS: Final = frozenset({STRANGER, SPARE_INPUT})
"""What is only named where it is not put right."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        kind: ``database`` damaged · ``unfinished`` save of a crash · ``no_file`` for a row · ``no_row`` for a picture ·
            ``stranger``: a file that records nothing · ``damaged`` picture · ``no_words``: cannot be found by its words
            · ``thumbnail`` of no picture · ``no_input``: the picture it began from is gone · ``spare_input``: a picture
            to begin from that nothing needs any more · ``bad_name``: a picture whose name the database cannot hold.
        path: The file it is about.
        entry_id: The row it is about, ``None`` for none.
        text: What is wrong.
        repaired: What was done about it, "" when nothing was.
    """

    kind: str
    path: Path
    entry_id: int | None
    text: str
    repaired: str = ""

    def facts(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "kind": self.kind, "path": shown(str(self.path)), "id": self.entry_id, "said": self.text,
            "repaired": self.repaired,
        }  # fmt: skip


@dataclass
class CheckReport:
    """What a check found.

    Attributes:
        pictures: Pictures of the history.
        deep: Whether each was read to its end.
        findings: What is wrong, or was.
    """

    pictures: int = 0
    deep: bool = False
    findings: list[Finding] = field(default_factory=list)

    @property
    def open(self) -> list[Finding]:
        """What is still wrong; files that record nothing, or are of no use any more, are only named."""
        return [finding for finding in self.findings if not finding.repaired and finding.kind not in HARMLESS]

    def __str__(self) -> str:
        """Return one line for the user."""
        what = "1 picture" if self.pictures == 1 else f"{self.pictures:,} pictures"
        if not self.findings:
            return f"{what} checked, everything is in order."
        repaired = sum(bool(finding.repaired) for finding in self.findings)
        parts = [f"{repaired:,} repaired"] if repaired else []
        if self.open:
            parts.append(f"{len(self.open):,} to repair" if not repaired else f"{len(self.open):,} cannot be repaired")
        strangers = sum(finding.kind == STRANGER for finding in self.findings)
        if strangers:
            parts.append("1 file that is" if strangers == 1 else f"{strangers:,} files that are")
            parts[-1] += " no picture of the history"
        spare = sum(finding.kind == SPARE_INPUT and not finding.repaired for finding in self.findings)
        if spare:
            parts.append(f"{spare:,} input picture{'s' if spare > 1 else ''} that nothing needs any more")
        return f"{what} checked: {', '.join(parts)}."


class Checkup:
    """One check of a data folder.

    Args:
        database: The history's.
        paths: The data folder.
        settle: Lists what this process has saved and not listed yet.
        trash: Moves a file to the system's trash.
        repair: Put right what can be.
        deep: Read every picture to its end, checksums and pixels.
        on_progress: See `OnProgress`.
        cancelled: Asked between pictures; what was found until then is reported.
    """

    def __init__(
        self,
        database: Database,
        paths: StudioPaths,
        settle: Callable[[], None],
        trash: Callable[[Path], Path | None],
        repair: bool = False,
        deep: bool = False,
        on_progress: OnProgress = unheard,
        cancelled: Callable[[], bool] = never,
    ) -> None:
        self._database = database
        self._paths = paths
        self._settle = settle
        self._trash = trash
        self._repair = repair
        self._on_progress = on_progress
        self._cancelled = cancelled
        self._report = CheckReport(deep=deep)

    def run(self) -> CheckReport:
        """Check everything.

        Raises:
            HistoryError: The database cannot be used, or pictures are being saved and repairing has to wait.
        """
        if self._repair:
            self._database.check_writable()
        if not self._database_is_whole():
            return self._report
        if not self._repair:
            with saving_lock(self._paths.home / SAVING_LOCK, alone=True) as alone:
                if alone:  # else what is unfinished is being saved just now
                    self._look_at_unfinished()
            self._look()
            return self._report
        with saving_lock(self._paths.home / SAVING_LOCK, alone=True, patience_s=PATIENCE_S) as alone:
            if not alone:
                message = "A picture is being saved: nothing can be repaired now."
                raise HistoryError(message, "Try again when it is done.")
            self._look_at_unfinished()
            self._look()
        return self._report

    def _look(self) -> None:
        noted = noted_orphans(self._database, self._paths)
        orphans = self._orphans(noted)
        around = [*orphans, *self._beside_lost(set(orphans))]
        recipes = {file: recipe for file in around if (recipe := recipe_of(file)) is not None}
        seen = self._look_at_rows(around, recipes)
        left = [file for file in orphans if file not in seen and _is_named_so(file)]
        self._look_at_orphans(left, recipes, noted)
        self._look_at_words()
        self._look_at_thumbnails()
        self._look_at_inputs()

    def _found(self, kind: str, path: Path, entry_id: int | None, text: str, repaired: str = "") -> None:
        self._report.findings.append(Finding(kind, path, entry_id, text, repaired if self._repair else ""))

    def _database_is_whole(self) -> bool:
        faults = [str(row[0]) for row in self._database.read("PRAGMA integrity_check(10)")]
        if faults != ["ok"]:
            text = "the database is damaged: " + "; ".join(" ".join(fault.split()) for fault in faults)[:300]
            self._found(DATABASE, self._database.path, None, text)
        return faults == ["ok"]

    def _look_at_unfinished(self) -> None:
        self._settle()
        rows = self._database.read("SELECT id, path FROM entries WHERE state = 'pending' ORDER BY id")
        for row in rows:
            file = self._paths.home / row["path"]
            self._found(UNFINISHED, file, row["id"], "saving it was cut off", "finished or taken back")
        if self._repair and rows:
            recover_now(self._database, self._paths)

    def _orphans(self, noted: Iterable[Path]) -> list[Path]:
        """Return the pictures in the data folder, and those noted, that no row names, those that are called so first.

        One without a picture's ending may be that of a row which has lost its own, and is nobody's otherwise: a copy
        that an editor made (``.bak``) is none to list.
        """
        known = {row["path"] for row in self._database.read("SELECT path FROM entries")}
        below = (file for file in self._paths.images.glob("**/*") if stored_path(self._paths, file) not in known)
        files = {*below, *noted}
        pictures = (file for file in files if is_there(file) and (_is_named_so(file) or _is_inside(file)))
        return sorted(pictures, key=lambda file: (not _is_named_so(file), file))

    def _beside_lost(self, orphans: Set[Path]) -> list[Path]:
        """Return the pictures in output folders that may be those of rows which lost theirs; others are not ours."""
        known = {row["path"] for row in self._database.read("SELECT path FROM entries")}
        rows = self._database.read(f"SELECT path FROM entries WHERE {VISIBLE}")
        files = (self._paths.home / row["path"] for row in rows)
        lost = (file for file in files if not file.is_relative_to(self._paths.images) and not is_there(file))
        beside = (file for folder in {file.parent for file in lost} for file in folder.glob("*"))
        return sorted(
            file for file in beside
            if _is_named_so(file) and file not in orphans and stored_path(self._paths, file) not in known
        )  # fmt: skip

    def _with_a_name(self, file: Path) -> Path | None:
        """Return a picture under a name that the database can hold, ``None`` while it has none."""
        stored = stored_path(self._paths, file)
        if is_utf8(stored):
            return file
        text = "its name is not UTF-8, so that the history cannot hold it"
        target = free_path(self._paths.home / nameable(stored))
        done = ""
        if self._repair:
            with suppress(OSError):
                target.parent.mkdir(parents=True, exist_ok=True)
                file.rename(target)
                done = f"renamed to {target.name}"
        self._found(BAD_NAME, file, None, text, done)
        return target if done else None

    def _look_at_rows(self, orphans: Sequence[Path], recipes: Mapping[Path, Recipe]) -> set[Path]:
        """Look at every row's file, and return the pictures that were found to be those of rows without one."""
        rows = self._database.read(f"SELECT id, path FROM entries WHERE {VISIBLE} ORDER BY id")
        self._report.pictures = len(rows)
        lost: dict[int, Path] = {}
        for at, row in enumerate(rows):
            if at % EACH == 0:
                if self._cancelled():
                    return set()
                self._on_progress(at, len(rows), Path(row["path"]).name)
            file = self._paths.home / row["path"]
            if not os.path.isfile(file):
                lost[row["id"]] = file
                continue
            reason = self._fault_of(file)
            if reason:
                self._report.findings.append(Finding(DAMAGED, file, row["id"], reason))
        self._on_progress(len(rows), len(rows), "")
        moved = moved_pictures(self._database, self._paths, recipes)
        for is_named_so in (True, False):
            strangers = [file for file in orphans if file not in recipes and _is_named_so(file) == is_named_so]
            moved |= pictures_like([entry_id for entry_id in lost if entry_id not in moved], self._paths, strangers)
        self._put_right(lost, moved)
        return set(moved.values())

    def _fault_of(self, file: Path) -> str:
        try:
            if self._report.deep:
                check_whole(file)
            elif file.stat().st_size == 0:
                return "the file is empty (0 bytes)"
        except PictureUnreadable as error:
            return error.message.partition(": ")[2].rstrip(".")
        except OSError as error:
            return f"it cannot be read ({error.strerror})"
        return ""

    def _put_right(self, lost: Mapping[int, Path], moved: Mapping[int, Path]) -> None:
        """Rows without a file: their pictures were moved or renamed within the data folder, or they are gone."""
        named = {entry_id: self._with_a_name(file) for entry_id, file in moved.items()}
        for entry_id, file in lost.items():
            if entry_id in moved:
                text = f"its picture lies in {shown(stored_path(self._paths, moved[entry_id]))}"
                self._found(NO_FILE, file, entry_id, text, "found again" if named[entry_id] else "")
                continue
            self._found(NO_FILE, file, entry_id, "its picture is gone", "taken out of the list until the file is back")
            if self._repair:
                now = datetime.now().astimezone().isoformat()
                self._write("UPDATE entries SET deleted_at = ?, trashed_to = NULL WHERE id = ?", now, entry_id)
        for entry_id, file in moved.items():
            if entry_id not in lost:  # it was taken out of the list before the file came back
                self._found(NO_ROW, file, entry_id, _NOT_LISTED, "listed again" if named[entry_id] else "")
        if self._repair:
            reunite(self._database, self._paths, {row: file for row, file in named.items() if file is not None})

    def _look_at_orphans(
        self, orphans: Sequence[Path], recipes: Mapping[Path, Recipe], noted: Mapping[Path, int]
    ) -> None:
        ours: list[tuple[int | None, Path]] = []
        for file in orphans:
            if self._cancelled():
                return
            try:
                check_whole(file)
            except PictureUnreadable as error:
                self._found(STRANGER, file, None, error.message.partition(": ")[2].rstrip("."))
                continue
            if file not in recipes:
                self._found(STRANGER, file, None, "no generation parameters found")
                continue
            named = self._with_a_name(file)
            self._found(NO_ROW, file, None, _NOT_LISTED, "listed again" if named else "")
            if named is not None:
                ours.append((noted.get(file, number_of(named)), named))
        if self._repair and ours:
            adopt_files(self._database, self._paths, ours)

    def _look_at_words(self) -> None:
        rows = self._database.read(
            "SELECT id, path, recipe FROM entries WHERE state = 'done' AND id NOT IN (SELECT rowid FROM entries_text)"
        )
        for row in rows:
            text = "it cannot be found by its words"
            self._found(NO_WORDS, self._paths.home / row["path"], row["id"], text, "made findable")
            if self._repair:
                with self._database.transaction() as db:
                    index_words(db, row["id"], stored_recipe(row["recipe"]))

    def _look_at_thumbnails(self) -> None:
        ids = {row["id"] for row in self._database.read("SELECT id FROM entries")}
        for file in _thumbnails(self._paths):
            if not (file.stem.isascii() and file.stem.isdigit()) or int(file.stem) not in ids:
                self._found(THUMBNAIL, file, None, "a thumbnail of no picture", "removed")
                if self._repair:
                    file.unlink(missing_ok=True)

    def _look_at_inputs(self) -> None:
        inputs = InputPictures(self._paths)
        for entry_id, path, key in without_input(self._database, inputs):
            text = f"the picture it began from is gone ({key[:12]}): it cannot be made again"
            self._report.findings.append(Finding(NO_INPUT, self._paths.home / path, entry_id, text))
        for kept in spare_inputs(self._database, inputs):
            repaired = ""
            if self._repair:
                with suppress(HistoryError, SaveFailed, OSError):  # the command line has no trash
                    for file in inputs.files_of(kept.id):
                        self._trash(file)
                    repaired = "moved to the trash"
            self._found(SPARE_INPUT, kept.path, None, f"nothing needs it any more ({kept.name})", repaired)
        for kept in inputs.all() if self._report.deep else ():
            if self._cancelled():
                return
            if not inputs.is_whole(kept.id):
                text = f"the input picture is no longer what it was ({kept.name})"
                self._report.findings.append(Finding(DAMAGED, kept.path, None, text))

    def _write(self, sql: str, *values: Any) -> None:
        with self._database.transaction() as db:
            db.execute(sql, values)


def _is_named_so(file: Path) -> bool:
    return file.suffix.lower() in ENDINGS


def _is_inside(file: Path) -> bool:
    """Whether a file without a picture's ending holds one; what is being written, and what is hidden, is left alone."""
    return file.suffix != TEMPORARY and not file.name.startswith(".") and begins_as_picture(file)


def _thumbnails(paths: StudioPaths) -> Iterator[Path]:
    return (file for file in paths.thumbnails.glob("*/*.jpg") if file.is_file())
