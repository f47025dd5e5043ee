"""Colours, completion, styles, presets, past prompts and the builder, as the window has them."""

from __future__ import annotations

import shutil

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractItemView, QLabel, QLineEdit, QPlainTextEdit, QPushButton, QToolButton

from sdstudio.core.paths import resources
from sdstudio.core.prompts.marks import MarkKind
from sdstudio.core.prompts.styles import Style, StyleBook
from sdstudio.ui.pages.create.prompt.builder_dialog import PromptBuilder
from sdstudio.ui.pages.create.prompt.completion import Offer, offers_for, wanted
from sdstudio.ui.pages.create.prompt.past_prompts_dialog import PastPrompts
from sdstudio.ui.pages.create.prompt.style_dialog import StyleDialog

WAIT_MS = 20_000
OFFERS = (
    Offer("lora", "ink", "<lora:ink:1>"),
    Offer("lora", "pink", "<lora:pink:1>"),
    Offer("embedding", "goldHands", "goldHands"),
    Offer("wildcard", "colour", "__colour__"),
    Offer("style", "Golden age", ""),
    Offer("phrase", "golden hour", "golden hour"),
    Offer("phrase", "old gold", "old gold"),
)


def find(studio, kind, name):
    found = studio.window.findChild(kind, name)
    assert found is not None, name
    return found


def fill(edit: QPlainTextEdit, text: str) -> None:
    edit.setFocus()
    edit.selectAll()
    QTest.keyClicks(edit, text)


def offer(studio, qtbot, offers) -> None:
    """Offer these alone: what the studio itself looks up when the prompt gets the focus must have come before."""
    edit = studio.window.editor.prompt_edit
    edit.setFocus()
    qtbot.waitUntil(lambda: edit.hasFocus() and studio.tasks.is_idle, timeout=WAIT_MS)
    studio.window.editor.set_offers(offers)


@pytest.mark.parametrize(
    ("before", "names", "replaced"),
    [
        ("a <lora:in", ["ink", "pink"], 8),
        ("<", ["ink", "pink"], 1),
        ("a __co", ["colour"], 4),
        ("a __colour__ go", ["golden hour", "goldHands", "Golden age", "old gold"], 2),
        ("fox, golden h", ["golden hour"], 8),
        ("fox, my gold", ["goldHands", "Golden age"], 4),
        ("golden hour", [], 0),
    ],
)
def test_what_fits_is_offered_where_it_can_stand(before, names, replaced):
    asked = wanted(before)
    found = offers_for(asked, OFFERS) if asked is not None else []
    assert sorted(offer.name for offer, _ in found) == sorted(names)
    assert all(cut == replaced for offer, cut in found if offer.kind != "phrase")


@pytest.mark.parametrize("before", ["", "a", "fox, ", "fox, g", "(red:1.", "a __colour__"])
def test_nothing_is_offered_before_there_is_something_to_go_by(before):
    assert wanted(before) is None or offers_for(wanted(before), OFFERS) == []


def test_what_was_drawn_is_offered_while_the_cursor_stays_in_the_prompt(studio, qtbot):
    editor, listed = studio.window.editor, studio.window.editor.completions[0]
    offer(studio, qtbot, ())
    fill(editor.prompt_edit, "castle at dusk")
    QTest.keyClick(editor.prompt_edit, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: studio.window.status_line.text.startswith("Done"), timeout=WAIT_MS)
    qtbot.waitUntil(lambda: studio.tasks.is_idle, timeout=WAIT_MS)
    fill(editor.prompt_edit, "cast")
    qtbot.waitUntil(lambda: not listed.isHidden(), timeout=WAIT_MS)
    assert [listed.item(row).text() for row in range(listed.count())] == ["castle at dusk"]


