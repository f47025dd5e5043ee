"""Every command and every key is found by typing: in the palette, which runs them, and in the list of shortcuts."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QLineEdit, QListWidget, QTreeWidget

from sdstudio.ui.window.fuzzy import fit
from sdstudio.ui.window.key_table import KEY_TABLES
from sdstudio.ui.window.menu_rows import menu_rows, native
from sdstudio.ui.window.menus import MENUS
from tests.gui.window.test_edit_menu import WAIT_MS, is_active, save, select

CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def studio(shared_studio):
    return shared_studio


def palette(studio, qtbot) -> tuple[QLineEdit, QListWidget]:
    """Open it with its keys."""
    is_active(studio, qtbot)
    QTest.keyClick(QApplication.focusWidget() or studio.window, Qt.Key.Key_P, CONTROL | SHIFT)
    edit = studio.window.findChild(QLineEdit, "commandPaletteEdit")
    qtbot.waitUntil(lambda: edit.isVisible(), timeout=WAIT_MS)
    return edit, studio.window.findChild(QListWidget, "commandPaletteView")


def titles(found: QListWidget) -> list[str]:
    return [found.item(at).text() for at in range(found.count())]


def test_a_command_is_found_by_a_few_letters_and_run_by_enter_and_stands_first_the_next_time(studio, qtbot):
    is_active(studio, qtbot)
    edit, found = palette(studio, qtbot)
    assert len(titles(found)) == len(menu_rows(studio.window.menuBar()))
    QTest.keyClicks(edit, "pglib")
    assert titles(found)[0] == "Page: Library"
    QTest.keyClick(edit, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: studio.window.pages.name == "Library", timeout=WAIT_MS)
    assert not edit.isVisible()
    edit, found = palette(studio, qtbot)
    assert titles(found)[0] == "Page: Library"
    QTest.keyClick(edit, Qt.Key.Key_Down)
    QTest.keyClick(edit, Qt.Key.Key_Up)
    assert found.currentRow() == 0
    QTest.keyClicks(edit, "delete")
    assert titles(found) == ["Move to trash"]  # found by what it is also known by
    edit.clear()
    QTest.keyClicks(edit, "xyzzy")
    assert titles(found) == []
    assert not found.isVisible()
    QTest.keyClick(edit, Qt.Key.Key_Escape)
    assert not edit.isVisible()


def test_a_parameter_is_found_and_has_the_focus_wherever_it_stood(studio, qtbot):
    field = studio.window.panel.field("clip_skip")
    assert not field.isVisible()  # its group is folded
    studio.window.pages.open("History")
    edit, found = palette(studio, qtbot)
    QTest.keyClicks(edit, "clip skip")
    assert titles(found)[0] == "Clip skip"
    QTest.keyClick(edit, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: field.isVisible() and field.isAncestorOf(studio.window.focusWidget()), timeout=WAIT_MS)
    assert studio.window.pages.name == "Create"
    edit, found = palette(studio, qtbot)
    QTest.keyClicks(edit, "strength of the second")
    QTest.keyClick(edit, Qt.Key.Key_Return)
    assert edit.isVisible()  # there is no second pass: the row shows why
    QTest.keyClick(edit, Qt.Key.Key_Escape)


def test_it_acts_on_what_had_the_focus_and_says_why_something_cannot_be_done(studio, qtbot):
    is_active(studio, qtbot)
    save(studio, 1, 2)
    edit, found = palette(studio, qtbot)
    QTest.keyClicks(edit, "move to trash")
    row = found.currentItem().data(Qt.ItemDataRole.UserRole)
    assert (row.title, row.why) == ("Move to trash", "Select a picture first")
    QTest.keyClick(edit, Qt.Key.Key_Return)
    assert edit.isVisible()
    assert len(studio.history.entries()) == 2
    QTest.keyClick(edit, Qt.Key.Key_Escape)
    select(studio, qtbot)
    edit, found = palette(studio, qtbot)
    QTest.keyClicks(edit, "move to trash")
    assert found.currentItem().data(Qt.ItemDataRole.UserRole).why == ""
    QTest.mouseClick(
        found.viewport(), Qt.MouseButton.LeftButton, pos=found.visualItemRect(found.currentItem()).center()
    )
    qtbot.waitUntil(lambda: len(studio.history.entries()) == 1, timeout=WAIT_MS)
    studio.window.editor.prompt_edit.setFocus()
    QTest.keyClicks(studio.window.editor.prompt_edit, "frog")
    edit, found = palette(studio, qtbot)
    QTest.keyClicks(edit, "select all")
    QTest.keyClick(edit, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: studio.window.editor.prompt_edit.textCursor().selectedText() == "frog", timeout=WAIT_MS)


def test_the_list_of_shortcuts_holds_every_key_of_every_table(studio, qtbot):
    is_active(studio, qtbot)
    QTest.keyClick(studio.window.editor.prompt_edit, Qt.Key.Key_F1)
    dialog = studio.window.findChild(QDialog, "shortcutList")
    dialog.activateWindow()
    qtbot.waitUntil(dialog.isActiveWindow, timeout=WAIT_MS)
    view, search = dialog.findChild(QTreeWidget, "shortcutListView"), dialog.findChild(QLineEdit)
    rows = {
        (heading.text(0), heading.child(at).text(0)): heading.child(at).text(1)
        for heading in (view.topLevelItem(at) for at in range(view.topLevelItemCount()))
        for at in range(heading.childCount())
    }
    for table in KEY_TABLES:
        for row in table.rows:
            assert rows[(table.place, row.title)] == "  or  ".join(dict.fromkeys(map(native, row.keys))), row.title
    said = " ".join(rows.values())
    for commands in MENUS.values():
        assert all(native(command.shortcut) in said for command in commands)
    QTest.keyClicks(search, "weight")
    shown = [
        heading.child(at).text(0)
        for heading in (view.topLevelItem(at) for at in range(view.topLevelItemCount()))
        for at in range(heading.childCount())
        if not (heading.isHidden() or heading.child(at).isHidden())
    ]
    assert len(shown) == 2
    QTest.keyClick(search, Qt.Key.Key_Escape)
    assert not dialog.isVisible()


def test_the_question_mark_opens_it_outside_of_texts_alone(studio, qtbot):
    is_active(studio, qtbot)
    edit = studio.window.editor.prompt_edit
    QTest.keyClicks(edit, "what?")
    assert edit.toPlainText() == "what?"
    assert studio.window.findChild(QDialog, "shortcutList") is None
    assert [keys.toString() for keys in studio.window.findChild(QAction, "action_shortcuts").shortcuts()] == ["F1", "?"]
    studio.window.canvas.view.setFocus()
    QTest.keyClick(studio.window.canvas.view, "?")
    qtbot.waitUntil(lambda: studio.window.findChild(QDialog, "shortcutList") is not None, timeout=WAIT_MS)


@pytest.mark.parametrize(
    ("typed", "better", "worse"),
    [
        ("gen", "Generate", "Open log folder"),
        ("sav", "Save as…", "Use as input (save)"),
        ("up", "Upscale…", "Back up and check…"),
        ("mt", "Move to trash", "Import pictures…"),
        ("zi", "Zoom in", "Organizing"),
    ],
)
def test_letters_fit_best_where_words_begin(typed, better, worse):
    assert fit(typed, better) > fit(typed, worse) >= 0
    assert fit("", worse) == 1
    assert fit("zzz", better) == 0
