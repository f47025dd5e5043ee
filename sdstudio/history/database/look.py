"""What of the history is looked at, and in which order: a query, a sort and chosen facets, each a row of a table.

A picture is shown when it has, for every facet of which something was chosen, one of the chosen values (or every one,
where the facet asks for it). Values are texts, so that a look can be kept and shown.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from sdstudio.catalog.schedulers import find_sampling
from sdstudio.catalog.schedules import SCHEDULE_BY_KEY
from sdstudio.history.database.schema import VISIBLE, column
from sdstudio.history.database.search import Asked, Condition

RATING_MAXIMUM: Final = 5
_SIZE: Final = f"{column('width')} || '×' || {column('height')}"
DAYS: Final = {"today": ("Today", 0), "week": ("Last 7 days", 6), "month": ("Last 30 days", 29)}
_PARTS_NAMED: Final = 2
"""Of a folder: its last ones distinguish it from others, the first ones show where the disk is."""
_LISTED: Final = 500
"""Most values of a facet that are offered: a menu."""


@dataclass(frozen=True, slots=True)
class Sort:
    """One order. ``sql`` orders ``entries``; ``by_id`` is whether it is the index's own, which costs nothing."""

    key: str
    title: str
    sql: str
    by_id: bool = False


SORTS: Final = (
    Sort("newest", "Newest first", "id DESC", by_id=True),
    Sort("oldest", "Oldest first", "id", by_id=True),
    Sort("made", "Date made", "julianday(created) DESC, id DESC"),  # each with the offset of its own place and season
    Sort("rating", "Rating", "rating DESC, favourite DESC, id DESC"),
    Sort("model", "Model", "model_title COLLATE NOCASE, id DESC"),
    # Seeds are texts of up to 20 digits; shorter ones are smaller.
    Sort("seed", "Seed", f"length({column('seed')}), {column('seed')}, id DESC"),
)
SORT_BY_KEY: Final = {row.key: row for row in SORTS}


@dataclass(frozen=True, slots=True)
class Facet:
    """One thing to filter by.

    Attributes:
        key: Stable name in `Look.chosen`.
        title: Heading of its menu.
        condition: Values -> condition on ``entries``.
        listing: SQL of (value, number of pictures) in the order offered, "" when the values are ``fixed``.
        fixed: Values that are always offered, before the listed ones.
        name: Value -> what is read.
        every: Whether a picture needs every chosen value instead of one of them.
        one: Whether a chosen value takes the place of another.
        by_name: Whether the listed values are offered by their names, numbers in them by their size.
        by_mark: Whether the user's own marks decide it, which change while a picture is shown.
    """

    key: str
    title: str
    condition: Callable[[Sequence[str]], Condition]
    listing: str = ""
    fixed: tuple[str, ...] = ()
    name: Callable[[str], str] = str
    every: bool = False
    one: bool = False
    by_name: bool = False
    by_mark: bool = False


def _among(expression: str) -> Callable[[Sequence[str]], Condition]:
    return lambda values: (f"{expression} IN ({_marks(values)})", list(values))


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def _counted(expression: str) -> str:
    return (
        f"SELECT {expression} AS value, count(*) AS number FROM entries INDEXED BY entries_shown"
        f" WHERE {VISIBLE} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {_LISTED}"
    )


def _rated(values: Sequence[str]) -> Condition:
    tests = ["rating = 0" if value == "0" else "rating >= ?" for value in values]
    return f"({' OR '.join(tests)})", [int(value) for value in values if value != "0"]


def _rating_name(value: str) -> str:
    if value == "0":
        return "Not rated"
    return "★" * int(value) + ("" if int(value) == RATING_MAXIMUM else " and up")


def _tagged(values: Sequence[str]) -> Condition:
    return "id IN (SELECT entry_id FROM entry_tags WHERE tag = ?)", _composed(values)


def _collected(values: Sequence[str]) -> Condition:
    return (
        "id IN (SELECT entry_id FROM collection_entries JOIN collections ON collections.id = collection_id"
        f" WHERE name IN ({_marks(values)}))",
        _composed(values),
    )


