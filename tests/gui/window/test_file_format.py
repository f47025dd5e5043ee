"""The format of new pictures, chosen by hand in the settings and drawn with, and kept over a restart."""

from __future__ import annotations

from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QDialog, QListWidget, QPushButton, QSpinBox

from sdstudio.history.picture_text.foreign.reading import recipe_of
from tests.gui.window.test_main_window import make_picture, trigger

PATIENCE_MS = 20_000


def open_files_group(studio) -> QDialog:
    trigger(studio, "settings")
    dialog = studio.window.findChild(QDialog, "settingsDialog")
    groups = dialog.findChild(QListWidget, "settingsGroups")
    groups.setFocus()
    QTest.keyClicks(groups, "Fi")
    assert groups.currentItem().text() == "Files"
    return dialog


def drawn(studio, qtbot, number: int):
    make_picture(studio, qtbot, f"heart {number}")
    qtbot.waitUntil(lambda: studio.history.count() == number, timeout=PATIENCE_MS)
    return studio.history.entries()[0]


def test_the_chosen_format_holds_from_the_next_picture_on_and_after_a_restart(build, qtbot):
    studio = build()
    assert drawn(studio, qtbot, 1).path.suffix == ".png"
    dialog = open_files_group(studio)
    formats = dialog.findChild(QComboBox, "fileFormatComboBox")
    formats.setFocus()
    QTest.keyClick(formats, Qt.Key.Key_End)
    assert formats.currentText() == "JPEG"
    quality = dialog.findChild(QSpinBox, "jpegQualitySpinBox")
    quality.setFocus()
    QTest.keyClick(quality, Qt.Key.Key_Up)
    QTest.mouseClick(dialog.findChild(QPushButton, "closeSettingsButton"), Qt.MouseButton.LeftButton)
    lossy = drawn(studio, qtbot, 2)
    assert lossy.path.suffix == ".jpg"
    assert recipe_of(lossy.path) == lossy.recipe
    dragged = studio.window.exchange.mime_of([lossy])
    assert [url.toLocalFile() for url in dragged.urls()] == [str(lossy.path)]
    assert studio.close()
    again = build()
    assert drawn(again, qtbot, 3).path.suffix == ".jpg"
    dialog = open_files_group(again)
    formats = dialog.findChild(QComboBox, "fileFormatComboBox")
    formats.setFocus()
    QTest.keyClick(formats, Qt.Key.Key_Up)
    assert formats.currentText() == "WebP, lossless"
    with Image.open(drawn(again, qtbot, 4).path) as lossless:
        assert lossless.format == "WEBP"
