"""Writing: words are undone one at a time, brackets without a partner are mended, and typing goes on after Generate."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction, QContextMenuEvent, QTextCharFormat
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu

from sdstudio.ui.pages.create.prompt.completion import Offer
from sdstudio.ui.pages.create.prompt.editor import PromptEditor
from sdstudio.ui.pages.create.prompt.text_edit import PromptText
from tests.gui.window.test_edit_menu import is_active

CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def editor(qtbot) -> PromptEditor:
    made = PromptEditor()
    qtbot.addWidget(made)
    with qtbot.waitExposed(made):
        made.show()
    made.prompt_edit.setFocus()
    return made


def reddest(edit: PromptText) -> int:
    """Return how much redder than blue the reddest pixel of a field is: its letters are drawn with softened edges."""
    QApplication.processEvents()
    seen = edit.grab().toImage()
    pixels = (seen.pixelColor(x, y) for x in range(seen.width()) for y in range(seen.height()))
    return max(pixel.red() - pixel.blue() for pixel in pixels)


def undo(editor: PromptEditor) -> str:
    QTest.keyClick(editor.prompt_edit, Qt.Key.Key_Z, CONTROL)
    return editor.prompt


def test_undo_takes_back_a_word_at_a_time_and_redo_brings_it_again(editor):
    QTest.keyClicks(editor.prompt_edit, "red heart, blue")
    assert [undo(editor), undo(editor), undo(editor)] == ["red heart, ", "red ", ""]
    QTest.keyClick(editor.prompt_edit, Qt.Key.Key_Z, CONTROL | Qt.KeyboardModifier.ShiftModifier)
    assert editor.prompt == "red "


def test_a_weight_a_suggestion_and_pasted_text_are_steps_of_their_own(editor, qtbot):
    edit = editor.prompt_edit
    QTest.keyClicks(edit, "red heart")
    QTest.keyClick(edit, Qt.Key.Key_Up, CONTROL)
    assert editor.prompt == "red (heart:1.1)"
    QTest.keyClick(edit, Qt.Key.Key_Up, CONTROL)
    assert [undo(editor), undo(editor), undo(editor), undo(editor)] == ["red (heart:1.1)", "red heart", "red ", ""]
    editor.completions[0].set_offers([Offer("phrase", "green frog", "green frog")])
    QTest.keyClicks(edit, "gre")
    qtbot.waitUntil(editor.completions[0].isVisible)
    QTest.keyClick(edit, Qt.Key.Key_Tab)
    QTest.keyClicks(edit, "s")
    assert editor.prompt == "green frogs"
    assert [undo(editor), undo(editor), undo(editor)] == ["green frog", "gre", ""]
    QApplication.clipboard().setText("a castle")
    QTest.keyClicks(edit, "by ")
    QTest.keyClick(edit, Qt.Key.Key_V, CONTROL)
    QTest.keyClicks(edit, "s")
    assert [undo(editor), undo(editor), undo(editor)] == ["by a castle", "by ", ""]


def test_backspace_is_undone_by_words_too(editor):
    edit = editor.prompt_edit
    QTest.keyClicks(edit, "red heart")
    for _ in range(9):
        QTest.keyClick(edit, Qt.Key.Key_Backspace)
    assert editor.prompt == ""
    assert [undo(editor), undo(editor)] == ["red ", "red heart"]


@pytest.mark.parametrize(("text", "at", "title", "mended"), [
    ("a (red heart", 2, "Close it with )", "a (red heart)"),
    ("{red|blue heart", 0, "Close it with }", "{red|blue heart}"),
    ("red] heart", 3, "Take it out", "red heart"),
])  # fmt: skip
def test_a_bracket_without_a_partner_is_underlined_where_it_is_and_mended_from_its_menu(
    editor, qtbot, text, at, title, mended
):
    edit, colours = editor.prompt_edit, editor.colours[0]
    edit.setPlainText(text)
    qtbot.waitUntil(lambda: bool(colours.problems))
    wave = QTextCharFormat.UnderlineStyle.WaveUnderline
    marked = [each for each in edit.extraSelections() if each.format.underlineStyle() is wave]
    assert [(each.cursor.selectionStart(), each.cursor.selectionEnd()) for each in marked] == [(at, at + 1)]
    assert reddest(edit) > 40
    cursor = edit.textCursor()
    cursor.setPosition(at)
    edit.setTextCursor(cursor)
    place = edit.cursorRect().center() + QPoint(2, 0)
    asked = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, edit.viewport().mapToGlobal(place))
    QApplication.sendEvent(edit.viewport(), asked)
    menu = edit.findChild(QMenu, "mendMenu")
    act = menu.findChild(QAction, "mendAction")
    assert act.text() == title
    assert menu.actions()[0] is act
    menu.setActiveAction(act)
    QTest.keyClick(menu, Qt.Key.Key_Return)
    assert editor.prompt == mended
    qtbot.waitUntil(lambda: not colours.problems)
    assert reddest(edit) < 40 or "|" in text  # choices have a colour near it
    assert undo(editor) == text


def test_what_is_typed_after_generate_is_the_next_prompt(studio, qtbot):
    is_active(studio, qtbot)
    editor = studio.window.editor
    QTest.keyClicks(editor.prompt_edit, "frog")
    QTest.mouseClick(editor.generate_button, Qt.MouseButton.LeftButton)
    assert editor.prompt_edit.hasFocus()
    QTest.keyClicks(QApplication.focusWidget(), " blue")
    assert editor.prompt == "frog blue"
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return, CONTROL)
    QTest.keyClicks(QApplication.focusWidget(), "!")
    assert editor.prompt == "frog blue!"
    qtbot.waitUntil(lambda: len(studio.history.entries()) == 2, timeout=20_000)