def test_a_suggestion_is_taken_by_key_and_undone_as_one_step(studio, qtbot):
    editor = studio.window.editor
    offer(studio, qtbot, OFFERS)
    edit, listed = editor.prompt_edit, editor.completions[0]
    fill(edit, "fox, gol")
    qtbot.waitUntil(listed.isVisible, timeout=WAIT_MS)
    names = [listed.item(row).text() for row in range(listed.count())]
    assert names[0] in ("golden hour", "goldHands", "Golden age")
    QTest.keyClick(edit, Qt.Key.Key_Down)
    chosen = listed.currentItem().text()
    assert chosen == names[1]
    QTest.keyClick(edit, Qt.Key.Key_Return)
    assert listed.isHidden()
    assert editor.prompt == "fox, " + ("" if chosen == "Golden age" else chosen)
    edit.undo()
    assert editor.prompt == "fox, gol"


def test_escape_closes_the_suggestions_and_the_arrows_are_the_texts_again(studio, qtbot):
    editor = studio.window.editor
    offer(studio, qtbot, OFFERS)
    fill(editor.prompt_edit, "go")
    QTest.keyClick(editor.prompt_edit, Qt.Key.Key_Space, Qt.KeyboardModifier.ControlModifier)
    listed = editor.completions[0]
    qtbot.waitUntil(listed.isVisible, timeout=WAIT_MS)
    QTest.keyClick(editor.prompt_edit, Qt.Key.Key_Escape)
    assert listed.isHidden()
    QTest.keyClick(editor.prompt_edit, Qt.Key.Key_Up)
    assert editor.prompt == "go"


def test_a_style_among_the_suggestions_is_chosen_and_its_letters_go(studio, qtbot):
    editor = studio.window.editor
    offer(studio, qtbot, OFFERS[4:5])
    fill(editor.prompt_edit, "fox, gol")
    editor.completions[0].offer()
    QTest.keyClick(editor.prompt_edit, Qt.Key.Key_Tab)
    assert editor.styles == ("Golden age",)
    assert editor.prompt == "fox, "


def test_the_prompt_is_coloured_and_what_is_wrong_is_said(studio, home, qtbot):
    editor = studio.window.editor
    colours = editor.colours[0]
    editor.set_prompt("🎨 (red:1.2) __colour__ __nope__ <lora:none:1> (x")
    studio.window.prompt_controller.look_around()
    said = ("There is no wildcard file nope.txt.", "There is no LoRA of the name “none”.",
            "This ( is never closed: it weighs all that follows.")  # fmt: skip
    qtbot.waitUntil(lambda: colours.problems == said, timeout=WAIT_MS)
    kinds = {mark.kind for mark in colours.marks}
    assert {MarkKind.HEAVIER, MarkKind.WILDCARD, MarkKind.ERROR, MarkKind.SIGN} <= kinds
    selections = editor.prompt_edit.extraSelections()
    assert "__nope__" in [selection.cursor.selectedText() for selection in selections]
    at = editor.prompt_edit.toPlainText().index("__nope__") + 1  # the emoji is two of Qt's characters
    assert colours.message_at(at + 2) == said[0]
    assert colours.message_at(0) == ""
    editor.set_prompt("(" * 100_000)  # as pasted by mistake: reading it took half a minute
    qtbot.waitUntil(lambda: colours.problems == (), timeout=WAIT_MS)
    assert colours.marks == (), "it is refused for its length"


def test_tokens_are_counted_by_the_models_tokenizer_and_chunks_shaded(studio, home, qtbot):
    shutil.copytree(resources() / "starter" / "tokenizer", home.home / "counted" / "tokenizer")
    editor = studio.window.editor
    counter = find(studio, QLabel, "promptCounter")
    fill(editor.prompt_edit, "red heart")
    model = studio.library.find("starter")
    studio.window.prompt_controller.set_model(model)
    qtbot.waitUntil(lambda: counter.text() == "2 / 75", timeout=WAIT_MS)
    editor.set_prompt("red heart, " * 40)
    qtbot.waitUntil(lambda: counter.text() == "75 / 75 · 45 / 75", timeout=WAIT_MS)
    shaded = [each.cursor.selectedText() for each in editor.prompt_edit.extraSelections()]
    assert any(text.startswith("red heart, red") for text in shaded)
    studio.window.prompt_controller.set_model(None)
    assert counter.text() == "80 words"


