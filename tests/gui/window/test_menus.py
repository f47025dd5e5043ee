"""Menus say keys as they stand on the keyboard, and stay in one column on a low screen."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QMenu

from sdstudio.app import Studio
from sdstudio.ui.window.menu_rows import menu_rows
from sdstudio.ui.window.shortcut_list import ShortcutList


@pytest.fixture
def studio(shared_studio: Studio) -> Studio:
    return shared_studio


def test_a_menu_that_is_higher_than_the_screen_scrolls_in_one_column(studio: Studio, qtbot: Any) -> None:
    menu = QMenu(studio.window)
    for number in range(80):
        menu.addAction(f"Entry {number}")
    menu.popup(QPoint(0, 0))
    qtbot.waitUntil(menu.isVisible)
    assert menu.height() <= menu.screen().size().height()
    assert len({menu.actionGeometry(action).left() for action in menu.actions()}) == 1
    menu.close()


def test_enter_is_called_enter_everywhere_and_once(studio: Studio, qtbot: Any) -> None:
    rows = {row.title: row.keys for row in menu_rows(studio.window.menuBar())}
    assert rows["Generate"] == ("Ctrl+Enter",)
    assert rows["Generate forever, or stop that"] == ("Ctrl+Shift+Enter",)
    shortcuts = ShortcutList(menu_rows(studio.window.menuBar()), studio.window)
    tops = [shortcuts.view.topLevelItem(at) for at in range(shortcuts.view.topLevelItemCount())]
    said = [top.child(at).text(1) for top in tops if top is not None for at in range(top.childCount())]
    assert "Space  or  Enter" in said
    assert not [keys for keys in said if "Return" in keys or len(set(keys.split("  or  "))) < keys.count(" or ") + 1]
    shown = studio.window.menuBar().findChild(QMenu, "menuGenerate")
    assert isinstance(shown, QMenu)
    assert shown.actions()[0].shortcut().toString() == "Ctrl+Enter"
    shortcuts.close()
