"""Pictures as a grid: axes, missing cells made by a click, the whole kept as one picture; and a picture's family."""

from __future__ import annotations

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel

from sdstudio.core.request.request import GenerationRequest
from sdstudio.ui.pages.history.lineage_strip import LineageStrip
from sdstudio.ui.theme import apply_theme
from tests.unit.background.fakes import picture, recipe


@pytest.fixture
def entry(studio):
    def save(steps=3, guidance_scale=5.0, seed=1, parent_id=None):
        request = GenerationRequest(
            model="tiny", prompt="red heart", width=64, height=64, steps=steps, guidance_scale=guidance_scale, seed=seed
        )
        return studio.history.save(picture(request, steps), recipe(request, seed), parent_id=parent_id)

    return save


@pytest.fixture
def lay_out(studio):
    def ask(*entries):
        studio.window.actions_on_entries.ask("grid", entries)
        return studio.window.findChild(object, "gridWindow")

    return ask


def said(window) -> str:
    return window.findChild(QLabel, "gridSaid").text()


def texts(window):
    table = window.table
    return [[table.item(y, x).text() for x in range(table.columnCount())] for y in range(table.rowCount())]


def test_pictures_lie_by_what_they_differ_in(lay_out, entry):
    window = lay_out(entry(3, 5.0), entry(4, 5.0), entry(3, 7.0))
    assert window.isVisible()
    assert (window.x_combo.currentText(), window.y_combo.currentText()) == ("Steps", "Guidance scale")
    assert [window.table.horizontalHeaderItem(x).text() for x in range(2)] == ["3", "4"]
    assert [window.table.verticalHeaderItem(y).text() for y in range(2)] == ["5", "7"]
    assert texts(window) == [["", ""], ["", "Make"]]
    assert window.make_button.text().strip() == "Make the missing one"


def test_a_long_heading_is_cut_at_its_end_and_told_whole(lay_out, studio):
    prompts = [f"{word} heart on a background of a very long description" for word in ("red", "blue")]
    entries = []
    for prompt in prompts:
        request = GenerationRequest(model="tiny", prompt=prompt, width=64, height=64, steps=3, seed=1)
        entries.append(studio.history.save(picture(request, 3), recipe(request, 1)))
    header = lay_out(*entries).table.horizontalHeader()
    assert header.textElideMode() == Qt.TextElideMode.ElideRight
    model = header.model()
    told = {model.headerData(x, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole) for x in range(2)}
    assert told == set(prompts)


def test_axes_are_chosen_and_never_twice_the_same(lay_out, entry):
    window = lay_out(entry(3, 5.0), entry(4, 7.0))
    window.x_combo.setCurrentText("Guidance scale")
    window.x_combo.activated.emit(window.x_combo.currentIndex())
    assert window.y_combo.currentText() == "None"
    assert texts(window) == [["", ""]]
    assert not window.make_button.isVisible()


def test_a_place_of_several_pictures_says_how_many_and_offers_what_they_differ_in(lay_out, entry):
    places = [(steps, guidance) for steps in (3, 4) for guidance in (5.0, 7.0)]
    window = lay_out(*(entry(*place, seed) for place in places for seed in range(6)))
    assert (window.x_combo.currentText(), window.y_combo.currentText()) == ("Steps", "Guidance scale")
    item = window.table.item(0, 0)
    assert item.data(Qt.ItemDataRole.AccessibleTextRole).endswith(", ×6")
    assert item.toolTip().startswith("6 pictures have these values")
    shown = item.icon().pixmap(136, 136).toImage()
    alone = window.grid.cells[0][0].entry.thumbnail
    plain = QImage(str(alone)).scaled(shown.size(), mode=Qt.TransformationMode.SmoothTransformation)
    corner = shown.width() - 20, shown.height() - 16
    assert shown.pixelColor(*corner).lightness() != plain.pixelColor(*corner).lightness()
    assert window.axis_button.text() == "Use seed as axis"
    QTest.mouseClick(window.axis_button, Qt.MouseButton.LeftButton)
    assert window.x_combo.currentText() == "Seed"
    assert window.table.columnCount() == 6
    assert window.axis_button.text() == "Use steps as axis"


def test_what_is_missing_is_made_at_its_place_as_a_child(lay_out, entry, studio, qtbot):
    entries = [entry(3, 5.0), entry(4, 5.0), entry(3, 7.0)]
    window = lay_out(*entries)
    window.table.cellClicked.emit(1, 1)
    assert texts(window)[1][1] == "Waiting"
    qtbot.waitUntil(lambda: texts(window) == [["", ""], ["", ""]], timeout=20_000)
    made = studio.history.entries()[0]
    assert (made.recipe.request.steps, made.recipe.request.guidance_scale) == (4, 7.0)
    assert made.parent_id == entries[2].id
    assert not window.make_button.isVisible()


