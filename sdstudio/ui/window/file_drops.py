"""No text field takes a file that is dropped on it: the window behind does, and answers "copy".

A line of text takes the name of whatever is dropped on it, and answers what the other program proposed. Where that was
"move", the program deletes the user's original, of which nothing was kept but the name.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QDragMoveEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QLineEdit, QPlainTextEdit, QTextEdit, QWidget

_KNOWN: Final = "refusesFiles"


class FileDrops(QObject):
    """Teaches every text field of each window that gets the focus to leave files alone."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusChanged.connect(self._on_focus_changed)

    def teach(self, window: QWidget) -> None:
        """Teach the fields that are new in a window."""
        fields: list[QWidget] = [*window.findChildren(QLineEdit)]
        fields += [each.viewport() for kind in (QPlainTextEdit, QTextEdit) for each in window.findChildren(kind)]
        for field in fields:
            if not field.property(_KNOWN):
                field.setProperty(_KNOWN, True)
                field.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Leave files to what lies behind the field."""
        if isinstance(event, QDropEvent | QDragMoveEvent) and event.mimeData().hasUrls():
            event.ignore()
            return True
        return False

    def _on_focus_changed(self, _old: QWidget | None, new: QWidget | None) -> None:
        if new is not None:
            self.teach(new.window())
