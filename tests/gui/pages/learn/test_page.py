"""The Learn page explains a picture of the user's own: asked for, drawn again, and looked at step by step."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QFont, QPixmap, QTextDocument
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton, QToolButton

from sdstudio.core.errors import OutOfMemory
from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.ui.pages.learn.explain_view import ExplainView
from sdstudio.ui.pages.learn.step_tiles import mixed, pixmap_of
from tests.unit.background.fakes import until_cancelled

WAIT_MS = 20_000


@pytest.fixture
def learn(studio):
    studio.window.pages.open("Learn")
    found = studio.window.findChild(ExplainView, "explainView")
    assert found is not None
    return found


def press(learn: ExplainView, name: str) -> None:
    QTest.mouseClick(learn.findChild(QPushButton, name), Qt.MouseButton.LeftButton)


def said(learn: ExplainView) -> str:
    return learn.findChild(QLabel, "explainSaid").text()


def colour(learn: ExplainView, tile: str) -> tuple[int, int, int]:
    [pixmap] = [label.pixmap() for label in learn.tiles[tile].findChildren(QLabel) if not label.pixmap().isNull()]
    middle = pixmap.toImage().pixelColor(pixmap.width() // 2, pixmap.height() // 2)
    return middle.red(), middle.green(), middle.blue()


def explained(studio, learn, entry, qtbot) -> None:
    studio.window.actions_on_entries.ask("explain", [entry])
    qtbot.waitUntil(learn.step_slider.isVisible, timeout=WAIT_MS)


def test_the_action_of_a_picture_opens_the_page_and_shows_its_steps(studio, save, qtbot):
    entry = save("red heart", seed=5, steps=10, guidance_scale=7.0, model="tiny")
    studio.window.actions_on_entries.ask("explain", [entry])
    assert studio.window.pages.name == "Learn"
    learn = studio.window.findChild(ExplainView, "explainView")
    qtbot.waitUntil(learn.step_slider.isVisible, timeout=WAIT_MS)
    assert said(learn) == "“red heart”, seed 5"
    assert learn.step_slider.maximum() == 9
    assert learn.scale_slider.value() == 70
    learn.step_slider.setValue(9)
    assert colour(learn, "uncond") == (0, 255, 0)
    assert colour(learn, "cond") == (255, 0, 0)
    assert colour(learn, "guided") == (255, 0, 0)  # as far as a screen can show it
    learn.scale_slider.setValue(0)
    assert colour(learn, "guided") == (0, 255, 0)
    learn.scale_slider.setValue(5)
    assert colour(learn, "guided") == (128, 128, 0)
    assert "0.5" in " ".join(label.text() for label in learn.findChildren(QLabel))
    assert studio.history.count() == 1


def test_the_explained_picture_is_brought_to_the_top_of_what_is_seen(studio, save, qtbot):
    studio.window.resize(900, 540)
    studio.window.actions_on_entries.ask("explain", [save("red heart", steps=10, model="tiny")])
    learn = studio.window.findChild(ExplainView, "explainView")
    qtbot.waitUntil(learn.step_slider.isVisible, timeout=WAIT_MS)
    page = studio.window.pages.currentWidget()

    def top() -> int:
        return learn.mapTo(page.viewport(), QPoint()).y()

    qtbot.waitUntil(lambda: 0 <= top() < page.viewport().height() // 4, timeout=WAIT_MS)
    assert said(learn).startswith("“red heart”")


def test_the_strip_chooses_a_step(studio, learn, save, qtbot):
    explained(studio, learn, save(steps=10, model="tiny"), qtbot)
    QTest.mouseClick(learn.findChild(QToolButton, "stepStripButton0"), Qt.MouseButton.LeftButton)
    assert learn.step_slider.value() == 0
    QTest.mouseClick(learn.findChild(QToolButton, "stepStripButton5"), Qt.MouseButton.LeftButton)
    assert learn.step_slider.value() == 9


@pytest.mark.parametrize("size", [(900, 540), (1400, 860)])
def test_nothing_of_the_steps_is_cut(studio, learn, save, qtbot, size):
    studio.window.resize(*size)
    prompt = "anime illustration of 3d render of red frog, 3d, global illumination, soft studio light, high detail"
    save(prompt, seed=2827247969, steps=10, model="tiny", negative_prompt="blue")
    press(learn, "explainNewestButton")
    qtbot.waitUntil(learn.step_slider.isVisible, timeout=WAIT_MS)
    button = learn.findChild(QToolButton, "stepStripButton0")
    qtbot.waitUntil(lambda: button.height() >= button.iconSize().height() + button.fontMetrics().height() + 4)
    qtbot.waitUntil(lambda: said(learn).endswith("seed 2827247969"))
    qtbot.waitUntil(lambda: learn.height() >= learn.heightForWidth(learn.width()))
    assert button.text() == "step 1"


def test_the_focus_stays_at_the_buttons_while_it_is_drawn(studio, learn, save, qtbot):
    save("red heart", steps=10, model="tiny")
    newest = learn.findChild(QPushButton, "explainNewestButton")
    newest.setFocus()
    QTest.keyClick(newest, Qt.Key.Key_Space)
    qtbot.waitUntil(learn.step_slider.isVisible, timeout=WAIT_MS)
    assert studio.window.focusWidget() is newest


def test_few_steps_fill_no_more_places_than_there_are(studio, learn, save, qtbot):
    explained(studio, learn, save(steps=2, model="tiny"), qtbot)
    shown = [button for button in learn.findChildren(QToolButton) if button.isVisible()]
    assert [button.text() for button in shown] == ["step 1", "step 2"]


def test_the_tokens_of_the_prompt_are_counted_and_shown(studio, learn, save, qtbot):
    explained(studio, learn, save("cactus", steps=2, model="tiny"), qtbot)
    for tokens, count, each in ((["cactus"], "one token", "it"), (["green", "cactus"], "2 tokens", "each")):
        learn.show_explanation(learn.explanation, tokens, QPixmap(8, 8))
        wanted = {f"Your prompt is {count}. The text encoder turns {each} into a vector.", *tokens}
        qtbot.waitUntil(lambda wanted=wanted: wanted <= {x.text() for x in learn.findChildren(QLabel) if x.isVisible()})
    assert sum(label.text() == "cactus" and label.isVisible() for label in learn.findChildren(QLabel)) == 1


def test_the_newest_picture_is_explained_with_one_button_and_none_is_told(learn, save, qtbot):
    press(learn, "explainNewestButton")
    assert "no picture yet" in said(learn)
    save("old", model="tiny")
    save("new", seed=2, model="tiny")
    press(learn, "explainNewestButton")
    qtbot.waitUntil(learn.step_slider.isVisible, timeout=WAIT_MS)
    assert said(learn).startswith("“new”")


def test_it_can_be_cancelled_and_an_error_is_said_where_it_was_asked_for(build, save, qtbot):
    def full(_engine, _cancel):
        raise OutOfMemory("Not enough memory.", "Close other programs.")

    studio = build(scripts={"slow": until_cancelled, "large": full})
    studio.window.pages.open("Learn")
    learn = studio.window.findChild(ExplainView, "explainView")
    studio.window.actions_on_entries.ask("explain", [save("slow", model="tiny")])
    cancel = learn.findChild(QPushButton, "explainCancelButton")
    qtbot.waitUntil(cancel.isVisible, timeout=WAIT_MS)
    press(learn, "explainCancelButton")
    assert not cancel.isVisible()
    assert "with a picture of your own" in said(learn)
    studio.window.actions_on_entries.ask("explain", [save("large", seed=2, model="tiny")])
    qtbot.waitUntil(lambda: said(learn) == "Not enough memory. Close other programs.", timeout=WAIT_MS)
    assert not cancel.isVisible()


def test_what_is_beyond_a_screen_is_cut_off_and_shapes_are_kept(qtbot):
    pixels = np.zeros((4, 8, 3), np.float32) + np.float32([2.0, -1.0, 0.5])
    pixmap = pixmap_of(pixels, 80)
    assert (pixmap.width(), pixmap.height()) == (80, 40)
    middle = pixmap.toImage().pixelColor(40, 20)
    assert (middle.red(), middle.green(), middle.blue()) == (255, 0, 128)
    assert np.array_equal(mixed(pixels, pixels * 2, 0.5), pixels * 1.5)


def test_it_says_where_a_picture_over_an_input_begins(studio, learn, save, home, tmp_path, qtbot):
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    key = InputPictures(home).keep(tmp_path / "a.png").id
    explained(studio, learn, save("red heart", seed=5, model="tiny", init_image=key, strength=0.5), qtbot)
    assert learn.findChild(QLabel, "explainWay").text().startswith("From the input picture under noise to the picture")


def test_strong_words_have_a_weight_that_the_fonts_have(studio, learn):
    weights = set()
    for label in studio.window.pages.currentWidget().findChildren(QLabel):
        text = QTextDocument()
        text.setHtml(label.text())
        block = text.begin()
        while block.isValid():
            weights |= {piece.format.fontWeight() for piece in block.textFormats()}
            block = block.next()
    assert QFont.Weight.DemiBold in weights
    assert max(weights) <= QFont.Weight.DemiBold
