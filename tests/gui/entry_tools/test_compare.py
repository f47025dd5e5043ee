"""Two pictures compared: the divider, both beside each other, what differs, and their recipes word by word."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton

from sdstudio.background.tasks import TaskRunner
from sdstudio.core.word_diff import WORDS_MAXIMUM, of_side, word_diff
from sdstudio.ui.entry_tools.compare_view import CompareMode, CompareView
from sdstudio.ui.entry_tools.compare_window import CompareWindow, recipe_diff
from sdstudio.ui.theme import apply_theme, tokens

WAIT_MS = 20_000


@pytest.fixture
def view(qapp, qtbot):
    made = CompareView()
    qtbot.addWidget(made)
    made.resize(400, 400)
    red, blue = QImage(100, 100, QImage.Format.Format_RGB32), QImage(100, 100, QImage.Format.Format_RGB32)
    red.fill(QColor("red"))
    blue.fill(QColor("blue"))
    made.set_pictures(red, blue)
    with qtbot.waitExposed(made):
        made.show()
    return made


def color(view, x: int, y: int) -> str:
    return view.grab().toImage().pixelColor(x, y).name()


RED, BLUE = "#ff0000", "#0000ff"


class TestView:
    def test_the_divider_parts_the_pictures_and_follows_hand_and_keys(self, view, qtbot):
        assert (color(view, 100, 300), color(view, 300, 300)) == (RED, BLUE)
        QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(200, 300))
        QTest.mouseMove(view, QPoint(80, 300))
        with qtbot.waitSignal(view.divided) as divided:
            QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(80, 300))
        assert divided.args[0] == pytest.approx(0.2)
        assert (color(view, 40, 300), color(view, 120, 300)) == (RED, BLUE)
        view.setFocus()
        QTest.keyClick(view, Qt.Key.Key_End)
        assert view.divider == 1.0
        assert color(view, 390, 300) == RED
        QTest.keyClick(view, Qt.Key.Key_Left)
        assert view.divider == pytest.approx(0.98)
        QTest.keyClick(view, Qt.Key.Key_Home)
        assert color(view, 10, 300) == BLUE

    def test_side_by_side_both_are_whole_and_move_together(self, view):
        view.set_mode(CompareMode.SIDES)
        left, right = view.places()
        assert left.size() == right.size()
        assert left.right() < right.left()
        assert (color(view, 100, 220), color(view, 300, 220)) == (RED, BLUE)
        view.zoom_by(4)
        areas = (left.center(), right.center())
        offsets = [place.topLeft() - area for place, area in zip(view.places(), areas, strict=True)]
        assert offsets[0] == offsets[1]
        QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(100, 200))
        QTest.mouseMove(view, QPoint(60, 180))
        QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(60, 180))
        view.fit()
        assert view.places()[0] == left

    def test_zooming_is_bounded_and_double_click_shows_everything(self, view):
        fitted = view.zoom
        view.zoom_by(0.1)
        assert view.zoom == fitted
        for _ in range(50):
            QTest.keyClick(view, Qt.Key.Key_Plus)
        assert view.zoom == 32.0
        QTest.mouseDClick(view, Qt.MouseButton.LeftButton, pos=QPoint(10, 10))
        assert view.zoom == fitted

    def test_the_difference_is_shown_alone(self, view):
        gap = QImage(100, 100, QImage.Format.Format_RGB32)
        gap.fill(QColor("#123456"))
        view.set_difference(gap)
        view.set_mode(CompareMode.DIFFERENCE)
        assert color(view, 200, 200) == "#123456"


class TestWordDiff:
    @pytest.mark.parametrize(
        ("left", "right", "pieces"),
        [
            ("red heart", "red heart", [("red heart", "both")]),
            ("red heart", "blue heart", [("red", "left"), ("blue", "right"), (" heart", "both")]),
            ("a cat", "a cat, detailed", [("a cat", "both"), (", detailed", "right")]),
            ("(cat:1.2)", "(cat:1.3)", [("(cat:", "both"), ("1.2", "left"), ("1.3", "right"), (")", "both")]),
            ("", "all new", [("all new", "right")]),
            ("", "", []),
            ("ein Äpfel", "ein Äpfel’chen", [("ein ", "both"), ("Äpfel", "left"), ("Äpfel’chen", "right")]),
        ],
    )
    def test_words_are_compared(self, left, right, pieces):
        found = word_diff(left, right)
        assert [(piece.text, piece.side) for piece in found] == pieces
        assert "".join(piece.text for piece in of_side(found, "left")) == left
        assert "".join(piece.text for piece in of_side(found, "right")) == right

    def test_endless_texts_are_compared_as_far_as_is_useful(self):
        left, right = "a " * 20_000, "b " * 20_000
        found = word_diff(left, right)
        assert "".join(piece.text for piece in of_side(found, "left")) == left
        assert len(found) <= 2 * WORDS_MAXIMUM + 2


@pytest.fixture
def compare(qapp, qtbot):
    apply_theme(qapp, "dark")
    tasks = TaskRunner()

    def make(left, right) -> CompareWindow:
        window = CompareWindow([left, right], tasks)
        qtbot.addWidget(window)
        window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
        with qtbot.waitExposed(window):
            window.show()
        return window

    yield make
    tasks.close()


def said(window) -> str:
    return window.findChild(QLabel, "compareSaid").text()


class TestWindow:
    def test_recipes_are_compared_word_by_word(self, save):
        left = save("red heart, detailed", seed=1, steps=20)
        right = save("blue heart, detailed", seed=2, steps=20)
        differing, same = recipe_diff(left, right)
        assert {title for title, _ in differing} == {"Prompt", "Seed"}
        assert [(p.text, p.side) for p in dict(differing)["Prompt"]][:2] == [("red", "left"), ("blue", "right")]
        assert {"Steps", "Width", "Negative prompt"} <= set(same)

    def test_what_differs_is_marked_and_what_not_is_named(self, compare, save, qtbot):
        window = compare(save("red heart", seed=1), save("blue heart", seed=2))
        shown = window.recipes.toHtml()
        assert tokens().danger in shown
        assert tokens().success in shown
        assert "The same in both: " in window.recipes.toPlainText()
        qtbot.waitUntil(lambda: "differ" in said(window), timeout=WAIT_MS)

    def test_the_pixels_are_judged_and_their_difference_can_be_seen(self, compare, save, qtbot):
        window = compare(save("a", seed=10), save("b", seed=13))  # red 10 and red 13
        qtbot.waitUntil(lambda: said(window).startswith("100.0% of the pixels differ, by 3 of 255"), timeout=WAIT_MS)
        QTest.mouseClick(window.findChild(QPushButton, "compare_difference"), Qt.MouseButton.LeftButton)
        assert window.view.mode is CompareMode.DIFFERENCE
        middle = window.view.rect().center()
        assert window.view.grab().toImage().pixelColor(middle).getRgb()[:3] == (24, 0, 0)  # 8 times as visible
        QTest.mouseClick(window.findChild(QPushButton, "compare_sides"), Qt.MouseButton.LeftButton)
        assert window.view.mode is CompareMode.SIDES

    def test_the_same_picture_twice_is_said_to_be_the_same(self, compare, save, qtbot):
        entry = save("a")
        window = compare(entry, entry)
        qtbot.waitUntil(lambda: said(window) == "Every pixel is the same.", timeout=WAIT_MS)
        assert "The recipes say the same." in window.recipes.toPlainText()

    def test_other_sizes_are_said(self, compare, save, qtbot):
        window = compare(save("a"), save("b", width=128))
        qtbot.waitUntil(lambda: said(window).startswith("Of different sizes"), timeout=WAIT_MS)
        assert "%" not in said(window), "no share of pixels is said to differ"

    def test_a_file_that_is_gone_or_broken_is_said_and_recipes_are_compared(self, compare, save, qtbot):
        left, right = save("a"), save("b")
        right.path.unlink()
        window = compare(left, right)
        assert said(window) == f"{right.path.name}: the file is gone or cannot be read."
        assert "Prompt" in window.recipes.toPlainText()

    def test_prompts_of_strangers_are_text(self, compare, save):
        window = compare(save("<img src=x> a"), save("<b>bold</b> a"))
        assert "<b>bold</b> a" in window.recipes.toPlainText()
