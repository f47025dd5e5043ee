"""The history on screen: read as it scrolls, searched while typing, seen large with two clicks."""

from __future__ import annotations

import threading

import pytest
from PySide6.QtCore import QPersistentModelIndex, QPoint, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QMenu, QPushButton

from sdstudio.background.tasks import TaskRunner
from sdstudio.history.database.look import Look
from sdstudio.ui.entries import model as history_model
from sdstudio.ui.entries import thumbnails
from sdstudio.ui.entries.actions import ENTRY_ACTIONS, EntryActions
from sdstudio.ui.entries.browser import HistoryBrowser
from sdstudio.ui.entries.model import HistoryModel
from sdstudio.ui.entries.recipe_text import recipe_html, recipe_rows
from sdstudio.ui.entries.thumbnails import Thumbnails
from sdstudio.ui.pages.history.page import HistoryPage
from sdstudio.ui.theme import apply_theme

WAIT_MS = 20_000


@pytest.fixture
def actions():
    return EntryActions()


@pytest.fixture
def tasks():
    runner = TaskRunner()
    yield runner
    runner.close()


@pytest.fixture
def model(qapp: QApplication, history, tasks):
    apply_theme(qapp, "dark")
    return HistoryModel(history, Thumbnails(history, tasks), tasks)


@pytest.fixture
def show(model, actions, qtbot):
    def make() -> HistoryBrowser:
        browser = HistoryBrowser(model, actions)
        qtbot.addWidget(browser)
        browser.resize(280, 600)
        with qtbot.waitExposed(browser):
            browser.show()
        browser.activateWindow()
        return browser

    return make


def prompts(model: HistoryModel) -> list[str]:
    return [model.index(row).data() for row in range(model.rowCount())]


def actions_of(menu: QMenu) -> list[QAction]:
    """Return what a menu and its submenus offer, in order."""
    found = []
    for action in menu.actions():
        if action.menu() is not None:
            found += actions_of(action.menu())
        elif not action.isSeparator():
            found.append(action)
    return found


def middle(browser: HistoryBrowser, row: int) -> QPoint:
    return browser.view.visualRect(browser.view.model().index(row)).center()