def _composed(values: Sequence[str]) -> list[str | int]:
    """Return names as they are kept (`sdstudio.history.database.marks.tidy`)."""
    return [unicodedata.normalize("NFC", value) for value in values]


def _within(values: Sequence[str]) -> Condition:
    """Pictures that were imported from a folder, or from one below it: "0" is the sign behind "/"."""
    below = "(folder = ? OR (folder >= ? AND folder < ?))"
    bounds: list[str | int] = []
    for value in values:
        bounds += [value, value.rstrip("/") + "/", value.rstrip("/") + "0"]
    return f"({' OR '.join(below for _ in values)})", bounds


def _folder_name(value: str) -> str:
    parts = value.rstrip("/").split("/")
    return value if len(parts) <= _PARTS_NAMED + 1 else "…/" + "/".join(parts[-_PARTS_NAMED:])


def _dated(values: Sequence[str]) -> Condition:
    tests, bounds = [], []
    for value in values:
        if value in DAYS:
            tests.append("created >= ?")
            bounds.append((date.today() - timedelta(days=DAYS[value][1])).isoformat())
        else:  # "2026", "2026-11", "2026-11-24": what begins with it
            tests.append("(created >= ? AND created < ?)")
            bounds += [value, value + "~"]
    return f"({' OR '.join(tests)})", list(bounds)


def _date_name(value: str) -> str:
    if value in DAYS:
        return DAYS[value][0]
    for shape, shown in (("%Y-%m", "%B %Y"), ("%Y-%m-%d", "%d %B %Y")):
        try:
            return datetime.strptime(value, shape).strftime(shown)
        except ValueError:
            continue
    return value


def _scheduler_name(value: str) -> str:
    sampling = find_sampling(value)  # rows of before schedules were apart hold both in one
    if sampling is None:
        return value
    spec, schedule = sampling
    return f"{spec.title} {SCHEDULE_BY_KEY[schedule].title}" if schedule else spec.title


_TAGS_COUNTED: Final = f"""SELECT tag AS value, count(*) AS number FROM entry_tags JOIN entries ON entries.id = entry_id
    WHERE {VISIBLE} GROUP BY tag ORDER BY 2 DESC, 1 LIMIT {_LISTED}"""
_COLLECTIONS_COUNTED: Final = f"""SELECT name AS value, count(entries.id) AS number FROM collections
    LEFT JOIN collection_entries ON collection_id = collections.id
    LEFT JOIN entries ON entries.id = entry_id AND {VISIBLE} GROUP BY collections.id ORDER BY name LIMIT {_LISTED}"""
_FOLDERS_COUNTED: Final = f"""WITH each AS (SELECT folder, count(*) AS number
    FROM entries INDEXED BY entries_shown WHERE {VISIBLE} AND folder IS NOT NULL GROUP BY 1)
    SELECT above.folder AS value, sum(each.number) AS number FROM each AS above JOIN each
    ON each.folder = above.folder OR (each.folder >= rtrim(above.folder, '/') || '/'
        AND each.folder < rtrim(above.folder, '/') || '0') GROUP BY 1 ORDER BY 1 LIMIT {_LISTED}"""
_MONTHS_COUNTED: Final = f"""SELECT substr(created, 1, 7) AS value, count(*) AS number
    FROM entries INDEXED BY entries_shown WHERE {VISIBLE} GROUP BY 1 ORDER BY 1 DESC LIMIT {_LISTED}"""

DAYS_SQL: Final = f"""SELECT substr(created, 1, 10) AS value, count(*) AS number
    FROM entries INDEXED BY entries_shown WHERE {VISIBLE} GROUP BY 1 ORDER BY 1 DESC"""

