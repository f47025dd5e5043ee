"""Sides and corners of the picture are dragged while one paints, and the panel, the request and the undo follow."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QSpinBox, QWidget

from tests.gui.pages.create.mask.conftest import SIZE, WAIT_MS, Painting
from tests.gui.pages.create.mask.test_staging import drawn, is_on

LEFT = Qt.MouseButton.LeftButton


def grip(painting: Painting, name: str) -> QWidget:
    found = painting.window.findChild(QWidget, f"ground_{name}")
    assert found is not None
    return found


def drag(painting: Painting, name: str, dx: float, dy: float = 0.0, release: bool = True) -> None:
    """Drag a grip by so many pixels of the picture as it lies at first, in steps."""
    handle, view = grip(painting, name), painting.layer.parentWidget()
    assert handle.isVisible()
    scale = view.picture_rect().width() / SIZE[0]
    begin = handle.mapToGlobal(handle.rect().center())
    QTest.mousePress(handle, LEFT, pos=handle.rect().center())
    for step in range(1, 5):
        at = begin + QPoint(round(dx * scale * step / 4), round(dy * scale * step / 4))
        QTest.mouseMove(handle, handle.mapFromGlobal(at))
    if release:
        QTest.mouseRelease(handle, LEFT, pos=handle.rect().center())


def outpaint(painting: Painting) -> str:
    return str(painting.window.panel.value("outpaint"))


def sides(painting: Painting) -> dict[str, int]:
    return {name: int(px) for name, px in (part.split("=") for part in outpaint(painting).split(",") if part)}


def test_a_side_and_a_corner_are_dragged_in_steps_of_8_with_an_undo_of_each(painting, qtbot):
    words = painting.window.findChild(QLabel, "groundSize")
    assert not words.isVisible()
    drag(painting, "left", -100)
    first = sides(painting)
    assert list(first) == ["left"]
    assert first["left"] % 8 == 0
    assert 96 <= first["left"] < 200, "the picture gets smaller meanwhile, so that all is seen"
    assert words.text() == f"{SIZE[0] + first['left']} × {SIZE[1]} px"
    assert words.isVisible()
    drag(painting, "bottom_right", 40, 60)
    second = sides(painting)
    assert second["left"] == first["left"]
    assert second["right"] % 8 == second["bottom"] % 8 == 0
    assert second["right"] > 0
    assert second["bottom"] > 0
    box = painting.window.panel.findChild(QSpinBox, "outpaintRightSpinBox")
    assert box.value() == second["right"]
    painting.undos.undo()
    assert sides(painting) == first
    painting.undos.undo()
    assert outpaint(painting) == ""
    assert not words.isVisible()
    painting.undos.redo()
    assert sides(painting) == first
    drag(painting, "left", 400)
    assert outpaint(painting) == "", "no further than the picture"


def test_the_ground_is_shown_as_it_begins_and_all_of_it_is_in_sight(painting, qtbot):
    panel, view = painting.window.panel, painting.layer.parentWidget()
    panel.field("outpaint_fill").set_value("colour")
    panel.field("outpaint_colour").set_value("#ff0000")
    panel.field("outpaint").set_value("left=400,top=80")
    layer = painting.window.findChild(QWidget, "groundLayer")
    assert view.rect().contains(layer.outline().toAlignedRect())

    def at_ground() -> QColor:
        seen = view.grab().toImage()
        outline = layer.outline()
        return seen.pixelColor(round(outline.left() + outline.width() / 8), round(outline.center().y()))

    qtbot.waitUntil(lambda: at_ground() == QColor(255, 0, 0), timeout=WAIT_MS)
    panel.field("outpaint_fill").set_value("edge")
    qtbot.waitUntil(lambda: at_ground() == QColor(70, 110, 160), timeout=WAIT_MS)
    painting.drag((10, 10), (60, 60))
    assert painting.pixels()[35, 35] == 255, "where one paints has not moved"


def test_esc_takes_a_drag_back_that_has_not_ended(painting, qtbot):
    drag(painting, "top", 0, -80, release=False)
    assert painting.window.findChild(QLabel, "groundSize").text() != ""
    painting.layer.setFocus()
    QTest.keyClick(painting.layer, Qt.Key.Key_Escape)
    assert painting.is_open
    assert outpaint(painting) == ""
    QTest.mouseRelease(grip(painting, "top"), LEFT)
    assert outpaint(painting) == ""
    assert not painting.window.findChild(QLabel, "groundSize").isVisible()


@pytest.mark.parametrize(("left", "words"), [(3800, "4200 x 304 is too large: at most 4096"), (-8, "0 to 4095 pixels")])
def test_more_than_can_be_is_said_at_the_field_and_draws_nothing(painting, qtbot, left, words):
    field = painting.window.panel.field("outpaint")
    box = field.editor.findChild(QSpinBox, "outpaintSpinBox")
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, str(left))
    QTest.keyClick(box, Qt.Key.Key_Return)
    assert words in field.error
    painting.window.editor.generate_button.click()
    assert words in field.error
    assert painting.studio.history.count() == 0
    assert painting.picture.value()


def test_what_was_extended_is_a_candidate_and_the_next_edit_begins_from_it(painting, qtbot):
    drag(painting, "right", 80)
    painting.drag((100, 100), (200, 200))
    painting.window.editor.set_prompt("frog")
    before = painting.picture.value(), outpaint(painting)
    assert before[1]
    canvas = painting.window.canvas
    for key in (Qt.Key.Key_Escape, Qt.Key.Key_Return):
        painting.layer.setFocus()
        QTest.keyClick(painting.layer, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
        entry = drawn(painting, 1 if key == Qt.Key.Key_Escape else 2)[-1]
        qtbot.waitUntil(lambda: is_on(painting), timeout=WAIT_MS)
        assert (entry.recipe.request.outpaint, bool(entry.recipe.request.mask)) == (before[1], True)
        qtbot.waitUntil(canvas.view.hasFocus, timeout=WAIT_MS)
        QTest.keyClick(canvas.view, key)
        qtbot.waitUntil(lambda: painting.is_open, timeout=WAIT_MS)
        if key == Qt.Key.Key_Escape:
            assert (painting.picture.value(), outpaint(painting)) == before
    assert painting.store.parent_of(painting.picture.value()) == entry.id
    assert outpaint(painting) == "", "it belonged to the picture before"
    painting.undos.undo()
    assert (painting.picture.value(), outpaint(painting)) == before