def test_styles_are_chosen_from_the_menu_and_given_to_every_picture(studio, qtbot):
    editor = studio.window.editor
    find(studio, QToolButton, "stylesButton").menu().aboutToShow.emit()
    actions = {action.text(): action for action in editor.tools.styles_button.menu().actions()}
    actions["Watercolour"].trigger()
    assert editor.styles == ("Watercolour",)
    editor.set_prompt("{red|blue} fox")
    studio.window.panel.field("seed").set_value(3)
    studio.window.panel.field("count").set_value(6)
    with qtbot.waitSignal(studio.controller.queue_changed, timeout=WAIT_MS):
        QTest.mouseClick(find(studio, QPushButton, "generateButton"), Qt.MouseButton.LeftButton)
    jobs = studio.controller.jobs()
    assert {job.request.prompt.split(",")[0] for job in jobs} == {
        "watercolour painting of red fox", "watercolour painting of blue fox",
    }  # fmt: skip
    assert sum(job.count for job in jobs) == 6
    assert all(job.request.written.styles == ("Watercolour",) for job in jobs)
    chip = next(each for each in editor.style_chips.findChildren(QPushButton) if each.text() == "Watercolour")
    chip.click()
    assert editor.styles == ()


def test_an_unknown_wildcard_is_told_at_the_prompt_and_nothing_is_submitted(studio):
    editor = studio.window.editor
    editor.set_prompt("a __colur__ fox")
    editor.generate_button.click()
    assert "Did you mean __colour__?" in editor.message
    assert studio.controller.jobs() == ()


def test_styles_and_prompts_are_there_again_after_a_restart(build):
    first = build()
    first.window.editor.set_styles(["Anime", "Isometric"])
    assert first.close()
    assert build().window.editor.styles == ("Anime", "Isometric")


def test_presets_replace_the_negative_prompt_and_undo_brings_it_back(studio):
    editor = studio.window.editor
    editor.set_negative_prompt("fog")
    editor.tools.presets_button.menu().aboutToShow.emit()
    actions = {action.text(): action for action in editor.tools.presets_button.menu().actions()}
    actions["Clean"].trigger()
    assert "watermark" in editor.negative_prompt
    editor.negative_edit.undo()
    assert editor.negative_prompt == "fog"
    assert actions["Save this negative prompt…"].isEnabled()


def test_a_preset_is_saved_under_a_name(studio, home):
    studio.window.editor.set_negative_prompt("fog, haze")
    studio.window.prompt_controller.save_preset()
    dialog = find(studio, StyleDialog, "presetDialog")
    dialog.name_edit.selectAll()
    QTest.keyClicks(dialog.name_edit, "Clear air")
    QTest.mouseClick(dialog.findChild(QPushButton, "presetSaveButton"), Qt.MouseButton.LeftButton)
    assert StyleBook.of_negative_presets(home).styles[-1] == Style("Clear air", "", "fog, haze")
    assert dialog.isHidden()


@pytest.fixture
def dialog(home, qtbot) -> StyleDialog:
    made = StyleDialog(StyleBook.of_styles(home), "Styles", "style", has_prompt=True)
    qtbot.addWidget(made)
    made.show()
    return made


def press(dialog: StyleDialog, name: str) -> None:
    QTest.mouseClick(dialog.findChild(QPushButton, f"style{name}Button"), Qt.MouseButton.LeftButton)


