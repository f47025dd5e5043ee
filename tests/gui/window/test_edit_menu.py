"""The Edit and Picture menus: they act on what the hand was at, text or picture, and Undo takes back what came last."""

from __future__ import annotations

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu

from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.ui.window.menus import MENUS
from sdstudio.ui.window.mnemonics import mnemonic, with_mnemonics

CONTROL = Qt.KeyboardModifier.ControlModifier
WAIT_MS = 20_000


@pytest.fixture
def studio(shared_studio):
    return shared_studio


def act(studio, key: str) -> QAction:
    found = studio.window.findChild(QAction, f"action_{key}")
    assert found is not None, key
    return found


def save(studio, *seeds: int) -> None:
    """Put pictures into the history, as if they had been made before the window was opened."""
    for seed in seeds:
        request = GenerationRequest(width=64, height=64, prompt=f"heart {seed}", seed=seed)
        recipe = Recipe(app="test", request=request, model_name="Starter", model_family="sd1")
        studio.window.history_model.insert([studio.history.save(Image.new("RGB", (64, 64), (seed, 40, 90)), recipe)])


def is_active(studio, qtbot) -> None:
    studio.window.activateWindow()
    qtbot.waitUntil(studio.window.isActiveWindow, timeout=WAIT_MS)


def select(studio, qtbot, row: int = 0) -> None:
    """Click a picture in the history."""
    grid = studio.window.browser.view
    place = grid.visualRect(grid.model().index(row, 0)).center()
    QTest.mouseClick(grid.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(grid.hasFocus, timeout=WAIT_MS)


def test_text_is_cut_copied_pasted_and_selected_by_menu_in_the_prompt_and_in_a_number(studio, qtbot):
    is_active(studio, qtbot)
    edit = studio.window.editor.prompt_edit
    QTest.keyClicks(edit, "red heart")
    QApplication.clipboard().clear()
    assert not act(studio, "cut").isEnabled()
    act(studio, "select_all").trigger()
    assert act(studio, "cut").isEnabled()
    act(studio, "cut").trigger()
    assert (edit.toPlainText(), QApplication.clipboard().text()) == ("", "red heart")
    act(studio, "paste").trigger()
    act(studio, "paste").trigger()
    assert edit.toPlainText() == "red heartred heart"
    spin = studio.window.panel.field("steps").editor.findChild(object, "stepsSpinBox")
    spin.setFocus()
    act(studio, "select_all").trigger()
    act(studio, "copy").trigger()
    assert QApplication.clipboard().text() == spin.text()


def test_copy_and_select_all_mean_the_pictures_where_they_have_the_focus(studio, qtbot):
    is_active(studio, qtbot)
    save(studio, 1, 2)
    select(studio, qtbot)
    QTest.keyClick(studio.window.browser.view, Qt.Key.Key_C, CONTROL)
    assert QApplication.clipboard().mimeData().hasUrls()
    QTest.keyClick(studio.window.browser.view, Qt.Key.Key_A, CONTROL)
    assert studio.window.browser.view.selected_count == 2
    assert not act(studio, "cut").isEnabled()


def test_undo_takes_back_what_came_last_words_or_deeds_and_redo_does_it_again(studio, qtbot):
    is_active(studio, qtbot)
    save(studio, 1, 2)
    edit, history = studio.window.editor.prompt_edit, studio.history
    QTest.keyClicks(edit, "frog")
    select(studio, qtbot)
    QTest.keyClick(studio.window.browser.view, Qt.Key.Key_Delete)
    assert len(history.entries()) == 1
    edit.setFocus()
    assert act(studio, "undo").text() == "&Undo: 1 picture moved to the trash"
    QTest.keyClick(edit, Qt.Key.Key_Z, CONTROL)  # the picture was deleted after the words were written
    assert (len(history.entries()), edit.toPlainText()) == (2, "frog")
    QTest.keyClick(edit, Qt.Key.Key_Z, CONTROL)
    assert edit.toPlainText() == ""
    QTest.keyClick(edit, Qt.Key.Key_Z, CONTROL | Qt.KeyboardModifier.ShiftModifier)
    assert edit.toPlainText() == "frog"
    select(studio, qtbot)
    act(studio, "redo").trigger()
    assert len(history.entries()) == 1
    act(studio, "undo").trigger()
    assert len(history.entries()) == 2
    select(studio, qtbot)
    QTest.keyClick(studio.window.browser.view, Qt.Key.Key_3)
    qtbot.waitUntil(lambda: act(studio, "undo").text() == "&Undo: 1 picture rated: 3 ★", timeout=WAIT_MS)
    act(studio, "undo").trigger()
    assert history.entries()[0].rating == 0
    act(studio, "redo").trigger()
    assert history.entries()[0].rating == 3


def test_the_picture_menu_offers_what_so_many_pictures_can_be_used_for(studio, qtbot):
    is_active(studio, qtbot)
    save(studio, 1, 2)
    assert not act(studio, "entry_delete").isEnabled()
    select(studio, qtbot)
    assert act(studio, "entry_rerun").isEnabled()
    assert not act(studio, "entry_compare").isEnabled()
    QTest.keyClick(studio.window.browser.view, Qt.Key.Key_A, CONTROL)
    assert act(studio, "entry_compare").isEnabled()


def test_every_title_of_every_menu_has_a_letter_of_its_own(studio):
    for menu in studio.window.menuBar().findChildren(QMenu):
        actions = [action for action in menu.actions() if not action.isSeparator()]
        letters = [mnemonic(action.text()) for action in actions if any(map(str.isalnum, action.text()))]
        assert "" not in letters, menu.title()
        assert len(set(letters)) == len(letters), menu.title()
    bar = [mnemonic(title) for title in MENUS]
    assert len(set(bar)) == len(MENUS)
    edit = [command.key for command in MENUS["&Edit"]]
    assert {"undo", "redo", "cut", "copy", "paste", "select_all"} < set(edit)
    assert len(edit) < 12


@pytest.mark.parametrize(
    ("titles", "given"),
    [
        (["&Open", "Other"], ["&Open", "O&ther"]),
        (["Save as…", "Search"], ["&Save as…", "S&earch"]),
        (["aa", "aa"], ["&aa", "aa"]),
        (["Cats && dogs"], ["&Cats && dogs"]),
        (["ab", "a"], ["a&b", "&a"]),
    ],
)
def test_letters_are_given_to_titles_without_one(titles, given):
    assert with_mnemonics(titles) == given
