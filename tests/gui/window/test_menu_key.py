"""Shift+F10 opens the menu of whatever has the focus, wherever there is one."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QMenu, QToolButton, QWidget

from sdstudio.ui.forms.picture_editor import PicturePlace
from sdstudio.ui.pages.create.prompt.style_dialog import StyleDialog
from sdstudio.ui.pages.create.queue.row import QueueRow
from tests.gui.pages.create.queue.test_panel import Gate, submit

WAIT_MS = 20_000


@pytest.fixture
def busy(build: Any, qtbot: Any) -> Any:
    """The window with a job that runs and one that waits."""
    gate = Gate()
    studio = build({"held": gate})
    studio.window.activateWindow()
    qtbot.waitUntil(studio.window.isActiveWindow, timeout=WAIT_MS)
    submit(studio, "red heart")
    qtbot.waitUntil(lambda: studio.window.history_model.rowCount() == 1, timeout=WAIT_MS)
    submit(studio, "held")
    assert gate.reached.wait(20)
    submit(studio, "next")
    qtbot.waitUntil(lambda: len(studio.window.findChildren(QueueRow)) == 3, timeout=WAIT_MS)
    yield studio
    gate.open()


def asked_of(widget: QWidget, qtbot: Any) -> list[str]:
    """Press the key as the desktop hands it in, to the window; return the names of what the menu offers, and close it.

    A menu may wait for an answer where it is opened.
    """
    offered: list[str] = []

    def look() -> None:
        menu = QApplication.activePopupWidget()
        if isinstance(menu, QMenu):
            offered.extend(action.objectName() for action in menu.actions())
            menu.close()

    widget.setFocus()
    assert QApplication.focusWidget() is widget
    looking = QTimer()
    looking.timeout.connect(look)
    looking.start(10)
    QTest.keyClick(widget.window().windowHandle(), Qt.Key.Key_F10, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: bool(offered), timeout=WAIT_MS)
    return offered


def test_every_menu_opens_by_keyboard(busy: Any, qtbot: Any) -> None:
    window = busy.window
    rows = window.findChildren(QueueRow)
    inside = [button for row in rows for button in row.findChildren(QToolButton) if button.isVisible()]
    window.browser.view.setCurrentIndex(window.history_model.index(0))
    window.canvas.show_entry(window.history_model.entry(window.history_model.index(0)))
    window.prompt_controller.edit_styles()
    [styles] = window.findChildren(StyleDialog)
    window.pages.open("History")
    grid = window.pages.browser.view
    grid.setCurrentIndex(window.history_model.index(0))
    places: list[tuple[str, list[QWidget]]] = [
        ("entry_look", [grid]),
        ("queue_details", [*rows, *inside]),
        ("entry_look", [window.browser.view, window.canvas.view]),
        ("edit-copy", [window.editor.prompt_edit, window.browser.search_edit, window.findChild(QLineEdit, "seedEdit")]),
        ("pasteAction", [window.findChild(PicturePlace)]),
        ("edit-copy", [styles.prompt_edit]),
    ]
    for name, widgets in places:
        for widget in widgets:
            window.pages.open("History" if widget is grid else "Create")
            widget.window().activateWindow()
            qtbot.waitUntil(widget.window().isActiveWindow, timeout=WAIT_MS)
            assert name in asked_of(widget, qtbot), widget
            qtbot.waitUntil(lambda: QApplication.activePopupWidget() is None, timeout=WAIT_MS)
