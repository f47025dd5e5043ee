"""Painting with the mouse, the pen and the keys: the mask that a request names is what geometry says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QInputDevice, QPointingDevice, QTabletEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QSpinBox, QWidget

from tests.gui.pages.create.mask.conftest import SIZE, WAIT_MS

ALT, SHIFT, CTRL = (
    Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier,
)  # fmt: skip


def area(pixels: np.ndarray) -> float:
    """Return how many pixels are painted, those in part as such a part."""
    return float(pixels.sum(dtype=np.int64)) / 255


def test_a_dot_and_a_line_of_the_brush_cover_what_geometry_says(painting):
    box = painting.window.findChild(QSpinBox, "maskSizeSpinBox")
    box.setValue(80)
    painting.drag((200, 150))
    dot = painting.pixels()
    assert area(dot) == pytest.approx(math.pi * 40**2, rel=0.005)
    rows, columns = np.nonzero(dot)
    assert (columns.mean(), rows.mean()) == pytest.approx((200, 150), abs=1.0), "it lies under the hand"
    painting.undos.undo()
    painting.drag((100, 150), (200, 150), (300, 150))
    assert area(painting.pixels()) == pytest.approx(math.pi * 40**2 + 200 * 80, rel=0.02)
    before = painting.pixels()
    painting.drag((100, 150), (300, 150))
    assert abs(area(painting.pixels()) - area(before)) < 300, "what is painted twice is not painted more"


def test_a_soft_brush_fades_from_its_core_to_its_edge(painting):
    painting.window.findChild(QSpinBox, "maskSizeSpinBox").setValue(200)
    for _ in range(5):
        painting.key("{", SHIFT)
    assert painting.window.findChild(QSpinBox, "maskHardnessSpinBox").value() == 50
    painting.drag((200, 150))
    mask = painting.pixels().astype(int)
    rows, columns = np.nonzero(mask == 255)
    middle = round(float(columns.mean())), round(float(rows.mean()))
    line = mask[middle[1], middle[0] : middle[0] + 102]
    assert (np.diff(line) <= 0).all()
    assert line[48] == 255
    assert line[101] == 0
    assert line[75] == pytest.approx(128, abs=8), "half way between core and edge"


def test_the_eraser_takes_away_and_x_flips(painting):
    painting.key("r")
    painting.drag((50, 50), (350, 250))
    full = area(painting.pixels())
    painting.key("b")
    painting.key("x")
    painting.window.findChild(QSpinBox, "maskSizeSpinBox").setValue(60)
    painting.drag((200, 150))
    assert full - area(painting.pixels()) == pytest.approx(math.pi * 30**2, rel=0.01)
    painting.key("x")
    painting.drag((200, 150))
    assert area(painting.pixels()) == pytest.approx(full, abs=100), "but the faint ring where both have an edge"


def test_rectangle_ellipse_and_lasso_cover_what_they_enclose(painting):
    painting.key("r")
    painting.drag((100, 100), (200, 160), (300, 200))
    assert area(painting.pixels()) == pytest.approx(200 * 100, rel=0.02)
    painting.drag((150, 120), (250, 180), keys=CTRL)
    assert area(painting.pixels()) == pytest.approx(200 * 100 - 100 * 60, rel=0.03)
    painting.key(Qt.Key.Key_Delete)
    painting.settled()
    assert area(painting.pixels()) == 0
    painting.key("o")
    painting.drag((100, 50), (300, 250))
    assert area(painting.pixels()) == pytest.approx(math.pi * 100 * 100, rel=0.02)
    painting.key(Qt.Key.Key_Delete)
    painting.settled()
    painting.key("l")
    painting.drag((100, 50), (300, 50), (300, 250))
    assert area(painting.pixels()) == pytest.approx(200 * 200 / 2, rel=0.02)


def click(painting, *at):
    for point in at:
        QTest.mouseClick(painting.layer, Qt.MouseButton.LeftButton, pos=painting.at(*point))


def test_a_polygon_is_clicked_together_and_closed(painting):
    triangle = ((100, 50), (300, 50), (300, 250))
    painting.key("p")
    click(painting, *triangle)
    assert area(painting.pixels()) == 0, "it goes on"
    painting.key(Qt.Key.Key_Return)
    assert area(painting.pixels()) == pytest.approx(200 * 200 / 2, rel=0.02)
    painting.undos.undo()
    click(painting, *triangle, (100, 250), (50, 60))
    painting.key(Qt.Key.Key_Z, CTRL)
    painting.key(Qt.Key.Key_Backspace)
    click(painting, (101, 51))  # at the first corner
    assert area(painting.pixels()) == pytest.approx(200 * 200 / 2, rel=0.02), "without the corners that were taken back"
    QTest.mouseClick(painting.layer, Qt.MouseButton.LeftButton, CTRL, painting.at(100, 50))
    click(painting, (300, 50))
    QTest.mouseDClick(painting.layer, Qt.MouseButton.LeftButton, pos=painting.at(300, 250))
    QTest.mouseDClick(painting.layer, Qt.MouseButton.LeftButton, pos=painting.at(300, 250))
    assert area(painting.pixels()) == pytest.approx(0, abs=300), "with Ctrl it takes away, but for the edge"


def test_a_polygon_is_broken_off_by_esc_and_ended_by_another_tool(painting):
    painting.key("p")
    click(painting, (100, 50), (300, 50), (300, 250))
    painting.key(Qt.Key.Key_Escape)
    assert painting.is_open
    assert painting.mask_id == ""
    click(painting, (100, 50), (300, 50))
    painting.key(Qt.Key.Key_Return)
    assert painting.mask_id == "", "a line encloses nothing"
    click(painting, (100, 50), (300, 50), (300, 250))
    painting.key("b")
    assert area(painting.pixels()) == pytest.approx(200 * 200 / 2, rel=0.02)


def test_what_is_painted_around_is_filled_and_a_piece_is_taken_away(painting):
    painting.window.findChild(QSpinBox, "maskSizeSpinBox").setValue(10)
    painting.drag((100, 100), (300, 100), (300, 200), (100, 200), (100, 100))
    painting.key("g")
    painting.drag((200, 150))
    painting.settled()
    assert area(painting.pixels()) == pytest.approx(210 * 110, rel=0.02)
    assert painting.pixels()[150, 200] == 255
    painting.drag((200, 150), keys=ALT)
    painting.settled()
    assert area(painting.pixels()) == 0, "its soft edge too"


def test_the_whole_mask_is_inverted_grown_shrunk_and_feathered(painting):
    painting.key("r")
    painting.drag((150, 100), (250, 200))
    square = painting.pixels()
    painting.key(Qt.Key.Key_I, CTRL)
    painting.settled()
    assert (painting.pixels() == 255 - square).all()
    painting.key(Qt.Key.Key_I, CTRL)
    painting.window.findChild(object, "action_mask_grow_8").trigger()
    painting.settled()
    rows, columns = np.nonzero(painting.pixels())
    was_rows, was_columns = np.nonzero(square)
    assert (was_rows.min() - rows.min(), columns.max() - was_columns.max()) == (8, 8)
    painting.window.findChild(object, "action_mask_shrink_8").trigger()
    painting.settled()
    assert (painting.pixels() == square).all(), "a square comes back as it was"
    painting.window.findChild(object, "action_mask_feather_16").trigger()
    painting.settled()
    soft = painting.pixels()
    assert area(soft) == pytest.approx(area(square), rel=0.01)
    assert int(soft[150, int(was_columns.min())]) == pytest.approx(128, abs=12)
    assert len(np.unique(soft)) > 50


def test_two_hundred_strokes_are_undone_to_the_last_bit_and_done_again(painting):
    painting.window.findChild(QSpinBox, "maskSizeSpinBox").setValue(24)
    for number in range(200):
        painting.key("x" if number % 7 == 6 else "b")
        painting.drag((number * 2 % 390, number * 3 % 290), ((number * 5 + 40) % 390, (number * 7 + 30) % 290))
    painted, undone = painting.pixels(), 0
    while painting.undos.last is not None and painting.undos.last.text.endswith("on the mask"):
        painting.key(Qt.Key.Key_Z, CTRL)
        undone += 1
    assert undone > 150, "a stroke of the eraser may change nothing"
    assert painting.mask_id == ""
    for _ in range(undone):
        painting.key(Qt.Key.Key_Z, CTRL | SHIFT)
    assert (painting.pixels() == painted).all()


def pen(painting, kind, at, pressure, end=QPointingDevice.PointerType.Pen):
    """Send what a pen of a tablet does."""
    device = QPointingDevice(
        "pen", 7, QInputDevice.DeviceType.Stylus, end,
        QInputDevice.Capability.Position | QInputDevice.Capability.Pressure, 1, 1,
    )  # fmt: skip
    place = QPointF(painting.at(*at))
    button = Qt.MouseButton.LeftButton
    held = Qt.MouseButton.NoButton if kind == QEvent.Type.TabletRelease else button
    event = QTabletEvent(
        kind, device, place, painting.layer.mapToGlobal(place), pressure, 0.0, 0.0, 0.0, 0.0, 0.0,
        Qt.KeyboardModifier.NoModifier, button, held,
    )  # fmt: skip
    QApplication.sendEvent(painting.layer, event)
    assert event.isAccepted(), "else Qt makes mouse events of it"


def test_a_pen_paints_as_wide_as_it_is_pressed_and_erases_with_its_other_end(painting):
    painting.window.findChild(QSpinBox, "maskSizeSpinBox").setValue(100)
    press, move, release = QEvent.Type.TabletPress, QEvent.Type.TabletMove, QEvent.Type.TabletRelease
    pen(painting, press, (100, 150), 0.2)
    pen(painting, move, (300, 150), 1.0)
    pen(painting, release, (300, 150), 0.0)
    mask = painting.pixels()
    thin, wide = (int((mask[:, x] > 127).sum()) for x in (100, 290))
    assert (thin, wide) == (pytest.approx(20, abs=3), pytest.approx(96, abs=5))
    eraser = QPointingDevice.PointerType.Eraser
    pen(painting, press, (300, 150), 1.0, eraser)
    pen(painting, release, (300, 150), 0.0, eraser)
    assert (painting.pixels()[:, 290] > 127).sum() == 0


def test_a_pen_paints_as_opaque_as_it_is_pressed_where_the_settings_say_so(painting):
    shell = painting.window.shell
    shell.take_settings(shell.settings.model_copy(update={"pen_pressure": "opacity"}))
    painting.window.findChild(QSpinBox, "maskSizeSpinBox").setValue(100)
    press, move, release = QEvent.Type.TabletPress, QEvent.Type.TabletMove, QEvent.Type.TabletRelease
    pen(painting, press, (100, 150), 0.2)
    pen(painting, move, (300, 150), 1.0)
    pen(painting, release, (300, 150), 0.0)
    mask = painting.pixels()
    assert [int(mask[150, x]) for x in (70, 200, 320)] == pytest.approx([51, 153, 255], abs=3)
    assert all((mask[:, x] > 0).sum() == pytest.approx(101, abs=3) for x in (100, 300))


def test_size_view_and_hiding_have_keys_and_the_wheel(painting, qtbot):
    box = painting.window.findChild(QSpinBox, "maskSizeSpinBox")
    view = painting.layer.parentWidget()
    before = box.value()
    painting.key("]")
    assert box.value() > before
    painting.key("[")
    assert box.value() == before
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, "33")
    QTest.keyClick(box, Qt.Key.Key_Return)
    assert box.value() == 33
    assert painting.layer.hasFocus(), "the next key is the picture's again"
    painting.key("1")
    assert view.zoom == 1.0
    corner = view.picture_rect().topLeft()
    painting.layer.setFocus()
    QApplication.sendEvent(painting.layer, space(QEvent.Type.KeyPress))
    painting.drag((200, 150), (240, 170))
    QApplication.sendEvent(painting.layer, space(QEvent.Type.KeyRelease))
    assert view.picture_rect().topLeft() != corner
    assert painting.mask_id == "", "a drag with Space held paints nothing"
    painting.key("0")
    assert view.is_fitted
    painting.key("h")
    assert "hidden" in painting.window.findChild(object, "maskSaid").text()
    painting.drag((200, 150))
    assert painting.mask_id, "it is painted all the same, and acts"
    painting.key("h")
    assert "hidden" not in painting.window.findChild(object, "maskSaid").text()
    painting.key("5")
    assert painting.is_open, "other plain keys mean nothing, and nothing behind either"


def test_another_size_than_the_pictures_is_told_until_it_is_taken(painting):
    said, panel = painting.window.findChild(QLabel, "maskSaid"), painting.window.panel
    assert f"the picture is {SIZE[0]} × {SIZE[1]}" in said.text()
    panel.field("only_masked").set_value(32)
    assert said.text().startswith("Only what is masked is drawn")
    panel.field("only_masked").set_value(None)
    assert f"the picture is {SIZE[0]} × {SIZE[1]}" in said.text()
    painting.press(painting.picture, "initImageUseSizeButton")
    assert not said.isVisible()
    panel.field("width").set_value(64)
    assert said.isVisible()
    painting.window.resize(900, 540)
    bar = painting.window.findChild(QWidget, "maskToolBar")
    painting.qtbot.waitUntil(lambda: bar.height() <= 72, timeout=WAIT_MS)  # two rows: the picture needs the third
    painting.qtbot.waitUntil(lambda: not said.isVisible(), timeout=WAIT_MS)  # it would cover the small picture
    painting.key("h")
    assert said.isVisible(), "but what acts unseen is always said"
    assert said.width() <= painting.layer.width()


def space(kind):
    from PySide6.QtGui import QKeyEvent

    return QKeyEvent(kind, Qt.Key.Key_Space, Qt.KeyboardModifier.NoModifier, " ")


def test_a_stroke_that_has_begun_is_taken_back_by_esc_and_the_next_esc_leaves(painting, qtbot):
    QTest.mousePress(painting.layer, Qt.MouseButton.LeftButton, pos=painting.at(100, 100))
    QTest.mouseMove(painting.layer, painting.at(300, 200))
    painting.key(Qt.Key.Key_Escape)
    QTest.mouseRelease(painting.layer, Qt.MouseButton.LeftButton, pos=painting.at(300, 200))
    assert painting.mask_id == ""
    assert painting.is_open
    painting.drag((200, 150))
    painting.key(Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not painting.is_open, timeout=WAIT_MS)
    assert painting.mask_id, "the mask stays"
    assert painting.pixels().shape == (SIZE[1], SIZE[0])
