"""Shift+F10 opens the menu of whatever has the focus, as the menu key does; Qt knows that key on Windows alone."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QObject, QRect, Qt
from PySide6.QtGui import QContextMenuEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QApplication, QWidget

MENU_KEYS: Final = QKeySequence("Shift+F10")
_KNOWN: Final = "knowsMenuKey"


class MenuKey(QObject):
    """Teaches the key to each window of the program in which something gets the focus, dialogs among them."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusChanged.connect(self._on_focus_changed)

    def _on_focus_changed(self, _old: QWidget | None, new: QWidget | None) -> None:
        window = new.window() if new is not None else None
        if window is not None and not window.property(_KNOWN):
            window.setProperty(_KNOWN, True)
            QShortcut(MENU_KEYS, window).activated.connect(open_menu)


def open_menu() -> None:
    """Ask what has the focus for its menu: at the cursor of a text, at the current line of a list."""
    asked = QApplication.focusWidget()
    if asked is None:
        return
    cursor = asked.inputMethodQuery(Qt.InputMethodQuery.ImCursorRectangle)
    place = cursor.center() if isinstance(cursor, QRect) else asked.rect().center()
    event = QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, place, asked.mapToGlobal(place))
    QApplication.sendEvent(asked, event)