class TestModel:
    def test_all_rows_are_there_and_only_windows_that_are_looked_at_are_read(
        self, history, tasks, save, monkeypatch, qtbot
    ):
        monkeypatch.setattr(history_model, "WINDOW", 3)
        monkeypatch.setattr(history_model, "FIRST", 2)
        entries = [save(f"picture {number}") for number in range(7)]
        read = []
        monkeypatch.setattr(
            history.listing, "entries", lambda ids, real=history.listing.entries: read.append(list(ids)) or real(ids)
        )
        model = HistoryModel(history, Thumbnails(history, tasks), tasks)
        assert model.rowCount() == 2
        qtbot.waitUntil(lambda: model.is_complete, timeout=WAIT_MS)
        assert model.rowCount() == 7
        assert read == []
        with qtbot.waitSignal(model.dataChanged, timeout=WAIT_MS):
            assert model.entry_at(4) is None
        assert model.entry_at(4) == entries[2]
        assert read == [[entry.id for entry in reversed(entries[1:4])]]
        assert prompts(model) == [entry.recipe.request.prompt for entry in reversed(entries)]

    def test_a_new_picture_is_put_on_top(self, model, save):
        model.insert([save("first")])
        model.insert([save("second")])
        assert prompts(model) == ["second", "first"]

    def test_a_restored_picture_comes_back_to_its_place(self, model, save):
        entries = [save(str(number)) for number in range(4)]
        model.reload()
        model.remove([entries[1].id, entries[2].id])
        assert prompts(model) == ["3", "0"]
        model.insert([entries[1], entries[2]])
        assert prompts(model) == ["3", "2", "1", "0"]

    def test_while_searching_only_what_matches_is_put_in(self, model, save, qtbot):
        model.search("frog")
        model.insert([save("red heart")])
        qtbot.waitUntil(lambda: model.is_complete, timeout=WAIT_MS)
        assert prompts(model) == []
        model.insert([save("green frog")])
        qtbot.waitUntil(lambda: prompts(model) == ["green frog"], timeout=WAIT_MS)

    def test_what_was_searched_for_last_is_what_is_shown(self, model, save, qtbot):
        for prompt in ("red heart", "green frog", "blue frog"):
            save(prompt)
        model.reload()
        for query in ("frog", "heart", "fr", "blue", "heart"):
            model.search(query)
        qtbot.waitUntil(lambda: model.is_complete, timeout=WAIT_MS)
        assert prompts(model) == ["red heart"]

    def test_a_search_that_is_no_longer_wanted_when_its_turn_comes_is_not_made(
        self, model, history, tasks, save, qtbot, monkeypatch
    ):
        save("red heart")
        gate, asked, real = threading.Event(), [], history.listing.ids
        told = lambda look, limit=None: asked.append(look.query) or real(look, limit)  # noqa: E731
        monkeypatch.setattr(history.listing, "ids", told)
        for _ in range(2):
            tasks.run("Something urgent", lambda _task: gate.wait(30), urgent=True)
        for query in ("r", "re", "red"):
            model.search(query)
        gate.set()
        qtbot.waitUntil(lambda: model.is_complete and prompts(model) == ["red heart"], timeout=WAIT_MS)
        assert asked == ["red"]

    def test_a_new_picture_leaves_selection_and_rows_in_place_in_any_look(self, model, save, qtbot):
        for prompt in ("a frog", "b heart", "c frog"):
            save(prompt)
        model.set_look(Look("frog", "oldest"))
        qtbot.waitUntil(lambda: prompts(model) == ["a frog", "c frog"], timeout=WAIT_MS)
        resets = []
        model.modelReset.connect(lambda: resets.append(True))
        kept = QPersistentModelIndex(model.index(1))
        model.insert([save("d frog")])
        qtbot.waitUntil(lambda: prompts(model) == ["a frog", "c frog", "d frog"], timeout=WAIT_MS)
        assert kept.data() == "c frog"
        assert resets == []

    def test_chosen_entries_are_read_when_they_are_walked_and_their_ids_without_reading(self, model, save):
        entries = [save(str(number)) for number in range(4)]
        model.reload()
        chosen = model.chosen([3, 1])
        assert (len(chosen), list(chosen.ids)) == (2, [entries[2].id, entries[0].id])
        assert [entry.recipe.request.prompt for entry in chosen] == ["2", "0"]
        assert chosen[0] == entries[2]
        assert list(chosen[1:]) == [entries[0]]

    def test_marks_are_shown_without_moving_anything(self, model, history, save, qtbot):
        entries = [save(str(number)) for number in range(3)]
        model.reload()
        assert model.entry(model.index(2)).rating == 0
        history.marks.rate([entries[0].id], 5)
        with qtbot.waitSignal(model.dataChanged):
            model.refresh([entries[0].id])
        assert model.entry(model.index(2)).rating == 5
        assert prompts(model) == ["2", "1", "0"]

    def test_dragged_pictures_are_files(self, model, save):
        entry = save()
        model.reload()
        assert [url.toLocalFile() for url in model.mimeData([model.index(0)]).urls()] == [str(entry.path)]
        assert model.flags(model.index(0)) & Qt.ItemFlag.ItemIsDragEnabled

    def test_a_recipe_in_words_has_what_makes_the_picture_again(self, save):
        entry = save("a <b>bold</b> heart", seed=2**64 - 1, negative_prompt="blurry", width=64, height=128)
        rows = dict(recipe_rows(entry))
        assert rows["Seed"] == str(2**64 - 1)
        assert rows["Size"] == "64 × 128"
        assert rows["Negative"] == "blurry"
        assert "&lt;b&gt;bold" in recipe_html(entry)

    def test_dragged_pictures_are_a_thousand_at_most(self, model, save, monkeypatch):
        monkeypatch.setattr(history_model, "DRAGGED_MAXIMUM", 2)
        for number in range(4):
            save(str(number))
        model.reload()
        assert len(model.files_of(range(4)).urls()) == 2