FACETS: Final = (
    Facet("favourite", "Favourites", lambda _: ("favourite = 1", []), fixed=("yes",), name=lambda _: "Favourites",
          by_mark=True),
    Facet("rating", "Rating", _rated, fixed=("5", "4", "3", "2", "1", "0"), name=_rating_name, one=True, by_mark=True),
    Facet("date", "Date", _dated, _MONTHS_COUNTED, tuple(DAYS), _date_name, one=True),
    Facet("model", "Model", _among("model_title"), _counted("model_title")),
    Facet("scheduler", "Sampler", _among(column("scheduler")), _counted(column("scheduler")), name=_scheduler_name),
    Facet("size", "Size", _among(_SIZE), _counted(_SIZE)),
    Facet("tag", "Tag", _tagged, _TAGS_COUNTED, every=True, by_mark=True),
    Facet("collection", "Collection", _collected, _COLLECTIONS_COUNTED, by_name=True, by_mark=True),
    Facet("folder", "Folder", _within, _FOLDERS_COUNTED, name=_folder_name, one=True, by_name=True),
)  # fmt: skip
FACET_BY_KEY: Final = {row.key: row for row in FACETS}


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked at: everything, the newest first, unless asked otherwise.

    Attributes:
        query: See `sdstudio.history.database.search`.
        sort: Key of `SORTS`.
        chosen: (key of `FACETS`, value), in the order they were chosen.
    """

    query: str = ""
    sort: str = "newest"
    chosen: tuple[tuple[str, str], ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether every picture is shown."""
        return not self.query.strip() and not self.chosen

    @property
    def is_default(self) -> bool:
        """Whether every picture is shown, the newest first."""
        return self.is_whole and self.sort == "newest"

    @property
    def is_by_marks(self) -> bool:
        """Whether a mark that is set or taken away can let a picture in or out."""
        return any(FACET_BY_KEY[key].by_mark for key, _ in self.chosen)

    def values(self, facet: str) -> tuple[str, ...]:
        """Return what was chosen of a facet."""
        return tuple(value for key, value in self.chosen if key == facet)

    def with_value(self, facet: str, value: str, on: bool = True) -> Look:
        """Return this look with a value chosen, or no longer."""
        one = FACET_BY_KEY[facet].one
        rest = tuple(each for each in self.chosen if each != (facet, value) and not (one and on and each[0] == facet))
        return replace(self, chosen=(*rest, (facet, value)) if on else rest)

    def cleared(self) -> Look:
        """Return this look without facets."""
        return replace(self, chosen=())

    def conditions(self) -> list[Condition]:
        """Return the chosen facets as conditions on ``entries``."""
        conditions: list[Condition] = []
        for row in FACETS:
            values = self.values(row.key)
            if row.every:
                conditions += [row.condition([value]) for value in values]
            elif values:
                conditions.append(row.condition(values))
        return conditions


def ids_sql(look: Look, asked: Asked, limit: int | None = None) -> Condition:
    """Return the query of a look's ids in their order, and its values.

    Where the order is that of the ids, the text index is walked in that order: the first windowful of a common word is
    there at once, however many pictures have it.
    """
    if asked.is_vain:
        return "SELECT id FROM entries WHERE 0", []
    sort = SORT_BY_KEY.get(look.sort, SORTS[0])
    tests = [*look.conditions(), *asked.ids]
    texts = list(asked.texts)
    if asked.match:
        texts.insert(0, ("entries_text MATCH ?", [asked.match]))
    if texts and sort.by_id:
        order = "rowid DESC" if sort.sql.endswith("DESC") else "rowid"
        if tests:
            source = "entries_text CROSS JOIN entries INDEXED BY entries_shown ON entries.id = entries_text.rowid"
            tests = [*texts, (VISIBLE, []), *tests]
            order = order.replace("rowid", "entries_text.rowid")
            what = "entries.id"
        else:
            hidden = "state <> 'done' OR deleted_at IS NOT NULL"
            source, what = "entries_text", "rowid AS id"
            tests = [*texts, (f"rowid NOT IN (SELECT id FROM entries INDEXED BY entries_hidden WHERE {hidden})", [])]
    else:
        source, what, order = "entries INDEXED BY entries_shown", "id", sort.sql
        within = [(f"id IN (SELECT rowid FROM entries_text WHERE {test})", values) for test, values in texts]
        tests = [(VISIBLE, []), *tests, *within]
    where = " AND ".join(test for test, _ in tests)
    values = [value for _, each in tests for value in each]
    cut = "" if limit is None else f" LIMIT {int(limit)}"
    return f"SELECT {what} FROM {source} WHERE {where} ORDER BY {order}{cut}", values
