"""Pictures from elsewhere become entries: copied as they are, one after the other, whatever is wrong with some.

The copy is bit for bit the original, which stays untouched: no entry without a file when the original is moved, and
everything another program wrote into it is still there when it is exported. A picture that the history holds already is
not taken twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sdstudio.core.errors import HistoryError, PictureUnreadable, SaveFailed
from sdstudio.core.pictures.opening import ENDINGS, shown
from sdstudio.history.bulk_work import Failure, OnProgress, never, unheard
from sdstudio.history.database.rows import folder_of
from sdstudio.history.picture_text.foreign.origin import Reading
from sdstudio.history.picture_text.foreign.reading import examine_picture
from sdstudio.history.store import Entry, History

SAYS_NOTHING: Final = "no generation parameters found"
_TIDY: Final = frozenset({"__MACOSX"})


@dataclass(frozen=True, slots=True)
class Taken:
    """One picture that became an entry."""

    source: Path
    entry: Entry
    reading: Reading


@dataclass
class ImportReport:
    """What came of an import.

    Attributes:
        total: Files that were looked at or would have been.
        taken: Those that are entries now, in order.
        known: (file, id of the entry that holds it already).
        placed: How many of these had no folder noted, and have one now.
        failed: The others, each with its reason.
        stopped: Why the rest was not looked at: cancelled, disk full; "" when everything was.
    """

    total: int = 0
    taken: list[Taken] = field(default_factory=list)
    known: list[tuple[Path, int]] = field(default_factory=list)
    placed: int = 0
    failed: list[Failure] = field(default_factory=list)
    stopped: str = ""

    @property
    def done(self) -> int:
        """How many files were looked at."""
        return len(self.taken) + len(self.known) + len(self.failed)

    def within(self, folder: Path) -> list[int]:
        """Return the ids of the pictures that lie in or below a folder, those that were there already among them."""
        held = [(taken.source, taken.entry.id) for taken in self.taken] + self.known
        return [entry_id for source, entry_id in held if source.is_relative_to(folder)]

    def __str__(self) -> str:
        """Return one line for the user."""
        parts = [_pictures(len(self.taken)) + " imported"]
        if self.known:
            placed = f" ({self.placed:,} now with their folder)" if self.placed else ""
            parts.append(f"{len(self.known):,} already there{placed}")
        if self.failed:
            parts.append(f"{len(self.failed):,} failed")
        if self.stopped:
            parts.append(f"{self.total - self.done:,} left out: {self.stopped}")
        return ", ".join(parts) + ("" if self.stopped.endswith(".") else ".")


def find_pictures(paths: Sequence[Path]) -> list[Path]:
    """Return the files to import: those named, whatever they are, and every picture in and below folders.

    Links to folders are not followed, hidden folders are left out, and each file comes once.
    """
    files: dict[Path, None] = {}
    for path in paths:
        for file in _below(path) if os.path.isdir(path) else (path,):
            files.setdefault(file)
    return list(files)


def _below(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _TIDY)
        for name in sorted(files):
            if name.lower().endswith(ENDINGS) and not name.startswith("._"):
                yield Path(where, name)


def import_pictures(
    history: History,
    paths: Sequence[Path],
    on_progress: OnProgress = unheard,
    cancelled: Callable[[], bool] = never,
) -> ImportReport:
    """Take pictures and folders of pictures into the history; one that cannot be read never stops the rest.

    Args:
        history: Where they go.
        paths: Files and folders.
        on_progress: See `OnProgress`.
        cancelled: Asked before each file; what was imported until then stays.

    Raises:
        HistoryError: The database cannot be used.
    """
    report = ImportReport()
    files = find_pictures(paths)
    report.total = len(files)
    try:
        for file in files:
            if cancelled():
                report.stopped = "stopped"
                return report
            on_progress(report.done, report.total, shown(file.name))
            _take(history, file, report)
    except SaveFailed as error:  # the disk is full or read-only: so it is for all that follow
        report.stopped = error.message
        return report
    finally:
        with suppress(HistoryError):  # the last one is listed as soon as the database can be written again
            history.settle()
    on_progress(report.done, report.total, "")
    return report


def _take(history: History, file: Path, report: ImportReport) -> None:
    try:
        reading, small = examine_picture(file)
    except PictureUnreadable as error:
        report.failed.append(Failure(file, error.message.partition(": ")[2].rstrip(".")))
        return
    if reading is None:
        report.failed.append(Failure(file, SAYS_NOTHING))
        return
    known = history.copy_of(file, reading.recipe)
    if known is not None:
        report.known.append((file, known))
        report.placed += history.marks.note_folder(known, folder_of(file))
        return
    report.taken.append(Taken(file, history.add_copy(file, reading.recipe, small), reading))


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count:,} pictures"
