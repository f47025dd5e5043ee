"""What comes and goes is reached by Tab like all else, seen while it has the focus, and used by keyboard."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QMenu, QPushButton, QToolButton, QWidget

from sdstudio.core.errors import Cancelled, OutOfMemory
from sdstudio.ui.pages.create.queue.row import QueueRow
from sdstudio.ui.theme import apply_theme
from tests.gui.test_focus_of_pages import looks_the_same, named, stops_of, usable

WAIT_MS = 20_000


def fail(_engine: object, _cancel: threading.Event) -> None:
    raise OutOfMemory("Memory = 3 GB: the picture needs 7 GB.", "Make it smaller.")


def wait(_engine: object, cancel: threading.Event) -> None:
    if cancel.wait(20):
        raise Cancelled


@pytest.fixture
def busy(build: Any, qtbot: Any) -> Any:
    """The window with a failed job, one that runs, two that wait, advice, a wrong field and a message."""
    studio = build({"fail": fail, "wait": wait})
    window = studio.window
    window.resize(1600, 1000)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=WAIT_MS)
    for prompt in ("fail", "wait", "red {heart|cat}", "frog"):
        window.editor.set_prompt(prompt)
        window.editor.generate_button.click()
    qtbot.waitUntil(lambda: len(window.findChildren(QueueRow)) == 4, timeout=WAIT_MS)
    qtbot.waitUntil(window.editor.cancel_button.isVisible, timeout=WAIT_MS)
    window.panel.field("guidance_scale").set_value(29.0)
    qtbot.waitUntil(window.findChild(QPushButton, "guidanceScaleAdviceButton").isVisible, timeout=WAIT_MS)
    window.panel.field("width").set_value(100)
    window.editor.generate_button.click()
    assert window.panel.field("width").error
    window.shell.say("Data folder: it is read-only.", "warning")
    window.editor.prompt_edit.setFocus()
    return studio


def card(studio: Any, prompt: str) -> QueueRow:
    panel = studio.window.queue_panel
    rows = [panel.row(job.group_id) for job in studio.controller.jobs() if job.prompt == prompt]
    return rows[0]


def reach(stop: QWidget) -> None:
    """Press Tab until it has the focus."""
    for _ in range(400):
        if QApplication.focusWidget() is stop:
            return
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
    raise AssertionError(f"Tab does not reach {stop}")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_cards_advice_messages_and_links_are_reached_by_tab_and_seen(busy, qapp, theme):
    apply_theme(qapp, theme)
    window = busy.window
    stops = stops_of(window)
    assert len([stop for stop in stops if isinstance(stop, QueueRow)]) == 4
    assert {"widthMessage", "guidanceScaleAdviceButton", "guidanceScaleAdviceDismissButton"} <= {
        stop.objectName() for stop in stops
    }
    assert named(usable(window)) - named(stops) == set()
    unseen = [stop for stop in stops if stop.isVisible() and looks_the_same(stop)]
    assert named(unseen) == set()


def test_a_card_is_used_by_keyboard(busy, qtbot):
    row = card(busy, "frog")
    reach(row)
    QTest.keyClick(row, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: card(busy, "frog").hasFocus(), timeout=WAIT_MS)
    row = card(busy, "frog")
    QTest.keyClick(row, Qt.Key.Key_Menu)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    assert menu.objectName() == "queueMenu"
    QTest.keyClick(menu, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: QApplication.activePopupWidget() is None, timeout=WAIT_MS)
    retry = next(button for button in card(busy, "fail").findChildren(QPushButton) if button.text() == "Run again")
    reach(retry)
    QTest.keyClick(retry, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: not retry.isVisible(), timeout=WAIT_MS)
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
    row = card(busy, "frog")
    reach(row)
    QTest.keyClick(row, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: not [each for each in busy.controller.jobs() if each.prompt == "frog"], timeout=WAIT_MS)


@pytest.mark.parametrize("key", [Qt.Key.Key_Space, Qt.Key.Key_Return])
def test_advice_is_taken_and_sent_away_by_keyboard(busy, qtbot, key):
    window = busy.window
    field = window.panel.field("guidance_scale")
    do = window.findChild(QPushButton, "guidanceScaleAdviceButton")
    reach(do)
    QTest.keyClick(do, key)
    qtbot.waitUntil(lambda: field.value() < 29, timeout=WAIT_MS)
    field.set_value(29.0)
    qtbot.waitUntil(do.isVisible, timeout=WAIT_MS)
    close = window.findChild(QToolButton, "guidanceScaleAdviceDismissButton")
    reach(close)
    QTest.keyClick(close, key)
    qtbot.waitUntil(lambda: not do.isVisible(), timeout=WAIT_MS)
    assert field.value() == 29


def test_a_legal_value_in_a_message_is_taken_by_keyboard(busy, qtbot):
    field = busy.window.panel.field("width")
    label = busy.window.findChild(QLabel, "widthMessage")
    reach(label)
    QTest.keyClick(label, Qt.Key.Key_Return)
    assert field.value() in (96, 104)
    assert not field.error
    assert field.editor.field.hasFocus()
