"""The loupe: a picture large, from there to those around it, and back to where one was with it selected."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QAction, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QMenu, QPlainTextEdit, QPushButton, QToolButton, QWidget

from sdstudio.history.database.look import Look
from sdstudio.ui.entries.mark_popup import MarkPopup
from sdstudio.ui.entries.stars import Stars
from sdstudio.ui.entry_tools.compare_window import CompareWindow
from sdstudio.ui.entry_tools.loupe.actions import LOUPE_ACTIONS
from sdstudio.ui.entry_tools.loupe.view import Loupe
from sdstudio.ui.widgets.picture_view import PictureView
from tests.gui.conftest import COUNT

WAIT_MS = 20_000


@pytest.fixture
def studio(shared_full_studio):
    return shared_full_studio


@pytest.fixture
def grid(studio, qtbot):
    """The grid of the History page, complete."""
    studio.window.pages.open("History")
    model = studio.window.history_model
    qtbot.waitUntil(lambda: model.is_complete and model.rowCount() == COUNT, timeout=WAIT_MS)
    view = studio.window.pages.browser.view
    view.setFocus()
    return view


def click(view, row: int, double: bool = False) -> None:
    view.scrollTo(view.model().index(row))
    pos = view.visualRect(view.model().index(row)).center()
    (QTest.mouseDClick if double else QTest.mouseClick)(view.viewport(), Qt.MouseButton.LeftButton, pos=pos)


def loupe_of(studio) -> Loupe:
    found = studio.window.findChild(Loupe, "loupe")
    assert isinstance(found, Loupe)
    return found


def text(studio, name: str) -> str:
    label = loupe_of(studio).findChild(QLabel, name)
    assert label is not None
    return label.text()


def prompt(studio) -> str:
    return text(studio, "loupePrompt")


def button(studio, key: str) -> QToolButton:
    found = loupe_of(studio).findChild(QToolButton, f"loupe_{key}")
    assert found is not None
    return found


def press(studio, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(loupe_of(studio), key, modifiers)


def click_button(studio, key: str) -> None:
    QTest.mouseClick(button(studio, key), Qt.MouseButton.LeftButton)


def popup_action(title: str) -> QAction:
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    return next(action for action in menu.actions() if action.text() == title)


def choose(title: str) -> None:
    action = popup_action(title)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    QTest.mouseClick(menu, Qt.MouseButton.LeftButton, pos=menu.actionGeometry(action).center())


def view_of(studio) -> PictureView:
    found = loupe_of(studio).findChild(PictureView, "loupeView")
    assert found is not None
    return found


@pytest.mark.parametrize("way", ["Space", "Enter", "double click"])
def test_a_picture_is_opened_in_three_ways_and_escape_comes_back_to_the_last_one_seen(studio, grid, qtbot, way):
    if way == "double click":
        click(grid, 3, double=True)
    else:
        click(grid, 3)
        QTest.keyClick(grid, Qt.Key.Key_Space if way == "Space" else Qt.Key.Key_Return)
    assert loupe_of(studio).isVisible()
    assert loupe_of(studio).geometry() == studio.window.pages.rect()
    assert text(studio, "loupePosition") == f"4 of {COUNT}"
    assert prompt(studio) == f"picture {COUNT - 3}"
    assert text(studio, "loupeFacts") == f"Seed {COUNT - 3}  ·  96 × 64  ·  20 steps  ·  DPM++ 2M  ·  Starter"
    for _ in range(150):
        press(studio, Qt.Key.Key_Right)
    assert text(studio, "loupePosition") == f"154 of {COUNT}"
    press(studio, Qt.Key.Key_Left)
    assert prompt(studio) == f"picture {COUNT - 152}"
    press(studio, Qt.Key.Key_Escape)
    assert not loupe_of(studio).isVisible()
    assert grid.hasFocus()
    assert grid.selected_rows() == [152]
    assert grid.viewport().rect().contains(grid.visualRect(grid.model().index(152)))
    assert studio.window.pages.currentWidget().details.entry.recipe.request.seed == COUNT - 152


def test_home_and_end_lead_to_the_ends_where_the_buttons_say_that_there_is_no_more(studio, grid):
    click(grid, 0)
    QTest.keyClick(grid, Qt.Key.Key_Space)
    assert not button(studio, "previous").isEnabled()
    press(studio, Qt.Key.Key_End)
    assert text(studio, "loupePosition") == f"{COUNT} of {COUNT}"
    assert not button(studio, "next").isEnabled()
    click_button(studio, "previous")
    assert prompt(studio) == "picture 2"
    press(studio, Qt.Key.Key_Home)
    assert prompt(studio) == f"picture {COUNT}"


def test_the_dock_of_the_history_opens_it_over_the_create_page_and_no_dock_changes(studio, qtbot):
    studio.window.pages.open("Create")
    dock = studio.window.browser.view
    qtbot.waitUntil(lambda: studio.window.history_model.is_complete, timeout=WAIT_MS)
    before = [each.geometry() for each in studio.window.create_page.docks]
    click(dock, 5, double=True)
    assert text(studio, "loupePosition") == f"6 of {COUNT}"
    press(studio, Qt.Key.Key_F11)
    assert loupe_of(studio).isWindow()
    assert loupe_of(studio).isFullScreen()
    press(studio, Qt.Key.Key_Right)
    press(studio, Qt.Key.Key_Escape)
    assert not loupe_of(studio).isWindow()
    assert loupe_of(studio).isVisible()
    press(studio, Qt.Key.Key_Escape)
    assert [each.geometry() for each in studio.window.create_page.docks] == before
    assert dock.selected_rows() == [6]
    assert studio.window.canvas.entry.recipe.request.seed == COUNT - 6


def test_f11_gives_the_screen_to_the_selected_picture_and_escape_takes_it_back(studio, grid):
    click(grid, 7)
    QTest.keyClick(grid, Qt.Key.Key_F11)
    assert loupe_of(studio).isFullScreen()
    assert prompt(studio) == f"picture {COUNT - 7}"
    press(studio, Qt.Key.Key_Down)
    press(studio, Qt.Key.Key_Escape)
    assert not loupe_of(studio).isVisible()
    assert studio.window.top_bar.isVisible()
    assert grid.selected_rows() == [8]


def test_marks_are_given_by_key_and_button_and_taken_back(studio, grid, qtbot):
    click(grid, 2)
    QTest.keyClick(grid, Qt.Key.Key_Space)
    seed = COUNT - 2

    def entry():
        return next(each for each in studio.history.entries(limit=5) if each.recipe.request.seed == seed)

    press(studio, Qt.Key.Key_4)
    qtbot.waitUntil(lambda: entry().rating == 4, timeout=WAIT_MS)
    stars = loupe_of(studio).findChild(Stars)
    qtbot.waitUntil(lambda: stars.stars == 4, timeout=WAIT_MS)
    QTest.mouseClick(stars, Qt.MouseButton.LeftButton, pos=QPoint(10, 14))
    qtbot.waitUntil(lambda: entry().rating == 1, timeout=WAIT_MS)
    assert not stars.hasFocus()
    click_button(studio, "favourite")
    qtbot.waitUntil(lambda: entry().favourite, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: "favourites" in loupe_of(studio).bar.message, timeout=WAIT_MS)
    press(studio, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: not entry().favourite, timeout=WAIT_MS)
    press(studio, Qt.Key.Key_T)
    popup = QApplication.activePopupWidget()
    assert isinstance(popup, MarkPopup)
    popup.close()
    assert prompt(studio) == f"picture {seed}"


def test_delete_goes_on_to_the_next_and_undo_brings_the_picture_back(studio, grid, qtbot):
    click(grid, 10)
    QTest.keyClick(grid, Qt.Key.Key_Space)
    press(studio, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: prompt(studio) == f"picture {COUNT - 11}", timeout=WAIT_MS)
    assert text(studio, "loupePosition") == f"11 of {COUNT - 1}"
    undo = loupe_of(studio).bar.findChild(QPushButton)
    QTest.mouseClick(undo, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: prompt(studio) == f"picture {COUNT - 10}", timeout=WAIT_MS)
    assert text(studio, "loupePosition") == f"11 of {COUNT}"
    click_button(studio, "delete")
    qtbot.waitUntil(lambda: prompt(studio) == f"picture {COUNT - 11}", timeout=WAIT_MS)
    press(studio, Qt.Key.Key_Escape)
    assert grid.selected_rows() == [10]


def test_a_picture_that_arrives_in_front_does_not_move_what_is_looked_at(studio, grid, qtbot):
    click(grid, 1)
    QTest.keyClick(grid, Qt.Key.Key_Space)
    studio.window.findChild(QPlainTextEdit, "promptEdit").setPlainText("frog")
    studio.window.panel.field("width").set_value(64)
    studio.window.panel.field("height").set_value(64)
    studio.window.generation.generate()
    qtbot.waitUntil(lambda: text(studio, "loupePosition") == f"3 of {COUNT + 1}", timeout=WAIT_MS)
    assert prompt(studio) == f"picture {COUNT - 1}"


def test_a_picture_that_leaves_by_its_mark_stays_until_one_goes_on(studio, grid, qtbot):
    first, second, third = studio.history.entries(limit=3)
    studio.history.marks.rate([first.id, second.id, third.id], 5)
    model = studio.window.history_model
    model.set_look(Look(chosen=(("rating", "5"),)))
    qtbot.waitUntil(lambda: model.is_complete and model.rowCount() == 3, timeout=WAIT_MS)
    click(grid, 1)
    QTest.keyClick(grid, Qt.Key.Key_Space)
    press(studio, Qt.Key.Key_2)
    qtbot.waitUntil(lambda: text(studio, "loupePosition") == "No longer in this list of 2", timeout=WAIT_MS)
    assert prompt(studio) == second.recipe.request.prompt
    press(studio, Qt.Key.Key_Right)
    assert prompt(studio) == third.recipe.request.prompt
    assert text(studio, "loupePosition") == "2 of 2"


def test_zoom_by_wheel_key_and_button_and_panning_by_the_hand(studio, grid, qtbot):
    click(grid, 0)
    QTest.keyClick(grid, Qt.Key.Key_Space)
    view = view_of(studio)
    qtbot.waitUntil(lambda: view.picture.width() == 64, timeout=WAIT_MS)
    fitted = view.zoom
    press(studio, Qt.Key.Key_Plus)
    assert view.zoom == pytest.approx(fitted * 1.25)
    press(studio, Qt.Key.Key_Minus)
    assert view.is_fitted
    press(studio, Qt.Key.Key_1, Qt.KeyboardModifier.ControlModifier)
    assert view.zoom == 1.0
    assert text(studio, "loupeZoom") == "100%"
    press(studio, Qt.Key.Key_0, Qt.KeyboardModifier.ControlModifier)
    assert view.is_fitted
    click_button(studio, "actual_size")
    assert view.zoom == 1.0
    click_button(studio, "fit")
    centre = view.rect().center()
    QApplication.sendEvent(view, QWheelEvent(
        QPointF(centre), view.mapToGlobal(QPointF(centre)), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    ))  # fmt: skip
    assert view.zoom > fitted
    before = view.picture_rect().topLeft()
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=centre)
    QTest.mouseMove(view, centre + QPoint(20, 10))
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=centre + QPoint(20, 10))
    assert view.picture_rect().topLeft() - before == QPointF(20, 10)
    QTest.mouseDClick(view, Qt.MouseButton.LeftButton, pos=centre)
    assert view.is_fitted


def test_the_zoom_is_kept_from_a_picture_to_one_of_the_same_size(studio, grid, qtbot):
    click(grid, 0)
    QTest.keyClick(grid, Qt.Key.Key_Space)
    view = view_of(studio)
    qtbot.waitUntil(lambda: view.picture.width() == 64, timeout=WAIT_MS)
    press(studio, Qt.Key.Key_Z)
    press(studio, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: view.picture.width() == 96, timeout=WAIT_MS)
    assert view.is_fitted
    press(studio, Qt.Key.Key_Z)
    press(studio, Qt.Key.Key_Right)
    press(studio, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: view.picture.width() == 96, timeout=WAIT_MS)
    press(studio, Qt.Key.Key_Z)
    assert view.zoom == 1.0


@pytest.mark.parametrize("damage", ["gone", "damaged"])
def test_a_file_that_cannot_be_shown_says_so_and_one_can_go_on(studio, grid, qtbot, damage):
    entry = studio.history.entries(limit=3)[2]
    whole = entry.path.read_bytes()
    entry.path.unlink()
    if damage == "damaged":
        entry.path.write_bytes(whole[:60])
    click(grid, 1)
    QTest.keyClick(grid, Qt.Key.Key_Space)
    press(studio, Qt.Key.Key_Right)
    said = f"The file is {damage}"
    qtbot.waitUntil(lambda: view_of(studio).caption.startswith(said), timeout=WAIT_MS)
    assert entry.path.name in view_of(studio).caption
    press(studio, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: not view_of(studio).picture.isNull(), timeout=WAIT_MS)
    assert prompt(studio) == f"picture {COUNT - 3}"


def test_compare_offers_the_other_selected_picture_and_those_around(studio, grid, qtbot):
    click(grid, 4)
    QTest.mouseClick(
        grid.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier,
        grid.visualRect(grid.model().index(6)).center(),
    )  # fmt: skip
    QTest.keyClick(grid, Qt.Key.Key_Space)
    assert prompt(studio) == f"picture {COUNT - 6}"
    press(studio, Qt.Key.Key_X)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    offered = [each.text() for each in menu.actions()]
    assert offered == ["The other selected picture", "Next picture", "Previous picture"]
    choose("The other selected picture")
    window = studio.window.findChild(CompareWindow, "compareWindow")
    assert window is not None
    assert window.isVisible()
    window.close()


@pytest.mark.parametrize("modifier", [Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier])
def test_using_the_parameters_leaves_for_the_create_page(studio, grid, modifier):
    click(grid, 9)
    QTest.keyClick(grid, Qt.Key.Key_Space)
    press(studio, Qt.Key.Key_U, modifier)
    if modifier == Qt.KeyboardModifier.ShiftModifier:  # else at once, as in the grid
        choose("All")
    assert studio.window.pages.name == "Create"
    assert not loupe_of(studio).isVisible()
    assert studio.window.editor.prompt == f"picture {COUNT - 9}"


def test_the_slideshow_goes_on_by_itself_until_escape_stops_it(studio, grid, qtbot):
    click(grid, 0)
    QTest.keyClick(grid, Qt.Key.Key_Space)
    click_button(studio, "interval")
    choose("2 seconds")
    assert button(studio, "interval").text() == "2 s"
    press(studio, Qt.Key.Key_S)
    qtbot.waitUntil(lambda: prompt(studio) == f"picture {COUNT - 1}", timeout=WAIT_MS)
    press(studio, Qt.Key.Key_Escape)
    assert loupe_of(studio).isVisible()
    assert not loupe_of(studio).slideshow.runs
    press(studio, Qt.Key.Key_Escape)
    assert not loupe_of(studio).isVisible()


def test_the_interval_is_kept_for_the_next_start(studio, build, grid):
    click(grid, 0)
    QTest.keyClick(grid, Qt.Key.Key_Space)
    click_button(studio, "interval")
    choose("10 seconds")
    assert studio.close()
    again = build()
    again.window.pages.open("History")
    click(again.window.pages.browser.view, 0, double=True)
    assert button(again, "interval").text() == "10 s"


def test_the_pictures_of_a_job_are_walked_by_themselves_from_canvas_and_strip(studio, qtbot):
    studio.window.pages.open("Create")
    studio.window.panel.field("width").set_value(64)
    studio.window.panel.field("height").set_value(64)
    studio.window.panel.field("seed").set_value(5)
    studio.window.findChild(QWidget, "countSpinBox").setValue(3)
    studio.window.findChild(QPlainTextEdit, "promptEdit").setPlainText("frog")
    studio.window.generation.generate()
    strip = studio.window.canvas.strip
    qtbot.waitUntil(lambda: len(strip.entries) == 3, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: studio.window.status_line.text.startswith("Done"), timeout=WAIT_MS)
    QTest.mouseClick(strip, Qt.MouseButton.LeftButton, pos=strip.slot_rect(1).center().toPoint())
    QTest.mouseDClick(strip, Qt.MouseButton.LeftButton, pos=strip.slot_rect(1).center().toPoint())
    assert text(studio, "loupePosition") == "2 of 3"
    press(studio, Qt.Key.Key_Right)
    assert not button(studio, "next").isEnabled()
    press(studio, Qt.Key.Key_Escape)
    assert strip.current == 2
    assert studio.window.canvas.entry == strip.entries[2]
    canvas = studio.window.canvas.view
    QTest.mouseDClick(canvas, Qt.MouseButton.LeftButton, pos=canvas.rect().center())
    assert text(studio, "loupePosition") == "3 of 3"
    press(studio, Qt.Key.Key_Space)
    assert canvas.hasFocus()


def test_every_action_has_a_button_or_a_twin_and_every_button_names_its_key(studio, grid):
    click(grid, 0)
    QTest.keyClick(grid, Qt.Key.Key_Space)
    without_button = {"first", "last", "toggle_zoom", "undo"}
    shown = {each.objectName().removeprefix("loupe_"): each for each in loupe_of(studio).findChildren(QToolButton)}
    for row in LOUPE_ACTIONS:
        if row.key not in without_button:
            assert shown[row.key].isVisible()
            assert shown[row.key].toolTip() == row.about
            assert shown[row.key].accessibleName() == row.title


def test_tab_walks_among_its_own_buttons_and_enter_presses_one(studio, grid):
    click(grid, 0)
    QTest.keyClick(grid, Qt.Key.Key_Space)
    seen = set()
    for _ in range(40):
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        focused = QApplication.focusWidget()
        assert focused is loupe_of(studio) or loupe_of(studio).isAncestorOf(focused)
        seen.add(focused.objectName())
    assert {"loupe_back", "loupe_next", "loupe_delete", "ratingStars", "loupe_favourite"} <= seen
    button(studio, "next").setFocus()
    QTest.keyClick(button(studio, "next"), Qt.Key.Key_Return)
    assert prompt(studio) == f"picture {COUNT - 1}"
