"""The grid: every row has its place without being laid out, keys and hand reach all of them."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractItemView, QApplication

from sdstudio.background.tasks import TaskRunner
from sdstudio.bench.history_rows import fill
from sdstudio.core.paths import StudioPaths
from sdstudio.history.database.look import Look
from sdstudio.history.store import History
from sdstudio.ui.entries import model as history_model
from sdstudio.ui.entries.cell import GAP_PX
from sdstudio.ui.entries.model import HistoryModel
from sdstudio.ui.entries.thumbnails import Thumbnails
from sdstudio.ui.entries.view import HistoryView
from sdstudio.ui.theme import apply_theme, tokens

WAIT_MS = 20_000
COUNT = 23


@pytest.fixture
def view(qapp, qtbot, history, save):
    apply_theme(qapp, "dark")
    for number in range(COUNT):
        save(f"picture {number}", seed=number)
    tasks = TaskRunner()
    model = HistoryModel(history, Thumbnails(history, tasks), tasks)
    made = HistoryView(model, 100)
    qtbot.addWidget(made)
    made.resize(420, 300)
    with qtbot.waitExposed(made):
        made.show()
    made.activateWindow()
    made.setFocus()
    yield made
    tasks.close()


def press(view, key, modifiers=Qt.KeyboardModifier.NoModifier) -> int:
    QTest.keyClick(view, key, modifiers)
    return view.currentIndex().row()


def test_every_row_has_its_place_and_is_found_there(view):
    assert view.columns == 4
    for row in range(COUNT):
        index = view.model().index(row)
        assert view.indexAt(view.visualRect(index).center()).row() == row
    assert view.visualRect(view.model().index(5)).topLeft() == QPoint(view.side_px, view.side_px)
    assert not view.indexAt(QPoint(view.columns * view.side_px + 2, 10)).isValid()
    last = view.visualRect(view.model().index(COUNT - 1))
    assert not view.indexAt(last.center() + QPoint(view.side_px, 0)).isValid()


def test_the_scroll_bar_is_true_and_reaches_the_last_row(view):
    bar = view.verticalScrollBar()
    assert bar.maximum() == 6 * view.side_px - view.viewport().height()
    view.scrollTo(view.model().index(COUNT - 1))
    assert bar.value() == bar.maximum()
    assert view.viewport().rect().contains(view.visualRect(view.model().index(COUNT - 1)).center())
    view.scrollTo(view.model().index(8), QAbstractItemView.ScrollHint.PositionAtTop)
    assert view.visualRect(view.model().index(8)).top() == 0


def test_the_scroll_bar_follows_pictures_that_come_and_go(view, save, history):
    bar, model = view.verticalScrollBar(), view.model()

    def wanted() -> int:
        return -(-model.rowCount() // view.columns) * view.side_px - view.viewport().height()

    made = [save(f"new {number}") for number in range(9)]
    model.insert(made)
    assert bar.maximum() == wanted()
    bar.setValue(bar.maximum())
    seen = model.entry(view.indexAt(view.viewport().rect().topLeft())).id
    model.remove([entry.id for entry in made])
    assert bar.maximum() == wanted()
    assert view.visualRect(model.index_of(seen)).top() == -6, "what was at the top is there"


def test_rows_that_are_read_in_the_background_lengthen_it(view, save, qtbot, monkeypatch):
    monkeypatch.setattr(history_model, "FIRST", 5)
    model = view.model()
    model.set_look(Look("picture", "oldest"))
    qtbot.waitUntil(lambda: model.is_complete, timeout=WAIT_MS)
    assert model.rowCount() == COUNT
    assert view.verticalScrollBar().maximum() == 6 * view.side_px - view.viewport().height()


def test_another_width_keeps_what_is_at_the_top(view):
    view.scrollTo(view.model().index(8), QAbstractItemView.ScrollHint.PositionAtTop)
    view.resize(320, 300)
    assert view.columns == 3
    assert view.indexAt(QPoint(5, 5)).row() == 6
    assert view.viewport().width() - view.columns * view.side_px < 24


def test_arrows_pages_home_and_end_lead_through_all_rows(view):
    key = Qt.Key
    view.setCurrentIndex(view.model().index(0))
    walk = [
        (key.Key_Right, 1), (key.Key_Down, 5), (key.Key_Left, 4), (key.Key_Up, 0), (key.Key_Up, 0), (key.Key_Left, 0),
        (key.Key_End, COUNT - 1), (key.Key_Down, COUNT - 1), (key.Key_Right, COUNT - 1), (key.Key_Home, 0),
    ]  # fmt: skip
    for pressed, row in walk:
        assert press(view, pressed) == row
    assert press(view, key.Key_PageDown) == 4 * (view.viewport().height() // view.side_px)
    assert press(view, key.Key_PageUp) == 0


def test_shift_selects_in_reading_order_and_ctrl_a_everything(view):
    view.setCurrentIndex(view.model().index(2))
    press(view, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert view.selected_rows() == [2, 3, 4, 5, 6]
    viewport, shift = view.viewport(), Qt.KeyboardModifier.ShiftModifier
    place = {row: view.visualRect(view.model().index(row)).center() for row in range(8)}
    QTest.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=place[6])
    QTest.mouseClick(viewport, Qt.MouseButton.LeftButton, shift, place[1])
    assert view.selected_rows() == [1, 2, 3, 4, 5, 6]
    QTest.mouseClick(viewport, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier, place[3])
    assert view.selected_rows() == [1, 2, 4, 5, 6]
    view.selectAll()
    assert view.selected_rows() == list(range(COUNT))


def test_keys_that_stand_for_actions_are_told_and_others_lead_on(view, qtbot):
    view.setCurrentIndex(view.model().index(0))
    told = []
    view.key_pressed.connect(told.append)
    for pressed in (Qt.Key.Key_3, Qt.Key.Key_F, Qt.Key.Key_0):
        press(view, pressed)
    assert told == ["3", "f", "0"]
    with qtbot.waitSignal(view.walked_to) as walked:
        press(view, Qt.Key.Key_Right)
    assert walked.args[0].row() == 1
    with qtbot.waitSignal(view.delete_pressed):
        press(view, Qt.Key.Key_Delete)


def test_enter_and_space_open_the_entry_as_a_double_click_does(view, qtbot):
    view.setCurrentIndex(view.model().index(3))
    for use in (
        lambda: press(view, Qt.Key.Key_Return),
        lambda: press(view, Qt.Key.Key_Space),
        lambda: press(view, Qt.Key.Key_Enter, Qt.KeyboardModifier.KeypadModifier),
        lambda: QTest.mouseDClick(
            view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(view.model().index(3)).center()
        ),
    ):
        with qtbot.waitSignal(view.opened) as opened:
            use()
        assert opened.args[0].row() == 3


@pytest.mark.parametrize("key", [Qt.Key.Key_Home, Qt.Key.Key_Left, Qt.Key.Key_Up])
def test_a_key_that_leads_nowhere_selects_what_has_the_focus_alone(view, qtbot, key):
    assert view.currentIndex().row() == 0
    assert view.selected_rows() == []
    with qtbot.waitSignal(view.walked_to) as walked:
        press(view, key)
    assert view.selected_rows() == [walked.args[0].row()] == [0]
    with qtbot.assertNotEmitted(view.walked_to):
        press(view, key)


def test_the_menu_key_asks_for_a_menu_where_the_entry_is(view, qtbot):
    view.setCurrentIndex(view.model().index(3))
    with qtbot.waitSignal(view.customContextMenuRequested):
        place = QPoint(5, 5)
        key = QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, place, view.mapToGlobal(place))
        QApplication.sendEvent(view.viewport(), key)


def test_cells_are_drawn_where_they_lie_chosen_ones_with_a_ring(view, qtbot):
    view.model().search("picture 22")
    qtbot.waitUntil(lambda: view.model().rowCount() == 1, timeout=WAIT_MS)
    view.setCurrentIndex(view.model().index(0))
    rect = view.visualRect(view.model().index(0))

    def colour(point: QPoint) -> tuple[int, ...]:
        return view.viewport().grab().toImage().pixelColor(point).getRgb()[:3]

    qtbot.waitUntil(lambda: colour(rect.center())[2] in range(84, 97), timeout=WAIT_MS)
    assert colour(rect.center())[0] in range(16, 29)
    ring = colour(QPoint(rect.left() + GAP_PX, rect.center().y()))
    assert "#{:02x}{:02x}{:02x}".format(*ring) == tokens().accent_text


def test_words_stand_under_the_pointer_and_go_with_it(view, qtbot):
    rect = view.visualRect(view.model().index(0))
    qtbot.waitUntil(
        lambda: (
            view.model().entry_at(0) is not None
            and not view.model().thumbnails.square(view.model().entry_at(0), view.side_px - 2 * GAP_PX).isNull()
        ),
        timeout=WAIT_MS,
    )
    away = view.visualRect(view.model().index(5)).center()
    QTest.mouseMove(view.viewport(), away)
    before = view.viewport().grab(rect).toImage()
    QTest.mouseMove(view.viewport(), rect.center())
    qtbot.waitUntil(lambda: view.viewport().grab(rect).toImage() != before, timeout=WAIT_MS)
    QTest.mouseMove(view.viewport(), away)
    qtbot.waitUntil(lambda: view.viewport().grab(rect).toImage() == before, timeout=WAIT_MS)
    assert view.viewport().grab(rect).toImage() == before


def test_any_place_among_thousands_is_reached_at_once_and_only_what_is_seen_is_read(qapp, qtbot, quick_folder):
    apply_theme(qapp, "dark")
    paths = StudioPaths(quick_folder / "many")
    fill(paths, 3000, thumbnails=False)
    history, tasks = History(paths, lambda _path: None), TaskRunner()
    model = HistoryModel(history, Thumbnails(history, tasks), tasks)
    many = HistoryView(model, 100)
    qtbot.addWidget(many)
    many.resize(420, 300)
    with qtbot.waitExposed(many):
        many.show()
    qtbot.waitUntil(lambda: model.rowCount() == 3000, timeout=WAIT_MS)
    for row, entry_id in ((2999, 1), (1500, 1500), (0, 3000)):
        many.scrollTo(model.index(row))
        place = many.visualRect(model.index(row)).center()
        assert many.viewport().rect().contains(place)
        assert many.indexAt(place).row() == row
        many.viewport().repaint()
        qtbot.waitUntil(lambda row=row: model.entry_at(row) is not None, timeout=WAIT_MS)
        assert model.entry_at(row).id == entry_id
    assert model.held <= 3 * 2 * history_model.WINDOW
    many.hide()
    tasks.close()
    history.close()