class TestThumbnails:
    def test_a_square_is_read_in_the_background_and_then_there(self, model, save, qtbot):
        entry = save()
        with qtbot.waitSignal(model.thumbnails.made, timeout=WAIT_MS) as made:
            assert model.thumbnails.square(entry, 100, 2.0).isNull()
        assert made.args[0] == {entry.id}
        square = model.thumbnails.square(entry, 100, 2.0)
        assert square.deviceIndependentSize().toSize().toTuple() == (100, 100)
        assert square.width() == 200

    def test_many_are_read_the_last_asked_for_first_and_those_out_of_sight_not_at_all(
        self, model, save, qtbot, monkeypatch
    ):
        monkeypatch.setattr(thumbnails, "WAITING_MAXIMUM", 4)
        monkeypatch.setattr(thumbnails, "AT_ONCE", 2)
        entries = [save(str(number), seed=number) for number in range(12)]
        told = []
        model.thumbnails.made.connect(told.append)
        for entry in entries:
            model.thumbnails.square(entry, 32)
        qtbot.waitUntil(lambda: len(told) == 3, timeout=WAIT_MS)
        assert told == [{1}, {12, 11}, {10, 9}]

    def test_another_size_stands_in_while_the_right_one_is_read(self, model, save, qtbot):
        entry = save()
        model.thumbnails.square(entry, 32)
        with qtbot.waitSignal(model.thumbnails.made, timeout=WAIT_MS):
            pass
        assert model.thumbnails.square(entry, 48).width() == 32
        with qtbot.waitSignal(model.thumbnails.made, timeout=WAIT_MS):
            pass
        assert model.thumbnails.square(entry, 48).width() == 48

    def test_memory_for_squares_is_bounded(self, model, save, qtbot, monkeypatch):
        monkeypatch.setattr(thumbnails, "CACHE_BYTES", 2 * 32 * 32 * 4)
        entries = [save(str(number), seed=number) for number in range(3)]
        for entry in entries:
            model.thumbnails.square(entry, 32)
            with qtbot.waitSignal(model.thumbnails.made, timeout=WAIT_MS):
                pass
        assert [not model.thumbnails.square(entry, 32).isNull() for entry in entries] == [False, True, True]

    def test_a_missing_thumbnail_is_made_again(self, model, save, qtbot):
        entry = save(seed=200)
        entry.thumbnail.unlink()
        with qtbot.waitSignal(model.thumbnails.made, timeout=WAIT_MS):
            model.thumbnails.square(entry, 64)
        assert not model.thumbnails.square(entry, 64).isNull()
        assert entry.thumbnail.is_file()

    def test_a_thumbnail_that_went_with_its_deleted_picture_is_made_again_though_it_is_still_in_memory(
        self, model, history, save, qtbot
    ):
        entry = save(seed=201)
        model.reload()
        with qtbot.waitSignal(model.thumbnails.made, timeout=WAIT_MS):
            model.thumbnails.square(entry, 64)
        history.delete([entry.id])
        model.remove([entry.id])
        model.insert(history.restore([entry.id]))
        with qtbot.waitSignal(model.thumbnails.made, timeout=WAIT_MS):
            assert model.thumbnails.square(entry, 64).isNull()
        assert entry.thumbnail.is_file()

    def test_a_picture_that_is_gone_stays_an_empty_place(self, model, save, qtbot):
        entry = save()
        entry.thumbnail.unlink()
        entry.path.unlink()
        with qtbot.waitSignal(model.thumbnails.made, timeout=WAIT_MS):
            model.thumbnails.square(entry, 64)
        assert model.thumbnails.square(entry, 64).isNull()
        assert model.thumbnails.is_impossible(entry.id)


