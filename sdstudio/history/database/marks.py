"""The user's marks on pictures: ratings, favourites, tags, collections. Every change hands back its undo."""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from sdstudio.core.errors import HistoryError
from sdstudio.core.request.recipe import IMPORTED
from sdstudio.history.database.look import RATING_MAXIMUM
from sdstudio.history.database.schema import Database

NAME_MAXIMUM: Final = 60
_AT_ONCE: Final = 5000
"""Ids in one statement; SQLite allows 32,766 values."""

_JOINERS: Final = "\u200c\u200d"
"""Not seen themselves, they shape what stands beside them: words in Persian, and emoji made of several."""

Undo = Callable[[], None]
"""Puts back what a change found. Raises: HistoryError."""

Pair = tuple[int, int]


class Marks:
    """Every method may be called from any thread, and raises HistoryError. Ids that name nothing are passed over."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def rate(self, ids: Iterable[int], rating: int) -> Undo:
        """Give pictures 1 to 5 stars, or none with 0."""
        if not 0 <= rating <= RATING_MAXIMUM:
            raise HistoryError(f"Rating = {rating}: allowed is 0 to {RATING_MAXIMUM}.", "0 takes the stars away.")
        return self._set("rating", ids, rating)

    def set_favourite(self, ids: Iterable[int], favourite: bool) -> Undo:
        """Make pictures favourites, or no longer."""
        return self._set("favourite", ids, int(favourite))

    def note_folder(self, entry_id: int, folder: str) -> bool:
        """Note where an imported picture comes from, if nothing is noted; True when it is noted now."""
        with self._database.transaction() as db:
            done = db.execute(
                "UPDATE entries SET folder = ? WHERE id = ? AND folder IS NULL"
                f" AND json_extract(recipe, '$.made_with.{IMPORTED}') IS NOT NULL",
                (folder, entry_id),
            )
            return done.rowcount > 0

    def tags(self, entry_id: int) -> tuple[str, ...]:
        """Return a picture's tags in alphabetical order."""
        rows = self._database.read("SELECT tag FROM entry_tags WHERE entry_id = ? ORDER BY tag", (entry_id,))
        return tuple(row["tag"] for row in rows)

    def add_tag(self, ids: Iterable[int], tag: str) -> Undo:
        """Give pictures a tag."""
        name = checked_name("Tag", tag)
        with self._database.transaction() as db:
            new = [each for each in _present(db, ids) if not _has_tag(db, each, name)]
            db.executemany("INSERT INTO entry_tags (tag, entry_id) VALUES (?, ?)", [(name, each) for each in new])
        return lambda: self._write("DELETE FROM entry_tags WHERE tag = ? AND entry_id = ?", [(name, i) for i in new])

    def remove_tag(self, ids: Iterable[int], tag: str) -> Undo:
        """Take a tag from pictures."""
        tag = tidy(tag)
        with self._database.transaction() as db:
            had = [each for each in _present(db, ids) if _has_tag(db, each, tag)]
            db.executemany("DELETE FROM entry_tags WHERE tag = ? AND entry_id = ?", [(tag, each) for each in had])
        return lambda: self._write(
            "INSERT OR IGNORE INTO entry_tags (tag, entry_id) SELECT ?, id FROM entries WHERE id = ?",
            [(tag, each) for each in had],
        )

    def held(self, kind: str, ids: Sequence[int]) -> dict[str, int]:
        """Return which tags ("tag"), or which collections ("collection"), how many of these pictures have."""
        sql = (
            "SELECT tag AS name, count(*) AS number FROM entry_tags"
            if kind == "tag"
            else "SELECT name, count(*) AS number FROM collection_entries JOIN collections ON id = collection_id"
        )
        ratings: dict[str, int] = {}
        for start in range(0, len(ids), _AT_ONCE):
            some = list(ids[start : start + _AT_ONCE])
            where = f"{sql} WHERE entry_id IN ({', '.join('?' * len(some))}) GROUP BY 1"
            for row in self._database.read(where, some):
                ratings[row["name"]] = ratings.get(row["name"], 0) + row["number"]
        return ratings

    def collections(self) -> tuple[str, ...]:
        """Return the names of all collections in alphabetical order."""
        return tuple(row["name"] for row in self._database.read("SELECT name FROM collections ORDER BY name"))

    def collections_of(self, entry_id: int) -> tuple[str, ...]:
        """Return the collections a picture is in."""
        rows = self._database.read(
            "SELECT name FROM collections JOIN collection_entries ON collection_id = id"
            " WHERE entry_id = ? ORDER BY name",
            (entry_id,),
        )
        return tuple(row["name"] for row in rows)

    def collect(self, ids: Iterable[int], collection: str) -> Undo:
        """Put pictures into a collection, which is made when there is none of that name."""
        name = checked_name("Collection", collection)
        with self._database.transaction() as db:
            is_new = _collection(db, name) is None
            if is_new:
                db.execute("INSERT INTO collections (name) VALUES (?)", (name,))
            number = _collection(db, name)
            new = [each for each in _present(db, ids) if not _is_in(db, number, each)]
            db.executemany("INSERT INTO collection_entries VALUES (?, ?)", [(number, each) for each in new])

        def undo() -> None:
            with self._database.transaction() as db:
                values = [(number, each) for each in new]
                db.executemany("DELETE FROM collection_entries WHERE collection_id = ? AND entry_id = ?", values)
                if is_new:  # and still empty: another window may have put pictures in
                    db.execute(
                        "DELETE FROM collections WHERE id = ?1"
                        " AND NOT EXISTS (SELECT 1 FROM collection_entries WHERE collection_id = ?1)",
                        (number,),
                    )

        return undo

    def take_out(self, ids: Iterable[int], collection: str) -> Undo:
        """Take pictures out of a collection, which stays, be it empty."""
        collection = tidy(collection)
        with self._database.transaction() as db:
            number = _collection(db, collection)
            had = [each for each in _present(db, ids) if _is_in(db, number, each)]
            values = [(number, each) for each in had]
            db.executemany("DELETE FROM collection_entries WHERE collection_id = ? AND entry_id = ?", values)
        return lambda: self._put_back(number, collection, had)

    def rename_collection(self, old: str, new: str) -> Undo:
        """Give a collection another name."""
        name = checked_name("Collection", new)
        with self._database.transaction() as db:
            number = _collection(db, old)
            other = _collection(db, name)
            if number is None:
                raise HistoryError(f"Collection = {old}: there is none of this name.", "Look at the list of them.")
            if other not in (None, number):
                raise HistoryError(f"Collection = {name}: there is one of this name.", "Choose another name.")
            db.execute("UPDATE collections SET name = ? WHERE id = ?", (name, number))
        return lambda: self._write("UPDATE collections SET name = ? WHERE id = ?", [(old, number)])

    def remove_collection(self, collection: str) -> Undo:
        """Remove a collection; its pictures stay."""
        with self._database.transaction() as db:
            number = _collection(db, collection)
            rows = db.execute("SELECT entry_id FROM collection_entries WHERE collection_id = ?", (number,)).fetchall()
            db.execute("DELETE FROM collections WHERE id = ?", (number,))
        had = [row["entry_id"] for row in rows]
        return lambda: self._make_again(number, collection, had)

    def _make_again(self, number: int | None, name: str, ids: Sequence[int]) -> None:
        if number is None:
            return
        with self._database.transaction() as db:
            # Under its number, which older undos know; a collection made meanwhile may have that, or the name.
            db.execute("INSERT OR IGNORE INTO collections (id, name) VALUES (?, ?)", (number, name))
            db.execute("INSERT OR IGNORE INTO collections (name) VALUES (?)", (name,))
            there = _collection(db, name)
        self._put_back(there, name, ids)

    def _put_back(self, number: int | None, name: str, ids: Sequence[int]) -> None:
        if number is None:
            return
        with self._database.transaction() as db:
            db.execute("INSERT OR IGNORE INTO collections (id, name) VALUES (?, ?)", (number, name))
            db.executemany(
                "INSERT OR IGNORE INTO collection_entries SELECT ?, id FROM entries WHERE id = ?",
                [(number, each) for each in ids],
            )

    def _set(self, column: str, ids: Iterable[int], value: int) -> Undo:
        with self._database.transaction() as db:
            before: list[Pair] = []
            for entry_id in ids:
                row = db.execute(f"SELECT {column} FROM entries WHERE id = ?", (entry_id,)).fetchone()
                if row is not None and row[0] != value:
                    before.append((row[0], entry_id))
            sql = f"UPDATE entries SET {column} = ? WHERE id = ?"
            db.executemany(sql, [(value, entry_id) for _, entry_id in before])
        return lambda: self._write(sql, before)

    def _write(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        with self._database.transaction() as db:
            db.executemany(sql, rows)


def checked_name(what: str, text: str) -> str:
    """Return a tag's or collection's name as it is kept. Raises: HistoryError."""
    name = tidy(text)
    if not name or len(name) > NAME_MAXIMUM:
        shown = name[:NAME_MAXIMUM] + "…" if name else "nothing"
        raise HistoryError(f"{what} = {shown}: allowed are 1 to {NAME_MAXIMUM} characters.", "Choose a shorter name.")
    return name


def tidy(text: str) -> str:
    """Return a name without what cannot be seen, with single blanks and with letters composed in one way."""
    kept = (letter for letter in text if letter.isprintable() or letter.isspace() or letter in _JOINERS)
    return unicodedata.normalize("NFC", " ".join("".join(kept).split()))


def _present(db: sqlite3.Connection, ids: Iterable[int]) -> list[int]:
    return [each for each in dict.fromkeys(ids) if db.execute("SELECT 1 FROM entries WHERE id = ?", (each,)).fetchone()]


def _has_tag(db: sqlite3.Connection, entry_id: int, tag: str) -> bool:
    sql = "SELECT 1 FROM entry_tags WHERE tag = ? AND entry_id = ?"
    return db.execute(sql, (tag, entry_id)).fetchone() is not None


def _collection(db: sqlite3.Connection, name: str) -> int | None:
    row = db.execute("SELECT id FROM collections WHERE name = ?", (name,)).fetchone()
    return None if row is None else int(row["id"])


def _is_in(db: sqlite3.Connection, collection_id: int | None, entry_id: int) -> bool:
    sql = "SELECT 1 FROM collection_entries WHERE collection_id = ? AND entry_id = ?"
    return db.execute(sql, (collection_id, entry_id)).fetchone() is not None
