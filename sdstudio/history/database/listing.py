"""How a hundred thousand pictures are listed: first only their ids, eight bytes each, then those that are looked at.

The ids come out of SQLite as one text, so that reading them neither makes a Python object for each row nor takes the
interpreter's lock while SQLite works.
"""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Iterator, Sequence
from typing import Final, overload

from sdstudio.core.errors import HistoryError
from sdstudio.core.folding import natural
from sdstudio.core.paths import StudioPaths
from sdstudio.core.request.recipe import IMPORTED, UNFINISHED
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.second_pass_fields import steps_of_work
from sdstudio.history.database.look import DAYS_SQL, FACET_BY_KEY, Look, ids_sql
from sdstudio.history.database.rows import COLUMNS, Entry, entry_of
from sdstudio.history.database.schema import Database
from sdstudio.history.database.search import Asked, asked

PIECE: Final = 350_000
"""Characters of the ids' text that are read at once: a few milliseconds of the interpreter's lock."""
_LATELY: Final = 5000
_PICTURES_TIMED: Final = 8
"""Among so many of the newest pictures, so many show how long a step takes."""
_AT_ONCE: Final = 500
"""Ids in one statement; SQLite allows 32,766 values."""


class Listing:
    """Reads what the history's views show. Every method may be called from any thread, and raises HistoryError."""

    def __init__(self, database: Database, paths: StudioPaths) -> None:
        self._database = database
        self._paths = paths

    def ids(self, look: Look, limit: int | None = None) -> array[int]:
        """Return the ids of what a look shows, in its order; at most ``limit`` of them."""
        sql, values = ids_sql(look, self._asked(look.query), limit)
        text = self._database.read(f"SELECT group_concat(id) FROM ({sql})", values)[0][0]
        return numbers_in(text or "")

    def count(self, look: Look) -> int:
        """Return how many pictures a look shows."""
        sql, values = ids_sql(look, self._asked(look.query))
        return int(self._database.read(f"SELECT count(*) FROM ({sql})", values)[0][0])

    def entries(self, ids: Sequence[int]) -> list[Entry]:
        """Return these pictures in this order; those that are gone or were deleted are left out."""
        entries: dict[int, Entry] = {}
        for start in range(0, len(ids), _AT_ONCE):
            some = list(ids[start : start + _AT_ONCE])
            marks = ", ".join("?" * len(some))
            sql = f"SELECT {COLUMNS} FROM entries WHERE id IN ({marks}) AND state = 'done' AND deleted_at IS NULL"
            for row in self._database.read(sql, some):
                entries[row["id"]] = entry_of(row, self._paths)
        return [entries[entry_id] for entry_id in ids if entry_id in entries]

    def of_jobs(self, job_ids: Sequence[int]) -> list[Entry]:
        """Return the pictures that jobs made, the oldest first."""
        sql = (
            f"SELECT {COLUMNS} FROM entries WHERE job_id IN (SELECT value FROM json_each(?)) AND state = 'done'"
            " AND deleted_at IS NULL ORDER BY id"
        )
        return [entry_of(row, self._paths) for row in self._database.read(sql, (json.dumps(list(job_ids)),))]

    def seconds_per_step(self, model: str, width: int, height: int) -> float | None:
        """Return how long a step took lately for a picture of this model and size; ``None`` when none was made.

        Steps of a second pass count as so many as they take longer.
        """
        sql = (
            "SELECT json_extract(recipe, '$.duration_s') AS took, request_steps AS steps, recipe FROM entries"
            " WHERE id IN (SELECT id FROM entries WHERE state = 'done' AND deleted_at IS NULL"
            " AND id > (SELECT max(id) FROM entries) - ? AND request_model = ? AND request_width = ?"
            " AND request_height = ? ORDER BY id DESC LIMIT ?)"
        )
        rows = self._database.read(sql, (_LATELY, model, width, height, _PICTURES_TIMED))
        each = [row["took"] / _steps_of(row) for row in rows if _was_drawn_here(row)]
        return sum(each) / len(each) if each else None

    def words(self, ids: Sequence[int]) -> list[tuple[int, str, str]]:
        """Return prompt and negative prompt of these pictures, with their ids, in this order.

        Of a recipe only these two are read: it takes a tenth of the time of all of it.
        """
        measured: dict[int, tuple[int, str, str]] = {}
        for start in range(0, len(ids), _AT_ONCE):
            some = list(ids[start : start + _AT_ONCE])
            marks = ", ".join("?" * len(some))
            for row in self._database.read(f"SELECT id, recipe FROM entries WHERE id IN ({marks})", some):
                recipe = json.loads(row["recipe"])
                request = recipe.get("request") if isinstance(recipe, dict) else None
                texts = (
                    request.get(name) if isinstance(request, dict) else "" for name in ("prompt", "negative_prompt")
                )
                measured[row["id"]] = (row["id"], *(text if isinstance(text, str) else "" for text in texts))
        return [measured[entry_id] for entry_id in ids if entry_id in measured]

    def facet(self, key: str) -> list[tuple[str, int | None]]:
        """Return the values a facet offers, each with its number of pictures, ``None`` where it is not counted."""
        facet = FACET_BY_KEY[key]
        fixed: list[tuple[str, int | None]] = [(value, None) for value in facet.fixed]
        if not facet.listing:
            return fixed
        rows = self._database.read(facet.listing)
        listed = [(str(row["value"]), row["number"]) for row in rows if row["value"] is not None]
        return fixed + (sorted(listed, key=lambda value: natural(value[0])) if facet.by_name else listed)

    def days(self) -> list[tuple[str, int]]:
        """Return the days on which pictures were made, the last first, each as "2026-11-24" with its number of them."""
        rows = self._database.read(DAYS_SQL)
        return [(str(row["value"]), int(row["number"])) for row in rows]

    def _asked(self, query: str) -> Asked:
        return asked(query, self._terms)

    def _terms(self, beginning: str, limit: int) -> list[str]:
        rows = self._database.read(
            "SELECT term FROM entries_terms WHERE term >= ? AND term < ? LIMIT ?",
            (beginning, beginning + "\U0010ffff", limit),
        )
        return [row["term"] for row in rows]


