"""A backup: everything the user made, as one zip or one folder, that is a data folder itself.

The database is copied through SQLite, so that a window may go on drawing meanwhile, and copied first, so that every
picture it names was there when the copying of pictures began. Models, logs and what can be made again are left out.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from sdstudio.core.errors import Cancelled, HistoryDamaged, SaveFailed
from sdstudio.core.files import TEMPORARY, copy_whole, save_failed, write_whole
from sdstudio.core.paths import StudioPaths, expanded
from sdstudio.history.bulk_work import OnProgress, never, unheard
from sdstudio.history.database.schema import DAMAGED_HINT, VISIBLE, Database
from sdstudio.history.names import nameable

ELSEWHERE: Final = "elsewhere"
"""Folder below ``images`` for pictures that were saved outside the data folder."""
SPACE_TO_SPARE: Final = 50_000_000
_LEFT_OUT: Final = frozenset({"models", "cache", "logs", "thumbnails", "studio.lock", "saving.lock"})


@dataclass
class BackupReport:
    """What was written where, and which pictures of the history were not there to be copied."""

    path: Path
    pictures: int = 0
    files: int = 0
    size_bytes: int = 0
    missing: list[Path] = field(default_factory=list)

    def __str__(self) -> str:
        """Return one line for the user."""
        gone = f", {len(self.missing):,} were gone" if self.missing else ""
        what = "1 picture" if self.pictures == 1 else f"{self.pictures:,} pictures"
        return f"{what} and all settings backed up to {self.path} ({self.size_bytes / 1e6:,.1f} MB){gone}."


@dataclass(frozen=True, slots=True)
class _Piece:
    """One file to copy, and where it lies in the backup."""

    source: Path
    inside: str


def back_up(
    database: Database,
    paths: StudioPaths,
    target: Path,
    on_progress: OnProgress = unheard,
    cancelled: Callable[[], bool] = never,
) -> BackupReport:
    """Write a backup, whole or not at all.

    Args:
        database: The history's.
        paths: The data folder.
        target: A file that ends in ``.zip``, or a folder; it must not be there yet.
        on_progress: See `OnProgress`.
        cancelled: Asked before each file; nothing is left behind then.

    Raises:
        SaveFailed: It is there already, or cannot be written.
        HistoryDamaged: There is nothing whole to back up.
        Cancelled: ``cancelled`` returned True.
    """
    target = expanded(target).absolute()
    _check_target(target, paths)
    verdict = str(database.read("PRAGMA quick_check(1)")[0][0])
    if verdict != "ok":
        raise HistoryDamaged(f"History = {database.path}: the file is damaged, nothing was backed up.", DAMAGED_HINT)
    report = BackupReport(target)
    with _work_folder(target) as folder:
        pieces = [_Piece(folder / paths.database.name, paths.database.name)]
        database.copy_to(pieces[0].source)
        pieces += _pieces(paths)
        pieces += _from_outside(pieces[0].source, paths, report)
        check_space(target, pieces)
        if target.suffix.lower() == ".zip":
            write_whole(target, lambda to: _write_zip(to, pieces, report, on_progress, cancelled))
        else:
            _write_folder(target, folder / "copy", pieces, report, on_progress, cancelled)
    on_progress(len(pieces), len(pieces), "")
    return report


def _check_target(target: Path, paths: StudioPaths) -> None:
    if os.path.lexists(target):
        raise SaveFailed(f"Backup = {target}: it is there already.", "Choose another name.")
    copied = (folder for folder in paths.home.iterdir() if folder.is_dir() and folder.name not in _LEFT_OUT)
    place = Path(os.path.realpath(target))
    if any(place.is_relative_to(os.path.realpath(folder)) for folder in (paths.home, *copied)):
        raise SaveFailed(f"Backup = {target}: it would lie in the data folder itself.", "Choose another folder.")


@contextmanager
def _work_folder(target: Path) -> Iterator[Path]:
    """Make a folder beside the target, on the same disk, for what is unfinished."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".sdstudio-backup-", dir=target.parent))
    except (OSError, ValueError) as error:
        raise save_failed(target, error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _pieces(paths: StudioPaths) -> Iterator[_Piece]:
    """Yield every file of the user's, behind links too: ``images`` may be one to a larger disk."""
    for where, folders, files in os.walk(paths.home, followlinks=True):
        inside = Path(where).relative_to(paths.home)
        above = (paths.home / part for part in inside.parents)
        if inside.parts and os.path.realpath(where) in map(os.path.realpath, above):  # a link that leads back
            folders.clear()
            continue
        if not inside.parts:
            folders[:] = [name for name in folders if name not in _LEFT_OUT]
        for name in sorted(files):
            own = not inside.parts and (name in _LEFT_OUT or name.startswith(paths.database.name))
            if not own and not name.endswith(TEMPORARY):
                yield _Piece(Path(where, name), nameable((inside / name).as_posix()))


def _from_outside(copy: Path, paths: StudioPaths, report: BackupReport) -> Iterator[_Piece]:
    """Bring in the pictures that lie outside the data folder, and record in the copied database where they are now."""
    with closing(Database(copy)) as database:
        rows = database.read(f"SELECT id, path FROM entries WHERE {VISIBLE} ORDER BY id")
        report.pictures = len(rows)
        for row in rows:
            file = paths.home / row["path"]
            if not file.is_file():
                report.missing.append(file)
                report.pictures -= 1
            elif not file.is_relative_to(paths.home):
                inside = f"{paths.images.name}/{ELSEWHERE}/{row['id']:06d}-{file.name}"
                with database.transaction() as db:
                    db.execute("UPDATE entries SET path = ? WHERE id = ?", (inside, row["id"]))
                yield _Piece(file, inside)


def check_space(target: Path, pieces: list[_Piece]) -> None:
    """Raise `SaveFailed` when the disk of ``target`` has no room for all of it."""
    needed = SPACE_TO_SPARE
    for piece in pieces:
        with suppress(OSError):
            needed += piece.source.stat().st_size
    free = shutil.disk_usage(target.parent).free
    if needed > free:
        message = f"Backup = {needed / 1e6:,.0f} MB: the disk of {target.parent} has {free / 1e6:,.0f} MB left."
        raise SaveFailed(message, "Choose another disk.")


def _each(
    pieces: list[_Piece], report: BackupReport, on_progress: OnProgress, cancelled: Callable[[], bool]
) -> Iterator[_Piece]:
    for at, piece in enumerate(pieces):
        if cancelled():
            raise Cancelled
        on_progress(at, len(pieces), Path(piece.inside).name)
        try:
            size = piece.source.stat().st_size
        except OSError:  # deleted since it was listed
            report.missing.append(piece.source)
            continue
        yield piece
        report.files, report.size_bytes = report.files + 1, report.size_bytes + size


def _write_zip(
    to: BinaryIO, pieces: list[_Piece], report: BackupReport, on_progress: OnProgress, cancelled: Callable[[], bool]
) -> None:
    with zipfile.ZipFile(to, "w", strict_timestamps=False) as archive:
        for piece in _each(pieces, report, on_progress, cancelled):
            packed = piece.source.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp")
            archive.write(piece.source, piece.inside, zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED)


def _write_folder(
    target: Path,
    unfinished: Path,
    pieces: list[_Piece],
    report: BackupReport,
    on_progress: OnProgress,
    cancelled: Callable[[], bool],
) -> None:
    for piece in _each(pieces, report, on_progress, cancelled):
        copy_whole(piece.source, unfinished / piece.inside)
    try:
        os.replace(unfinished, target)
    except OSError as error:
        raise save_failed(target, error) from error