class TestBrowser:
    def test_it_says_that_there_is_nothing_yet(self, show):
        browser = show()
        said = [label.text() for label in browser.findChildren(QLabel) if label.isVisible()]
        assert "No pictures yet" in said
        assert not browser.view.isVisible()

    def test_typing_searches_and_what_matches_nothing_says_so(self, show, model, save, qtbot):
        save("red heart")
        save("green frog")
        model.reload()
        browser = show()
        QTest.keyClicks(browser.search_edit, "frog")
        qtbot.waitUntil(lambda: prompts(model) == ["green frog"])
        QTest.keyClicks(browser.search_edit, "zzz")
        qtbot.waitUntil(lambda: not browser.view.isVisible())
        assert any("frogzzz" in label.text() for label in browser.findChildren(QLabel) if label.isVisible())
        browser.search_edit.clear()
        qtbot.waitUntil(lambda: model.rowCount() == 2)
        assert browser.view.isVisible()

    def test_columns_fill_the_width_and_leave_no_sideways_scrolling(self, show, model, save):
        for number in range(5):
            save(str(number))
        model.reload()
        browser = show()
        rects = [browser.view.visualRect(model.index(row)) for row in range(5)]
        assert rects[0].top() == rects[1].top() < rects[2].top()
        assert browser.view.viewport().width() - rects[1].right() < 24
        assert browser.view.horizontalScrollBar().maximum() == 0

    def test_a_click_chooses_and_a_double_click_asks_for_a_large_look(self, show, model, save, actions, qtbot):
        save("older")
        entry = save("newer")
        model.reload()
        browser = show()
        with qtbot.waitSignal(browser.entry_chosen) as chosen:
            QTest.mouseClick(browser.view.viewport(), Qt.MouseButton.LeftButton, pos=middle(browser, 0))
        assert chosen.args[0].id == entry.id
        with qtbot.waitSignal(actions.requested) as requested:
            QTest.mouseDClick(browser.view.viewport(), Qt.MouseButton.LeftButton, pos=middle(browser, 0))
        assert (requested.args[0].key, requested.args[0].entries[0].id) == ("look", entry.id)

    def test_the_arrow_keys_choose(self, show, model, save, qtbot):
        for number in range(3):
            save(str(number))
        model.reload()
        browser = show()
        browser.view.setFocus()
        browser.view.setCurrentIndex(model.index(0))
        with qtbot.waitSignal(browser.entry_chosen) as chosen:
            QTest.keyClick(browser.view, Qt.Key.Key_Right)
        assert chosen.args[0].recipe.request.prompt == "1"

    def test_delete_asks_for_all_selected_pictures(self, show, model, save, actions, qtbot):
        for number in range(3):
            save(str(number))
        model.reload()
        browser = show()
        viewport = browser.view.viewport()
        QTest.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=middle(browser, 0))
        shift = Qt.KeyboardModifier.ShiftModifier
        QTest.mouseClick(viewport, Qt.MouseButton.LeftButton, shift, middle(browser, 1))
        with qtbot.waitSignal(actions.requested) as requested:
            QTest.keyClick(browser.view, Qt.Key.Key_Delete)
        assert requested.args[0].key == "delete"
        assert [entry.recipe.request.prompt for entry in requested.args[0].entries] == ["2", "1"]

    def test_undo_stands_beside_the_pictures(self, show):
        browser = show()
        undone = []
        browser.offer_undo("2 pictures moved to the trash", lambda: undone.append(True))
        assert "2 pictures" in browser.bar.message
        [undo] = [button for button in browser.bar.findChildren(QPushButton) if button.text() == "Undo"]
        QTest.mouseClick(undo, Qt.MouseButton.LeftButton)
        assert undone == [True]
        assert browser.bar.message == ""

    def test_two_browsers_show_one_search(self, show, model, actions, save, qtbot):
        save("red heart")
        save("green frog")
        model.reload()
        first, second = show(), show()
        QTest.keyClicks(first.search_edit, "frog")
        qtbot.waitUntil(lambda: model.rowCount() == 1)
        assert second.search_edit.text() == "frog"


