"""Tooltips say more than what is read already, and lie over no words that one reads or writes at that moment."""

from __future__ import annotations

import html
import re

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QHelpEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QSpinBox,
    QToolTip,
    QWidget,
)

from sdstudio.ui.widgets.elided_label import ElidedLabel
from sdstudio.ui.window.page_rows import PAGE_KEYS

WAIT_MS = 20_000


@pytest.fixture
def studio(shared_studio):
    return shared_studio


def words(text: str) -> str:
    """Letters and digits of a text, without markup, in one case."""
    plain = html.unescape(re.sub(r"<[^>]+>", " ", text))
    return " ".join(re.findall(r"\w+", plain.casefold()))


def read_on(widget: QWidget) -> str:
    """What can be read on a widget."""
    match widget:
        case ElidedLabel():
            return widget.text() if widget.shown == widget.text() else ""
        case QAbstractButton() | QLabel():
            icon_only = getattr(widget, "toolButtonStyle", lambda: None)() is Qt.ToolButtonStyle.ToolButtonIconOnly
            return "" if icon_only and not widget.icon().isNull() else widget.text()
        case QComboBox():
            return widget.currentText()
        case QLineEdit() | QPlainTextEdit():
            return widget.placeholderText()
    return ""


def test_no_tooltip_repeats_what_is_read(studio, qtbot):
    window = studio.window
    window.findChild(QSpinBox, "countSpinBox").setValue(2)
    window.editor.set_prompt("frog")
    window.editor.generate_button.click()
    qtbot.waitUntil(lambda: window.status_line.text.startswith("Done: 2"), timeout=WAIT_MS)
    window.panel.field("steps").set_value(3)
    window.editor.set_styles(["Watercolour"])
    window.settings_controller.open()
    repeated = []
    for name in PAGE_KEYS:
        window.pages.open(name)
        QTest.qWait(50)
        for widget in window.findChildren(QWidget):
            tip, read = words(widget.toolTip()), words(read_on(widget))
            if tip and read and (tip == read or tip.replace(read, "").strip() in ("", "the")):
                repeated.append((name, type(widget).__name__, widget.objectName(), widget.toolTip()))
        for view in window.findChildren(QAbstractItemView):
            rows = view.model().rowCount() if view.model() is not None else 0
            for row in range(min(rows, 50)):
                index = view.model().index(row, 0)
                tip = words(str(index.data(Qt.ItemDataRole.ToolTipRole) or ""))
                if tip and tip == words(str(index.data(Qt.ItemDataRole.DisplayRole) or "")):
                    repeated.append((name, view.objectName(), tip))
    assert repeated == []


def test_no_tip_lies_over_the_prompt(studio):
    for edit in (studio.window.editor.prompt_edit, studio.window.editor.negative_edit):
        assert edit.toolTip() == ""
        assert edit.accessibleDescription()


def test_the_tooltip_of_a_picture_lies_below_it(studio, qtbot):
    window, view = studio.window, studio.window.browser.view
    window.editor.set_prompt("frog")
    window.editor.generate_button.click()
    qtbot.waitUntil(lambda: view.model().rowCount() == 1, timeout=WAIT_MS)
    cell = view.visualRect(view.model().index(0, 0))
    at = cell.center()
    told = QHelpEvent(QHelpEvent.Type.ToolTip, at, view.viewport().mapToGlobal(at))
    QApplication.sendEvent(view.viewport(), told)
    qtbot.waitUntil(QToolTip.isVisible, timeout=WAIT_MS)
    assert "frog" in QToolTip.text()
    [tip] = [each for each in QApplication.topLevelWidgets() if each.inherits("QTipLabel") and each.isVisible()]
    assert tip.geometry().top() >= view.viewport().mapToGlobal(cell.bottomLeft()).y() - 8
    QToolTip.hideText()


@pytest.mark.parametrize("name", ["stylesButton", "negativePresetsButton"])
def test_a_button_whose_menu_was_used_does_not_stay_lit(studio, qtbot, name):
    window = studio.window
    window.editor.set_negative_open(True)
    button = window.findChild(QAbstractButton, name)
    QTest.mouseMove(window.canvas, QPoint(5, 5))
    dark = button.grab().toImage()
    menu = button.menu()
    menu.aboutToShow.emit()
    QTest.mouseMove(button, button.rect().center())
    button.setAttribute(Qt.WidgetAttribute.WA_UnderMouse)  # the platform of tests has no pointer of its own
    assert button.grab().toImage() != dark
    menu.popup(button.mapToGlobal(QPoint(0, 40)))
    qtbot.waitUntil(menu.isVisible, timeout=WAIT_MS)
    QTest.mouseMove(menu, QPoint(8, 8))
    QTest.keyClick(menu, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not button.underMouse(), timeout=WAIT_MS)
    assert button.grab().toImage() == dark


def test_a_dock_of_its_own_has_an_edge(studio, qtbot):
    dock = studio.window.create_page.history_dock
    edge = dock.findChild(QWidget, "dockEdge")
    assert not edge.isVisible()
    dock.setFloating(True)
    qtbot.waitUntil(edge.isVisible, timeout=WAIT_MS)
    assert edge.size() == dock.size()
    shot = dock.grab().toImage()
    assert shot.pixelColor(0, dock.height() // 2) != shot.pixelColor(3, dock.height() // 2)
    dock.setFloating(False)
    qtbot.waitUntil(lambda: not edge.isVisible(), timeout=WAIT_MS)


def test_titles_of_docks_begin_where_their_fields_do(studio):
    dock = studio.window.create_page.panel_dock
    shot = dock.grab().toImage()
    ground = shot.pixelColor(2, 12)

    def first_ink(top: int, bottom: int) -> int:
        return min(x for y in range(top, bottom) for x in range(2, 60) if shot.pixelColor(x, y) != ground)

    field = studio.window.panel.field("width").mapTo(dock, QPoint())
    assert abs(first_ink(6, 20) - field.x()) <= 2
    assert field.x() == 12


def test_generate_is_never_cut(studio, qtbot):
    window = studio.window
    window.resize(900, 540)
    qtbot.waitUntil(lambda: window.size().toTuple() == (900, 540), timeout=WAIT_MS)
    docks = [dock.width() for dock in window.create_page.docks]
    window.editor.set_negative_open(True)
    window.editor.set_negative_prompt("blurry, text, " * 30)
    window.editor.set_prompt("very detailed, " * 60)
    window.editor.set_styles(["Watercolour", "Oil painting"])
    window.editor.show_message("Memory = 3 GB: the picture needs 7 GB.", "Make it smaller.")
    button = window.findChild(QPushButton, "generateButton")

    def is_whole() -> bool:
        place = button.mapTo(window.create_page, QPoint())
        inside = window.create_page.rect().adjusted(0, 0, -button.width(), -button.height()).contains(place)
        return inside and button.visibleRegion().boundingRect() == button.rect()

    qtbot.waitUntil(is_whole, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: window.editor.chunk_count > 2, timeout=WAIT_MS)
    assert is_whole()
    assert button.width() >= button.sizeHint().width()
    assert [dock.width() for dock in window.create_page.docks] == docks
    assert window.editor.prompt_edit.visibleRegion().boundingRect() == window.editor.prompt_edit.rect()
