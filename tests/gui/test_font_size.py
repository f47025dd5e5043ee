"""Text of another size: applied at once, everywhere, with room for it; and there again at the next start."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QPushButton

from sdstudio.ui.theme import apply_theme


def choose(studio, points: int) -> None:
    dialog = studio.window.settings_controller.open()
    spin = dialog.field("font_size").editor.field
    spin.setFocus()
    spin.selectAll()
    QTest.keyClicks(spin, str(points))
    QTest.keyClick(spin, Qt.Key.Key_Return)
    dialog.close()


def test_text_grows_at_once_and_has_room_and_comes_back_the_next_time(build, qtbot, qapp):
    studio = build()
    window = studio.window
    label = window.status_line.findChild(QLabel, "statusText")
    before = label.fontInfo().pixelSize()
    try:
        choose(studio, 20)
        qtbot.waitUntil(lambda: label.fontInfo().pixelSize() == 2 * before)
        box = window.findChild(QComboBox, "modelComboBox")
        assert box.height() >= box.fontMetrics().height()
        assert window.status_line.height() >= label.fontMetrics().height()
        generate = window.findChild(QPushButton, "generateButton")
        assert generate.height() >= generate.fontMetrics().height()
        assert window.panel.width() >= window.panel.minimumSizeHint().width()
        assert studio.close()
        again = build()
        assert again.window.remembered_font == 20
        assert again.window.status_line.findChild(QLabel, "statusText").fontInfo().pixelSize() == 2 * before
        choose(again, 10)
        label = again.window.status_line.findChild(QLabel, "statusText")
        qtbot.waitUntil(lambda: label.fontInfo().pixelSize() == before)
    finally:
        apply_theme(QApplication.instance(), "dark")
