"""The history when others hold it or wrote it: said in one line, nothing lost, nothing touched."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest

from sdstudio.history.database import schema
from sdstudio.history.store import History
from sdstudio.ui.window.single_instance import BROUGHT_FORWARD
from tests.gui.window.test_main_window import click_row, make_picture, view
from tests.unit.history.conftest import picture, recipe

WAIT_MS = 30_000
ROOT = Path(__file__).parents[4]

HOLDER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
db.execute("ROLLBACK")
"""


@contextlib.contextmanager
def held(database: Path) -> Iterator[None]:
    """Let another process hold the right to write."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        yield
        other.communicate("go\n", timeout=60)


def started(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sdstudio", *arguments], cwd=ROOT, env={**os.environ, "SDSTUDIO_HOME": str(home)},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip


def test_a_second_window_says_so_and_brings_the_first_to_the_front(build, home, qtbot):
    studio = build()
    asked = []
    studio.instance.raise_requested.connect(lambda: asked.append(True))
    second = subprocess.Popen(
        [sys.executable, "-m", "sdstudio"], cwd=ROOT, env={**os.environ, "SDSTUDIO_HOME": str(home.home)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    qtbot.waitUntil(lambda: second.poll() is not None, timeout=120_000)
    _out, error = second.communicate()
    assert second.returncode == 0
    assert "another window of the studio has it open" in error
    assert BROUGHT_FORWARD in error
    assert error.count("\n") == 1
    assert asked == [True]


def test_while_another_program_writes_the_window_lives_says_so_and_loses_nothing(build, qtbot, monkeypatch):
    studio = build()
    make_picture(studio, qtbot, "red heart")
    monkeypatch.setattr(schema, "BUSY_TIMEOUT_S", 0.5)
    ticks: list[bool] = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(True))
    with held(studio.paths.database):
        click_row(studio, 0)
        entry = studio.window.canvas.entry
        timer.start(10)
        QTest.keyClick(view(studio), Qt.Key.Key_4)
        qtbot.waitUntil(lambda: "another program has held it locked" in studio.window.message.message, timeout=WAIT_MS)
        timer.stop()
        assert ticks, "the window went on meanwhile"
        assert studio.history.get(entry.id).rating == 0  # reading goes on
    QTest.keyClick(view(studio), Qt.Key.Key_4)
    qtbot.waitUntil(lambda: studio.history.get(entry.id).rating == 4, timeout=WAIT_MS)


def test_a_picture_made_while_the_database_is_locked_is_saved_when_it_is_free(home, monkeypatch):
    monkeypatch.setattr(schema, "BUSY_TIMEOUT_S", 60.0)
    history = History(home, lambda _path: None)
    before = history.save(picture(), recipe("before"))
    with held(home.database):
        assert history.entries() == [before]
    after = history.save(picture(), recipe("after"))
    assert history.entries() == [after, before]
    history.close()


def test_a_newer_database_is_refused_by_window_and_command_line_and_stays_as_it_is(home):
    with contextlib.closing(sqlite3.connect(home.database)) as newer:
        newer.executescript("CREATE TABLE entries (future TEXT); PRAGMA user_version = 999;")
    before = home.database.read_bytes()
    for arguments in ((), ("history", "list"), ("generate", "a heart")):
        done = started(home.home, *arguments)
        assert done.returncode == 1, arguments
        assert "version 999" in done.stderr
        assert "Update the studio" in done.stderr
        assert done.stderr.count("Traceback") == 0
    assert home.database.read_bytes() == before
    assert not list(home.home.glob("history.db*bad*"))