class Entries(Sequence[Entry]):
    """Pictures by their ids, each read when it is asked for: as many as were selected, be it all of them.

    Walking reads them in pieces and leaves out those that are gone meanwhile; `ids` reads nothing.
    """

    def __init__(self, listing: Listing, ids: Sequence[int]) -> None:
        self._listing = listing
        self.ids = ids

    def __len__(self) -> int:
        """Return how many were selected."""
        return len(self.ids)

    @overload
    def __getitem__(self, at: int) -> Entry: ...
    @overload
    def __getitem__(self, at: slice) -> Entries: ...

    def __getitem__(self, at: int | slice) -> Entry | Entries:
        """Return one, or some. Raises: IndexError; HistoryError for one that is gone meanwhile."""
        if isinstance(at, slice):
            return Entries(self._listing, self.ids[at])
        for entry in self._listing.entries([self.ids[at]]):
            return entry
        raise HistoryError(f"Entry = {self.ids[at]}: this picture is no longer there.", "Look at the history again.")

    def __iter__(self) -> Iterator[Entry]:
        """Walk them. Raises: HistoryError."""
        for start in range(0, len(self.ids), _AT_ONCE):
            yield from self._listing.entries(self.ids[start : start + _AT_ONCE])


def ids_of(entries: Sequence[Entry]) -> Sequence[int]:
    """Return the ids of entries, without reading any where that can be avoided."""
    return entries.ids if isinstance(entries, Entries) else [entry.id for entry in entries]


def _was_drawn_here(row: sqlite3.Row) -> bool:
    """Whether a picture's duration is that of all its steps; another program's does not count."""
    made_with = json.loads(row["recipe"]).get("made_with")
    left_out = isinstance(made_with, dict) and (IMPORTED in made_with or UNFINISHED in made_with)
    return bool(row["took"] and row["steps"] and not left_out)


def _steps_of(row: sqlite3.Row) -> float:
    values = json.loads(row["recipe"]).get("request")
    steps = steps_of_work(GenerationRequest.stored(values)) if isinstance(values, dict) else 0
    return steps or float(row["steps"])


def numbers_in(text: str) -> array[int]:
    """Return the ids of a text, "3,1,2"; other threads run between its pieces."""
    numbers = array("q")
    start = 0
    while start < len(text):
        end = text.find(",", start + PIECE)
        end = len(text) if end < 0 else end
        numbers.extend(json.loads(f"[{text[start:end]}]"))
        start = end + 1
    return numbers
