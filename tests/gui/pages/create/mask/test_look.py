"""The page that is painted on: whole words in a small window, nothing that moves, one line of keys for each tool."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QAbstractSpinBox, QMenu, QToolButton, QWidget

from sdstudio.ui.pages.create.mask.rows import COMMANDS, TOOLS
from tests.gui.pages.create.mask.conftest import WAIT_MS, Painting
from tests.gui.test_whole_words import SMALL, settled


@pytest.mark.parametrize(("theme", "font_size"), [("dark", 10), ("light", 14)])
def test_a_small_window_cuts_nothing_while_one_paints_and_chooses(painting: Painting, theme: str, font_size: int):
    window = painting.window
    window.shell.take_settings(window.shell.settings.model_copy(update={"theme": theme, "font_size": font_size}))
    window.resize(*SMALL)
    assert settled(painting.qtbot, window) == []
    assert painting.layer.height() > 60, "there is something left to paint on"
    painting.key("h")
    assert settled(painting.qtbot, window) == []
    painting.key("h")
    painting.drag((100, 100), (200, 200))
    QTest.keyClick(painting.layer, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    accept = window.findChild(QToolButton, "staging_accept")
    painting.qtbot.waitUntil(lambda: accept.isVisible() and accept.isEnabled(), timeout=WAIT_MS)
    assert settled(painting.qtbot, window) == []


def places(painting: Painting) -> dict[str, QPoint]:
    """Return where everything that can be pressed lies."""
    bar = painting.window.findChild(QWidget, "maskToolBar")
    parts = [*bar.findChildren(QAbstractButton), *bar.findChildren(QAbstractSpinBox), painting.layer]
    return {part.objectName(): part.mapToGlobal(QPoint()) for part in parts}


def test_nothing_moves_while_one_paints(painting: Painting):
    before = places(painting)
    for tool in TOOLS:
        painting.qtbot.mouseClick(painting.window.findChild(QToolButton, f"mask_{tool.key}"), Qt.MouseButton.LeftButton)
        assert places(painting) == before, tool.key
    painting.key("b")
    painting.drag((100, 100), (200, 200))
    painting.key("]")
    painting.key("h")
    painting.key(Qt.Key.Key_I, Qt.KeyboardModifier.ControlModifier)
    painting.settled()
    assert places(painting) == before
    assert len(before) > 10


def test_the_menu_of_the_tool_bar_has_every_command(painting: Painting, qtbot):
    more = painting.window.findChild(QToolButton, "maskMoreButton")
    qtbot.mouseClick(more, Qt.MouseButton.LeftButton)
    menu = painting.window.findChild(QMenu, "maskMenu")
    qtbot.waitUntil(menu.isVisible, timeout=WAIT_MS)
    actions = [*menu.actions(), *(each for sub in menu.findChildren(QMenu) for each in sub.actions())]
    assert {each.objectName() for each in actions} >= {row.key for row in COMMANDS}
    next(each for each in actions if each.objectName() == "mask_all").trigger()
    menu.close()
    painting.settled()
    assert (painting.pixels() == 255).all()
