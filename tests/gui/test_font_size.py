"""Text of another size: applied at once, everywhere, with room for it; and there again at the next start."""

from __future__ import annotations

from itertools import pairwise

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QApplication,
    QComboBox,
    QLabel,
    QListWidget,
    QPushButton,
    QWidget,
)

from sdstudio.ui.theme import apply_theme

WAIT_MS = 20_000


def choose(studio, points: int) -> None:
    dialog = studio.window.settings_controller.open()
    spin = dialog.field("font_size").editor.field
    spin.setFocus()
    spin.selectAll()
    QTest.keyClicks(spin, str(points))
    QTest.keyClick(spin, Qt.Key.Key_Return)
    dialog.close()


def test_text_grows_at_once_and_has_room_and_comes_back_the_next_time(build, qtbot, qapp):
    studio = build()
    window = studio.window
    label = window.status_line.findChild(QLabel, "statusText")
    before = label.fontInfo().pixelSize()
    try:
        choose(studio, 20)
        qtbot.waitUntil(lambda: label.fontInfo().pixelSize() == 2 * before)
        box = window.findChild(QComboBox, "modelComboBox")
        assert box.height() >= box.fontMetrics().height()
        assert window.status_line.height() >= label.fontMetrics().height()
        generate = window.findChild(QPushButton, "generateButton")
        assert generate.height() >= generate.fontMetrics().height()
        assert window.panel.width() >= window.panel.minimumSizeHint().width()
        assert studio.close()
        again = build()
        assert again.window.remembered_font == 20
        assert again.window.status_line.findChild(QLabel, "statusText").fontInfo().pixelSize() == 2 * before
        choose(again, 10)
        label = again.window.status_line.findChild(QLabel, "statusText")
        qtbot.waitUntil(lambda: label.fontInfo().pixelSize() == before)
    finally:
        apply_theme(QApplication.instance(), "dark")


@pytest.mark.parametrize("size", [(900, 540), (1600, 1000)])
def test_at_the_largest_size_nothing_lies_over_its_neighbour_or_beyond_the_window(build, qtbot, size):
    studio = build()
    window = studio.window
    window.resize(*size)
    try:
        choose(studio, 20)
        qtbot.waitUntil(lambda: window.size().toTuple() == size, timeout=WAIT_MS)
        for page in ("Create", "Library", "History", "Learn"):
            window.pages.open(page)
            QApplication.processEvents()
            QApplication.processEvents()
            for button in window.findChildren(QAbstractButton) + window.findChildren(QComboBox):
                if not button.isVisible() or button.objectName().startswith("qt_") or is_scrolled(button):
                    continue
                right = button.mapTo(window, button.rect().bottomRight()).x()
                assert right < window.width(), (page, button.objectName(), right)
        for tab in ("models", "space", "get"):
            button = window.findChild(QPushButton, f"{tab}ViewButton")
            assert button.width() >= button.sizeHint().width()
            assert button.text() or button.toolTip()
        docks = [window.findChild(QWidget, name) for name in ("parametersDock", "historyDock")]
        window.pages.open("Create")
        QApplication.processEvents()
        across = [place_of(part, window) for part in (docks[0], window.editor, docks[1])]
        assert all(before.right() < after.left() for before, after in pairwise(across)), across
        dialog = window.settings_controller.open()
        dialog.resize(dialog.width(), 400)
        assert dialog.width() <= 900
        foot = dialog.findChild(QPushButton, "closeSettingsButton")
        assert dialog.rect().contains(place_of(foot, dialog))
        groups = dialog.findChild(QListWidget, "settingsGroups")
        assert groups.horizontalScrollBar().maximum() == 0
        dialog.close()
    finally:
        apply_theme(QApplication.instance(), "dark")


def is_scrolled(widget: QWidget) -> bool:
    above = widget.parentWidget()
    while above is not None:
        if isinstance(above, QAbstractScrollArea):
            return True
        above = above.parentWidget()
    return False


def place_of(widget: QWidget, within: QWidget) -> QRect:
    return QRect(widget.mapTo(within, QPoint()), widget.size())


def test_at_the_largest_size_the_parameters_do_not_lie_over_the_canvas(build, qtbot):
    studio = build()
    window = studio.window
    window.resize(900, 540)
    try:
        window.canvas.show_nothing()
        studio.window.editor.set_prompt("cat")
        QTest.mouseClick(window.editor.generate_button, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: window.canvas.entry is not None, timeout=WAIT_MS)
        choose(studio, 20)
        docks = [window.findChild(QWidget, name) for name in ("parametersDock", "createMiddle", "historyDock")]

        def lie_apart() -> bool:
            return all(one.geometry().right() < other.geometry().left() for one, other in pairwise(docks))

        qtbot.waitUntil(lie_apart, timeout=WAIT_MS)
        window.pages.open("Library")
        for name in ("modelKindComboBox", "modelFamilyComboBox", "modelSortComboBox"):
            box = window.findChild(QComboBox, name)
            qtbot.waitUntil(box.isVisible, timeout=WAIT_MS)
            assert box.shown_text == box.currentText() or "…" in box.shown_text, "cut words say so"
    finally:
        choose(studio, 10)
