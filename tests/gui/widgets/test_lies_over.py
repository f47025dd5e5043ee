"""What lies over its neighbours covers their words or leaves them, and cuts none to a half."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFrame, QWidget

from sdstudio.app import Studio


def top_of(widget: QWidget) -> int:
    return widget.mapTo(widget.window(), QPoint()).y()


def test_a_message_at_the_prompt_cuts_no_words_of_the_caption(studio: Studio, qtbot: Any) -> None:
    window = studio.window
    window.resize(1000, 640)
    window.editor.set_prompt("red heart")
    QTest.mouseClick(window.editor.generate_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(window.canvas.caption.facts.text()), timeout=20_000)
    window.editor.show_message("The picture needs more memory than there is: 6.2 GB of 4 GB.", "Make it smaller.")
    card = window.findChild(QFrame, "promptMessageCard")
    qtbot.waitUntil(lambda: card.isVisible() and top_of(card) + card.height() <= top_of(window.editor))
    words = window.canvas.caption.facts
    assert top_of(card) <= top_of(words) or top_of(card) >= top_of(words) + words.height()
