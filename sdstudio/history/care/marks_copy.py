"""A small copy, once a day, of what only the database knows: ratings, favourites, tags, collections, origin.

With it a history that is lost altogether comes back from the pictures with the user's marks on them.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO, Final

from sdstudio.core.errors import StudioError
from sdstudio.core.files import write_whole
from sdstudio.history.database.schema import Database

log = logging.getLogger(__name__)

KEPT: Final = 3
"""How many days' copies there are."""
_NAME: Final = re.compile(r"marks-(\d{8})\.db")
_TABLES: Final = {
    "entries": ("id INTEGER PRIMARY KEY", "path", "rating", "favourite", "parent_id", "folder"),
    "entry_tags": ("tag", "entry_id"),
    "collections": ("id INTEGER PRIMARY KEY", "name"),
    "collection_entries": ("collection_id", "entry_id"),
}
"""The tables as the history has them, with the columns that are copied."""


def copies(folder: Path, today: date) -> list[Path]:
    """Return the copies that there are in a data folder, the newest first; last those of days that are yet to come.

    A clock that went wrong for a day must not let its copies go before all that are made afterwards.
    """
    newest = _name(today)
    copies = (file for file in folder.glob("marks-*.db") if _NAME.fullmatch(file.name))
    return sorted(copies, key=lambda file: (file.name <= newest, file.name), reverse=True)


def keep_marks(database: Database, today: date) -> bool:
    """Write today's copy beside the database, unless it is there or no picture is marked, and drop the oldest ones.

    Nothing depends on it: where it cannot be written, the log records it.

    Returns:
        Whether one was written.
    """
    folder = database.path.parent
    target = folder / _name(today)
    if target.exists():
        return False
    try:
        rows = {table: _rows(database, table, columns) for table, columns in _TABLES.items()}
        if not any(any(row[2:]) for row in rows["entries"]) and not rows["entry_tags"] and not rows["collections"]:
            return False
        _write(target, _content(rows))
    except (StudioError, sqlite3.Error) as error:
        log.warning("ratings, tags and collections could not be copied: %s", error)
        return False
    for old in copies(folder, today)[KEPT:]:
        with suppress(OSError):
            old.unlink()
    return True


def _name(day: date) -> str:
    return f"marks-{day:%Y%m%d}.db"


def _write(target: Path, content: bytes) -> None:
    def write(file: BinaryIO) -> None:
        file.write(content)

    write_whole(target, write)


def _rows(database: Database, table: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    names = ", ".join(_names(columns))
    return [tuple(row) for row in database.read(f"SELECT {names} FROM {table}")]


def _names(columns: Sequence[str]) -> list[str]:
    return [column.split()[0] for column in columns]


def _content(rows: dict[str, list[tuple[Any, ...]]]) -> bytes:
    with closing(sqlite3.connect(":memory:")) as copy:
        for table, columns in _TABLES.items():
            copy.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
            copy.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", rows[table])
        copy.execute("CREATE INDEX entry_tags_entry ON entry_tags (entry_id)")
        copy.execute("CREATE INDEX collection_entries_entry ON collection_entries (entry_id)")
        copy.commit()
        return copy.serialize()
