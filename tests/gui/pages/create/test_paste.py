"""What is pasted on the Create page, by the keys: parameters as text, pictures, and plain words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QAction, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QPushButton, QSpinBox

from sdstudio.ui.widgets.lying_bar import LyingBar

WAIT_MS = 20_000
LEFT = Qt.MouseButton.LeftButton
CONTROL = Qt.KeyboardModifier.ControlModifier
TOLD = "red heart\nNegative prompt: fog\nSteps: 9, Sampler: Euler, CFG scale: 5, Seed: 4, Clip skip: 2"


@pytest.fixture
def studio(shared_studio):
    return shared_studio


def on_clipboard(text: str = "", image: QImage | None = None, *paths: Path) -> None:
    mime = QMimeData()
    if paths:
        mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    if text:
        mime.setText(text)
    if image is not None:
        mime.setImageData(image)
    QApplication.clipboard().setMimeData(mime)


def paste(widget: Any) -> None:
    widget.setFocus()
    QTest.keyClick(widget, Qt.Key.Key_V, CONTROL)


def offer(studio: Any) -> LyingBar:
    found = studio.window.findChild(LyingBar, "pastedParametersMessage")
    assert found is not None
    return found


def press(bar: Any, title: str) -> None:
    QTest.mouseClick(next(button for button in bar.findChildren(QPushButton) if button.text() == title), LEFT)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "holiday.png"
    Image.new("RGB", (40, 60), (9, 90, 9)).save(path)
    return path


def test_pasted_parameters_are_offered_over_the_canvas_and_used_as_one_act(studio, qtbot):
    window = studio.window
    edit = window.editor.prompt_edit
    window.editor.set_prompt("mine ")
    edit.moveCursor(edit.textCursor().MoveOperation.End)
    window.panel.field("width").set_value(72)
    places = [window.canvas.geometry(), window.editor.geometry()]
    on_clipboard(TOLD)
    paste(edit)
    assert window.editor.prompt == f"mine {TOLD}", "it is a prompt until it is used"
    bar = offer(studio)
    qtbot.waitUntil(lambda: bar.isVisible(), timeout=WAIT_MS)
    assert "made with A1111: 9 steps, Euler, guidance 5, seed 4" in bar.message
    height = window.editor.height()
    assert (window.canvas.y(), window.editor.y() + height) == (places[0].y(), places[1].y() + places[1].height())
    assert bar.geometry().bottom() < window.editor.geometry().top()
    press(bar, "Use as parameters")
    assert (window.editor.prompt, window.editor.negative_prompt) == ("red heart", "fog")
    assert [window.panel.value(name) for name in ("steps", "seed", "clip_skip")] == [9, 4, 2]
    assert window.panel.value("width") == 72, "the text tells no size"
    assert not bar.isVisible()
    window.findChild(QAction, "action_undo").trigger()
    assert window.editor.prompt == f"mine {TOLD}"
    assert window.panel.value("clip_skip") == 1


def test_the_offer_goes_when_the_text_does_and_plain_words_make_none(studio, qtbot):
    edit, bar = studio.window.editor.prompt_edit, offer(studio)
    on_clipboard(TOLD)
    paste(edit)
    qtbot.waitUntil(lambda: bar.isVisible(), timeout=WAIT_MS)
    QTest.keyClick(edit, Qt.Key.Key_Z, CONTROL)
    assert studio.window.editor.prompt == ""
    assert not bar.isVisible()
    on_clipboard("a lighthouse at night, (storm:1.2), sharp focus")
    paste(edit)
    assert studio.window.editor.prompt.startswith("a lighthouse")
    on_clipboard(TOLD)
    paste(studio.window.canvas.view)
    qtbot.waitUntil(lambda: bar.isVisible(), timeout=WAIT_MS)
    assert studio.window.editor.prompt.startswith("a lighthouse"), "outside of a prompt it is only offered"


def test_a_seed_that_is_not_told_is_not_named(studio, qtbot):
    on_clipboard('{"request": {"prompt": "red heart", "steps": 9, "width": 64, "height": 64}}')
    paste(studio.window.editor.prompt_edit)
    bar = offer(studio)
    qtbot.waitUntil(lambda: bar.isVisible(), timeout=WAIT_MS)
    assert "9 steps" in bar.message
    assert "seed" not in bar.message


@pytest.mark.logs("a stored request holds")
def test_of_pasted_json_it_is_said_what_cannot_be_used_and_that_stays_as_it_is(studio, qtbot):
    window, bar = studio.window, offer(studio)
    window.panel.field("steps").set_value(33)
    window.panel.field("width").set_value(72)
    on_clipboard('{"request": {"prompt": "red heart", "steps": "many", "guidance_scale": 4, "glow": 3}}')
    paste(window.editor.prompt_edit)
    qtbot.waitUntil(lambda: bar.isVisible(), timeout=WAIT_MS)
    assert bar.message.endswith("guidance 4. Some settings could not be used: Steps many; unknown key glow."), (
        bar.message
    )
    press(bar, "Use as parameters")
    values = [window.panel.value(name) for name in ("steps", "width", "guidance_scale")]
    assert (window.editor.prompt, values) == ("red heart", [33, 72, 4])
    assert "Some settings could not be used: Steps many; unknown key glow." in window.message.message
    window.editor.set_prompt("")
    on_clipboard('{"request": {"steps": "many", "width": 7}}')
    paste(window.editor.prompt_edit)
    qtbot.waitUntil(lambda: "none can be used" in bar.message, timeout=WAIT_MS)
    assert bar.message == "This reads like parameters of SD Studio, but none can be used: Width 7; Steps many."
    assert [button.text() for button in bar.findChildren(QPushButton) if button.isVisible()] == []


@pytest.mark.parametrize("where", ["prompt", "canvas", "seed", "steps"])
def test_a_pasted_picture_becomes_the_input_picture_wherever_the_focus_is(studio, qtbot, picture, where):
    window = studio.window
    widget = {
        "prompt": window.editor.prompt_edit, "canvas": window.canvas.view,
        "seed": window.findChild(QLineEdit, "seedEdit"), "steps": window.findChild(QSpinBox, "stepsSpinBox"),
    }[where]  # fmt: skip
    on_clipboard("", None, picture)
    paste(widget)
    qtbot.waitUntil(lambda: "begin from holiday.png" in window.message.message, timeout=WAIT_MS)
    assert window.panel.value("init_image") != ""
    assert window.editor.prompt == ""
    press(window.message, "Undo")
    assert window.panel.value("init_image") == ""


def test_pixels_are_taken_too_but_text_beside_them_goes_into_the_prompt(studio, qtbot):
    window = studio.window
    pixels = QImage(30, 20, QImage.Format.Format_RGB32)
    pixels.fill(Qt.GlobalColor.red)
    on_clipboard("a cell of a table", pixels)
    paste(window.editor.prompt_edit)
    assert window.editor.prompt == "a cell of a table"
    assert window.panel.value("init_image") == ""
    on_clipboard("", pixels)
    paste(window.editor.prompt_edit)
    qtbot.waitUntil(lambda: window.panel.value("init_image") != "", timeout=WAIT_MS)
    assert window.editor.prompt == "a cell of a table"
    assert window.findChild(QAction, "action_undo").text() == "&Undo: Input picture added"


def test_a_picture_that_was_dropped_can_be_used_as_input(studio, qtbot, tmp_path):
    path = tmp_path / "told.png"
    from_a1111(path)
    studio.window.exchange.take([path])
    name = "usePictureAsInputButton"
    qtbot.waitUntil(lambda: studio.window.findChild(QPushButton, name) is not None, timeout=WAIT_MS)
    QTest.mouseClick(studio.window.findChild(QPushButton, name), LEFT)
    qtbot.waitUntil(lambda: studio.window.panel.value("init_image") != "", timeout=WAIT_MS)
    assert studio.window.editor.prompt == "", "its parameters are not used"


def from_a1111(path: Path) -> None:
    texts = PngInfo()
    texts.add_text("parameters", TOLD)
    Image.new("RGB", (64, 64)).save(path, pnginfo=texts)
