"""The database's tables, how an older file becomes today's, and which SQLite errors are no bugs of ours.

One file holds the history (``entries``) and the queue (``jobs``). Its rules:

- A recipe's JSON is the truth. Each ``Searchable`` field of the request is a virtual column ``request_<field>`` with an
  index, added when it is missing, so that a new parameter needs no migration.
- ``PRAGMA user_version`` counts the migrations a file has been through. A larger number than ours is a newer studio's
  file and is left as it is.
- What a listing filters and sorts by lies side by side in one narrow index, ``entries_shown``, so that no question
  about a hundred thousand pictures reads a recipe. It is made again when a searchable field has come or gone.
- WAL, so that readers never wait for the writer; ``synchronous=FULL``, so that a promised row survives a power cut.
"""

from __future__ import annotations

import logging
import sqlite3
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from sdstudio.core.errors import HistoryDamaged, HistoryError, HistoryTooNew
from sdstudio.core.params import FieldKind, Parameter, parameters
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.database.older_words import compose_names, fold_words
from sdstudio.history.database.read_only import HINT, copied, is_read_only, live_uri, read_only_error

log = logging.getLogger(__name__)

BUSY_TIMEOUT_S: Final = 5.0

VISIBLE: Final = "state = 'done' AND deleted_at IS NULL"
"""What of ``entries`` is shown; the index ``entries_shown`` holds exactly these."""

Migration = Callable[[sqlite3.Connection], None]
MIGRATIONS: list[Migration] = []


def migration(number: int) -> Callable[[Migration], Migration]:
    """Register what turns a database of version ``number - 1`` into one of version ``number``."""

    def register(function: Migration) -> Migration:
        if number != len(MIGRATIONS) + 1:
            raise ValueError(f"migration = {number}: the next one is {len(MIGRATIONS) + 1}")
        MIGRATIONS.append(function)
        return function

    return register


@migration(1)
def _entries_and_jobs(db: sqlite3.Connection) -> None:
    # AUTOINCREMENT: an id is part of a file's name and of the undo list, so it is never given twice.
    db.execute(
        """CREATE TABLE jobs (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            state TEXT NOT NULL,
            request TEXT NOT NULL CHECK (json_valid(request)),
            seeds TEXT NOT NULL CHECK (json_valid(seeds)),
            batch_size INTEGER NOT NULL,
            message TEXT NOT NULL DEFAULT '',
            hint TEXT NOT NULL DEFAULT '',
            created TEXT NOT NULL,
            parent_id INTEGER REFERENCES entries (id) ON DELETE SET NULL
        )"""
    )
    db.execute("CREATE INDEX jobs_state ON jobs (state)")
    db.execute(
        """CREATE TABLE entries (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            state TEXT NOT NULL CHECK (state IN ('pending', 'done')),
            path TEXT NOT NULL,
            created TEXT NOT NULL,
            recipe TEXT NOT NULL CHECK (json_valid(recipe)),
            job_id INTEGER REFERENCES jobs (id) ON DELETE SET NULL,
            parent_id INTEGER REFERENCES entries (id) ON DELETE SET NULL,
            deleted_at TEXT,
            trashed_to TEXT
        )"""
    )
    db.execute("CREATE INDEX entries_visible ON entries (id) WHERE state = 'done' AND deleted_at IS NULL")
    db.execute("CREATE INDEX entries_job ON entries (job_id)")
    db.execute("CREATE INDEX entries_parent ON entries (parent_id)")
    db.execute("CREATE INDEX entries_path ON entries (path)")
    db.execute(
        "CREATE VIRTUAL TABLE entries_text USING fts5 (prompt, negative_prompt, model_name, tokenize = 'trigram')"
    )


