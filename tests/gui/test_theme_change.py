"""Another theme, chosen while the window is full: all of it looks as if it had been started in that theme."""

from __future__ import annotations

import gc

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QLineEdit, QPushButton, QWidget

from sdstudio.core.settings import Settings
from sdstudio.history.store import History
from sdstudio.ui.first_paint import without_style_sheet
from sdstudio.ui.pages.learn.page import LearnPage
from sdstudio.ui.pages.library.space_view import SpaceView
from sdstudio.ui.theme import apply_theme
from tests.unit.history.conftest import recipe

PATIENCE_MS = 20_000
PAGES = ("Library", "History", "Learn", "Create")


@pytest.fixture
def still(qapp):
    """No cursor blinks."""
    flash = qapp.cursorFlashTime()
    qapp.setCursorFlashTime(0)
    yield
    qapp.setCursorFlashTime(flash)


def opened(build, qtbot):
    """Open the studio with all its pages, and its settings."""
    studio = build()
    window = studio.window
    window.resize(1200, 800)
    qtbot.waitUntil(lambda: window.status_line.text == "Ready", timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: window.canvas.entry is not None, timeout=PATIENCE_MS)
    for page in PAGES:
        window.pages.open(page)
        seen: list[QImage] = []
        while len(seen) < 3 or seen[-1] != seen[-3]:  # what is read in the background has come
            qtbot.wait(150)
            seen.append(window.pages.grab().toImage())
    QTest.mouseClick(window.findChild(QPushButton, "spaceViewButton"), Qt.MouseButton.LeftButton)
    window.settings_controller.open()
    QApplication.processEvents()
    return studio


def pictures(studio, qtbot) -> dict[str, QImage]:
    """Return how pages, menus and settings look; nothing happens before but what Qt has to do already."""
    window = studio.window
    found = {}
    for page in PAGES:
        window.pages.open(page)
        window.pages.currentWidget().setFocus()
        for _ in range(3):
            QApplication.sendPostedEvents()
        found[page] = window.pages.grab().toImage()
    found |= {action.text(): action.menu().grab().toImage() for action in window.menuBar().actions()}
    found["settings"] = window.findChild(QComboBox, "themeComboBox").window().grab().toImage()
    return found


def test_all_pages_menus_and_dialogs_look_as_if_started_in_the_theme(build, home, qtbot, still):
    history = History(home, lambda _path: None)
    history.save(Image.new("RGB", (64, 64), (200, 40, 90)), recipe())
    history.close()
    Settings(theme="dark").save(home.settings)
    studio = opened(build, qtbot)
    before = pictures(studio, qtbot)
    combo = studio.window.findChild(QComboBox, "themeComboBox")
    combo.setFocus()
    QTest.keyClick(combo, Qt.Key.Key_Down)
    assert studio.window.shell.settings.theme == "light"
    changed = pictures(studio, qtbot)
    assert studio.close()
    home.window_state.unlink()  # docks are as high as at first

    restarted = opened(build, qtbot)
    combo = restarted.window.findChild(QComboBox, "themeComboBox")
    combo.setFocus()
    expected = pictures(restarted, qtbot)
    assert [name for name, picture in changed.items() if picture == before[name]] == []
    assert [name for name, picture in changed.items() if picture != expected[name]] == []


def test_icons_in_fields_and_lists_are_drawn_in_the_new_colours(studio, qtbot):
    window = studio.window
    window.shell.take_settings(window.shell.settings.model_copy(update={"theme": "dark"}))
    window.pages.open("Library")
    view = window.findChild(SpaceView)
    qtbot.waitUntil(lambda: view.tree.topLevelItemCount() > 0, timeout=PATIENCE_MS)
    edits = [edit for edit in window.findChildren(QLineEdit) if edit.actions() and edit.isEnabled()]
    actions = [action for edit in edits for action in edit.actions() if action.property("studioIcon")]
    assert len(actions) >= 2

    def drawn() -> list[QImage]:
        icons = [action.icon() for action in actions] + [view.tree.topLevelItem(0).icon(0)]
        return [icon.pixmap(16).toImage() for icon in icons]

    dark = drawn()
    window.shell.take_settings(window.shell.settings.model_copy(update={"theme": "light"}))
    assert all(light != old for light, old in zip(drawn(), dark, strict=True))


class _Listening(QLabel):
    """Notes whether Python may look for garbage while Qt tells every widget of a change."""

    def __init__(self) -> None:
        super().__init__("listening")
        self.may_collect: list[tuple[str, bool]] = []

    def changeEvent(self, event):  # noqa: N802 (Qt's name)
        self.may_collect.append((event.type().name, gc.isenabled()))
        super().changeEvent(event)


def test_no_forgotten_window_is_deleted_while_qt_restyles_all_windows(qtbot, qapp):
    """Qt walks a list of all widgets: one deleted in the middle is freed memory in that list."""
    gc.enable()  # a start before this test may have put it off
    theme = apply_theme(qapp, "dark")
    label = _Listening()
    qtbot.addWidget(label)
    label.show()
    changes = {
        "light": lambda: theme.choose("light"),
        "a larger font": lambda: theme.choose("light", 14),
        "dark": lambda: theme.choose("dark"),
    }
    try:
        for name, change in changes.items():
            label.may_collect.clear()
            change()
            assert label.may_collect, name
            assert [kind for kind, may in label.may_collect if may] == [], name
        label.may_collect.clear()
        with without_style_sheet(qapp):
            assert gc.isenabled()
        assert label.may_collect
        assert [kind for kind, may in label.may_collect if may] == []
        assert gc.isenabled()
    finally:
        theme.choose("dark")


class _Measured(QWidget):
    """Counts how often it is asked how large it wants to be."""

    asked = 0

    def minimumSizeHint(self):  # noqa: N802 (Qt's name)
        self.asked += 1
        return super().minimumSizeHint()


def test_the_hidden_text_of_the_learn_page_is_laid_out_when_it_is_seen(qtbot, qapp):
    theme = apply_theme(qapp, "dark")
    page, sheet = LearnPage(), _Measured()
    qtbot.addWidget(page)
    page.setWidget(sheet)
    page.show()
    page.hide()
    try:
        sheet.asked = 0
        theme.choose("light")
        assert sheet.asked == 0
        page.show()
        assert sheet.asked > 0
    finally:
        theme.choose("dark")