def test_all_missing_ones_are_made_with_one_press(lay_out, entry, studio, qtbot):
    window = lay_out(entry(3, 5.0), entry(4, 6.0), entry(5, 7.0))
    assert window.make_button.text().strip() == "Make the 6 missing"
    QTest.mouseClick(window.make_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not window.grid.missing(), timeout=30_000)
    assert studio.history.count() == 9


def test_every_cell_that_can_be_is_made_and_the_others_say_why(lay_out, studio):
    """Of four samplers by four schedules, DDIM takes none but its own, and no other takes that for granted."""
    entries = []
    for scheduler, schedule in (("euler", "karras"), ("ddim", "automatic"), ("heun", "uniform"), ("unipc", "simple")):
        request = GenerationRequest(
            model="tiny", prompt="red heart", width=64, height=64, steps=2, seed=1, scheduler=scheduler,
            schedule=schedule,
        )  # fmt: skip
        entries.append(studio.history.save(picture(request, 2), recipe(request, 1)))
    window = lay_out(*entries)
    assert window.make_button.text().strip() == "Make the 12 missing"
    QTest.mouseClick(window.make_button, Qt.MouseButton.LeftButton)
    assert sum(row.count("Not possible") for row in texts(window)) == 3
    assert said(window).startswith("9 in the queue, 3 cannot be made: Schedule = ")
    assert not window.make_button.isVisible()
    y, x = next((y, x) for y, row in enumerate(texts(window)) for x, text in enumerate(row) if text == "Not possible")
    assert "DDIM has noise levels of its own" in window.table.item(y, x).toolTip()
    window.table.cellClicked.emit(y, x)
    assert said(window).startswith("Schedule = ")
    assert len(studio.queue.jobs()) == 9


def test_pictures_that_differ_in_nothing_are_said_to(lay_out, entry):
    window = lay_out(entry(), entry())
    assert "differ in no parameter" in said(window)
    assert not window.export_button.isEnabled()


def test_the_grid_is_exported_as_one_picture(lay_out, entry, tmp_path, qtbot):
    window = lay_out(entry(3, 5.0), entry(4, 5.0), entry(3, 7.0))
    window.export(tmp_path / "grid.png")
    qtbot.waitUntil(lambda: said(window).startswith("Saved"), timeout=20_000)
    with Image.open(tmp_path / "grid.png") as sheet:
        assert sheet.width > 2 * 64
        assert sheet.height > 2 * 64
    window.export(tmp_path / "no folder" / "grid.png")
    qtbot.waitUntil(lambda: "grid.png" in said(window) and window.export_button.isEnabled(), timeout=20_000)


def test_a_double_click_shows_the_picture(lay_out, entry, studio):
    first = entry(3)
    window = lay_out(first, entry(4))
    window.table.cellActivated.emit(0, 0)
    assert studio.window.canvas.entry == first


class TestLineage:
    @pytest.fixture
    def strip(self, studio, qapp: QApplication, qtbot):
        apply_theme(qapp, "dark")
        made = LineageStrip(studio.history.lineage)
        qtbot.addWidget(made)
        return made

    def test_parent_and_children_are_buttons_to_go_to(self, strip, entry, qtbot):
        parent = entry(seed=1)
        child = entry(seed=2, parent_id=parent.id)
        grandchild = entry(seed=2, parent_id=child.id)
        strip.show_entry(child)
        assert not strip.isHidden()
        assert [button.accessibleName() for button in strip.buttons] == [
            f"Picture {parent.id}", f"Picture {grandchild.id}, Re-run",
        ]  # fmt: skip
        with qtbot.waitSignal(strip.entry_wanted) as heard:
            strip.buttons[0].click()
        assert heard.args == [parent]

    def test_a_picture_without_family_shows_nothing(self, strip, entry):
        strip.show_entry(entry())
        assert strip.isHidden()
        strip.show_entry(None)
        assert strip.isHidden()

    def test_the_history_page_goes_from_a_picture_to_its_parent(self, studio, entry, qtbot):
        parent = entry(seed=1)
        child = entry(seed=2, parent_id=parent.id)
        studio.window.pages.open("History")
        page = studio.window.findChild(object, "historyPage")
        page.details.show_entry(child)
        assert not page.family.isHidden()
        page.family.buttons[0].click()
        assert page.details.entry == parent
        assert [button.accessibleName() for button in page.family.buttons] == [f"Picture {child.id}, Variation"]
