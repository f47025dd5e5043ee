from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from sdstudio.core.errors import HistoryDamaged, HistoryError, HistoryTooNew
from sdstudio.core.params import Searchable, Ui, parameters
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.database import schema
from sdstudio.history.database.schema import (
    MIGRATIONS,
    VISIBLE,
    Database,
    column,
    connect,
    known_errors,
    migration,
    transaction,
)
from tests.unit.history.conftest import recipe

OLD = Path(__file__).parents[1] / "old_databases"


@contextlib.contextmanager
def opened(path, **options):
    db = connect(path, **options)
    try:
        yield db
    finally:
        db.close()


def plan(db, sql: str) -> str:
    return " ".join(row["detail"] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}"))


def test_a_fresh_database_has_every_migration_and_wal(tmp_path):
    with opened(tmp_path / "history.db") as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert db.execute("PRAGMA foreign_keys").fetchone()[0] == 1
        assert db.execute("PRAGMA synchronous").fetchone()[0] == 2
        assert db.execute("PRAGMA busy_timeout").fetchone()[0] == 5000


SEARCHABLE = [row.name for row in parameters(GenerationRequest) if row.searchable]


@pytest.mark.parametrize("field", SEARCHABLE)
def test_every_searchable_field_is_a_column_with_an_index(tmp_path, field):
    with opened(tmp_path / "history.db") as db:
        made = recipe(seed=2**64 - 1, steps=31, model="other", scheduler="lcm", width=640, guidance_scale=2.5)
        db.execute(
            "INSERT INTO entries (state, path, created, recipe) VALUES ('done', 'x', 'now', ?)",
            (made.model_dump_json(),),
        )
        value = getattr(made.request, field)
        name = column(field)
        stored = db.execute(f"SELECT {name} FROM entries").fetchone()[0]
        assert stored == (str(value) if field == "seed" else value)
        assert "USING INDEX" in plan(db, f"SELECT id FROM entries WHERE {name} = 1").upper()


def test_a_new_searchable_field_gets_its_column_without_a_migration(tmp_path):
    class Wider(GenerationRequest):
        sharpness: Annotated[float, Field(title="Sharpness", description="..", ge=0, le=1), Ui(), Searchable()] = 0.5

    path = tmp_path / "history.db"
    with opened(path) as db:
        before = json.loads(recipe().model_dump_json())
        db.execute(
            "INSERT INTO entries (state, path, created, recipe) VALUES ('done', 'x', 'now', ?)", (json.dumps(before),)
        )
    for _ in range(2):  # the second time it is there already
        with opened(path, request_type=Wider) as db:
            before["request"]["sharpness"] = 0.75
            db.execute(
                "INSERT INTO entries (state, path, created, recipe) VALUES ('done', 'y', 'now', ?)",
                (json.dumps(before),),
            )
            found = db.execute("SELECT id FROM entries WHERE request_sharpness > 0.7 ORDER BY id DESC").fetchall()
            assert len(found) >= 1
            assert "INDEX entries_request_sharpness" in plan(db, "SELECT id FROM entries WHERE request_sharpness = 1")
            assert db.execute("SELECT request_sharpness FROM entries ORDER BY id").fetchone()[0] is None
    with opened(path) as db:  # and this version, which does not know the field, opens it as before
        assert db.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)


def test_what_a_listing_sorts_and_filters_by_is_one_index_that_follows_the_searchable_fields(tmp_path):
    class Wider(GenerationRequest):
        sharpness: Annotated[float, Field(title="Sharpness", description="..", ge=0, le=1), Ui(), Searchable()] = 0.5

    path = tmp_path / "history.db"
    for kind in (GenerationRequest, Wider, GenerationRequest):
        with opened(path, request_type=kind) as db:
            sql = db.execute("SELECT sql FROM sqlite_master WHERE name = 'entries_shown'").fetchone()[0]
            assert ("request_sharpness" in sql) == (kind is Wider)
            found = plan(db, f"SELECT id FROM entries INDEXED BY entries_shown WHERE {VISIBLE} ORDER BY rating")
            assert "USING COVERING INDEX entries_shown" in found


@pytest.mark.parametrize("version", range(len(MIGRATIONS) + 1))
def test_an_old_database_becomes_todays_with_its_rows(tmp_path, version):
    dump = OLD / f"{version}.sql"
    assert dump.is_file(), "every migration has a database of the version before it as its fixture"
    path = tmp_path / "history.db"
    with contextlib.closing(sqlite3.connect(path)) as old:
        old.executescript(dump.read_text(encoding="utf-8"))
        assert old.execute("PRAGMA user_version").fetchone()[0] == version
    with opened(path) as db, opened(tmp_path / "fresh.db") as fresh:
        columns = "SELECT name FROM pragma_table_xinfo(?) ORDER BY name"
        for table in ("entries", "jobs", "entries_text", "entry_tags", "collections", "collection_entries"):
            assert db.execute(columns, (table,)).fetchall() == fresh.execute(columns, (table,)).fetchall()
        if version > 0:
            seeds = [row[0] for row in db.execute("SELECT request_seed FROM entries ORDER BY id")]
            assert seeds == ["18446744073709551615", "7"]
            found = db.execute("SELECT rowid FROM entries_text WHERE entries_text MATCH '\"hear\"'").fetchall()
            assert [row[0] for row in found] == [1]
            assert db.execute("SELECT count(*) FROM jobs").fetchone()[0] == 2
            groups = [tuple(row) for row in db.execute("SELECT group_id, cleared FROM jobs ORDER BY id")]
            assert groups == [(1, 1), (2, 0)], "what was done was on no list"
            ends = "SELECT prompt LIKE '%' || char(10, 10) FROM entries_text"
            assert [row[0] for row in db.execute(ends)] == [1, 1]
            assert [row[0] for row in db.execute("SELECT model_title FROM entries")] == ["Starter", "Starter"]
        if version > 1:
            assert tuple(db.execute("SELECT rating, favourite FROM entries WHERE id = 1").fetchone()) == (4, 1)
            tags = db.execute("SELECT tag, entry_id FROM entry_tags ORDER BY tag, entry_id").fetchall()
            assert [tuple(row) for row in tags] == [("café", 1), ("café", 2), ("hearts", 1)]
            words = db.execute("SELECT negative_prompt FROM entries_text WHERE rowid = 2").fetchone()[0]
            assert words == "café, strasse, izmir\n\n"
            assert db.execute("SELECT entry_id FROM collection_entries").fetchone()[0] == 2
        folders = [row[0] for row in db.execute("SELECT folder FROM entries ORDER BY id")]
        assert folders == ([] if version == 0 else [None, None] if version < 5 else ["/pictures/hearts", None])


