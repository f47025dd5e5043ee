"""The end of work is heard and seen as the settings say, and the taskbar shows how far it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import wave
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox

from sdstudio.core.paths import resources
from sdstudio.core.request.submission import Share
from sdstudio.core.settings import Settings
from sdstudio.ui.window.announcing import play_done
from sdstudio.ui.window.end_of_work import EndOfWork
from tests.gui.pages.create.queue.test_panel import fail, submit
from tests.unit.background.fakes import until_cancelled

ROOT = Path(__file__).parents[3]


class Heard:
    """A desktop that writes down what it is told."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, str]] = []
        self.progress: list[float | None] = []
        self.sounds = 0

    def notify(self, title: str, text: str) -> bool:
        self.notes.append((title, text))
        return True

    def show_progress(self, fraction: float | None) -> None:
        self.progress.append(fraction)

    def play(self) -> None:
        self.sounds += 1


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def told(build, heard):
    """The studio, and a function that says what counts: settings, and whether somebody looks at the window."""
    studio = build({"bad": fail, "endless": until_cancelled})
    now = {"settings": Settings(), "looks": False}
    EndOfWork(studio.controller, lambda: now["settings"], lambda: now["looks"], heard, heard.play, studio.window)
    studio.say = lambda looks=False, **values: now.update(settings=Settings(**values), looks=looks)
    return studio


def two_presses(studio, qtbot) -> None:
    studio.controller.pause()
    request = studio.window.panel.request("red heart").model_copy(update={"width": 64, "height": 64, "steps": 4})
    words = [request.model_copy(update={"prompt": word}) for word in ("red heart", "blue cat")]
    studio.controller.submit_shares([Share(words[0], (1, 2)), Share(words[1], (3,))])
    submit(studio, "a frog")
    before = studio.history.count()
    studio.controller.resume()
    qtbot.waitUntil(lambda: studio.history.count() == before + 4)
    qtbot.waitUntil(lambda: all(job.state.ended for job in studio.controller.jobs()))
    qtbot.wait(400)  # longer than news of several jobs is waited for


def test_after_each_press_of_generate_or_when_nothing_waits_any_more(told, heard, qtbot):
    told.say(end_sound="every", end_notification="every")
    two_presses(told, qtbot)
    assert heard.sounds == 2
    assert heard.notes == [("Done: 3 pictures", "red heart"), ("Done: 1 picture", "a frog")]
    told.say(end_sound="last", end_notification="last")
    two_presses(told, qtbot)
    assert heard.sounds == 3
    assert heard.notes[2:] == [("Done: 4 pictures", "Nothing more waits in the queue.")]
    told.say(end_sound="off", end_notification="off")
    two_presses(told, qtbot)
    assert (heard.sounds, len(heard.notes)) == (3, 3)


def test_who_looks_at_the_window_hears_and_needs_no_notification(told, heard, qtbot):
    told.say(looks=True, end_sound="last", end_notification="last")
    two_presses(told, qtbot)
    assert (heard.sounds, heard.notes) == (1, [])


def test_a_failure_is_told_and_what_was_cancelled_by_hand_is_not(told, heard, qtbot):
    told.say(end_sound="last", end_notification="last")
    submit(told, "bad")
    qtbot.waitUntil(lambda: bool(heard.notes))
    assert heard.notes == [("1 job failed", "Nothing more waits in the queue.")]
    with qtbot.waitSignal(told.worker.job_started):
        job = submit(told, "endless")
    with qtbot.waitSignal(told.controller.queue_ended):
        told.controller.cancel(job.id)
    qtbot.wait(400)
    assert (heard.sounds, len(heard.notes)) == (1, 1)


def test_the_taskbar_shows_how_far_it_is_and_is_cleared_at_the_end(told, heard, qtbot):
    two_presses(told, qtbot)
    assert heard.progress[-1] is None
    shown = [fraction for fraction in heard.progress if fraction is not None]
    assert shown
    assert all(0 <= fraction <= 1 for fraction in shown)


def test_the_settings_offer_it(studio):
    dialog = studio.window.settings_controller.open()
    dialog.show_group("End of work")
    box = dialog.findChild(QComboBox, "endSoundComboBox")
    box.setFocus()
    QTest.keyClick(box, Qt.Key.Key_End)
    assert studio.window.shell.settings.end_sound == "every"
    dialog.close()


def test_the_sound_is_played_by_what_the_system_has(tmp_path, monkeypatch, qtbot, qapp):
    program, log = tmp_path / "paplay", tmp_path / "played"
    program.write_text(f'#!/bin/sh\necho "$1" > {log}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    play_done()
    qtbot.waitUntil(lambda: log.is_file() and log.read_text().strip() == str(resources() / "sounds" / "done.wav"))
    with wave.open(log.read_text().strip()) as sound:
        assert 0.3 < sound.getnframes() / sound.getframerate() < 1.5


BUS = """
    import sys
    from PySide6.QtCore import QTimer
    from PySide6.QtDBus import QDBusConnection, QDBusVirtualObject
    from PySide6.QtWidgets import QApplication
    from sdstudio.ui.window.announcing import Desktop
    app = QApplication([])
    class Portal(QDBusVirtualObject):
        def introspect(self, path):
            return ""
        def handleMessage(self, message, connection):
            print(message.member(), message.signature(), flush=True)
            return True
    other = QDBusConnection.connectToBus(QDBusConnection.BusType.SessionBus, "other")
    portal = Portal()
    other.registerVirtualObject("/org/freedesktop/portal/desktop", portal)
    assert other.registerService("org.freedesktop.portal.Desktop")
    desktop = Desktop()
    desktop.show_progress(0.5)
    assert desktop.notify("Done: 2 pictures", "a red heart")
    desktop.show_progress(None)
    QTimer.singleShot(1000, app.quit)
    app.exec()
"""


@pytest.mark.skipif(shutil.which("dbus-run-session") is None, reason="needs a D-Bus session")
def test_a_real_session_bus_carries_the_notification_and_the_progress(tmp_path):
    rules = "\"interface='com.canonical.Unity.LauncherEntry'\" \"interface='org.freedesktop.portal.Notification'\""
    code = f"dbus-monitor {rules} > {tmp_path}/heard & sleep 1; "
    code += f'{sys.executable} -c "$CODE"; kill %1'
    done = subprocess.run(
        ["dbus-run-session", "--", "bash", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120,
        check=False, env={
            **{name: value for name, value in os.environ.items() if name != "DBUS_SESSION_BUS_ADDRESS"},
            "CODE": textwrap.dedent(BUS), "QT_QPA_PLATFORM": "offscreen",
        },
    )  # fmt: skip
    assert "AddNotification sa{sv}" in done.stdout, done.stderr
    told = (tmp_path / "heard").read_text()
    assert "Done: 2 pictures" in told
    assert "a red heart" in told
    assert "application://sdstudio.desktop" in told
    assert "double 0.5" in told
    assert "boolean false" in told
