"""The History page with many pictures: what stands beside the selection, the size of thumbnails, nothing that moves."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QListWidget, QPlainTextEdit, QPushButton, QSlider

from sdstudio.core.readable import readable_size
from sdstudio.ui.entry_tools.compare_window import CompareWindow
from sdstudio.ui.pages.history.places import tree_of
from tests.gui.conftest import COUNT

WAIT_MS = 20_000


@pytest.fixture
def studio(shared_full_studio):
    return shared_full_studio


@pytest.fixture
def page(studio, qtbot):
    studio.window.pages.open("History")
    model = studio.window.history_model
    qtbot.waitUntil(lambda: model.is_complete and model.rowCount() == COUNT, timeout=WAIT_MS)
    return studio.window.pages.currentWidget()


def click(page, row: int, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    view = page.browser.view
    pos = view.visualRect(view.model().index(row)).center()
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, modifiers, pos)


def label(page, name: str) -> QLabel:
    found = page.findChild(QLabel, name)
    assert found is not None
    return found


def top_seed(page) -> int:
    view = page.browser.view
    return view.model().entry(view.indexAt(QPoint(20, 20))).recipe.request.seed


def make_one(studio, qtbot) -> None:
    count = studio.window.history_model.rowCount()
    studio.window.findChild(QPlainTextEdit, "promptEdit").setPlainText("frog")
    for name in ("width", "height"):
        studio.window.panel.field(name).set_value(64)
    studio.window.generation.generate()
    qtbot.waitUntil(lambda: studio.window.history_model.rowCount() == count + 1, timeout=WAIT_MS)


def test_several_selected_say_how_many_how_large_and_what_they_share(studio, page, qtbot):
    click(page, 1)
    click(page, 5, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: label(page, "selectionTitle").isVisible(), timeout=WAIT_MS)
    assert label(page, "selectionTitle").text() == "5 pictures selected"
    sizes = sum(entry.path.stat().st_size for entry in studio.history.entries(limit=6)[1:])
    expected = f"{readable_size(sizes)} together"
    qtbot.waitUntil(lambda: label(page, "selectionSize").text() == expected, timeout=WAIT_MS)

    def shown():
        return {each.text() for each in page.summary.findChildren(QLabel) if each.isVisible()}

    qtbot.waitUntil(lambda: {"Model", "Starter", "DPM++ 2M, 20 steps"} <= shown(), timeout=WAIT_MS)
    assert label(page, "selectionDiffering").text() == "They differ in: prompt, size, seed."
    assert not page.findChild(QPushButton, "selection_compare").isVisible()
    click(page, 3)
    assert page.details.isVisible()
    assert page.details.entry.recipe.request.seed == COUNT - 3


def test_two_selected_can_be_compared_from_beside_the_grid(studio, page, qtbot):
    click(page, 0)
    click(page, 1, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: page.summary.isVisible(), timeout=WAIT_MS)
    QTest.mouseClick(page.findChild(QPushButton, "selection_compare"), Qt.MouseButton.LeftButton)
    window = studio.window.findChild(CompareWindow, "compareWindow")
    assert window is not None
    window.close()


def test_a_file_that_is_gone_is_told_among_several(studio, page, qtbot):
    studio.history.entries(limit=1)[0].path.unlink()
    click(page, 0)
    click(page, 2, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: label(page, "selectionSize").text().endswith(", 1 without a file"), timeout=WAIT_MS)
    assert label(page, "selectionSize").isVisible()


def test_the_date_in_the_details_is_whole(studio, page, qtbot):
    click(page, 0)
    made = next(each for each in page.details.findChildren(QLabel) if each.text() == "Made")
    value = made.parentWidget().layout().labelForField
    date = next(each for each in page.details.findChildren(QLabel) if each is not made and value(each) is made)
    assert "," in date.text()
    assert "20" in date.text()
    qtbot.waitUntil(lambda: date.height() >= date.heightForWidth(date.width()), timeout=WAIT_MS)
    assert date.fontMetrics().horizontalAdvance(date.text()) <= date.width()


def test_thumbnails_are_as_large_as_the_slider_says_also_after_a_restart(studio, build, page):
    view, slider = page.browser.view, page.findChild(QSlider, "thumbnailSizeSlider")
    before = view.side_px
    slider.setFocus()
    QTest.keyClick(slider, Qt.Key.Key_End)
    assert view.side_px > before * 1.5
    centre = QPointF(view.viewport().rect().center())
    for _ in range(4):
        QApplication.sendEvent(view.viewport(), QWheelEvent(
            centre, view.viewport().mapToGlobal(centre), QPoint(), QPoint(0, -120), Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.ControlModifier, Qt.ScrollPhase.NoScrollPhase, False,
        ))  # fmt: skip
    assert slider.value() == slider.maximum() - 4 * slider.singleStep()
    assert view.verticalScrollBar().value() == 0
    chosen = slider.value()
    assert studio.close()
    again = build()
    again.window.pages.open("History")
    assert again.window.pages.currentWidget().findChild(QSlider, "thumbnailSizeSlider").value() == chosen


def test_the_list_stays_where_it_is_when_pictures_arrive_are_marked_and_go(studio, page, qtbot):
    view = page.browser.view
    view.verticalScrollBar().setValue(view.side_px * 6 + 11)
    seed, offset = top_seed(page), view.verticalScrollBar().value()
    for _ in range(view.columns):
        make_one(studio, qtbot)
        assert seed <= top_seed(page) < seed + view.columns
        assert view.verticalScrollBar().value() % view.side_px == 11
    assert top_seed(page) == seed
    assert view.verticalScrollBar().value() == offset + view.side_px
    entry = studio.history.entries(limit=1)[0]
    studio.window.history_controller.rate([entry], 4)
    qtbot.waitUntil(lambda: studio.history.entries(limit=1)[0].rating == 4, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: "rated" in page.browser.bar.message, timeout=WAIT_MS)
    assert top_seed(page) == seed
    studio.window.history_controller.delete(studio.history.entries(limit=view.columns))
    qtbot.waitUntil(lambda: studio.window.history_model.rowCount() == COUNT, timeout=WAIT_MS)
    assert top_seed(page) == seed
    assert view.verticalScrollBar().value() == offset


def test_at_the_top_what_arrives_is_seen(studio, page, qtbot):
    make_one(studio, qtbot)
    assert page.browser.view.verticalScrollBar().value() == 0
    assert page.browser.view.model().entry(page.browser.view.indexAt(QPoint(20, 20))).recipe.request.prompt == "frog"


def names(places: QListWidget) -> list[str]:
    return [places.item(row).text().strip() for row in range(places.count())]


def choose(places: QListWidget, name: str) -> None:
    item = places.item(names(places).index(name))
    places.scrollToItem(item)
    QTest.mouseClick(places.viewport(), Qt.MouseButton.LeftButton, pos=places.visualItemRect(item).center())


def test_days_and_collections_stand_beside_the_grid_and_one_click_shows_one(studio, page, qtbot):
    with closing(sqlite3.connect(studio.paths.database)) as db, db:
        db.execute("UPDATE entries SET created = '2026-03-05' || substr(created, 11) WHERE id <= 30")
        db.execute("UPDATE entries SET created = '2026-03-07' || substr(created, 11) WHERE id BETWEEN 31 AND 40")
    studio.history.marks.collect([3, 4, 50], "boats")
    places, model = page.findChild(QListWidget, "historyPlaces"), studio.window.history_model
    assert not places.isVisible()
    button = page.findChild(QPushButton, "placesButton")
    at_rest = [part.mapTo(page, QPoint()) for part in (button, page.filters.count, page.browser.search_edit)]
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert places.isVisible()
    QApplication.processEvents()
    assert [part.mapTo(page, QPoint()) for part in (button, page.filters.count, page.browser.search_edit)] == at_rest
    qtbot.waitUntil(lambda: places.count() == 7, timeout=WAIT_MS)
    shown = names(places)
    assert shown[:2] == [f"All pictures  ({COUNT})", "boats  (3)"]
    assert shown[3:] == [f"Today  ({COUNT - 40})", "March 2026  (40)", "Saturday 7  (10)", "Thursday 5  (30)"]
    choose(places, "Thursday 5  (30)")
    qtbot.waitUntil(lambda: model.is_complete and model.rowCount() == 30, timeout=WAIT_MS)
    assert page.findChild(QPushButton, "chosen_date").text() == "Date: 05 March 2026  ×"
    choose(places, "boats  (3)")
    qtbot.waitUntil(lambda: model.is_complete and model.rowCount() == 3, timeout=WAIT_MS)
    QTest.mouseClick(page.findChild(QPushButton, "chosen_collection"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: model.is_complete and model.rowCount() == COUNT, timeout=WAIT_MS)
    assert places.currentRow() == 0


def test_the_list_of_days_counts_what_arrives_and_is_there_after_a_restart(studio, build, page, qtbot):
    QTest.mouseClick(page.findChild(QPushButton, "placesButton"), Qt.MouseButton.LeftButton)
    places = page.findChild(QListWidget, "historyPlaces")
    qtbot.waitUntil(lambda: places.count() == 3, timeout=WAIT_MS)
    make_one(studio, qtbot)
    qtbot.waitUntil(lambda: names(places)[2] == f"Today  ({COUNT + 1})", timeout=WAIT_MS)
    assert studio.close()
    again = build()
    again.window.pages.open("History")
    assert again.window.pages.currentWidget().places.isVisible()


def test_folders_of_imports_stand_in_the_list_as_a_tree_and_are_chosen_by_mouse_and_keyboard(studio, page, qtbot):
    with closing(sqlite3.connect(studio.paths.database)) as db, db:
        db.execute("UPDATE entries SET folder = '/disk/old/a1111' WHERE id <= 30")
        db.execute("UPDATE entries SET folder = '/disk/old/a1111/grids' WHERE id BETWEEN 31 AND 40")
    places, model = page.findChild(QListWidget, "historyPlaces"), studio.window.history_model
    QTest.mouseClick(page.findChild(QPushButton, "placesButton"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: places.count() == 5, timeout=WAIT_MS)
    assert names(places)[1:3] == ["…/old/a1111  (40)", "grids  (10)"]
    choose(places, "grids  (10)")
    qtbot.waitUntil(lambda: model.is_complete and model.rowCount() == 10, timeout=WAIT_MS)
    assert page.findChild(QPushButton, "chosen_folder").text() == "Folder: …/a1111/grids  ×"
    QTest.keyClick(places, Qt.Key.Key_Up)
    qtbot.waitUntil(lambda: model.is_complete and model.rowCount() == 40, timeout=WAIT_MS)
    filters = page.filters
    QTest.mouseClick(page.findChild(QPushButton, "filter_folder"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: filters.menu is not None and filters.menu.isVisible(), timeout=WAIT_MS)
    assert [action.text() for action in filters.menu.actions()] == ["…/old/a1111\t40", "…/a1111/grids\t10"]
    QTest.keyClick(filters.menu, Qt.Key.Key_Down)
    QTest.keyClick(filters.menu, Qt.Key.Key_Down)
    QTest.keyClick(filters.menu, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: model.is_complete and model.rowCount() == 10, timeout=WAIT_MS)
    assert places.currentItem().text().strip() == "grids  (10)"


def test_folders_stand_below_the_one_they_lie_in_and_deep2_before_deep10():
    folders = ["/m", "/m/deep10", "/m/deep10/a", "/m/deep2", "/m/Deep2", "/m/deep2/x", "/m/Deep2/x"]
    rows = tree_of([(path, 1) for path in sorted(folders)])
    assert [path for path, _name, _depth, _number in rows] == [
        "/m", "/m/Deep2", "/m/Deep2/x", "/m/deep2", "/m/deep2/x", "/m/deep10", "/m/deep10/a",
    ]  # fmt: skip
    assert [depth for _path, _name, depth, _number in rows] == [0, 1, 2, 1, 2, 1, 2]
