"""On every page Tab reaches everything that can be used, and each stop looks different while it has the focus."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QScrollArea, QWidget

from sdstudio.ui.theme import apply_theme
from sdstudio.ui.window.page_rows import PAGE_KEYS
from tests.gui.window.test_edit_menu import WAIT_MS, is_active, save, select


def stops_of(window: QWidget) -> list[QWidget]:
    """Press Tab until a stop comes again; within one it may go from link to link."""
    stops: list[QWidget] = []
    for _ in range(400):
        stop = QApplication.focusWidget()
        if stop is None or stop in stops[:-1]:
            break
        if stop not in stops:
            stops.append(stop)
        QTest.keyClick(stop, Qt.Key.Key_Tab)
    return stops


def usable(window: QWidget) -> list[QWidget]:
    """Return all that can be seen, is enabled and takes Tab; arrows lead to the others of a group of buttons."""
    return [
        each for each in window.findChildren(QWidget)
        if not (isinstance(each, QAbstractButton) and each.group() is not None and not each.isChecked())
        and each.isVisible() and each.isEnabled() and each.window() is window and each.focusProxy() is None
        and each.focusPolicy() & Qt.FocusPolicy.TabFocus and not isinstance(each, QScrollArea)
    ]  # fmt: skip


def looks_the_same(widget: QWidget) -> bool:
    """Compare what a stop looks like with the focus and without it, it and what it stands in."""
    widget.setFocus(Qt.FocusReason.TabFocusReason)
    QApplication.processEvents()
    around = widget.parentWidget() or widget
    with_focus = around.grab().toImage()
    widget.clearFocus()
    QApplication.processEvents()
    return with_focus == around.grab().toImage()


def named(widgets: list[QWidget]) -> set[str]:
    return {f"{type(each).__name__} {each.objectName()} {each.accessibleName()}" for each in widgets}


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_page_is_walked_by_tab_and_every_stop_is_seen(studio, qtbot, qapp, theme):
    apply_theme(qapp, theme)
    is_active(studio, qtbot)
    save(studio, 1)
    window = studio.window
    window.resize(1600, 1000)
    window.editor.set_negative_open(True)
    select(studio, qtbot)
    qtbot.waitUntil(window.canvas.view.isVisible, timeout=WAIT_MS)
    for name in PAGE_KEYS:
        window.pages.open(name)
        if name == "History":
            grid = window.pages.browser.view
            place = grid.visualRect(grid.model().index(0)).center()
            QTest.mouseClick(grid.viewport(), Qt.MouseButton.LeftButton, pos=place)
        QApplication.processEvents()
        stops = stops_of(window)
        assert named(usable(window)) - named(stops) == set(), name
        unseen = [stop for stop in stops if stop.isVisible() and looks_the_same(stop)]
        assert named(unseen) == set(), name
