"""Using what pictures were made with, resets and advice: each one act, taken back and done again by one undo."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QPushButton, QSpinBox

from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest, Written
from sdstudio.history.picture_text.foreign.origin import INPUT_PICTURE
from sdstudio.history.picture_text.foreign.reading import read_picture
from sdstudio.history.picture_text.pnginfo import infotext
from sdstudio.ui.pages.create.prompt.past_prompts_dialog import PastPrompts

WAIT_MS = 20_000
LEFT = Qt.MouseButton.LeftButton
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def studio(shared_studio: Any) -> Any:
    return shared_studio


@pytest.fixture
def input_id(home: Any, tmp_path: Any) -> str:
    path = tmp_path / "cat.png"
    Image.new("RGB", (40, 60), (9, 90, 9)).save(path)
    return InputPictures(home).keep(path).id


def saved(studio: Any, **values: Any) -> Any:
    told = {"model": "tiny", "width": 64, "height": 96, "prompt": "frog", "negative_prompt": "fog", "seed": 3, **values}
    request = GenerationRequest(**told)
    pixels = Image.new("RGB", (request.width, request.height), (20, 120, 60))
    entry = studio.history.save(pixels, Recipe(app="test", request=request, model_name="Tiny", model_family="sd1"))
    studio.window.history_model.insert([entry])
    return entry


def standing(studio: Any) -> tuple[Any, ...]:
    window = studio.window
    state, prompts = window.panel.state(), window.editor.state()
    return state["model"], state["values"], state["open"], tuple(sorted(prompts.items(), key=lambda pair: pair[0]))


def prepare(studio: Any, input_id: str = "") -> tuple[Any, ...]:
    """Let the user have written and set something; return what then stands there."""
    window = studio.window
    window.editor.set_prompt("a lighthouse")
    window.editor.set_styles(["Cinematic"])
    window.panel.field("steps").set_value(31)
    window.panel.field("clip_skip").set_value(2)
    window.panel.field("init_image").set_value(input_id)
    return standing(studio)


def choose(studio: Any, entry: Any, key: str) -> None:
    """Choose a row of a picture's menu."""
    menu = studio.window.actions_on_entries.menu([entry], studio.window)
    menu.findChild(QAction, f"entry_{key}").trigger()


def menu_action(studio: Any, key: str) -> QAction:
    return studio.window.findChild(QAction, f"action_{key}")


def press_in_message(studio: Any, title: str) -> None:
    buttons = studio.window.message.findChildren(QPushButton)
    button = next(button for button in buttons if button.text() == title and button.isVisible())
    QTest.mouseClick(button, LEFT)


def test_every_picture_can_hand_on_all_or_some_of_its_parameters(studio):
    menu = studio.window.actions_on_entries.menu([saved(studio)], studio.window)
    use = next(action.menu() for action in menu.actions() if action.text() == "Use parameters")
    titles = [action.text().partition("\t")[0] for action in use.actions()]
    assert titles == ["All", "Prompt", "Prompt template", "Seed", "All but the seed"]


def test_one_undo_takes_back_all_that_a_pictures_parameters_changed(studio, input_id):
    before = prepare(studio, input_id)
    entry = saved(studio, steps=9, written=Written("{frog|toad}", "", ()))
    choose(studio, entry, "restore")
    assert studio.window.panel.request("", "").init_image == ""
    assert studio.window.panel.request("frog", "fog").model_copy(update={"written": None}) == (
        entry.recipe.request.model_copy(update={"written": None})
    )
    undo = menu_action(studio, "undo")
    assert undo.text() == "&Undo: Use parameters of “frog”"
    assert "input picture is removed" in studio.window.message.message
    undo.trigger()
    assert standing(studio) == before
    assert studio.window.message.message == ""
    menu_action(studio, "redo").trigger()
    assert studio.window.editor.prompt == "frog"
    assert studio.window.panel.value("steps") == 9
    press = menu_action(studio, "undo")
    press.trigger()
    assert standing(studio) == before


@pytest.mark.parametrize("key", ["restore_prompt", "restore_written", "restore_seed", "remix"])
def test_each_part_of_the_parameters_is_taken_back_by_the_button_in_the_message(studio, key):
    before = prepare(studio)
    choose(studio, saved(studio, written=Written("{frog|toad}", "", ())), key)
    assert standing(studio) != before
    press_in_message(studio, "Undo")
    assert standing(studio) == before


