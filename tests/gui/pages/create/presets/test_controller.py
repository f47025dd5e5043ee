"""Presets in the window: saved, used, compared with now, updated, renamed, deleted and handed on, by mouse and keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QComboBox,
    QInputDialog,
    QLabel,
    QLineEdit,
    QListWidget,
    QMenu,
    QPushButton,
    QSpinBox,
    QTableWidget,
    QToolButton,
    QTreeWidget,
)

from sdstudio.core.prompts.styles import StyleBook
from sdstudio.core.request.presets import Preset, PresetBook
from sdstudio.ui.pages.create.presets.dialog import PresetDialog
from sdstudio.ui.pages.create.presets.save_dialog import PresetSaveDialog
from sdstudio.ui.pages.create.prompt.tools import PromptTools

WAIT_MS = 20_000
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def book(home: Any) -> PresetBook:
    return PresetBook.of(home)


def press(parent: Any, name: str) -> None:
    button = parent.findChild(QPushButton, name)
    assert button is not None, name
    assert button.isEnabled(), name
    QTest.mouseClick(button, LEFT)


def presets_menu(studio: Any) -> QMenu:
    """Open the menu of the button above the parameters; return it filled."""
    button = studio.window.findChild(QToolButton, "presetsButton")
    assert button.isVisible()
    menu = button.menu()
    menu.popup(button.mapToGlobal(button.rect().bottomLeft()))
    return menu


def choose(studio: Any, title: str) -> None:
    menu = presets_menu(studio)
    next(action for action in menu.actions() if action.text() == title).trigger()
    menu.close()


def undo(studio: Any) -> None:
    studio.window.canvas.view.setFocus()
    studio.window.findChild(QAction, "action_undo").trigger()


def dialog_of(studio: Any, qtbot: Any) -> PresetDialog:
    choose(studio, "Manage presets…")
    found = studio.window.findChild(PresetDialog)
    qtbot.waitUntil(found.isVisible, timeout=WAIT_MS)
    return found


def test_changed_values_are_saved_by_name_and_used_as_one_act(studio, book):
    window, panel = studio.window, studio.window.panel
    panel.field("steps").set_value(9)
    panel.field("clip_skip").set_value(2)
    window.editor.set_prompt("a fox")
    choose(studio, "Save as preset…")
    dialog = window.findChild(PresetSaveDialog)
    save = dialog.findChild(QPushButton, "presetSaveButton")
    assert not save.isEnabled(), "it has no name yet"
    QTest.keyClicks(dialog.findChild(QLineEdit, "presetNameEdit"), "My fox")
    QTest.keyClick(dialog.findChild(QLineEdit, "presetNameEdit"), Qt.Key.Key_Return)
    assert book.named("My fox").values == {"prompt": "a fox", "steps": 9, "clip_skip": 2}
    panel.field("steps").set_value(30)
    panel.field("clip_skip").reset()
    window.editor.set_prompt("a toad")
    choose(studio, "My fox")
    assert (panel.value("steps"), panel.value("clip_skip"), window.editor.prompt) == (9, 2, "a fox")
    assert "Using preset “My fox”" in window.message.message
    undo(studio)
    assert (panel.value("steps"), panel.value("clip_skip"), window.editor.prompt) == (30, 1, "a toad")


def test_all_values_or_ticked_ones_can_be_saved_and_one_of_the_name_is_replaced_with_undo(studio, book):
    book.add(Preset("Mine", {"steps": 3}))
    choose(studio, "Save as preset…")
    dialog = studio.window.findChild(PresetSaveDialog)
    press(dialog, "presetTickAllButton")
    tree = dialog.findChild(QTreeWidget, "presetValues")
    size = next(tree.topLevelItem(i) for i in range(tree.topLevelItemCount()) if tree.topLevelItem(i).text(0) == "Size")
    size.setCheckState(0, Qt.CheckState.Unchecked)
    QTest.keyClicks(dialog.findChild(QLineEdit, "presetNameEdit"), "Mine")
    press(dialog, "presetSaveButton")
    values = book.named("Mine").values
    assert "width" not in values
    assert "init_image" not in values, "a picture is of one data folder alone"
    assert {"model", "steps", "seed", "prompt", "styles", "count"} <= values.keys()
    undo(studio)
    assert book.presets == (Preset("Mine", {"steps": 3}),)


def test_the_dialog_tells_what_would_change_and_finds_by_typing(studio, qtbot, book):
    book.keep([Preset(f"Set {n:02}", {"steps": n + 1, "guidance_scale": 7.0, "seed": None}) for n in range(14)])
    assert "All 14 presets…" in [action.text() for action in presets_menu(studio).actions()]
    presets_menu(studio).close()
    studio.window.panel.field("guidance_scale").set_value(7.0)
    studio.window.panel.field("steps").set_value(25)
    dialog = dialog_of(studio, qtbot)
    search = dialog.findChild(QLineEdit, "presetSearchEdit")
    QTest.keyClicks(search, "set 07")
    assert dialog.findChild(QListWidget, "presetList").count() == 1
    table = dialog.findChild(QTableWidget, "presetDifferences")
    assert [[table.item(row, column).text() for column in range(3)] for row in range(table.rowCount())] == [
        ["Steps", "25", "8"]
    ]
    QTest.keyClick(search, Qt.Key.Key_Return)
    assert studio.window.panel.value("steps") == 8
    assert studio.window.message.message == "Using preset “Set 07”."
    assert table.rowCount() == 0
    assert "change nothing" in dialog.about.text()


def test_one_is_updated_renamed_and_deleted_and_each_is_taken_back(studio, qtbot, book):
    mine = Preset("Mine", {"steps": 3})
    book.add(mine)
    studio.window.panel.field("steps").set_value(11)
    dialog = dialog_of(studio, qtbot)
    press(dialog, "presetUpdateButton")
    assert book.presets == (Preset("Mine", {"steps": 11}),)
    undo(studio)
    assert book.presets == (mine,)
    press(dialog, "presetRenameButton")
    asked = dialog.findChild(QInputDialog, "renamePresetDialog")
    asked.setTextValue("Theirs")
    asked.accept()
    assert book.presets == (Preset("Theirs", {"steps": 3}),)
    undo(studio)
    press(dialog, "presetDeleteButton")
    assert book.presets == ()
    bar = next(button for button in dialog.findChildren(QPushButton) if button.text() == "Undo")
    QTest.mouseClick(bar, LEFT)
    assert book.presets == (mine,)
    assert dialog.findChild(QListWidget, "presetList").count() == 1


def test_presets_are_handed_on_as_files_and_what_cannot_be_used_is_told(studio, qtbot, book, tmp_path):
    odd = {
        "steps": 5, "model": "gone", "clip_skip": "many", "styles": ["Lost", ["x"]], "later": 1,
        "loras": [["ink", 0.5]], "count": 10**30, "guidance_scale": "NaN", "scheduler": [1], "prompt": 3,
    }  # fmt: skip
    path = tmp_path / "odd.json"
    path.write_text(json.dumps({"presets": [{"name": "Odd", "values": odd}]}))
    dialog = dialog_of(studio, qtbot)
    dialog.import_from(path)
    assert book.named("Odd").values == odd
    dialog.export_to(tmp_path / "again.json")
    assert PresetBook(tmp_path / "again.json").named("Odd").values == odd
    press(dialog, "presetUseButton")
    assert studio.window.panel.value("steps") == 5
    assert studio.window.panel.value("loras") == (("ink", 0.5),)
    said = studio.window.message.message
    for word in ("Model gone", "Clip skip many", "style Lost", "later 1", "Count 1000", "Sampler [1]", "prompt 3"):
        assert word in said
    undo(studio)
    assert studio.window.panel.value("loras") == ()


def test_a_damaged_file_is_told_and_left_alone(studio, home: Any):
    path: Path = home.presets
    path.write_text("{")
    presets_menu(studio).close()
    assert "Presets = presets.json" in studio.window.message.message
    choose(studio, "Save as preset…")
    dialog = studio.window.findChild(PresetSaveDialog)
    QTest.keyClicks(dialog.findChild(QLineEdit, "presetNameEdit"), "Mine")
    press(dialog, "presetTickAllButton")
    press(dialog, "presetSaveButton")
    assert path.read_text() == "{"
    assert dialog.isVisible(), "what was chosen is not lost"
    dialog.reject()


def test_the_lock_keeps_the_shape_while_a_side_is_typed_or_stepped(studio):
    window = studio.window
    window.panel.field("width").set_value(160)
    window.panel.field("height").set_value(96)
    QTest.mouseClick(window.findChild(QToolButton, "aspectLockButton"), LEFT)
    width, height = (window.findChild(QSpinBox, name) for name in ("widthSpinBox", "heightSpinBox"))
    width.setFocus()
    width.selectAll()
    QTest.keyClicks(width, "320")
    QTest.keyClick(width, Qt.Key.Key_Return)
    assert (width.value(), height.value()) == (320, 192)
    height.setFocus()
    QTest.keyClick(height, Qt.Key.Key_Up)
    assert (width.value(), height.value()) == (336, 200)
    window.setFocus()
    QTest.mouseClick(window.findChild(QToolButton, "swapSizeButton"), LEFT)
    assert (width.value(), height.value()) == (200, 336)
    assert window.panel.state()["aspect_locked"] is True


def test_common_shapes_are_offered_with_the_models_pixels(studio):
    sizes = studio.window.findChild(QComboBox, "sizePresetComboBox")
    texts = [sizes.itemText(at).split()[0] for at in range(sizes.count())]
    assert {"1:1", "4:3", "3:2", "16:9", "9:16", "2:3", "3:4"} <= set(texts)
    pixels = studio.window.panel.value("width") * studio.window.panel.value("height")
    width, height = sizes.itemData(texts.index("16:9"))
    assert abs(width * height / pixels - 1) < 0.1
    assert (width % 8, height % 8) == (0, 0)


def styles_menu(studio: Any) -> QMenu:
    menu = QMenu(studio.window)
    studio.window.findChild(PromptTools).styles_asked.emit(menu)
    return menu


def test_a_prompt_becomes_a_style_in_one_click_and_can_be_renamed_or_taken_back(studio, home):
    window = studio.window
    window.editor.set_prompt("oil painting, thick strokes, of {prompt} in the evening light")
    window.editor.set_negative_prompt("photo")
    before = StyleBook.of_styles(home).styles
    next(a for a in styles_menu(studio).actions() if a.text() == "Save this prompt as a style").trigger()
    kept = StyleBook.of_styles(home).styles
    assert len(kept) == len(before) + 1
    assert (kept[-1].name, kept[-1].negative_prompt) == ("oil painting, thick strokes, of", "photo")
    button = next(b for b in window.message.findChildren(QPushButton) if b.text() == "Rename…")
    QTest.mouseClick(button, LEFT)
    name = window.findChild(QLineEdit, "styleNameEdit")
    assert (name.text(), name.selectedText()) == (kept[-1].name, kept[-1].name)
    name.window().close()
    undo(studio)
    assert StyleBook.of_styles(home).styles == before


def test_words_of_the_chosen_styles_count_as_tokens(studio, qtbot):
    editor = studio.window.editor
    counter = editor.findChild(QLabel, "promptCounter")
    editor.set_prompt("red heart")
    qtbot.waitUntil(lambda: counter.text() == "2 / 75", timeout=WAIT_MS)
    editor.set_styles(["Photograph"])
    qtbot.waitUntil(lambda: counter.text() not in ("2 / 75", "2 words"), timeout=WAIT_MS)
    assert int(counter.text().split(" / ")[0]) > 4
    editor.set_styles([])
    qtbot.waitUntil(lambda: counter.text() == "2 / 75", timeout=WAIT_MS)
