"""Esc closes, clears or deselects where the focus is; it cancels a job only from the canvas and the prompts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractItemView, QAbstractSpinBox, QApplication, QLineEdit, QPushButton, QToolButton

from sdstudio.jobs.queue import JobState
from tests.gui.window.test_edit_menu import is_active, save, select
from tests.unit.background.fakes import until_cancelled

WAIT_MS = 20_000


@pytest.fixture
def studio(shared_studio):
    return shared_studio


@pytest.fixture
def busy(build, qtbot) -> Iterator:
    """The studio with a job that runs until it is cancelled."""
    studio = build({"slow": until_cancelled})
    is_active(studio, qtbot)
    QTest.keyClicks(studio.window.editor.prompt_edit, "slow")
    QTest.mouseClick(studio.window.editor.generate_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(studio.window.editor.cancel_button.isVisible, timeout=WAIT_MS)
    return studio


def is_running(studio) -> bool:
    return any(job.state is JobState.RUNNING for job in studio.controller.jobs())


def press(kind: type, name: str, studio) -> None:
    """Give a part of the window the focus and press Esc there."""
    part = studio.window.findChild(kind, name)
    assert part is not None, name
    part.setFocus()
    assert part.hasFocus(), name
    QTest.keyClick(part, Qt.Key.Key_Escape)


@pytest.mark.parametrize("part", ["prompt", "negative prompt", "canvas"])
def test_a_job_is_cancelled_from_the_prompts_and_the_canvas(busy, qtbot, part):
    window = busy.window
    window.editor.set_negative_open(True)
    window.editor.clear_message()
    widgets = {
        "prompt": window.editor.prompt_edit,
        "negative prompt": window.editor.negative_edit,
        "canvas": window.canvas.view,
    }
    widgets[part].setFocus()
    QTest.keyClick(widgets[part], Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not is_running(busy), timeout=WAIT_MS)
    assert busy.history.count() == 0


def test_elsewhere_a_job_goes_on(busy, qtbot):
    window = busy.window
    save(busy, 1)
    places = [
        (QAbstractSpinBox, "stepsSpinBox"), (QLineEdit, "seedEdit"), (QLineEdit, "historySearchEdit"),
        (QAbstractItemView, "historyView"), (QToolButton, "pauseButton"), (QPushButton, "pageCreateButton"),
    ]  # fmt: skip
    for kind, name in places:
        press(kind, name, busy)
    for page, kind, name in [
        ("Library", QAbstractItemView, "modelView"), ("Library", QLineEdit, "modelFilterEdit"),
        ("History", QAbstractItemView, "historyGrid"), ("History", QLineEdit, "historyGridSearchEdit"),
    ]:  # fmt: skip
        window.pages.open(page)
        press(kind, name, busy)
    window.pages.open("Learn")
    QTest.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_Escape)
    assert is_running(busy)
    window.generation.cancel()
    qtbot.waitUntil(lambda: not is_running(busy), timeout=WAIT_MS)


def test_it_clears_the_search_and_the_job_goes_on(busy, qtbot):
    search = busy.window.findChild(QLineEdit, "historySearchEdit")
    search.setFocus()
    QTest.keyClicks(search, "frog")
    QTest.keyClick(search, Qt.Key.Key_Escape)
    assert search.text() == ""
    assert is_running(busy)
    QTest.keyClick(search, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert search.text() == "frog"
    busy.window.generation.cancel()
    qtbot.waitUntil(lambda: not is_running(busy), timeout=WAIT_MS)


def test_in_the_history_it_closes_the_message_then_deselects_then_clears_filter_and_search(studio, qtbot):
    is_active(studio, qtbot)
    save(studio, 1, 2, 3)
    studio.history.marks.set_favourite([entry.id for entry in studio.history.entries()][:2], True)
    window, model = studio.window, studio.window.history_model
    window.browser.search_edit.setText("heart")
    qtbot.waitUntil(lambda: model.look.query == "heart", timeout=WAIT_MS)
    model.set_look(model.look.with_value("favourite", "yes"))
    qtbot.waitUntil(lambda: model.rowCount() == 2, timeout=WAIT_MS)
    select(studio, qtbot)
    QTest.keyClick(window.browser.view, Qt.Key.Key_Delete)
    view = window.browser.view
    assert window.browser.bar.isVisible()
    assert view.selected_count == 1
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert not window.browser.bar.isVisible()
    assert view.selected_count == 1
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert view.selected_count == 0
    assert model.look.chosen
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert not model.look.chosen
    assert model.look.query == "heart"
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert model.look.is_whole
    qtbot.waitUntil(lambda: window.browser.search_edit.text() == "", timeout=WAIT_MS)


def test_in_the_prompt_it_closes_the_message_before_it_cancels(busy, qtbot):
    editor = busy.window.editor
    editor.show_message("Something to know.", "", "warning")
    editor.prompt_edit.setFocus()
    QTest.keyClick(editor.prompt_edit, Qt.Key.Key_Escape)
    assert editor.message == ""
    assert is_running(busy)
    QTest.keyClick(editor.prompt_edit, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not is_running(busy), timeout=WAIT_MS)


def test_what_went_wrong_for_the_whole_window_stays_until_it_is_closed(studio, qtbot):
    is_active(studio, qtbot)
    studio.window.shell.say("The disk is full.", "error")
    QTest.keyClick(studio.window.editor.prompt_edit, Qt.Key.Key_Escape)
    assert studio.window.message.message == "The disk is full."
    studio.window.shell.say("Something else.")
    QTest.keyClick(studio.window.editor.prompt_edit, Qt.Key.Key_Escape)
    assert studio.window.message.message == ""
