"""What is done to pictures of the history, and that each of it can be taken back."""

from __future__ import annotations

import threading
from functools import partial
from types import SimpleNamespace

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QInputDialog, QPushButton

from sdstudio.background.tasks import TaskRunner
from sdstudio.core.errors import HistoryError, StudioError
from sdstudio.core.settings import Settings
from sdstudio.history.database.look import Look
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.entries.browser import HistoryBrowser
from sdstudio.ui.entries.mark_popup import MarkPopup
from sdstudio.ui.entries.model import HistoryModel
from sdstudio.ui.entries.thumbnails import Thumbnails
from sdstudio.ui.pages.create.canvas import Canvas
from sdstudio.ui.pages.history import controller as history_controller
from sdstudio.ui.pages.history.controller import HistoryController
from sdstudio.ui.shell import Shell
from sdstudio.ui.theme import apply_theme
from sdstudio.ui.undo import Change, Undos
from sdstudio.ui.widgets.message_bar import MessageBar

WAIT_MS = 20_000


@pytest.fixture
def entries(save):
    return [save(f"picture {number}") for number in range(3)]


@pytest.fixture
def controller(qapp, qtbot, history, entries):
    apply_theme(qapp, "dark")
    tasks = TaskRunner()
    model = HistoryModel(history, Thumbnails(history, tasks), tasks)
    actions = EntryActions()
    canvas, message = Canvas(actions, tasks), MessageBar("message")
    browser = HistoryBrowser(model, actions)
    for widget in (canvas, message, browser):
        qtbot.addWidget(widget)
    shell = Shell(message, Settings())
    shell.message_wanted.connect(message.say)
    made = HistoryController(SimpleNamespace(history=history, tasks=tasks), shell, model, canvas, actions)
    made.undos = shell.undos
    made.add_browser(browser)
    made.kept = (shell, model, browser, message, tasks, canvas, actions)
    yield made
    tasks.close()


def bar(controller) -> str:
    return controller.kept[2].bar.message


def press(controller, title: str) -> None:
    buttons = [b for b in controller.kept[2].bar.findChildren(QPushButton) if b.text() == title and not b.isHidden()]
    QTest.mouseClick(buttons[-1], Qt.MouseButton.LeftButton)


def ratings(history, entries) -> list[int]:
    return [entry.rating for entry in history.listing.entries([entry.id for entry in entries])]


def test_stars_are_given_told_and_taken_back(controller, history, entries, qtbot):
    with qtbot.waitSignal(controller.marked, timeout=WAIT_MS) as marked:
        controller.rate(entries[:2], 4)
    assert list(marked.args[0]) == [entries[0].id, entries[1].id]
    assert ratings(history, entries) == [4, 4, 0]
    assert bar(controller) == "2 pictures rated: 4 ★"
    press(controller, "Undo")
    assert ratings(history, entries) == [0, 0, 0]
    assert bar(controller) == ""


def test_keys_pressed_in_haste_end_with_the_last(controller, history, entries, qtbot):
    for stars in (1, 5, 2, 3):
        controller.rate(entries[:1], stars)
    qtbot.waitUntil(lambda: bar(controller).endswith("3 ★"), timeout=WAIT_MS)
    assert ratings(history, entries)[0] == 3
    for expected in (2, 5, 1, 0):
        controller.undo()
        assert ratings(history, entries)[0] == expected
    controller.undo()


def test_a_favourite_is_made_and_unmade(controller, history, entries, qtbot):
    with qtbot.waitSignal(controller.marked, timeout=WAIT_MS):
        controller.toggle_favourite(entries)
    assert all(history.get(entry.id).favourite for entry in entries)
    with qtbot.waitSignal(controller.marked, timeout=WAIT_MS):
        controller.toggle_favourite([history.get(entries[0].id)])
    assert not history.get(entries[0].id).favourite


@pytest.mark.parametrize("kind", ["tag", "collection"])
def test_tags_and_collections_are_given_and_taken_each_with_undo(controller, history, entries, qtbot, kind):
    def held() -> dict[str, int]:
        return history.marks.held(kind, [entry.id for entry in entries])

    with qtbot.waitSignal(controller.marked, timeout=WAIT_MS):
        controller.set_mark(kind, entries, "Best", True)
    assert held() == {"Best": 3}
    assert "“Best”" in bar(controller)
    with qtbot.waitSignal(controller.marked, timeout=WAIT_MS):
        controller.set_mark(kind, entries[:1], "Best", False)
    assert held() == {"Best": 2}
    controller.undo()
    assert held() == {"Best": 3}
    controller.undo()
    assert held() == {}


def test_a_collection_is_removed_and_comes_back(controller, history, entries, qtbot):
    history.marks.collect([entries[0].id], "Best")
    with qtbot.waitSignal(controller.marked, timeout=WAIT_MS):
        controller.remove_collection("Best")
    assert history.marks.collections() == ()
    controller.undo()
    assert history.marks.collections_of(entries[0].id) == ("Best",)


