"""A drop answers "copy", wherever in the window it is let go: a program that hears "move" deletes the original."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QWidget

from sdstudio.ui.window.page_rows import PAGE_KEYS

WAIT_MS = 20_000
BOTH = Qt.DropAction.CopyAction | Qt.DropAction.MoveAction
MOVING = Qt.KeyboardModifier.ShiftModifier  # as a file manager proposes a move


@pytest.fixture
def studio(shared_studio):
    return shared_studio


def file_mime(file: Path) -> QMimeData:
    """What a file manager hands over: the address, and its name as text."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(file))])
    mime.setText(str(file))
    return mime


def answers_of(target: QWidget, mime: QMimeData) -> list[Qt.DropAction]:
    """Drag something over a place and let it go there, as Qt does: the place or what lies behind it answers."""
    buttons = Qt.MouseButton.LeftButton
    answers = []
    stages: tuple[Any, ...] = (  # between the two Qt repeats the first answer
        lambda: QDragEnterEvent(QPoint(3, 3), BOTH, mime, buttons, MOVING),
        lambda: QDropEvent(QPointF(3, 3), BOTH, mime, buttons, MOVING, QEvent.Type.Drop),
    )
    for stage in stages:
        event = stage()
        assert event.proposedAction() == Qt.DropAction.MoveAction
        QApplication.sendEvent(target, event)
        if event.isAccepted():
            answers.append(event.dropAction())
    return answers


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / "precious.png"
    Image.new("RGB", (32, 32), (9, 90, 200)).save(file)
    return file


def everything_that_takes_drops(window: QWidget) -> list[QWidget]:
    return [each for each in [window, *window.findChildren(QWidget)] if each.acceptDrops()]


def test_no_place_of_the_window_answers_move_to_a_file(studio, qtbot, picture):
    window = studio.window
    window.settings_controller.open()
    for name in PAGE_KEYS:
        window.pages.open(name)
        QTest.qWait(1)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=WAIT_MS)
    window.browser.search_edit.setFocus()
    window.pages.open("Create")
    window.editor.prompt_edit.setFocus()
    targets = everything_that_takes_drops(window)
    assert len([each for each in targets if isinstance(each, QLineEdit)]) > 5
    wrong = [
        (type(target).__name__, target.objectName(), answer)
        for target in targets
        for answer in answers_of(target, file_mime(picture))
        if answer is not Qt.DropAction.CopyAction
    ]
    assert wrong == []
    assert picture.is_file()


def test_a_file_let_go_over_a_text_field_is_left_to_the_window_and_writes_nothing(studio, picture):
    window = studio.window
    for field in (window.browser.search_edit, window.findChild(QLineEdit, "seedEdit")):
        before = field.text()
        assert set(answers_of(field, file_mime(picture))) == {Qt.DropAction.CopyAction}
        assert field.text() == before
    prompt = window.editor.prompt_edit
    assert set(answers_of(prompt.viewport(), file_mime(picture))) == {Qt.DropAction.CopyAction}
    assert window.editor.prompt == ""


def test_words_can_still_be_dropped_into_a_field(studio):
    mime = QMimeData()
    mime.setText("fox")
    search = studio.window.browser.search_edit
    assert answers_of(search, mime)
    assert search.text() == "fox"


def test_the_window_and_the_input_picture_answer_copy(studio, picture):
    place = studio.window.findChild(QWidget, "initImageButton")
    for target in (place, studio.window):
        assert set(answers_of(target, file_mime(picture))) == {Qt.DropAction.CopyAction}