@migration(2)
def _marks(db: sqlite3.Connection) -> None:
    """Ratings, favourites, tags and collections; and words of one or two letters become findable at a text's end."""
    db.execute("ALTER TABLE entries ADD COLUMN rating INTEGER NOT NULL DEFAULT 0 CHECK (rating BETWEEN 0 AND 5)")
    db.execute("ALTER TABLE entries ADD COLUMN favourite INTEGER NOT NULL DEFAULT 0 CHECK (favourite IN (0, 1))")
    db.execute(
        """ALTER TABLE entries ADD COLUMN model_title TEXT GENERATED ALWAYS AS (
            coalesce(nullif(json_extract(recipe, '$.model_name'), ''), json_extract(recipe, '$.request.model'))
        ) VIRTUAL"""
    )
    db.execute("CREATE INDEX entries_hidden ON entries (id) WHERE state <> 'done' OR deleted_at IS NOT NULL")
    db.execute(
        """CREATE TABLE entry_tags (
            tag TEXT NOT NULL COLLATE NOCASE,
            entry_id INTEGER NOT NULL REFERENCES entries (id) ON DELETE CASCADE,
            PRIMARY KEY (tag, entry_id)
        ) WITHOUT ROWID"""
    )
    db.execute("CREATE INDEX entry_tags_entry ON entry_tags (entry_id)")
    db.execute("CREATE TABLE collections (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE)")
    db.execute(
        """CREATE TABLE collection_entries (
            collection_id INTEGER NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
            entry_id INTEGER NOT NULL REFERENCES entries (id) ON DELETE CASCADE,
            PRIMARY KEY (collection_id, entry_id)
        ) WITHOUT ROWID"""
    )
    db.execute("CREATE INDEX collection_entries_entry ON collection_entries (entry_id)")
    # Which trigrams begin with a short word; see `sdstudio.history.database.search`.
    db.execute("CREATE VIRTUAL TABLE entries_terms USING fts5vocab (entries_text, row)")
    tail = "|| char(10, 10)"
    db.execute(
        f"UPDATE entries_text SET prompt = prompt {tail}, negative_prompt = negative_prompt {tail},"
        f" model_name = model_name {tail}"
    )


@migration(3)
def _folded_words(db: sqlite3.Connection) -> None:
    """Words are found however they were composed, and tags and collections are the same that read the same."""
    fold_words(db)
    compose_names(db)


@migration(4)
def _groups_and_places(db: sqlite3.Connection) -> None:
    """Which jobs came together, at which step one was cancelled, how long it took; and which are off the list.

    A job without a place stands where its id puts it.
    """
    for name in ("group_id", "place", "step", "step_count"):
        db.execute(f"ALTER TABLE jobs ADD COLUMN {name} INTEGER")
    db.execute("ALTER TABLE jobs ADD COLUMN duration_s REAL NOT NULL DEFAULT 0")
    db.execute("ALTER TABLE jobs ADD COLUMN cleared INTEGER NOT NULL DEFAULT 0 CHECK (cleared IN (0, 1))")
    db.execute("CREATE INDEX jobs_group ON jobs (group_id)")
    db.execute("CREATE INDEX jobs_listed ON jobs (state) WHERE cleared = 0")
    db.execute("UPDATE jobs SET group_id = id")
    db.execute("UPDATE jobs SET cleared = 1 WHERE state IN ('done', 'cancelled')")  # they were not on the list


@migration(5)
def _folders(db: sqlite3.Connection) -> None:
    """Where pictures were imported from; what was imported before does not record it."""
    db.execute("ALTER TABLE entries ADD COLUMN folder TEXT")


def connect(path: Path, request_type: type[BaseModel] = GenerationRequest) -> sqlite3.Connection:
    """Open the database, making or migrating it where needed. In autocommit: see `transaction`.

    Args:
        path: The file; it is made when missing, its folder is not.
        request_type: Whose searchable fields get a column.

    Raises:
        HistoryTooNew: A newer version wrote it; it stays as it is.
        HistoryDamaged: It is no database, or a broken one.
        HistoryError: It cannot be opened: folder missing or read-only, disk full, locked for too long.
    """
    with known_errors(path):
        db = _opened(path)
        try:
            _prepare(db, path, request_type)
        except BaseException:
            db.close()
            raise
    return db