def test_a_collection_gets_another_name_and_a_filter_by_the_old_one_goes(controller, history, entries, qtbot):
    history.marks.collect([entries[0].id], "Best")
    model = controller.kept[1]
    model.set_look(Look(chosen=(("collection", "Best"), ("tag", "x"))))
    controller.ask_new_name("Best")
    [dialog] = controller.kept[3].window().findChildren(QInputDialog)
    assert dialog.textValue() == "Best"
    dialog.setTextValue("Best of all")
    with qtbot.waitSignal(controller.marked, timeout=WAIT_MS):
        dialog.accept()
    assert history.marks.collections() == ("Best of all",)
    assert model.look.chosen == (("tag", "x"),)
    controller.undo()
    assert history.marks.collections() == ("Best",)


def test_a_mark_that_cannot_be_written_is_told_and_the_next_is_tried(controller, history, entries, qtbot):
    controller.set_mark("tag", entries, "x" * 100, True)
    with qtbot.waitSignal(controller.marked, timeout=WAIT_MS):
        controller.set_mark("tag", entries, "fine", True)
    assert "1 to 60 characters" in controller.kept[3].message
    assert history.marks.tags(entries[0].id) == ("fine",)


def test_the_popup_shows_what_there_is_and_what_the_pictures_have(controller, history, entries, qtbot):
    history.marks.add_tag([entry.id for entry in entries], "all")
    history.marks.add_tag([entries[0].id], "one")
    history.marks.add_tag([entries[2].id], "other")
    controller.open_popup("tag", entries[:2], QPoint(10, 10))
    [popup] = [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, MarkPopup)]
    states = {popup.list.item(row).text(): popup.list.item(row).checkState() for row in range(popup.list.count())}
    state = Qt.CheckState
    assert states == {"all": state.Checked, "one": state.PartiallyChecked, "other": state.Unchecked}
    QTest.keyClicks(popup.edit, "oth")
    assert [popup.list.item(row).isHidden() for row in range(3)] == [True, True, False]
    popup.edit.clear()
    with qtbot.waitSignal(controller.marked, timeout=WAIT_MS):
        QTest.keyClicks(popup.edit, "brand new")
        QTest.keyClick(popup.edit, Qt.Key.Key_Return)
    assert "brand new" in history.marks.tags(entries[1].id)
    with qtbot.waitSignal(controller.marked, timeout=WAIT_MS):
        QTest.keyClicks(popup.edit, "ONE")
        QTest.keyClick(popup.edit, Qt.Key.Key_Return)
    assert history.marks.tags(entries[1].id) == ("all", "brand new", "one")
    item = popup.list.findItems("all", Qt.MatchFlag.MatchExactly)[0]
    with qtbot.waitSignal(controller.marked, timeout=WAIT_MS):
        popup.list.itemActivated.emit(item)
    assert history.marks.tags(entries[0].id) == ("brand new", "one")
    QTest.keyClick(popup.edit, Qt.Key.Key_Return)  # nothing typed: done
    assert not popup.isVisible()


def test_a_popup_that_was_closed_makes_room_for_the_next(controller, entries, qtbot):
    for kind in ("tag", "collection", "tag"):
        controller.open_popup(kind, entries[:1], QPoint(10, 10))
        [popup] = [w for w in QApplication.topLevelWidgets() if isinstance(w, MarkPopup) and w.isVisible()]
        assert popup.objectName() == f"{kind}Popup"
        hint = popup.edit.fontMetrics().horizontalAdvance(popup.edit.placeholderText())
        assert hint < popup.edit.width() - 44  # the plus sign and the margins
        QTest.keyClick(popup.edit, Qt.Key.Key_Escape)
        assert not popup.isVisible()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def test_many_pictures_go_to_the_trash_in_the_background_and_come_back(
    controller, history, entries, qtbot, monkeypatch
):
    monkeypatch.setattr(history_controller, "AT_ONCE", 2)
    model = controller.kept[1]
    controller.delete(model.chosen([0, 1, 2]))
    qtbot.waitUntil(lambda: model.rowCount() == 0, timeout=WAIT_MS)
    assert not any(entry.path.exists() for entry in entries)
    assert bar(controller) == "3 pictures moved to the trash"
    controller.undo()
    qtbot.waitUntil(lambda: model.rowCount() == 3, timeout=WAIT_MS)
    assert all(entry.path.is_file() for entry in entries)


