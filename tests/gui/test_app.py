"""Starting and ending: one window for a data folder, one clear line when there can be none, nothing lost."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel

from sdstudio.app import build_studio, main
from sdstudio.core import desktop
from sdstudio.core.desktop import SystemLibrary, display_problem
from sdstudio.core.errors import HistoryError, HistoryTooNew, LockedByOther, SaveFailed, StudioError
from sdstudio.core.settings import Settings
from sdstudio.history.store import History
from sdstudio.ui.window.single_instance import BROUGHT_FORWARD, SingleInstance
from tests.full_disk import full_disk
from tests.gui.window.test_main_window import make_picture
from tests.unit.background.fakes import ScriptedEngine
from tests.unit.history.conftest import noise, only_to_be_read, recipe

ROOT = Path(__file__).parents[2]


def run(code: str, home: Path, **environment: str | None) -> subprocess.Popen[str]:
    """Start Python in a process of its own; a variable that is None is taken out of the environment."""
    merged = {**os.environ, "SDSTUDIO_HOME": str(home), **environment}
    kept = {name: value for name, value in merged.items() if value is not None}
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, env=kept, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


START = "import sys; from sdstudio.__main__ import main; sys.exit(main([]))"


class TestNoDisplay:
    def test_without_a_display_one_line_names_the_command_line(self, home):
        started = run(START, home.home, DISPLAY=None, WAYLAND_DISPLAY=None, QT_QPA_PLATFORM=None)
        out, error = started.communicate(timeout=60)
        assert (started.returncode, out) == (1, "")
        assert error.count("\n") == 1
        assert "sdstudio generate" in error
        assert "DISPLAY" in error

    def test_a_display_that_does_not_answer_is_one_line_too(self, home):
        started = run(START, home.home, DISPLAY=":987", WAYLAND_DISPLAY=None, QT_QPA_PLATFORM=None)
        _out, error = started.communicate(timeout=60)
        assert started.returncode == 1
        assert error.count("\n") == 1
        assert "sdstudio generate" in error

    def test_missing_libraries_are_named_with_the_line_that_installs_them(self, monkeypatch, capsys):
        monkeypatch.setattr(
            desktop, "missing_libraries", lambda _x11: (SystemLibrary("libxcb-cursor.so.0", "libxcb-cursor0"),)
        )
        assert main([]) == 1
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert "libxcb-cursor.so.0" in error
        assert "apt install libxcb-cursor0" in error

    def test_drawing_into_memory_needs_no_display(self, monkeypatch):
        monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
        monkeypatch.delenv("DISPLAY", raising=False)
        assert display_problem() == ""


class TestOneWindow:
    def test_a_second_start_asks_the_first_to_come_forward(self, studio, qtbot):
        with qtbot.waitSignal(studio.instance.raise_requested), pytest.raises(LockedByOther) as refused:
            build_studio(studio.paths.home)
        assert refused.value.hint == BROUGHT_FORWARD

    def test_the_folder_is_free_again_after_closing(self, build):
        assert build().close()
        assert build().window.isVisible()

    def test_a_killed_window_leaves_nothing_in_the_way(self, home, qapp):
        holder = run(
            """
            import sys
            from pathlib import Path
            from PySide6.QtCore import QCoreApplication
            app = QCoreApplication([])
            from sdstudio.ui.window.single_instance import SingleInstance
            held = SingleInstance(Path(sys.stdin.readline().strip()))
            print("held", flush=True)
            app.exec()
            """,
            home.home,
        )
        holder.stdin.write(f"{home.lock}\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockedByOther):
            SingleInstance(home.lock)
        holder.send_signal(signal.SIGKILL)
        holder.communicate(timeout=20)
        SingleInstance(home.lock).close()

    def test_on_a_full_disk_it_does_not_say_that_another_window_is_open(self, home, qapp):
        with full_disk(), pytest.raises(SaveFailed, match="its disk may be full"):
            SingleInstance(home.lock)
        SingleInstance(home.lock).close()

    def test_a_window_that_is_closing_is_waited_for(self, home, qapp, monkeypatch):
        first = SingleInstance(home.lock)
        first.stop_listening()
        monkeypatch.setattr("sdstudio.ui.window.single_instance.CLOSING_MS", 50)
        with pytest.raises(LockedByOther) as refused:
            SingleInstance(home.lock)
        assert refused.value.hint != BROUGHT_FORWARD
        first.close()
        SingleInstance(home.lock).close()


class TestBadFiles:
    @pytest.mark.logs("the history was damaged", "put right after the last run")
    def test_a_damaged_history_is_kept_and_rebuilt_from_the_pictures(self, build, qtbot, home):
        studio = build()
        make_picture(studio, qtbot, "red heart")
        assert studio.close()
        for name in ("history.db-wal", "history.db-shm"):
            (home.home / name).unlink(missing_ok=True)
        home.database.write_bytes(b"this is no database" * 500)
        again = build()
        qtbot.waitUntil(lambda: again.window.history_model.rowCount() == 1, timeout=20_000)
        assert "rebuilt from 1 picture" in again.window.message.message
        assert len(list(home.home.glob("history.db.bad-*"))) == 1

    def test_a_newer_history_is_left_alone_and_the_folder_free(self, build, home, qtbot):
        studio = build()
        assert studio.close()
        with sqlite3.connect(home.database) as db:
            db.execute("PRAGMA user_version = 999")
        before = home.database.read_bytes()
        with pytest.raises(HistoryTooNew):
            build_studio(home.home)
        assert home.database.read_bytes() == before
        SingleInstance(home.lock).close()

    def test_settings_that_cannot_be_read_are_told_and_the_defaults_hold(self, build, home):
        home.settings.write_text('{"theme": "pink", "previews": false}')
        studio = build()
        assert "theme" in studio.window.message.message
        assert studio.window.shell.settings == Settings(previews=False)

    def test_a_data_folder_that_cannot_be_made_is_told(self, tmp_path, qapp):
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(StudioError) as refused:
            build_studio(tmp_path / "file" / "home")
        assert "SDSTUDIO_HOME" in refused.value.hint


def test_a_read_only_folder_is_looked_at_and_what_cannot_be_is_said(build, home, qtbot):
    with closing(History(home, lambda _path: None)) as history:
        entry = history.save(noise((64, 64)), recipe())
    with only_to_be_read(home.home):
        studio = build()
        window = studio.window
        qtbot.waitUntil(lambda: "it is read-only. Pictures can be looked at" in window.message.message)
        qtbot.waitUntil(lambda: window.history_model.rowCount() == 1)
        second = SingleInstance(home.lock, read_only=True)  # any number of windows may look
        second.close()
        window.editor.set_prompt("a fox")
        window.editor.generate_button.click()
        qtbot.waitUntil(lambda: "it is read-only" in window.editor.message)
        with pytest.raises(HistoryError, match="it is read-only"):
            studio.history.marks.rate([entry.id], 5)
        assert studio.close()


def test_a_data_folder_whose_name_is_not_utf_8_is_refused_by_the_window_in_one_line(tmp_path, qapp):
    home = Path(os.fsdecode(os.fsencode(tmp_path) + b"/d\xe9ta"))
    with pytest.raises(StudioError, match="its name is not UTF-8") as caught:
        build_studio(home)
    assert str(caught.value).encode("utf-8")
    assert not home.exists()


class TestWholeProgram:
    def test_it_opens_and_closes_on_a_signal_with_its_state_kept(self, home):
        started = run(
            """
            import sys, sdstudio.app as app
            from tests.unit.background.fakes import ScriptedEngine
            app._real_engine = ScriptedEngine
            furnished = app.furnished
            def build(*args):
                studio = furnished(*args)
                print("furnished", flush=True)
                return studio
            app.furnished = build
            code = app.main([])
            from PySide6.QtCore import QCoreApplication, QObject
            from PySide6.QtWidgets import QStyle
            from shiboken6 import Shiboken
            left = [w for w in Shiboken.getAllValidWrappers() if issubclass(type(w), QObject)]
            print([w for w in left if w.parent() is None and not isinstance(w, (QCoreApplication, QStyle))])
            sys.exit(code)
            """,
            home.home,
            QT_QPA_PLATFORM="offscreen",
        )
        assert started.stdout.readline() == "furnished\n"
        started.send_signal(signal.SIGTERM)
        out, error = started.communicate(timeout=60)
        assert (started.returncode, error) == (0, "")
        assert out == "[]\n"  # nothing of the studio is left to the end of the interpreter
        assert home.window_state.is_file()
        assert (home.logs / "studio.log").is_file()


def test_the_engine_is_made_when_the_window_is_on_the_screen(home, qtbot, tiny_models):
    made = []

    def make_engine(settings: Settings) -> ScriptedEngine:
        made.append(settings)
        return ScriptedEngine(settings)

    studio = build_studio(home.home, make_engine)
    try:
        assert not studio.worker.isRunning()
        with qtbot.waitSignal(studio.worker.engine_ready):
            studio.window.show()
        assert len(made) == 1
        qtbot.waitUntil(lambda: studio.window.status_line.text == "Ready")
        assert "CPU" in studio.window.top_bar.findChild(QLabel, "deviceLabel").text()
    finally:
        studio.close()
        studio.delete()
