"""What only the database knew comes back, row by row, from a damaged one as far as it can be read, or from a copy.

The pictures hold their recipes; jobs, ratings, favourites, tags, collections and who came from whom they do not.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any

from sdstudio.history.care.marks_copy import copies
from sdstudio.history.database.schema import Database

log = logging.getLogger(__name__)

BAD = ".bad-"
"""Stands in the name of a database that was set aside."""


@contextmanager
def _reading(kept: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{kept.absolute().as_uri()}?mode=ro", uri=True)) as old:
        old.row_factory = sqlite3.Row
        yield old


def carry_over_jobs(kept: Path, database: Database) -> None:
    """Copy the jobs that can still be read. Raises: HistoryError."""
    columns = "id, state, request, seeds, batch_size, message, hint, created"
    with closing(sqlite3.connect(kept)) as old:
        newest = 0
        with suppress(sqlite3.Error):
            newest = old.execute("SELECT max(id) FROM jobs").fetchone()[0] or 0
        with database.transaction() as db:
            for number in range(1, newest + 1):
                with suppress(sqlite3.Error):  # this row lies on a damaged page; the next may not
                    job = old.execute(f"SELECT {columns} FROM jobs WHERE id = ?", (number,)).fetchone()
                    if job is not None:
                        db.execute(f"INSERT INTO jobs ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", job)
            db.execute("UPDATE jobs SET group_id = id")
            db.execute("UPDATE jobs SET cleared = 1 WHERE state IN ('done', 'cancelled')")


def carry_over_marks(database: Database, ids: Sequence[int]) -> int:
    """Copy the user's marks on pictures that were listed anew.

    The last database that was set aside knows best; of pictures that it does not know, the newest copy that does.

    Args:
        database: The new one.
        ids: Of the rows that were made from pictures; only those that are the same picture there are touched.

    Returns:
        How many pictures have something again.
    """
    folder = database.path.parent
    aside = sorted(folder.glob(f"{database.path.name}{BAD}*[0-9]"), key=lambda path: path.name)
    left, marked = list(ids), 0
    for source in (*aside[-1:], *copies(folder, date.today())):
        if not left:
            break
        with suppress(sqlite3.Error), _reading(source) as old:
            unknown = []
            for entry_id in left:
                has_something = None
                with suppress(sqlite3.Error):  # this row lies on a damaged page; the next may not
                    has_something = _carry_over(old, database, entry_id)
                if has_something is None:
                    unknown.append(entry_id)
                marked += bool(has_something)
            left = unknown
    return marked


def _carry_over(old: sqlite3.Connection, database: Database, entry_id: int) -> bool | None:
    """Copy the marks of one picture and return whether it has any; ``None`` when this database does not know it."""
    row = old.execute("SELECT * FROM entries WHERE id = ?", (entry_id,)).fetchone()
    (new,) = database.read("SELECT path FROM entries WHERE id = ?", (entry_id,))
    if row is None or row["path"] != new["path"]:
        return None
    there = set(row.keys())
    marks = {name: row[name] for name in ("rating", "favourite", "parent_id", "folder") if name in there and row[name]}
    tags = _all(old, "SELECT tag FROM entry_tags WHERE entry_id = ?", entry_id)
    collections = _all(
        old, "SELECT name FROM collections JOIN collection_entries ON collection_id = id WHERE entry_id = ?", entry_id
    )
    with database.transaction() as db:
        for name, value in marks.items():
            same = "(SELECT id FROM entries WHERE id = ?)" if name == "parent_id" else "?"
            db.execute(f"UPDATE entries SET {name} = {same} WHERE id = ?", (value, entry_id))
        if "job_id" in there:  # a job that is tried again makes the missing pictures only
            job = "(SELECT id FROM jobs WHERE id = ?)"
            db.execute(f"UPDATE entries SET job_id = {job} WHERE id = ?", (row["job_id"], entry_id))
        for tag in tags:
            db.execute("INSERT OR IGNORE INTO entry_tags (tag, entry_id) VALUES (?, ?)", (tag, entry_id))
        for name in collections:
            db.execute("INSERT OR IGNORE INTO collections (name) VALUES (?)", (name,))
            db.execute(
                "INSERT OR IGNORE INTO collection_entries SELECT id, ? FROM collections WHERE name = ?",
                (entry_id, name),
            )
    return bool(marks or tags or collections)


def _all(old: sqlite3.Connection, sql: str, *values: Any) -> list[str]:
    with suppress(sqlite3.Error):  # a database from before there were tags
        return [str(row[0]) for row in old.execute(sql, values)]
    return []
