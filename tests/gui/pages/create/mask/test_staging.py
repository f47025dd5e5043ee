"""What an edit has made is chosen from over the picture: stepped through, accepted, discarded, and more of it drawn."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QToolButton

from tests.gui.pages.create.mask.conftest import WAIT_MS, Painting
from tests.unit.background.fakes import until_cancelled


def press(painting: Painting, key: str) -> None:
    button = painting.window.findChild(QToolButton, f"staging_{key}")
    assert button.isVisible(), key
    assert button.isEnabled(), key
    painting.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def is_on(painting: Painting) -> bool:
    return bool(painting.window.findChild(QToolButton, "staging_accept").isVisible())


def drawn(painting: Painting, count: int) -> list[Any]:
    """Wait until there are so many pictures; return them, the oldest first."""
    history = painting.studio.history
    painting.qtbot.waitUntil(lambda: history.count() == count, timeout=WAIT_MS)
    painting.qtbot.waitUntil(lambda: painting.window.canvas.entry is not None, timeout=WAIT_MS)
    return list(reversed(history.entries(limit=count)))


def edited(painting: Painting, count: int, prompt: str = "frog") -> None:
    painting.drag((100, 100), (200, 200))
    painting.window.panel.field("count").set_value(count)
    painting.window.editor.set_prompt(prompt)
    painting.layer.setFocus()
    QTest.keyClick(painting.layer, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)


def test_candidates_are_stepped_through_and_the_accepted_one_is_edited_next(painting, qtbot):
    edited(painting, 3)
    first, second, third = drawn(painting, 3)
    canvas, words = painting.window.canvas, painting.window.findChild(QToolButton, "staging_next").parent()
    label = words.findChild(QLabel)
    qtbot.waitUntil(lambda: label.text() == "3 of 3", timeout=WAIT_MS)
    qtbot.waitUntil(canvas.view.hasFocus, timeout=WAIT_MS)
    assert words.size() == canvas.caption.size(), "it lies in the caption's place"
    QTest.keyClick(canvas.view, Qt.Key.Key_Right)
    assert (canvas.entry.id, label.text()) == (first.id, "1 of 3")
    QTest.keyClick(canvas.view, Qt.Key.Key_Right)
    assert canvas.entry.id == second.id
    press(painting, "again")
    fourth = drawn(painting, 6)[3]
    assert len({each.recipe.request.seed for each in (first, second, third, fourth)}) == 4
    qtbot.waitUntil(lambda: label.text() == "6 of 6", timeout=WAIT_MS)
    QTest.keyClick(canvas.view, Qt.Key.Key_Left)
    assert label.text() == "5 of 6"
    QTest.keyClick(canvas.view, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: painting.is_open, timeout=WAIT_MS)
    accepted = painting.studio.history.entries(limit=6)[1]
    assert painting.store.parent_of(painting.picture.value()) == accepted.id
    assert not is_on(painting)
    painting.window.panel.field("count").set_value(1)
    QTest.keyClick(painting.layer, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    newest = drawn(painting, 7)[-1]
    assert newest.parent_id == accepted.id, "the chain can be walked back"


def test_esc_discards_and_the_picture_is_as_it_was(painting, qtbot):
    before = painting.picture.value(), painting.pixels().tolist()
    edited(painting, 1)
    drawn(painting, 1)
    qtbot.waitUntil(lambda: is_on(painting), timeout=WAIT_MS)
    painted = painting.pixels()
    painting.window.canvas.view.setFocus()
    QTest.keyClick(painting.window.canvas.view, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: painting.is_open, timeout=WAIT_MS)
    assert painting.picture.value() == before[0]
    assert (painting.pixels() == painted).all()
    assert painting.studio.history.count() == 1, "it stays in the history"


def test_other_pictures_and_requests_without_a_mask_have_no_candidates(painting, qtbot):
    edited(painting, 1)
    (entry,) = drawn(painting, 1)
    qtbot.waitUntil(lambda: is_on(painting), timeout=WAIT_MS)
    painting.window.findChild(QAction, "action_mask_clear").trigger()
    painting.settled()
    QTest.mouseClick(painting.window.editor.generate_button, Qt.MouseButton.LeftButton)
    drawn(painting, 2)
    assert not is_on(painting)
    painting.window.canvas.show_entry(entry)
    assert not is_on(painting)


@pytest.fixture
def slow(build: Any, qtbot: Any, home: Any, photo: Any) -> Painting:
    studio = build({"slow": until_cancelled})
    found = Painting(studio, qtbot, home)
    found.begin(photo)
    return found


def test_esc_while_it_is_drawn_stops_it_and_goes_back(slow, qtbot):
    edited(slow, 1, "slow")
    qtbot.waitUntil(slow.window.editor.cancel_button.isVisible, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: is_on(slow), timeout=WAIT_MS)
    slow.window.canvas.view.setFocus()
    QTest.keyClick(slow.window.canvas.view, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: slow.is_open, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: not slow.window.editor.cancel_button.isVisible(), timeout=WAIT_MS)
    assert slow.studio.history.count() == 0