def test_the_input_picture_may_stay_with_one_click(studio, input_id):
    prepare(studio, input_id)
    choose(studio, saved(studio), "restore")
    press_in_message(studio, "Keep the input picture")
    assert studio.window.panel.value("init_image") == input_id
    menu_action(studio, "undo").trigger()
    assert studio.window.editor.prompt == "a lighthouse"


def test_what_is_said_of_parameters_goes_when_they_are_drawn_with(studio, qtbot):
    choose(studio, saved(studio, model="tiny"), "restore")
    assert studio.window.message.message.startswith("Using the parameters")
    QTest.mouseClick(studio.window.editor.generate_button, LEFT)
    assert studio.window.message.message == ""
    qtbot.waitUntil(lambda: studio.window.status_line.text.startswith("Done"), timeout=WAIT_MS)


def test_another_programs_picture_made_from_a_picture_leaves_ours_in_place(studio, tmp_path, input_id):
    prepare(studio, input_id)
    told = "red heart\nSteps: 9, Sampler: Euler, CFG scale: 5, Seed: 4, Size: 64x64, Denoising strength: 0.4"
    path = tmp_path / "theirs.png"
    write_foreign(path, told)
    assert INPUT_PICTURE in read_picture(path).not_mapped
    studio.window.parameters_controller.use_file(path)
    assert studio.window.panel.value("init_image") == input_id
    assert "your input picture stays" in studio.window.message.message
    assert studio.window.panel.value("strength") == 0.4


def write_foreign(path: Any, told: str) -> None:
    texts = PngInfo()
    texts.add_text("parameters", told)
    Image.new("RGB", (64, 64)).save(path, pnginfo=texts)


def test_what_was_typed_after_an_act_comes_back_with_redo(studio):
    before = prepare(studio)
    choose(studio, saved(studio), "restore")
    edit = studio.window.editor.prompt_edit
    edit.setFocus()
    QTest.keyClick(edit, Qt.Key.Key_End, CONTROL)
    QTest.keyClicks(edit, "s")
    QTest.keyClick(edit, Qt.Key.Key_Z, CONTROL)
    assert studio.window.editor.prompt == "frog", "in the prompt, undo is of what was typed"
    QTest.keyClicks(edit, " in the rain")
    press_in_message(studio, "Undo")
    assert standing(studio) == before
    press_in_message(studio, "Redo")
    assert studio.window.editor.prompt == "frog in the rain"
    menu_action(studio, "undo").trigger()
    assert standing(studio) == before


def test_what_was_changed_before_redo_comes_back_when_the_act_is_taken_back_again(studio):
    prepare(studio)
    window, steps = studio.window, studio.window.panel.field("steps")
    choose(studio, saved(studio, steps=7), "restore")
    menu_action(studio, "undo").trigger()
    steps.set_value(44)
    window.editor.set_prompt("a harbour")
    menu_action(studio, "redo").trigger()
    assert (window.editor.prompt, steps.value()) == ("frog", 7)
    menu_action(studio, "undo").trigger()
    assert (window.editor.prompt, steps.value()) == ("a harbour", 44)
    QTest.mouseClick(window.findChild(QAbstractButton, "stepsResetButton"), LEFT)
    steps.set_value(55)
    menu_action(studio, "undo").trigger()
    assert steps.value() == 44
    menu_action(studio, "redo").trigger()
    assert steps.value() == 55


def test_right_after_an_act_the_keys_in_the_prompt_take_it_back_whole(studio):
    edit = studio.window.editor.prompt_edit
    edit.setFocus()
    QTest.keyClicks(edit, "lighthouse")
    before = standing(studio)
    choose(studio, saved(studio), "restore")
    edit.setFocus()
    QTest.keyClick(edit, Qt.Key.Key_Z, CONTROL)
    assert standing(studio) == before
    QTest.keyClick(edit, Qt.Key.Key_Z, CONTROL | SHIFT)
    assert studio.window.panel.value("height") == 96
    QTest.keyClick(edit, Qt.Key.Key_Z, CONTROL)
    QTest.keyClick(edit, Qt.Key.Key_Z, CONTROL)
    assert studio.window.editor.prompt == "", "then what was typed before"