class TestMenu:
    def test_one_picture_has_every_action_but_those_about_two(self, actions, save, qtbot, show):
        menu = actions.menu([save()], show())
        rows = [action.objectName() for action in actions_of(menu)]
        assert rows == [f"entry_{row.key}" for row in ENTRY_ACTIONS if row.suits(1)]

    @pytest.mark.parametrize("count", [2, 3])
    def test_several_have_those_that_work_on_several(self, actions, save, show, count):
        menu = actions.menu([save() for _ in range(count)], show())
        rows = actions_of(menu)
        wanted = [row for row in ENTRY_ACTIONS if row.suits(count)]
        assert [action.objectName() for action in rows] == [f"entry_{row.key}" for row in wanted]
        assert all(f"({count})" in action.text() for action in rows)

    @pytest.mark.parametrize("spec", ENTRY_ACTIONS, ids=lambda row: row.key)
    def test_every_row_asks_for_itself(self, actions, save, show, qtbot, spec):
        entries = (save(),) if spec.suits(1) else (save(), save())
        menu = actions.menu(entries, show())
        [action] = [action for action in actions_of(menu) if action.objectName() == f"entry_{spec.key}"]
        with qtbot.waitSignal(actions.requested) as requested:
            action.trigger()
        assert (requested.args[0].key, requested.args[0].entries) == (spec.key, entries)

    @pytest.mark.parametrize("spec", [row for row in ENTRY_ACTIONS if row.grid_key], ids=lambda row: row.key)
    def test_keys_of_the_grid_ask_for_their_rows(self, actions, save, show, model, qtbot, spec):
        for _ in range(2):
            save()
        model.reload()
        browser = show()
        browser.view.selectAll()
        with qtbot.waitSignal(actions.requested) as requested:
            QTest.keySequence(browser.view, QKeySequence(spec.grid_key))
        assert requested.args[0].key == spec.key
        assert len(requested.args[0].entries) == 2 if spec.many or spec.pair else 1

    def test_no_key_of_the_grid_is_given_twice(self):
        keys = [row.grid_key for row in ENTRY_ACTIONS if row.grid_key]
        assert len(keys) == len(set(keys))


class TestPage:
    def test_the_chosen_picture_stands_beside_the_grid_until_it_is_deleted(
        self, model, actions, history, tasks, save, qtbot
    ):
        entry = save("red heart", seed=77)
        model.reload()
        page = HistoryPage(model, actions, history, tasks)
        qtbot.addWidget(page)
        page.resize(1000, 700)
        with qtbot.waitExposed(page):
            page.show()
        view = page.browser.view
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(model.index(0)).center())

        def shown() -> set[str]:
            return {label.text() for label in page.details.findChildren(QLabel) if label.isVisible()}

        qtbot.waitUntil(lambda: {"red heart", "77"} <= shown())
        model.remove([entry.id])
        assert page.details.entry is None

    def test_what_leaves_by_a_key_hands_its_place_in_the_details_to_the_next(
        self, model, actions, history, tasks, save, qtbot
    ):
        entries = [save(f"picture {number}", seed=number) for number in range(3)]
        history.marks.set_favourite([entry.id for entry in entries], True)
        page = HistoryPage(model, actions, history, tasks)
        qtbot.addWidget(page)
        page.resize(1000, 700)
        with qtbot.waitExposed(page):
            page.show()
        page.activateWindow()
        model.set_look(Look(chosen=(("favourite", "yes"),)))
        qtbot.waitUntil(lambda: model.rowCount() == 3, timeout=WAIT_MS)
        view = page.browser.view
        qtbot.waitUntil(page.isActiveWindow, timeout=WAIT_MS)
        for row, place in ((0, "grid"), (0, "details")):
            QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(model.index(row)).center())
            chosen, following = model.entry(model.index(row)).id, model.entry(model.index(row + 1)).id
            if place == "details":
                page.browser.search_edit.setFocus()
            assert page.details.entry.id == chosen
            history.marks.set_favourite([chosen], False)
            model.refresh([chosen])
            qtbot.waitUntil(
                lambda gone=chosen: model.is_complete and not model.index_of(gone).isValid(), timeout=WAIT_MS
            )
            assert page.details.entry.id == (following if place == "grid" else chosen)