def test_moving_many_can_be_stopped_and_what_went_can_come_back(controller, history, entries, qtbot, monkeypatch):
    monkeypatch.setattr(history_controller, "AT_ONCE", 2)
    first, go, real = threading.Event(), threading.Event(), history.delete

    def delete(ids):
        if first.is_set():
            go.wait(30)
        first.set()
        return real(ids)

    monkeypatch.setattr(history, "delete", delete)
    controller.delete(entries)
    qtbot.waitUntil(lambda: "1 of 3" in bar(controller), timeout=WAIT_MS)
    press(controller, "Stop")
    go.set()
    qtbot.waitUntil(lambda: "2 pictures moved" in bar(controller), timeout=WAIT_MS)
    qtbot.waitUntil(lambda: controller.kept[1].rowCount() == 1, timeout=WAIT_MS)
    controller.undo()
    qtbot.waitUntil(lambda: controller.kept[1].rowCount() == 3, timeout=WAIT_MS)
    assert all(entry.path.is_file() for entry in entries)


def test_a_deletion_that_fails_is_told_and_what_went_before_it_is_gone(controller, history, entries, monkeypatch):
    real = history.delete

    def delete(ids):
        if ids == [entries[1].id]:
            raise HistoryError("Picture = x: it could not be moved.", "Delete it by hand.")
        return real(ids)

    monkeypatch.setattr(history, "delete", delete)
    controller.delete(entries)
    assert "could not be moved" in controller.kept[3].message
    assert controller.kept[1].rowCount() == 2


class TestUndos:
    def test_the_last_is_taken_back_first_and_each_only_once(self, qapp):
        undos, done = Undos(), []
        changes = [Change(name, lambda name=name: done.append(name)) for name in ("a", "b", "c")]
        for change in changes:
            undos.push(change)
        undos.undo(changes[1])
        undos.undo(changes[1])
        undos.undo()
        undos.undo()
        undos.undo()
        assert done == ["b", "c", "a"]
        assert undos.last is None

    def test_what_cannot_be_taken_back_is_told_and_does_not_stand_in_the_way(self, qapp, qtbot):
        undos, done = Undos(), []

        def fail() -> None:
            raise StudioError("Gone.")

        undos.push(Change("first", lambda: done.append(True)))
        undos.push(Change("second", fail))
        with qtbot.waitSignal(undos.failed):
            undos.undo()
        undos.undo()
        assert done == [True]


def mark_best(kind: str, on: bool, controller, entries) -> None:
    controller.set_mark(kind, entries, "Best", on)


@pytest.mark.parametrize(
    ("facet", "value", "give", "take"),
    [
        ("favourite", "yes", HistoryController.toggle_favourite, HistoryController.toggle_favourite),
        ("rating", "3", partial(HistoryController.rate, stars=4), partial(HistoryController.rate, stars=2)),
        ("tag", "Best", partial(mark_best, "tag", True), partial(mark_best, "tag", False)),
        ("collection", "Best", partial(mark_best, "collection", True), partial(mark_best, "collection", False)),
    ],
)
def test_a_picture_that_loses_the_mark_looked_for_leaves_and_comes_back_by_undo(
    controller, history, entries, qtbot, facet, value, give, take
):
    def shown() -> list[int]:
        model = controller.kept[1]
        return [model.entry(model.index(row)).id for row in range(model.rowCount())]

    with qtbot.waitSignal(controller.marked, timeout=WAIT_MS):
        give(controller, entries)
    controller.kept[1].set_look(Look(chosen=((facet, value),)))
    qtbot.waitUntil(lambda: len(shown()) == 3, timeout=WAIT_MS)
    take(controller, [history.get(entries[1].id)])
    qtbot.waitUntil(lambda: shown() == [entries[2].id, entries[0].id], timeout=WAIT_MS)
    controller.undo()
    qtbot.waitUntil(lambda: shown() == [entry.id for entry in reversed(entries)], timeout=WAIT_MS)


def test_pictures_sorted_by_rating_keep_their_places_while_they_are_rated(controller, history, entries, qtbot):
    model = controller.kept[1]
    model.set_look(Look(sort="rating"))
    qtbot.waitUntil(lambda: model.is_complete and model.rowCount() == 3, timeout=WAIT_MS)
    with qtbot.waitSignal(controller.marked, timeout=WAIT_MS):
        controller.rate(entries[:1], 5)
    assert model.is_complete
    assert model.index_of(entries[0].id).row() == 2
    assert model.entry(model.index(2)).rating == 5


def test_what_could_not_be_taken_back_gives_way_and_can_be_tried_once_more(controller, entries, tmp_path):
    messages = []
    controller.undos.failed.connect(lambda error: messages.append(str(error)))
    for entry in entries[:2]:
        controller.delete([entry])
    trashed, away = tmp_path / "trash" / entries[1].path.name, tmp_path / "away"
    trashed.rename(away)
    controller.undo()
    assert "no longer in the trash" in messages[0]
    controller.undo()
    assert entries[0].path.is_file()
    assert not entries[1].path.exists()
    away.rename(trashed)
    controller.undo()
    assert entries[1].path.is_file()
    assert len(messages) == 1
    assert controller.undos.last is None
