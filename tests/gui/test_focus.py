"""Whoever goes from field to field with Tab sees where he is: every stop looks different while it has the focus."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QListWidget, QTableWidget, QTableWidgetItem, QTreeWidget, QTreeWidgetItem

from sdstudio.core.settings import Settings
from sdstudio.ui.entry_tools.compare_view import CompareView
from sdstudio.ui.pages.create.prompt.builder_dialog import PromptBuilder
from sdstudio.ui.theme import apply_theme
from sdstudio.ui.window.settings_dialog import SettingsDialog


@pytest.fixture(params=["dark", "light"], autouse=True)
def theme(request, qapp):
    apply_theme(qapp, request.param)


def seen(qtbot, widget) -> None:
    with qtbot.waitExposed(widget):
        widget.show()
    widget.activateWindow()
    qtbot.waitUntil(widget.isActiveWindow, timeout=20_000)


def looks_the_same(window, widget) -> bool:
    widget.setFocus(Qt.FocusReason.TabFocusReason)
    QApplication.processEvents()
    assert widget.hasFocus()
    with_focus = window.grab().toImage()
    widget.clearFocus()
    QApplication.processEvents()
    return with_focus == window.grab().toImage()


@pytest.mark.parametrize("dialog", [PromptBuilder, lambda: SettingsDialog(Settings())])
def test_no_stop_of_tab_is_invisible(qtbot, dialog):
    window = dialog()
    qtbot.addWidget(window)
    seen(qtbot, window)
    stops = []
    while (stop := window.focusWidget() or window.nextInFocusChain()) not in stops:
        stops.append(stop)
        assert not looks_the_same(window, stop), stop
        stop.setFocus(Qt.FocusReason.TabFocusReason)
        QTest.keyClick(stop, Qt.Key.Key_Tab)
    assert len(stops) > 3


def test_the_panel_leaves_the_focus_to_its_fields(studio):
    assert studio.window.panel.focusPolicy() is Qt.FocusPolicy.NoFocus


def _list():
    made = QListWidget()
    made.addItems(["one", "two"])
    made.setCurrentRow(0)
    return made


def _table():
    made = QTableWidget(1, 1)
    made.setItem(0, 0, QTableWidgetItem("one"))
    made.setCurrentCell(0, 0)
    return made


def _tree():
    made = QTreeWidget()
    made.addTopLevelItem(QTreeWidgetItem(["one"]))
    made.setCurrentItem(made.topLevelItem(0))
    return made


def _compare():
    made = CompareView()
    picture = QImage(100, 100, QImage.Format.Format_RGB32)
    picture.fill(QColor("red"))
    made.set_pictures(picture, picture)
    return made


@pytest.mark.parametrize("make", [_list, _table, _tree, _compare])
def test_lists_tables_and_views_show_that_they_have_the_focus(qtbot, make):
    widget = make()
    qtbot.addWidget(widget)
    widget.resize(300, 300)
    seen(qtbot, widget)
    assert not looks_the_same(widget, widget)