def test_nothing_is_kept_before_save_and_a_deleted_style_comes_back_with_undo(dialog, home):
    names = [style.name for style in StyleBook.of_styles(home).styles]
    dialog.list.setCurrentRow(1)
    press(dialog, "Delete")
    assert dialog.list.count() == len(names) - 1
    next(button for button in dialog.findChildren(QPushButton) if button.text() == "Undo").click()
    assert [dialog.list.item(row).text() for row in range(dialog.list.count())] == names
    press(dialog, "Delete")
    press(dialog, "Cancel")
    assert [style.name for style in StyleBook.of_styles(home).styles] == names
    assert dialog.list.count() == len(names)


def test_two_styles_of_one_name_and_empty_ones_are_not_saved(dialog, home):
    press(dialog, "New")
    press(dialog, "Save")
    assert dialog.isVisible()
    dialog.prompt_edit.setPlainText("{prompt}, mine")
    dialog.name_edit.selectAll()
    QTest.keyClicks(dialog.name_edit, "Anime")
    press(dialog, "Save")
    assert dialog.isVisible()
    QTest.keyClicks(dialog.name_edit, " two")
    press(dialog, "Save")
    assert StyleBook.of_styles(home).styles[-1] == Style("Anime two", "{prompt}, mine", "")


def test_a_styles_csv_is_imported_and_one_that_is_none_is_told(dialog, home, tmp_path):
    (tmp_path / "styles.csv").write_text('name,prompt,negative_prompt\nMine,"{prompt}, mine",\n')
    (tmp_path / "other.csv").write_text("nothing\n")
    dialog.import_from(tmp_path / "other.csv")
    assert any("other.csv" in label.text() for label in dialog.findChildren(QLabel))
    dialog.import_from(tmp_path / "styles.csv")
    dialog.save()
    assert StyleBook.of_styles(home).styles[-1].name == "Mine"


