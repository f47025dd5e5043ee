"""Output folder and name pattern, chosen by hand in the settings and drawn with, and told when they fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QFileDialog, QLabel, QLineEdit, QPushButton

from sdstudio.core.settings import Settings
from sdstudio.history.picture_text.foreign.reading import recipe_of
from sdstudio.ui.widgets.message_bar import MessageBar
from tests.gui.window.test_file_format import PATIENCE_MS, drawn, open_files_group


@pytest.fixture
def output(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    return folder


def typed(dialog: QDialog, name: str, text: str) -> QLineEdit:
    edit = dialog.findChild(QLineEdit, name)
    edit.setFocus()
    edit.selectAll()
    QTest.keyClicks(edit, text)
    QTest.keyClick(edit, Qt.Key.Key_Return)
    return edit


def example(dialog: QDialog) -> str:
    return dialog.findChild(QLabel, "namePatternExample").text()


def said(dialog: QDialog, name: str) -> str:
    label = dialog.findChild(QLabel, name)
    return label.accessibleName() if label.isVisible() else ""


def test_pictures_go_where_the_settings_say_from_the_next_one_on_and_after_a_restart(build, qtbot, output):
    studio = build()
    first = drawn(studio, qtbot, 1)
    dialog = open_files_group(studio)
    QTest.mouseClick(dialog.findChild(QPushButton, "outputFolderChooseButton"), Qt.MouseButton.LeftButton)
    chooser = dialog.findChild(QFileDialog)
    chooser.fileSelected.emit(str(output))
    chooser.close()
    assert dialog.findChild(QLineEdit, "outputFolderEdit").text() == str(output)
    typed(dialog, "namePatternEdit", "{prompt}/{seed}-{number}")
    assert example(dialog) == "Example: a-red-fox-in-the-snow/421337-000123.png"
    QTest.mouseClick(dialog.findChild(QPushButton, "closeSettingsButton"), Qt.MouseButton.LeftButton)
    second = drawn(studio, qtbot, 2)
    assert second.path.parent == output / "heart-2"
    assert second.path.stem == f"{second.recipe.request.seed}-{second.id:06d}"
    assert recipe_of(second.path) == second.recipe
    assert first.path.is_file()
    assert studio.close()
    again = build()
    third = drawn(again, qtbot, 3)
    assert third.path.parent == output / "heart-3"
    assert [entry.path for entry in again.history.entries()] == [third.path, second.path, first.path]
    dialog = open_files_group(again)
    reset = dialog.findChild(QPushButton, "resetSettingsButton")
    QTest.mouseClick(reset, Qt.MouseButton.LeftButton)
    assert drawn(again, qtbot, 4).path.parent == first.path.parent
    QTest.mouseClick(reset, Qt.MouseButton.LeftButton)
    assert drawn(again, qtbot, 5).path.parent == output / "heart-5"


@pytest.mark.logs("a picture goes to the data folder")
def test_a_folder_that_is_gone_is_told_with_a_way_on_and_no_picture_is_lost(build, qtbot, output, home):
    Settings(output_folder=output).save(home.settings)
    studio = build()
    message = studio.window.findChild(MessageBar, "windowMessage")
    assert drawn(studio, qtbot, 1).path.is_relative_to(output)
    assert message.message == ""
    gone = output.rename(output.with_name("unplugged"))
    kept = drawn(studio, qtbot, 2)
    assert kept.path.is_relative_to(home.images)
    qtbot.waitUntil(lambda: message.message != "", timeout=PATIENCE_MS)
    assert message.message.startswith(f"Output folder = {output}: it is not there. Pictures are kept in the data fol")
    assert message.tone == "warning"
    (settings,) = [each for each in message.findChildren(QPushButton) if each.text() == "Settings…"]
    QTest.mouseClick(settings, Qt.MouseButton.LeftButton)
    dialog = studio.window.findChild(QDialog, "settingsDialog")
    assert dialog.findChild(QLineEdit, "outputFolderEdit").isVisible()
    assert "it is not there" in said(dialog, "outputFolderMessage")
    typed(dialog, "outputFolderEdit", str(gone))
    assert said(dialog, "outputFolderMessage") == ""
    assert drawn(studio, qtbot, 3).path.is_relative_to(gone)
    assert message.message == ""


def test_what_was_told_of_a_folder_goes_when_it_is_back(build, qtbot, output, home):
    Settings(output_folder=output).save(home.settings)
    output.rmdir()
    studio = build()
    message = studio.window.findChild(MessageBar, "windowMessage")
    qtbot.waitUntil(lambda: "it is not there" in message.message, timeout=PATIENCE_MS)
    output.mkdir()
    assert drawn(studio, qtbot, 1).path.is_relative_to(output)
    qtbot.waitUntil(lambda: message.message == "", timeout=PATIENCE_MS)


def test_a_folder_that_is_gone_at_the_start_is_told_before_the_first_picture(build, qtbot, output, home):
    Settings(output_folder=output).save(home.settings)
    output.rmdir()
    studio = build()
    message = studio.window.findChild(MessageBar, "windowMessage")
    qtbot.waitUntil(lambda: "it is not there" in message.message, timeout=PATIENCE_MS)
    dialog = open_files_group(studio)
    box = dialog.field("jpeg_quality").editor.field
    box.setFocus()
    QTest.keyClick(box, Qt.Key.Key_Down)
    assert dialog.settings.jpeg_quality == 94, "other settings can be changed all the same"
    mark = dialog.field("output_folder").mark
    QTest.mouseClick(mark, Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
    assert dialog.settings.output_folder is None
    assert said(dialog, "outputFolderMessage") == ""


def test_what_is_not_allowed_is_said_at_its_field_and_not_taken(build, output):
    studio = build()
    dialog = open_files_group(studio)
    typed(dialog, "namePatternEdit", "{date}/{sed}")
    assert "there is no field {sed}, allowed are {number}, {date}" in said(dialog, "namePatternMessage")
    assert "Did you mean {seed}?" in said(dialog, "namePatternMessage")
    assert example(dialog) == ""
    file = output / "file"
    file.write_bytes(b"")
    typed(dialog, "outputFolderEdit", str(file))
    assert "it is a file, no folder" in said(dialog, "outputFolderMessage")
    assert dialog.settings == Settings()
    typed(dialog, "namePatternEdit", "{seed}")
    assert said(dialog, "namePatternMessage") == ""
    assert dialog.settings == Settings(), "the folder is still wrong"
    typed(dialog, "outputFolderEdit", str(output))
    assert dialog.settings == Settings(name_pattern="{seed}", output_folder=output)
    formats = dialog.field("file_format").editor.field
    formats.setFocus()
    QTest.keyClick(formats, Qt.Key.Key_End)
    assert example(dialog) == "Example: 421337.jpg"
