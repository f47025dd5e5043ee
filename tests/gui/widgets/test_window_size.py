"""Windows and dialogs open no larger than the screen, which is 800 pixels wide and high in these tests."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QSize
from PySide6.QtWidgets import QWidget

from sdstudio.background.tasks import TaskRunner
from sdstudio.core.settings import Settings
from sdstudio.ui.entry_tools.compare_window import CompareWindow
from sdstudio.ui.entry_tools.grid_window import GridWindow
from sdstudio.ui.pages.create.prompt.builder_dialog import PromptBuilder
from sdstudio.ui.pages.library.space_view import SpaceView
from sdstudio.ui.widgets.window_size import FRAME, open_at
from sdstudio.ui.window.settings_dialog import SettingsDialog


def test_a_size_is_what_was_wanted_or_what_the_screen_has(qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    open_at(window, QSize(300, 200))
    assert window.size() == QSize(300, 200)
    open_at(window, QSize(300, 20_000))
    assert window.size() == QSize(300, window.screen().availableSize().height() - FRAME.height())


@pytest.mark.parametrize("name", ["compare", "grid", "builder", "settings"])
def test_large_dialogs_fit_the_screen(qtbot, save, name):
    tasks = TaskRunner()
    makes = {
        "compare": lambda: CompareWindow([save(seed=1), save(seed=2)], tasks),
        "grid": lambda: GridWindow(tasks),
        "builder": PromptBuilder,
        "settings": lambda: SettingsDialog(Settings()),
    }
    dialog = makes[name]()
    room = dialog.screen().availableSize()
    assert dialog.width() <= room.width()
    assert dialog.height() <= room.height()
    dialog.close()
    tasks.close()


def test_the_space_of_nothing_says_what_to_do(qtbot):
    view = SpaceView()
    qtbot.addWidget(view)
    view.show_space(())
    assert not view.tree.isVisibleTo(view)
    assert not view.search_button.isEnabled()
    assert view.summary.text() == ""


def test_the_buttons_of_docks_say_what_they_do(studio):
    for dock in studio.window.create_page.docks:
        names = {"qt_dockwidget_floatbutton": "into a window of its own", "qt_dockwidget_closebutton": "Hide"}
        for name, said in names.items():
            button = dock.findChild(QWidget, name)
            assert said in button.toolTip()
            assert dock.windowTitle() in button.toolTip()
