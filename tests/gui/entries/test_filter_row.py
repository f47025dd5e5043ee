"""What narrows and orders the history: chosen with two clicks, seen as chips, gone with one."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction, QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QMenu, QPushButton, QWidget

from sdstudio.background.tasks import TaskRunner
from sdstudio.history.database.look import FACETS, SORTS, Look
from sdstudio.ui.colours import THEMES
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.entries.model import HistoryModel
from sdstudio.ui.entries.thumbnails import Thumbnails
from sdstudio.ui.pages.history.page import HistoryPage
from sdstudio.ui.theme import apply_theme

WAIT_MS = 20_000


@pytest.fixture
def page(qapp, qtbot, history, save):
    apply_theme(qapp, "dark")
    ids = [save(f"picture {number}", seed=number, scheduler="euler" if number % 2 else "lcm").id for number in range(6)]
    history.marks.rate(ids[:2], 4)
    history.marks.set_favourite(ids[2:3], True)
    history.marks.add_tag(ids[:3], "a & b")
    tasks = TaskRunner()
    model = HistoryModel(history, Thumbnails(history, tasks), tasks)
    made = HistoryPage(model, EntryActions(), history, tasks)
    qtbot.addWidget(made)
    made.resize(1200, 700)
    with qtbot.waitExposed(made):
        made.show()
    made.model = model
    yield made
    tasks.close()


def click(page, name: str) -> None:
    button = page.findChild(QPushButton, name)
    assert button.isVisible(), name
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def menu_of(page, qtbot, name: str) -> QMenu:
    before = page.filters.menu
    click(page, name)
    qtbot.waitUntil(lambda: page.filters.menu is not None and page.filters.menu is not before, timeout=WAIT_MS)
    return page.filters.menu


def pick(page, qtbot, name: str, text: str) -> None:
    menu = menu_of(page, qtbot, name)
    [action] = [action for action in menu.actions() if action.text().split("\t")[0] == text]
    action.trigger()
    menu.close()


def rows(page, qtbot, count: int) -> list[str]:
    qtbot.waitUntil(lambda: page.model.is_complete and page.model.rowCount() == count, timeout=WAIT_MS)
    return [page.model.index(row).data() for row in range(count)]


def chips(page) -> list[str]:
    buttons = page.browser.findChild(QWidget, "chosenChips").findChildren(QPushButton)
    return [button.text() for button in sorted(buttons, key=lambda button: button.x()) if button.isVisible()]


def count_shown(page) -> str:
    return page.findChild(QLabel, "historyCount").text()


@pytest.mark.parametrize(("theme", "tokens"), THEMES.items())
@pytest.mark.parametrize("name", ["filter_rating", "filter_scheduler", "sortButton"])
def test_its_menus_can_be_read(qapp, page, qtbot, theme, tokens, name):
    apply_theme(qapp, theme)
    menu = menu_of(page, qtbot, name)
    shot = menu.grab().toImage()
    assert shot.pixelColor(shot.width() - 4, shot.height() - 4) == QColor(tokens.raised)
    menu.close()


def test_a_facet_is_chosen_from_what_there_is_and_leaves_with_a_click_on_its_chip(page, qtbot):
    menu = menu_of(page, qtbot, "filter_scheduler")
    assert {action.text() for action in menu.actions()} == {"Euler\t3", "LCM\t3"}
    menu.close()
    pick(page, qtbot, "filter_scheduler", "Euler")
    assert rows(page, qtbot, 3) == ["picture 5", "picture 3", "picture 1"]
    assert chips(page) == ["Sampler: Euler  ×"]
    assert page.findChild(QPushButton, "filter_scheduler").property("picked")
    assert count_shown(page) == "3 pictures"
    click(page, "chosen_scheduler")
    rows(page, qtbot, 6)
    assert chips(page) == []
    assert not page.findChild(QPushButton, "filter_scheduler").property("picked")


def test_several_facets_narrow_together_and_are_cleared_at_once(page, qtbot):
    pick(page, qtbot, "filter_rating", "★★★★ and up")
    pick(page, qtbot, "filter_tag", "a && b")
    pick(page, qtbot, "filter_scheduler", "LCM")
    assert rows(page, qtbot, 1) == ["picture 0"]
    assert chips(page) == ["Rating: ★★★★ and up  ×", "Tag: a & b  ×", "Sampler: LCM  ×", "Clear all"]
    click(page, "clearFilters")
    rows(page, qtbot, 6)
    assert page.model.look == Look()


def test_favourites_are_one_click(page, qtbot):
    click(page, "filter_favourite")
    assert rows(page, qtbot, 1) == ["picture 2"]
    assert chips(page) == ["Favourites  ×"]
    click(page, "filter_favourite")
    rows(page, qtbot, 6)


@pytest.mark.parametrize("sort", SORTS, ids=lambda row: row.key)
def test_every_order_can_be_chosen_and_is_named(page, qtbot, sort):
    pick(page, qtbot, "sortButton", sort.title)
    qtbot.waitUntil(lambda: page.model.is_complete, timeout=WAIT_MS)
    assert page.model.look.sort == sort.key
    assert page.findChild(QPushButton, "sortButton").text().strip() == sort.title


@pytest.mark.parametrize("facet", FACETS, ids=lambda row: row.key)
def test_every_facet_has_a_button_that_says_what_it_is(page, facet):
    button = page.findChild(QPushButton, f"filter_{facet.key}")
    assert facet.title in button.text()
    assert facet.title.lower() in button.accessibleName()


def test_what_matches_nothing_says_so_and_leads_back(page, qtbot):
    page.model.set_look(Look("picture", chosen=(("collection", "none such"),)))
    qtbot.waitUntil(lambda: not page.browser.view.isVisible(), timeout=WAIT_MS)
    said = [label.text() for label in page.browser.findChildren(QLabel) if label.isVisible()]
    assert "Nothing in the history matches “picture” within what was chosen." in said
    click(page, "suggestion0")
    rows(page, qtbot, 6)
    assert page.browser.search_edit.text() == ""


def test_a_facet_without_values_says_how_to_make_some(page, qtbot):
    menu = menu_of(page, qtbot, "filter_collection")
    assert [action.text() for action in menu.actions()] == ["No collections yet: press C on a picture"]
    menu.close()


@pytest.mark.parametrize(("title", "signal"), [("Rename", "new_name_wanted"), ("Remove", "collection_unwanted")])
def test_collections_can_be_renamed_and_removed(page, history, qtbot, title, signal):
    history.marks.collect([1, 2], "Best")
    menu = menu_of(page, qtbot, "filter_collection")
    [submenu] = [action.menu() for action in menu.actions() if action.text() == title]
    [wish] = [action for action in submenu.actions() if isinstance(action, QAction)]
    with qtbot.waitSignal(getattr(page.filters, signal)) as requested:
        wish.trigger()
    assert requested.args == ["Best"]
    menu.close()


def test_how_many_are_selected_is_said(page):
    page.browser.view.selectAll()
    assert count_shown(page) == "6 of 6 pictures"
    page.browser.view.clearSelection()
    assert count_shown(page) == "6 pictures"


def test_chips_take_one_line_and_those_that_do_not_fit_leave_by_the_menu_of_the_last(page, qtbot):
    holder = page.browser.findChild(QWidget, "chosenChips")
    grid, height = page.browser.view.mapTo(page, QPoint()), holder.height()
    page.model.set_look(Look(chosen=tuple(("tag", f"a tag of some length {number}") for number in range(12))))
    more = page.findChild(QPushButton, "moreFilters")
    qtbot.waitUntil(more.isVisible, timeout=WAIT_MS)
    page.model.set_look(page.model.look.with_value("tag", "a tag of some length 0", on=False))
    visible = [button for button in holder.findChildren(QPushButton) if button.isVisible()]
    assert all(button.geometry().right() <= holder.width() for button in visible)
    assert len({button.y() for button in visible}) == 1
    assert (page.browser.view.mapTo(page, QPoint()), holder.height()) == (grid, height)
    QTest.mouseClick(more, Qt.MouseButton.LeftButton)
    menu = QApplication.activePopupWidget()
    assert len(menu.actions()) == int(more.text())
    QTest.keyClick(menu, Qt.Key.Key_Up)
    QTest.keyClick(menu, Qt.Key.Key_Return)
    assert ("tag", "a tag of some length 11") not in page.model.look.chosen
    assert len(page.model.look.chosen) == 10