def _opened(where: Path | str, uri: bool = False) -> sqlite3.Connection:
    db = sqlite3.connect(
        where, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, factory=_Connection, uri=uri
    )
    db.row_factory = sqlite3.Row
    return db


def is_current(uri: str, request_type: type[BaseModel] = GenerationRequest) -> bool:
    """Whether a database that cannot be written can be read as it is: this version would change nothing in it."""
    try:
        with closing(_opened(uri, uri=True)) as db:
            return _version(db) == len(MIGRATIONS) and _is_complete(db, _searchable(request_type))
    except sqlite3.Error:
        return False


def _searchable(request_type: type[BaseModel]) -> list[Parameter]:
    return [row for row in parameters(request_type) if row.searchable]


def _is_complete(db: sqlite3.Connection, wanted: Sequence[Parameter]) -> bool:
    return not _missing_columns(db, wanted) and _shown_index(db) == _wanted_index(wanted)


def _prepare(db: sqlite3.Connection, path: Path, request_type: type[BaseModel]) -> None:
    newest = len(MIGRATIONS)
    version = _version(db)
    if version > newest:  # looked at before anything that writes, such as the journal mode
        raise HistoryTooNew(
            f"History = version {version}: this studio reads up to version {newest}.",
            f"Update the studio; {path} was left as it is.",
        )
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA foreign_keys = ON")
    wanted = _searchable(request_type)
    if version == newest and _is_complete(db, wanted):
        return
    with transaction(db):
        for number in range(_version(db) + 1, newest + 1):  # read again: another process may have been first
            log.info("migrating %s to version %d", path, number)
            MIGRATIONS[number - 1](db)
            db.execute(f"PRAGMA user_version = {number}")
        for row in _missing_columns(db, wanted):
            _add_column(db, row)
        if _shown_index(db) != _wanted_index(wanted):
            db.execute("DROP INDEX IF EXISTS entries_shown")
            db.execute(_wanted_index(wanted))


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def column(field: str) -> str:
    """Return the name of the virtual column of a request's field."""
    return f"request_{field}"


def _missing_columns(db: sqlite3.Connection, wanted: Sequence[Parameter]) -> list[Parameter]:
    there = {row["name"] for row in db.execute("PRAGMA table_xinfo(entries)")}  # table_info hides virtual columns
    return [row for row in wanted if column(row.name) not in there]


def _add_column(db: sqlite3.Connection, row: Parameter) -> None:
    name, json_path = column(row.name), f"'$.request.{row.name}'"
    if row.kind is FieldKind.SEED:
        # json_extract turns integers above 2^63-1 into floats; the -> operator hands out their digits as they stand.
        kind, value = "TEXT", f"nullif(recipe -> {json_path}, 'null')"
    else:
        affinity = {FieldKind.INTEGER: "INTEGER", FieldKind.TOGGLE: "INTEGER", FieldKind.NUMBER: "REAL"}
        kind, value = affinity.get(row.kind, "TEXT"), f"json_extract(recipe, {json_path})"
    db.execute(f'ALTER TABLE entries ADD COLUMN "{name}" {kind} GENERATED ALWAYS AS ({value}) VIRTUAL')
    db.execute(f'CREATE INDEX "entries_{name}" ON entries ("{name}")')


def _wanted_index(wanted: Sequence[Parameter]) -> str:
    # state and deleted_at are the same in every row of it; without them SQLite 3.40 looks them up in the table.
    marks = ("state", "deleted_at", "created", "rating", "favourite", "model_title", "folder")
    columns = ("id", *marks, *(column(row.name) for row in wanted))
    return f"CREATE INDEX entries_shown ON entries ({', '.join(columns)}) WHERE {VISIBLE}"


def _shown_index(db: sqlite3.Connection) -> str:
    row = db.execute("SELECT sql FROM sqlite_master WHERE name = 'entries_shown'").fetchone()
    return str(row["sql"]) if row else ""


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Commit what the block does, or undo all of it when it raises."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # SQLite has already undone it after some errors, a full disk among them
            db.execute("ROLLBACK")
        raise


