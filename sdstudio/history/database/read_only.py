"""How a database is read where nothing can be written: on a read-only disk, or in the folder of another user.

SQLite cannot open a file in WAL mode there: it would make an index of the log beside it (sqlite.org/wal.html, chapter
"Read-Only Databases"). While a program that may write has it open, that index is there and can be used. Else the file
is copied with its log into a folder of the system's for temporary files. A copy can also be brought up to date, where
an older version wrote it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path

from sdstudio.core.errors import HistoryError

HINT = "Allow writing to its folder, or set SDSTUDIO_HOME to another one."


def is_read_only(path: Path) -> bool:
    """Whether there is a database that can be read and not be written."""
    can = (os.access(place, os.W_OK) for place in (path.parent, path))
    return path.is_file() and not all(can)


def read_only_error(path: Path) -> HistoryError:
    """Record that nothing can be kept."""
    return HistoryError(f"History = {path}: it is read-only.", HINT)


def live_uri(path: Path) -> str | None:
    """Return how a database is opened that another program has open, ``None`` when none has."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    if path.with_name(path.name + "-shm").is_file():
        with suppress(sqlite3.Error), closing(sqlite3.connect(uri, uri=True)) as db:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            return uri
    return None


def copied(path: Path) -> tempfile.TemporaryDirectory[str]:
    """Copy a database and its log into a folder of their own, under the same names.

    Raises:
        HistoryError: It cannot be read, or there is no room for the copy.
    """
    folder = tempfile.TemporaryDirectory(prefix="sdstudio-", ignore_cleanup_errors=True)
    try:
        for ending in ("", "-wal"):
            source = path.with_name(path.name + ending)
            if not ending or source.is_file():
                shutil.copyfile(source, Path(folder.name, source.name))
    except OSError as error:
        folder.cleanup()
        message = f"History = {path}: it is read-only, and cannot be copied to be read ({error.strerror})."
        raise HistoryError(message, "Free some space in the system's folder for temporary files.") from error
    return folder