def test_a_folded_group_says_how_many_of_its_values_are_changed_and_resets_them(studio, qtbot):
    panel = studio.window.panel
    mark = studio.window.findChild(QAbstractButton, "advancedResetButton")
    assert not mark.isVisible()
    prepare(studio)
    choose(studio, saved(studio, clip_skip=2, rng="nvidia"), "restore")
    panel.field("clip_skip").set_value(3)
    assert not studio.window.panel.field("clip_skip").isVisible(), "the group is folded"
    assert (mark.text(), mark.isVisible()) == ("2", True)
    before = standing(studio)
    QTest.mouseClick(mark, LEFT)
    assert (panel.value("clip_skip"), panel.value("rng")) == (1, "cpu")
    assert panel.value("height") == 96
    assert not mark.isVisible()
    press_in_message(studio, "Undo")
    assert standing(studio) == before


def test_reset_all_is_one_act_and_leaves_the_prompt(studio, input_id):
    button = studio.window.findChild(QAbstractButton, "resetAllButton")
    assert not button.isEnabled()
    before = prepare(studio, input_id)
    assert button.isVisible()
    QTest.mouseClick(button, LEFT)
    assert studio.window.panel.state()["values"] == {}
    assert studio.window.editor.prompt == "a lighthouse"
    assert not button.isEnabled()
    menu_action(studio, "undo").trigger()
    assert standing(studio) == before


def test_the_mark_of_one_field_and_advice_can_be_taken_back(studio, qtbot):
    panel = studio.window.panel
    panel.field("steps").set_value(9)
    QTest.mouseClick(studio.window.findChild(QAbstractButton, "stepsResetButton"), LEFT)
    assert studio.window.findChild(QSpinBox, "stepsSpinBox").value() == panel.field("steps").row.default
    assert menu_action(studio, "undo").text() == "&Undo: Reset Steps"
    menu_action(studio, "undo").trigger()
    assert panel.value("steps") == 9
    panel.field("guidance_scale").set_value(1.0)
    studio.window.editor.set_negative_prompt("fog")
    name = "guidanceScaleAdviceButton"

    def is_advised():
        button = studio.window.findChild(QAbstractButton, name)
        return button is not None and button.isVisible()

    qtbot.waitUntil(is_advised, timeout=WAIT_MS)
    QTest.mouseClick(studio.window.findChild(QAbstractButton, name), LEFT)
    assert panel.value("guidance_scale") > 1
    menu_action(studio, "undo").trigger()
    assert panel.value("guidance_scale") == 1.0


def test_a_pictures_parameters_can_be_copied_as_text(studio):
    entry = saved(studio)
    choose(studio, entry, "copy_parameters")
    assert QApplication.clipboard().text() == infotext(entry.recipe)
    assert "Negative prompt: fog\nSteps: 20" in QApplication.clipboard().text()


def test_a_past_prompt_in_place_of_what_was_written_gives_it_back_with_its_styles(studio, qtbot):
    before = prepare(studio)
    saved(studio, prompt="a castle")
    studio.window.prompt_controller.open_past_prompts()
    dialog = studio.window.findChild(PastPrompts)
    replace = dialog.findChild(QPushButton, "pastPromptsReplaceButton")
    qtbot.waitUntil(replace.isEnabled, timeout=WAIT_MS)
    QTest.mouseClick(replace, LEFT)
    assert (studio.window.editor.prompt, studio.window.editor.styles) == ("a castle", ())
    studio.window.canvas.view.setFocus()
    menu_action(studio, "undo").trigger()
    assert standing(studio) == before


def test_a_mask_stays_where_the_picture_was_drawn_with_one_it_does_not_hold_and_goes_where_with_none(
    studio, tmp_path, input_id
):
    panel = studio.window.panel
    prepare(studio, input_id)
    panel.field("mask").set_value(input_id)
    path = tmp_path / "theirs.png"
    told = "red heart\nSteps: 9, Sampler: Euler, CFG scale: 5, Seed: 4, Size: 64x64, Denoising strength: 0.4"
    write_foreign(path, f"{told}, Mask blur: 7, Inpaint area: Only masked")
    studio.window.parameters_controller.use_file(path)
    assert "It was made with a mask that it does not hold: your mask stays." in studio.window.message.message
    assert (panel.value("mask"), panel.value("mask_blur"), panel.value("only_masked")) == (input_id, 7, 32)
    choose(studio, saved(studio, init_image=input_id), "restore")
    assert "It was made without a mask: the mask is removed." in studio.window.message.message
    assert (panel.value("init_image"), panel.value("mask")) == (input_id, "")
    press_in_message(studio, "Keep the mask")
    assert panel.value("mask") == input_id
