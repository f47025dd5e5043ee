"""The prompt editor, typed into and pressed like a hand would."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QTextCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QToolButton, QWidget

from sdstudio.core.errors import InvalidRequest
from sdstudio.core.prompts.weights import reweighted
from sdstudio.core.request.request import PROMPT_MAXIMUM
from sdstudio.library.prompt_tokens import ChunkCount
from sdstudio.ui.pages.create.prompt.editor import PromptEditor
from sdstudio.ui.theme import apply_theme

EXAMPLES = ("red heart", "slice of pizza", "frog on a blue background", "a fourth that is far too long " * 5)
CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def editor(qapp: QApplication, qtbot) -> PromptEditor:
    apply_theme(qapp, "dark")
    made = PromptEditor()
    qtbot.addWidget(made)
    made.resize(640, made.sizeHint().height())
    made.show()
    with qtbot.waitActive(made):
        made.activateWindow()
    made.prompt_edit.setFocus()
    return made


def part(editor: PromptEditor, name: str) -> QWidget:
    found = editor.findChild(QWidget, name)
    assert found is not None
    return found


def press(editor: PromptEditor, name: str) -> None:
    QTest.mouseClick(part(editor, name), Qt.MouseButton.LeftButton)


@pytest.mark.parametrize(
    "name", ["promptEdit", "negativePromptEdit", "generateButton", "cancelButton", "negativePromptFoldButton"]
)
def test_public_names_are_there_once_with_accessible_names(name: str, editor: PromptEditor) -> None:
    found = editor.findChildren(QWidget, name)
    assert len(found) == 1
    assert found[0].accessibleName()


def test_only_generate_is_filled(editor: PromptEditor) -> None:
    filled = [button.objectName() for button in editor.findChildren(QPushButton) if button.property("primary")]
    assert filled == ["generateButton"]


def test_typing_and_generating_by_the_button(editor: PromptEditor, qtbot) -> None:
    QTest.keyClicks(editor.prompt_edit, "a red heart")
    with qtbot.waitSignal(editor.generate_requested):
        press(editor, "generateButton")
    assert editor.prompt == "a red heart"


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Enter])
@pytest.mark.parametrize("name", ["promptEdit", "negativePromptEdit"])
def test_control_enter_generates_and_adds_no_line(key: Qt.Key, name: str, editor: PromptEditor, qtbot) -> None:
    editor.set_negative_open(True)
    part(editor, name).setFocus()
    with qtbot.waitSignal(editor.generate_requested):
        QTest.keyClick(part(editor, name), key, CONTROL)
    assert (editor.prompt, editor.negative_prompt) == ("", "")


def test_cancel_is_offered_only_while_something_runs(editor: PromptEditor, qtbot) -> None:
    assert not part(editor, "cancelButton").isVisible()
    place = part(editor, "generateButton").geometry()
    editor.set_running(True)
    qtbot.waitUntil(part(editor, "cancelButton").isVisible)
    assert part(editor, "generateButton").geometry() == place  # nothing jumps
    with qtbot.waitSignal(editor.cancel_requested):
        press(editor, "cancelButton")
    editor.set_running(False)
    assert not part(editor, "cancelButton").isVisible()


def test_generate_says_how_many_wait(editor: PromptEditor) -> None:
    before, keys = editor.generate_button.sizeHint(), editor.generate_button.grab().toImage()
    editor.set_waiting(2)
    assert editor.generate_button.text() == "Generate (2 waiting)"
    assert editor.generate_button.sizeHint() == before
    assert editor.generate_button.grab().toImage() != keys
    editor.set_waiting(0)
    assert editor.generate_button.text() == "Generate"


def test_generate_shows_its_keys(editor: PromptEditor) -> None:
    words = editor.generate_button.fontMetrics().horizontalAdvance("Generate")
    assert editor.generate_button.sizeHint().width() > words + 60
    assert "Ctrl+Enter" in editor.generate_button.toolTip()


def test_weights_go_up_and_down_with_the_keys_in_single_undo_steps(editor: PromptEditor) -> None:
    QTest.keyClicks(editor.prompt_edit, "a red heart")
    QTest.keyClick(editor.prompt_edit, Qt.Key.Key_Up, CONTROL)
    assert editor.prompt == "a red (heart:1.1)"
    QTest.keyClick(editor.prompt_edit, Qt.Key.Key_Up, CONTROL)
    assert editor.prompt == "a red (heart:1.2)"
    editor.prompt_edit.undo()
    assert editor.prompt == "a red (heart:1.1)"
    editor.prompt_edit.undo()
    assert editor.prompt == "a red heart"
    editor.prompt_edit.redo()
    QTest.keyClick(editor.prompt_edit, Qt.Key.Key_Down, CONTROL)
    assert editor.prompt == "a red heart"
    QTest.keyClick(editor.prompt_edit, Qt.Key.Key_Down, CONTROL)
    assert editor.prompt == "a red (heart:0.9)"


def test_a_selection_is_weighed_as_a_whole_and_stays_selected(editor: PromptEditor) -> None:
    editor.set_prompt("🐸 a red heart, blue")
    assert editor.prompt_edit.find("red heart") is False  # the cursor stands at the end
    editor.prompt_edit.moveCursor(QTextCursor.MoveOperation.Start)
    assert editor.prompt_edit.find("red heart")
    QTest.keyClick(editor.prompt_edit, Qt.Key.Key_Up, CONTROL)
    assert editor.prompt == "🐸 a (red heart:1.1), blue"
    assert editor.prompt_edit.textCursor().selectedText() == "red heart"


def test_weights_act_on_the_prompt_that_has_the_focus(editor: PromptEditor) -> None:
    editor.set_prompt("heart")
    editor.set_negative_prompt("frame")
    editor.negative_edit.setFocus()
    QTest.keyClick(editor.negative_edit, Qt.Key.Key_Down, CONTROL)
    assert (editor.prompt, editor.negative_prompt) == ("heart", "(frame:0.9)")


@pytest.mark.parametrize(
    ("text", "start", "end", "steps", "expected"),
    [
        ("red heart", 0, 0, 1, "(red:1.1) heart"),
        ("red heart", 0, 9, 1, "(red heart:1.1)"),
        ("red heart ", 4, 10, 1, "red (heart:1.1) "),
        ("(red heart:1.1)", 5, 5, 1, "(red heart:1.2)"),
        ("(red heart:1.1)", 0, 15, -1, "red heart"),
        ("(red heart:1.1)", 1, 10, -2, "(red heart:0.9)"),
        (r"pose \(art\) blue", 13, 13, 1, r"pose \(art\) (blue:1.1)"),
        ("(a:1.1), (b:1.3)", 10, 10, 1, "(a:1.1), (b:1.4)"),
        ("(x:2)", 1, 1, 1, "(x:2)"),
        ("(x:0.1)", 1, 1, -1, "(x:0.1)"),
        ("(x:.5)", 1, 1, 1, "(x:0.6)"),
        ("((cat) dog:1.1)", 1, 10, 1, "((cat) dog:1.2)"),
    ],
)
def test_weight_edits(text: str, start: int, end: int, steps: int, expected: str) -> None:
    edit = reweighted(text, start, end, steps)
    assert edit is not None
    assert text[: edit.start] + edit.replacement + text[edit.end :] == expected


@pytest.mark.parametrize(("text", "place"), [("", 0), ("  ", 1), ("a ,, b", 3)])
def test_there_is_nothing_to_weigh_between_words(text: str, place: int) -> None:
    assert reweighted(text, place, place, 1) is None


@given(st.text(st.sampled_from("ab ,.(){}[]:\\1🐸\n"), max_size=40), st.data())
def test_more_weight_and_less_again_gives_the_same_words(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    up = reweighted(text, start, end, 1)
    if up is None:
        assert text[start:end].strip() == ""
        return
    assert 0 <= up.start <= up.end <= len(text)
    heavier = text[: up.start] + up.replacement + text[up.end :]
    down = reweighted(heavier, up.select_start, up.select_end, -1)
    if up.replacement != f"({text[up.start : up.end]}:1.1)":
        return  # it was weighed before, and its weight may have been written in another way
    assert down is not None
    assert heavier[: down.start] + down.replacement + heavier[down.end :] == text


def test_the_negative_prompt_unfolds_and_folds(editor: PromptEditor) -> None:
    assert not editor.negative_edit.isVisible()
    press(editor, "negativePromptFoldButton")
    assert editor.negative_edit.isVisible()
    assert editor.negative_edit.hasFocus()
    QTest.keyClicks(editor.negative_edit, "blurry frame")
    press(editor, "negativePromptFoldButton")
    assert not editor.negative_edit.isVisible()
    assert editor.findChild(QToolButton, "negativePromptFoldButton").text() == "Negative prompt · 2"
    assert editor.negative_prompt == "blurry frame"


def hint_is_shown(editor: PromptEditor) -> bool:
    return any(label.isVisible() and "guidance scale is 1" in label.text() for label in editor.findChildren(QLabel))


def test_a_line_says_when_the_negative_prompt_does_nothing(editor: PromptEditor) -> None:
    editor.set_guidance(1)
    assert not hint_is_shown(editor)  # there is no negative prompt to speak of
    editor.set_negative_prompt("blurry")
    assert hint_is_shown(editor)
    editor.set_guidance(1.5)
    assert not hint_is_shown(editor)


def test_words_are_counted_until_tokens_are_known(editor: PromptEditor) -> None:
    counter = editor.findChild(QLabel, "promptCounter")
    assert counter.text() == ""
    QTest.keyClicks(editor.prompt_edit, "heart")
    assert counter.text() == "1 word"
    QTest.keyClicks(editor.prompt_edit, " of gold")
    assert counter.text() == "3 words"
    editor.show_chunks((ChunkCount(74, 75, 0, 5), ChunkCount(6, 75, 6, 13)), ())
    assert counter.text() == "74 / 75 · 6 / 75"
    QTest.keyClicks(editor.prompt_edit, " now")
    assert counter.text() == "74 / 75 · 6 / 75"  # until the next count comes
    editor.show_chunks((), ())
    assert counter.text() == "4 words"


def visible_chips(editor: PromptEditor) -> list[QPushButton]:
    return [chip for chip in editor.findChildren(QPushButton) if chip.property("chip") and chip.isVisible()]


def test_examples_are_offered_while_the_prompt_is_empty(editor: PromptEditor, qtbot) -> None:
    editor.set_examples(EXAMPLES)
    assert [chip.text() for chip in visible_chips(editor)] == list(EXAMPLES[:3])  # the last does not fit
    before = editor.sizeHint()
    with qtbot.waitSignal(editor.changed):
        QTest.mouseClick(visible_chips(editor)[1], Qt.MouseButton.LeftButton)
    assert editor.prompt == "slice of pizza"
    assert editor.prompt_edit.hasFocus()
    assert visible_chips(editor) == []
    assert editor.sizeHint() == before  # nothing jumps
    editor.prompt_edit.undo()
    assert editor.prompt == ""
    assert len(visible_chips(editor)) == 3


def test_chips_that_do_not_fit_stay_away(editor: PromptEditor, qtbot) -> None:
    editor.set_examples(EXAMPLES)
    editor.resize(300, editor.height())
    qtbot.waitUntil(lambda: len(visible_chips(editor)) == 2)
    for chip in visible_chips(editor):
        assert chip.geometry().right() <= editor.prompt_edit.width()
    editor.set_examples(("one",))
    assert [chip.text() for chip in visible_chips(editor)] == ["one"]


def test_a_message_stays_until_closed_or_edited(editor: PromptEditor) -> None:
    editor.show_message("Model = x: it is not there.", "Choose another.")
    assert editor.message == "Model = x: it is not there. Choose another."
    assert part(editor, "promptMessage").isVisible()
    close = next(b for b in editor.findChildren(QToolButton) if b.accessibleName() == "Close the message")
    QTest.mouseClick(close, Qt.MouseButton.LeftButton)
    assert editor.message == ""
    editor.show_message("A notice.", role="warning")
    QTest.keyClicks(editor.prompt_edit, "x")
    assert editor.message == ""


def test_an_error_about_a_prompt_is_shown_at_it(editor: PromptEditor) -> None:
    error = InvalidRequest(
        "negative_prompt", f"Negative prompt = 100,000 characters: at most {PROMPT_MAXIMUM:,}.", "Shorten it."
    )
    assert editor.show_error(error)
    assert editor.negative_edit.isVisible()
    assert editor.negative_edit.hasFocus()
    assert part(editor, "promptFrame").property("invalid") is True
    assert "100,000" in editor.message
    assert not editor.show_error(InvalidRequest("width", "Width = 5: no.", ""))
    editor.clear_message()
    assert part(editor, "promptFrame").property("invalid") is False


def test_setting_a_prompt_can_be_undone(editor: PromptEditor) -> None:
    QTest.keyClicks(editor.prompt_edit, "mine")
    editor.set_prompt("from the history")
    editor.prompt_edit.undo()
    assert editor.prompt == "mine"


@pytest.mark.parametrize("text", ["", "قلب أحمر", "🐸🍕 عربي mixed", "two\nlines", "x" * 100_000, "word " * 5000])
def test_any_text_comes_back_as_it_was(text: str, editor: PromptEditor) -> None:
    editor.set_prompt(text)
    assert editor.prompt == text


def test_the_field_keeps_its_height_whatever_is_written_and_is_as_high_as_one_likes(editor: PromptEditor) -> None:
    empty = editor.prompt_edit.height()
    editor.set_prompt("\n" * 200)
    assert editor.prompt_edit.height() == empty
    line = editor.prompt_edit.fontMetrics().lineSpacing()
    editor.prompt_edit.set_lines(editor.prompt_edit.lines + 3)
    assert editor.prompt_edit.height() == empty + 3 * line
    editor.prompt_edit.set_lines(1000)
    assert editor.prompt_edit.height() < 18 * line


def test_tab_leaves_the_prompt(editor: PromptEditor) -> None:
    QTest.keyClick(editor.prompt_edit, Qt.Key.Key_Tab)
    assert editor.prompt == ""
    assert not editor.prompt_edit.hasFocus()


def test_the_session_comes_back(editor: PromptEditor, qtbot) -> None:
    editor.set_prompt("a 🐸")
    editor.set_negative_prompt("blurry")
    state = json.loads(json.dumps(editor.state()))
    other = PromptEditor()
    qtbot.addWidget(other)
    other.restore_state(state)
    assert other.state() == state
    other.restore_state({"prompt": 3, "negative_open": "x"})
    assert other.prompt == "a 🐸"


@pytest.mark.parametrize("waiting", [0, 12])
@pytest.mark.parametrize("width", [285, 400, 640])
def test_no_button_below_the_prompts_is_cut(editor: PromptEditor, qtbot, width: int, waiting: int) -> None:
    press(editor, "negativePromptFoldButton")
    editor.set_waiting(waiting)
    editor.resize(width, editor.sizeHint().height())
    buttons = [part(editor, f"{name}Button") for name in ("negativePromptFold", "negativePresets", "generate")]
    qtbot.waitUntil(lambda: all(button.width() >= button.sizeHint().width() for button in buttons))
    edges = [editor.rect().contains(button.rect().translated(button.mapTo(editor, QPoint()))) for button in buttons]
    assert all(edges)
