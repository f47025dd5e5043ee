"""Closing the window over work: asked once, finished without the window or stopped with everything kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel, QPushButton, QSystemTrayIcon

from sdstudio.app import build_studio
from sdstudio.core.errors import LockedByOther
from sdstudio.jobs.queue import JobState
from sdstudio.ui.pages.create.prompt.style_dialog import StyleDialog
from sdstudio.ui.window.closing_dialog import ClosingDialog
from tests.gui.pages.create.queue.test_panel import Gate, state_of, submit
from tests.unit.background.fakes import until_cancelled

ROOT = Path(__file__).parents[3]
GONE_S = 5.0
"""Of a machine that does much else; it is below a second where nothing else runs."""


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def drawing(build, gate):
    """The studio while it draws "held", until the gate is opened, with "next" waiting."""
    studio = build({"held": gate, "stopped": until_cancelled})
    submit(studio, "held")
    assert gate.reached.wait(20)
    submit(studio, "next")
    yield studio
    gate.open()


def question(studio) -> ClosingDialog | None:
    found = [dialog for dialog in studio.window.findChildren(ClosingDialog) if dialog.isVisible()]
    assert len(found) <= 1
    return found[0] if found else None


def asked(studio) -> ClosingDialog:
    studio.window.close()
    dialog = question(studio)
    assert dialog is not None
    return dialog


def press(dialog: ClosingDialog, name: str) -> None:
    QTest.mouseClick(dialog.findChild(QPushButton, name), Qt.MouseButton.LeftButton)


def said(dialog: ClosingDialog) -> str:
    return dialog.findChild(QLabel, "closingWorks").text()


def test_with_nothing_to_do_the_window_closes_without_a_question(studio, qtbot):
    with qtbot.waitSignal(studio.window.left):
        studio.window.close()
    assert not studio.window.isVisible()
    assert question(studio) is None


def test_over_a_drawing_it_asks_once_and_esc_changes_nothing(drawing, gate, qtbot):
    QTest.keyClick(drawing.window, Qt.Key.Key_Q, Qt.KeyboardModifier.ControlModifier)
    dialog = question(drawing)
    assert "Drawing “held”" in said(dialog)
    assert "1 more job waits in the queue" in said(dialog)
    drawing.window.close()
    assert question(drawing) is dialog, "asked once"
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert drawing.window.isVisible()
    assert question(drawing) is None
    gate.open()
    qtbot.waitUntil(lambda: drawing.history.count() == 2)


def test_enter_finishes_in_the_background_and_then_the_studio_ends(drawing, gate, qtbot):
    dialog = asked(drawing)
    left = []
    drawing.window.left.connect(lambda: left.append(drawing.history.count()))
    QTest.keyClick(dialog, Qt.Key.Key_Return)
    assert not drawing.window.isVisible()
    assert left == []
    gate.open()
    qtbot.waitUntil(lambda: left == [2], timeout=20_000)
    assert not drawing.window.isVisible()


@pytest.mark.qt_log_ignore("systemTrayWindowChanged")  # what there is no tray for, off screen
def test_in_the_background_an_icon_in_the_tray_tells_of_it_and_can_end_it(drawing, qtbot, monkeypatch):
    monkeypatch.setattr(QSystemTrayIcon, "isSystemTrayAvailable", lambda: True)
    press(asked(drawing), "finishInBackgroundButton")
    tray = drawing.window.findChild(QSystemTrayIcon)
    assert tray.isVisible()
    assert "Drawing “held”" in tray.toolTip()
    show, _stop = tray.contextMenu().actions()
    show.trigger()
    assert drawing.window.isVisible()
    assert not tray.isVisible()
    press(asked(drawing), "finishInBackgroundButton")
    _show, stop = drawing.window.findChildren(QSystemTrayIcon)[-1].contextMenu().actions()
    with qtbot.waitSignal(drawing.window.left):
        stop.trigger()
    assert drawing.history.count() == 0


def test_starting_it_again_brings_the_window_back_with_those_beside_it(drawing, qtbot):
    drawing.window.settings_controller.open()
    press(asked(drawing), "finishInBackgroundButton")
    assert [widget for widget in QApplication.topLevelWidgets() if widget.isVisible()] == []
    with pytest.raises(LockedByOther):
        build_studio(drawing.paths.home)
    qtbot.waitUntil(drawing.window.isVisible)
    assert drawing.window.settings_controller.open().isVisible()
    assert "Drawing “held”" in said(asked(drawing)), "closed again, it asks again"


def test_stop_and_keep_keeps_what_is_finished_and_what_waits(build, qtbot, gate):
    studio = build({"held": gate})
    submit(studio, "before")
    qtbot.waitUntil(lambda: studio.history.count() == 1)
    running, waiting = submit(studio, "held"), submit(studio, "next")
    assert gate.reached.wait(20)
    dialog = asked(studio)
    with qtbot.waitSignal(studio.window.left):
        press(dialog, "stopAndKeepButton")
    gate.open()
    assert studio.close()
    again = build()
    assert state_of(again, running) is JobState.INTERRUPTED
    assert state_of(again, waiting) is JobState.QUEUED
    assert again.history.count() == 1


def test_generate_forever_ends_with_the_window(build, qtbot, gate):
    studio = build({"held": gate})
    studio.window.editor.set_prompt("held")
    QTest.mouseClick(studio.window.editor.forever_button, Qt.MouseButton.LeftButton)
    assert gate.reached.wait(20)
    dialog = asked(studio)
    assert any("Generate forever" in label.text() for label in dialog.findChildren(QLabel))
    with qtbot.waitSignal(studio.window.left):
        press(dialog, "finishInBackgroundButton")
        gate.open()
    assert studio.history.count() == 1


def test_a_paused_queue_waits_for_the_next_time_without_a_question(studio, qtbot):
    studio.controller.pause()
    job = submit(studio, "red heart")
    with qtbot.waitSignal(studio.window.left):
        studio.window.close()
    assert state_of(studio, job) is JobState.QUEUED


def test_the_end_of_the_session_and_a_signal_never_ask(drawing, gate, qtbot):
    QGuiApplication.instance().commitDataRequest.emit(None)
    with qtbot.waitSignal(drawing.window.left):
        drawing.window.close()
    assert question(drawing) is None
    assert not drawing.window.isVisible()
    gate.open()


def test_a_model_that_is_made_is_asked_about_and_waited_for(studio, qtbot, gate):
    studio.tasks.run("Merging to mix.safetensors", lambda task: gate(None, task.cancelled_event), asked_for=True)
    dialog = asked(studio)
    assert said(dialog).endswith("Merging to mix.safetensors")
    with qtbot.waitSignal(studio.window.left):
        press(dialog, "finishInBackgroundButton")
        gate.open()
    assert studio.tasks.asked_for == ()


def test_pictures_that_could_not_be_saved_are_not_lost_without_a_word(studio, qtbot, monkeypatch):
    folder = studio.paths.images
    folder.rmdir()
    folder.write_text("in the way")
    with qtbot.waitSignal(studio.worker.job_finished):
        submit(studio, "red heart")
    assert len(studio.worker.unsaved) == 1
    dialog = asked(studio)
    assert "1 picture that could not be saved" in said(dialog)
    assert dialog.findChild(QPushButton, "finishInBackgroundButton") is None
    assert dialog.findChild(QPushButton, "cancelClosingButton").isDefault()
    press(dialog, "cancelClosingButton")
    assert studio.window.isVisible()
    folder.unlink()
    folder.mkdir()
    assert len(studio.worker.save_unsaved()) == 1


def test_pictures_that_could_not_be_saved_can_be_saved_elsewhere_before_closing(studio, qtbot, monkeypatch, tmp_path):
    folder = studio.paths.images
    folder.rmdir()
    folder.write_text("in the way")
    submit(studio, "red heart")
    qtbot.waitUntil(lambda: [work.is_kept for work in studio.window.closing.works()] == [False], timeout=20_000)
    dialog = asked(studio)
    assert "Not everything is saved" in [label.text() for label in dialog.findChildren(QLabel)]
    choose(dialog, folder / "no folder")
    assert "pictures are saved as .png" in dialog.findChild(QLabel, "closingWrong").text()
    assert question(studio) is dialog
    choose(dialog, tmp_path)
    assert not studio.window.isVisible(), "nothing is left to be asked about"
    assert len([*tmp_path.rglob("*.png")]) == 1


def choose(dialog: ClosingDialog, folder: Path) -> None:
    press(dialog, "saveButton0")
    files = dialog.findChild(QFileDialog)
    files.fileSelected.emit(str(folder))
    files.close()


def test_changed_styles_are_asked_about_and_can_be_saved_while_closing(studio, build, qtbot):
    window = studio.window
    window.prompt_controller.edit_styles()
    [styles] = window.findChildren(StyleDialog)
    styles.list.setCurrentRow(0)
    before = styles.name_edit.text()
    assert studio.window.closing.works() == ()
    QTest.keyClicks(styles.prompt_edit, "with fog, ")
    dialog = asked(studio)
    assert said(dialog).endswith("Changes in “Styles” that are not saved")
    press(dialog, "cancelClosingButton")
    assert window.isVisible()
    styles.name_edit.selectAll()
    QTest.keyClick(styles.name_edit, Qt.Key.Key_Delete)
    press(asked(studio), "saveButton0")
    assert window.isVisible(), "a style without a name cannot be saved"
    assert styles.isVisible()
    QTest.keyClicks(styles.name_edit, before)
    press(asked(studio), "saveButton0")
    assert not window.isVisible()
    assert studio.close()
    kept = {style.name: style.prompt for style in build().window.prompt_controller.styles.styles}
    assert kept[before].startswith("with fog, ")


CHILD = """
    import sys, time
    import sdstudio.app as app
    from sdstudio.core.events import StepDone
    furnished = app.furnished
    def build(*args):
        studio = furnished(*args)
        window = studio.window
        def draw():
            window.panel.field("steps").set_value(150)
            window.editor.set_prompt("red heart")
            window.editor.generate_button.click()
        def on_event(told):
            if isinstance(told.event, StepDone) and told.event.step == 10:
                print("drawing", flush=True)
        studio.worker.job_event.connect(on_event)
        window.left.connect(lambda: print(f"left {time.time()}", flush=True))
        window.when_shown(draw)
        return studio
    app.furnished = build
    from sdstudio.__main__ import main
    sys.exit(main([]))
"""


@pytest.mark.slow
def test_the_process_is_gone_soon_after_its_window_also_while_it_draws(home):
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD)], cwd=ROOT, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, "SDSTUDIO_HOME": str(home.home), "QT_QPA_PLATFORM": "offscreen"},
    )  # fmt: skip
    assert child.stdout.readline() == "drawing\n"
    child.send_signal(signal.SIGTERM)
    lines = iter(child.stdout.readline, "")
    left = next(float(line.split()[1]) for line in lines if line.startswith("left"))
    code, took = child.wait(timeout=60), time.time() - left
    assert (code, child.stderr.read()) == (0, "")
    assert took < GONE_S
    assert not home.database.with_name("history.db-wal").exists(), "the history was closed"
    studio = build_studio(home.home)
    try:
        assert [job.state for job in studio.controller.jobs()] == [JobState.INTERRUPTED]
    finally:
        assert studio.close()
        studio.delete()