def test_a_migration_that_fails_leaves_the_database_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "history.db"
    connect(path).close()
    monkeypatch.setattr(schema, "MIGRATIONS", list(MIGRATIONS))

    @migration(len(MIGRATIONS) + 1)
    def _broken(db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE half (id)")
        db.execute("no sql at all")

    with pytest.raises(sqlite3.OperationalError, match="syntax error"):
        connect(path)
    monkeypatch.undo()
    with opened(path) as db:
        assert db.execute("SELECT name FROM sqlite_master WHERE name = 'half'").fetchone() is None
        assert db.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)


def test_migrations_are_numbered_without_gaps():
    with pytest.raises(ValueError, match="the next one is"):
        migration(len(MIGRATIONS) + 2)(lambda db: None)


def test_a_newer_database_is_left_untouched(tmp_path):
    path = tmp_path / "history.db"
    with contextlib.closing(sqlite3.connect(path)) as newer:
        newer.executescript("CREATE TABLE entries (future TEXT); PRAGMA user_version = 999;")
    before = path.read_bytes()
    with pytest.raises(HistoryTooNew, match="version 999"):
        connect(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"no database " * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_called_damaged_and_kept(tmp_path, content):
    path = tmp_path / "history.db"
    path.write_bytes(content)
    with pytest.raises(HistoryDamaged) as raised:
        connect(path)
    assert "\n" not in raised.value.message
    assert path.read_bytes() == content


def test_a_missing_folder_is_said_in_words(tmp_path):
    with pytest.raises(HistoryError, match="cannot be opened in that folder"):
        connect(tmp_path / "nowhere" / "history.db")


def test_a_second_process_that_holds_the_lock_gives_a_message_and_readers_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(schema, "BUSY_TIMEOUT_S", 0.05)
    database = Database(tmp_path / "history.db")
    with opened(database.path) as other:
        other.execute("BEGIN IMMEDIATE")
        assert database.read("SELECT count(*) FROM entries")[0][0] == 0
        with pytest.raises(HistoryError, match="locked"), database.transaction() as db:
            db.execute("DELETE FROM entries")
        other.execute("ROLLBACK")
    with database.transaction() as db:
        db.execute("DELETE FROM entries")
    database.close()


def test_a_waiting_writer_gets_its_turn(tmp_path):
    database = Database(tmp_path / "history.db")
    release = threading.Event()

    def hold() -> None:
        with opened(database.path) as other:
            other.execute("BEGIN IMMEDIATE")
            release.set()
            threading.Event().wait(0.2)
            other.execute("COMMIT")

    thread = threading.Thread(target=hold)
    thread.start()
    assert release.wait(5)
    with database.transaction() as db:
        db.execute("DELETE FROM entries")
    thread.join()
    database.close()


def test_a_bug_of_ours_is_not_dressed_up_as_the_worlds_fault(tmp_path):
    database = Database(tmp_path / "history.db")
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        database.read("SELECT * FROM nonsense")
    with pytest.raises(sqlite3.IntegrityError), database.transaction() as db:
        db.execute("INSERT INTO entries (state, path, created, recipe) VALUES ('odd', '', '', '{}')")
    database.close()


@pytest.mark.parametrize("code", sorted(schema.KNOWN))
def test_every_known_code_becomes_one_line_with_a_hint(tmp_path, code):
    error = sqlite3.OperationalError("whatever")
    error.sqlite_errorcode = code | (3 << 8)  # extended codes count as their family
    with pytest.raises(HistoryError) as raised, known_errors(tmp_path / "history.db"):
        raise error
    assert "\n" not in str(raised.value)
    assert raised.value.hint


def test_a_transaction_is_undone_when_its_block_raises(tmp_path):
    with opened(tmp_path / "history.db") as db:
        insert = "INSERT INTO entries (state, path, created, recipe) VALUES ('done', '', '', '{}')"
        with pytest.raises(sqlite3.OperationalError), transaction(db):
            db.execute(insert) and db.execute("no sql at all")
        assert db.execute("SELECT count(*) FROM entries").fetchone()[0] == 0
        assert not db.in_transaction


def test_each_thread_has_its_own_connection_and_close_closes_all(tmp_path):
    database = Database(tmp_path / "history.db")
    seen, go = [], threading.Event()

    def read() -> None:
        with database.transaction() as db:
            seen.append(db)
        go.wait(5)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    while len(seen) < 3:
        go.wait(0.001)
    assert len({id(db) for db in seen}) == 3
    database.close()
    with pytest.raises(sqlite3.ProgrammingError):
        seen[0].execute("SELECT 1")
    go.set()
    for thread in threads:
        thread.join()
