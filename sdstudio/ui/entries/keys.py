"""Which of the keys that menus of pictures print an event is: the same ones on the canvas and in every grid."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QKeySequence

DELETE = "del"
COPY = "ctrl+c"
LOOK = " "


def pressed_key(event: QKeyEvent) -> str:
    """Return the key as `EntryAction.grid_key` spells it, "" for one that means nothing to pictures."""
    if event.matches(QKeySequence.StandardKey.Copy):
        return COPY
    if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
        return ""
    if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
        return DELETE
    if event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter):
        return LOOK
    return event.text().lower() if event.text().isalnum() else ""
