"""Pages: a row and a package is all that a new one takes, and a name that none has is an error."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPlainTextEdit, QPushButton

from sdstudio.app import build_studio
from sdstudio.ui.shell import WidgetPage
from sdstudio.ui.window import page_rows
from sdstudio.ui.window.page_rows import PAGES, PageSpec


class Notes(WidgetPage):
    """A page that no module of the product knows: one text, and what happened to it."""

    def __init__(self, shell, happened):
        self.text = QPlainTextEdit(shell.over)
        self.text.setObjectName("notesEdit")
        super().__init__(self.text)
        self.happened = happened

    def opened(self):
        self.happened.append("opened")

    def left(self):
        self.happened.append("left")

    def close(self):
        self.happened.append("closed")

    def state(self):
        return {"text": self.text.toPlainText()}

    def restore_state(self, state):
        self.text.setPlainText(str(state.get("text", "")))


@pytest.fixture
def happened(monkeypatch):
    """What happens to a page that is added as a row of the table, and nowhere else."""
    happened = []
    row = PageSpec("Notes", "Notes", "pencil", "What you wrote down", lambda parts: Notes(parts.shell, happened))
    monkeypatch.setattr(page_rows, "PAGES", (*PAGES, row))
    return happened


def open_notes(studio) -> QPlainTextEdit:
    button = studio.window.findChild(QPushButton, "pageNotesButton")
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert studio.window.pages.name == "Notes"
    return studio.window.findChild(QPlainTextEdit, "notesEdit")


def test_a_new_page_opens_keeps_its_state_and_closes(build, happened):
    studio = build()
    assert happened == []
    text = open_notes(studio)
    assert text.isVisible()
    assert studio.window.focusWidget() is text
    QTest.keyClicks(text, "a heart")
    studio.window.pages.open("Library")
    assert happened == ["opened", "left"]
    assert studio.close()
    assert happened == ["opened", "left", "closed"]
    again = build()
    assert again.window.pages.name == "Library"
    assert open_notes(again).toPlainText() == "a heart"


def test_a_page_that_nobody_knows_is_an_error_and_builds_nothing(studio):
    with pytest.raises(ValueError, match="page = 'Lern': it is one of Create, Library, History, Learn"):
        studio.window.pages.open("Lern")
    assert studio.window.pages.name == "Create"
    assert studio.window.pages.count() == 1


def test_the_page_of_the_last_time_is_forgotten_where_it_is_gone(build, monkeypatch, home):
    studio = build()
    studio.window.pages.open("Learn")
    assert studio.close()
    monkeypatch.setattr(page_rows, "PAGES", PAGES[:-1])
    assert build().window.pages.name == "Create"


@pytest.mark.parametrize("key", ["verify", "rate_3"])
def test_an_action_on_pictures_that_nobody_handles_stops_the_start(home, monkeypatch, key):
    from sdstudio.ui.entries.actions import EntryActions

    handle = EntryActions.handle
    monkeypatch.setattr(
        EntryActions, "handle", lambda self, name, act: None if name == key else handle(self, name, act)
    )
    with pytest.raises(ValueError, match=f"entry actions = {key}: nobody handles them"):
        build_studio(home.home)
