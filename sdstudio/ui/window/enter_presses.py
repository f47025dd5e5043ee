"""Enter presses the button that has the focus, as Space does; Qt lets it do so in dialogs alone."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractButton, QApplication, QMainWindow

_ENTERS: Final = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class EnterPresses(QObject):
    """Takes an Enter that nobody between the button and its window had a use for.

    Args:
        window: Whose buttons.
    """

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Press it once for each time the key goes down."""
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress or event.key() not in _ENTERS:
            return False
        focused = QApplication.focusWidget()
        is_plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if not isinstance(focused, QAbstractButton) or focused.window() is not watched or not is_plain:
            return False
        if not event.isAutoRepeat():
            focused.click()
        return True