def test_past_prompts_are_found_inserted_and_replaced_with_undo(studio, history, save, qtbot):
    save("castle on a hill", negative_prompt="blurry")
    save("golden frog", seed=2)
    editor = studio.window.editor
    editor.set_prompt("a fox")
    QTest.keyClick(studio.window, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    dialog = find(studio, PastPrompts, "pastPrompts")
    qtbot.waitUntil(lambda: dialog.list.count() == 2, timeout=WAIT_MS)
    QTest.keyClicks(dialog.findChild(QLineEdit, "pastPromptsSearchEdit"), "castle")
    qtbot.waitUntil(lambda: dialog.list.count() == 1, timeout=WAIT_MS)
    QTest.mouseClick(dialog.findChild(QPushButton, "pastPromptsReplaceButton"), Qt.MouseButton.LeftButton)
    assert (editor.prompt, editor.negative_prompt) == ("castle on a hill", "blurry")
    editor.prompt_edit.undo()
    assert editor.prompt == "a fox"
    editor.prompt_edit.selectAll()
    QTest.mouseClick(dialog.findChild(QPushButton, "pastPromptsInsertButton"), Qt.MouseButton.LeftButton)
    assert editor.prompt == "castle on a hill"


def test_the_builder_shows_the_text_that_it_will_insert(studio):
    editor = studio.window.editor
    editor.set_prompt("a fox")
    QTest.mouseClick(find(studio, QToolButton, "promptBuilderButton"), Qt.MouseButton.LeftButton)
    builder = find(studio, PromptBuilder, "promptBuilder")
    insert = builder.findChild(QPushButton, "promptBuilderInsertButton")
    assert not insert.isEnabled()
    chips = {chip.text(): chip for chip in builder.findChildren(QPushButton) if chip.property("chip")}
    for words in ("watercolour", "oil painting", "fog", "rain"):
        chips[words].click()
    QTest.keyClicks(builder.findChild(QLineEdit, "promptBuilderLightingEdit"), "dim lamp")
    said = builder.findChild(QLabel, "promptBuilderText").text()
    assert said == "oil painting, dim lamp, fog, rain"  # one style, several details
    insert.click()
    assert editor.prompt == f"a fox, {said}"
    builder.findChild(QPushButton, "promptBuilderReplaceButton").click()
    assert editor.prompt == said
    editor.prompt_edit.undo()
    assert editor.prompt == f"a fox, {said}"
    builder.findChild(QPushButton, "promptBuilderClearButton").click()
    assert builder.text == ""


def test_a_picture_s_words_come_back_as_they_were_drawn_or_as_they_were_written(studio, save):
    editor = studio.window.editor
    written = {"prompt": "a {red|blue} fox", "negative_prompt": "", "styles": ["Watercolour", "Gone"]}
    entry = save("watercolour painting of a red fox", written=written, negative_prompt="photograph", model="tiny")
    editor.set_styles(["Anime"])
    studio.window.actions_on_entries.ask("restore", [entry])
    assert (editor.prompt, editor.styles) == ("watercolour painting of a red fox", ())
    studio.window.actions_on_entries.ask("restore_written", [entry])
    assert (editor.prompt, editor.negative_prompt) == ("a {red|blue} fox", "")
    assert editor.styles == ("Watercolour",)
    assert "Gone" in editor.message
    editor.prompt_edit.undo()
    assert editor.prompt == "watercolour painting of a red fox"


def test_the_panel_says_how_prompts_are_read(studio, qtbot):
    window = studio.window
    colours = window.editor.colours[0]
    window.editor.set_prompt("__nope__ (red heart:1.3")
    window.prompt_controller.look_around()
    qtbot.waitUntil(lambda: len(colours.problems) == 2, timeout=WAIT_MS)
    window.panel.field("wildcards").set_value("off")
    qtbot.waitUntil(lambda: len(colours.problems) == 1, timeout=WAIT_MS)
    window.panel.field("prompt_syntax").set_value("compel")
    qtbot.waitUntil(lambda: colours.problems == (), timeout=WAIT_MS)
    assert window.editor.prompt == "__nope__ (red heart:1.3", "what was typed stays"


def test_everything_in_the_dialogs_has_an_accessible_name(studio):
    tools = studio.window.prompt_controller
    for show in (tools.open_past_prompts, tools.open_builder, tools.edit_styles, tools.edit_presets):
        show()
    dialogs = [studio.window.findChild(kind) for kind in (PastPrompts, PromptBuilder)]
    dialogs += studio.window.findChildren(StyleDialog)
    assert len(dialogs) == 4
    kinds = (QPushButton, QLineEdit, QPlainTextEdit, QAbstractItemView)
    widgets = [widget for dialog in dialogs for kind in kinds for widget in dialog.findChildren(kind)]
    assert [widget.objectName() for widget in widgets if not widget.accessibleName()] == []
    assert [type(widget) for widget in widgets if not widget.objectName() and not widget.property("chip")] == []


def test_leaving_changed_styles_unsaved_can_be_undone(studio):
    studio.window.findChild(QAction, "action_styles").trigger()
    dialog = find(studio, StyleDialog, "styleDialog")
    QTest.mouseClick(dialog.findChild(QPushButton, "styleNewButton"), Qt.MouseButton.LeftButton)
    edit = dialog.findChild(QPlainTextEdit, "stylePromptEdit")
    QTest.keyClicks(edit, "in the manner of old maps")
    QTest.mouseClick(dialog.findChild(QPushButton, "styleCancelButton"), Qt.MouseButton.LeftButton)
    assert not dialog.isVisible()
    assert "not saved" in studio.window.message.message
    undo = next(button for button in studio.window.message.findChildren(QPushButton) if button.text() == "Undo")
    QTest.mouseClick(undo, Qt.MouseButton.LeftButton)
    assert dialog.isVisible()
    assert edit.toPlainText() == "in the manner of old maps"
    QTest.mouseClick(dialog.findChild(QPushButton, "styleSaveButton"), Qt.MouseButton.LeftButton)
    assert not dialog.isVisible()
    assert studio.window.message.message == ""
    assert "in the manner of old maps" in [style.prompt for style in StyleBook.of_styles(studio.paths).styles]