DAMAGED_HINT: Final = "Start again: it is kept aside and rebuilt from the pictures."

_LOCKED = (HistoryError, "another program has held it locked", "Close what else uses it, then try again.")
KNOWN: dict[int, tuple[type[HistoryError], str, str]] = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_PROTOCOL: _LOCKED,
    sqlite3.SQLITE_FULL: (HistoryError, "the disk is full", "Free some space, then try again."),
    sqlite3.SQLITE_IOERR: (HistoryError, "its disk could not be read or written", "Check that disk and its space."),
    sqlite3.SQLITE_READONLY: (HistoryError, "it is read-only", HINT),
    sqlite3.SQLITE_PERM: (HistoryError, "access is not allowed", HINT),
    sqlite3.SQLITE_CANTOPEN: (
        HistoryError, "it cannot be opened in that folder", "Check that the folder exists and can be written.",
    ),
    sqlite3.SQLITE_NOMEM: (HistoryError, "there is not enough memory", "Close other programs, then try again."),
    sqlite3.SQLITE_CORRUPT: (
        HistoryDamaged, "the file is damaged", DAMAGED_HINT,
    ),
    sqlite3.SQLITE_NOTADB: (
        HistoryDamaged, "the file is no history", DAMAGED_HINT,
    ),
}  # fmt: skip
"""SQLite's primary result codes with outside causes (a full disk); others are our bugs (qutebrowser misc/sql.py)."""


@contextmanager
def known_errors(path: Path) -> Iterator[None]:
    """Turn SQLite errors with outside causes into `HistoryError`; errors that are bugs pass through."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        no_text = str(error).startswith("Could not decode to UTF-8")  # Python's own; SQLite takes any bytes for text
        if code not in KNOWN and not no_text:
            raise
        kind, what, hint = KNOWN[sqlite3.SQLITE_CORRUPT if no_text else code]
        raise kind(f"History = {path}: {what}.", hint) from error


class _Connection(sqlite3.Connection):
    """A connection that can be referred to weakly, which the built-in one cannot."""


class Database:
    """One database for many threads: each gets its own connection when it first asks.

    Where it cannot be written (`read_only`) it can be read, and `transaction` refuses.

    Args:
        path: The file, made when missing.

    Raises:
        HistoryError: See `connect`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.read_only = is_read_only(path)
        self._local = threading.local()
        self._opened: weakref.WeakSet[sqlite3.Connection] = weakref.WeakSet()
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._live = live_uri(path) if self.read_only else None
        if self._live is not None and not is_current(self._live):
            self._live = None
        if self.read_only and self._live is None:
            self._copy = copied(path)
        try:
            self._connection()
        except BaseException:
            self.close()
            raise

    def _connection(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = self._local.db = self._connected()
            self._opened.add(db)
        return db

    def _connected(self) -> sqlite3.Connection:
        if self._live is not None:
            with known_errors(self.path):
                return _opened(self._live, uri=True)
        return connect(self.path if self._copy is None else Path(self._copy.name, self.path.name))

    def read(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Return all rows of a query. Raises: HistoryError."""
        with known_errors(self.path):
            return self._connection().execute(sql, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what the block does, or undo all of it when it raises. Raises: HistoryError."""
        self.check_writable()
        with known_errors(self.path), transaction(self._connection()) as db:
            yield db

    def check_writable(self) -> None:
        """Refuse to go on where nothing can be written. Raises: HistoryError."""
        if self.read_only:
            raise read_only_error(self.path)

    def copy_to(self, path: Path) -> None:
        """Write a copy of the whole database as it stands now, while others go on using it. Raises: HistoryError."""
        with known_errors(path), closing(sqlite3.connect(path)) as copy:
            self._connection().backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, whole in itself

    def close(self) -> None:
        """Close every thread's connection; no thread may use it any more."""
        for db in list(self._opened):
            db.close()
        self._local = threading.local()
        if self._copy is not None:
            self._copy.cleanup()
