"""A button of a dialog, with all that every button has: objectName, accessible name, icon, and what it does."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QPushButton, QToolButton, QWidget

from sdstudio.ui.theme import mark, set_icon


class DialogButton(QPushButton):
    """A button that Enter presses while it has the focus, and never by itself: that is the default button's."""

    def __init__(self, title: str = "", parent: QWidget | None = None) -> None:
        super().__init__(title, parent)
        self.setAutoDefault(False)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 (Qt's name)
        """Qt would hand Enter on to the default button, so that Cancel with the focus saves."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.isAutoRepeat():
            self.click()
        else:
            super().keyPressEvent(event)


def push_button(
    parent: QWidget, name: str, title: str, icon_name: str, act: Callable[[], object], about: str = ""
) -> QPushButton:
    """Return a button that Enter presses with the focus alone; ``icon_name`` is "" for none."""
    button = DialogButton(f" {title}" if icon_name else title, parent)
    button.setObjectName(name)
    button.setAccessibleName(title.rstrip("…"))
    if about:
        button.setToolTip(about)
    if icon_name:
        set_icon(button, icon_name)
    button.clicked.connect(lambda: act())
    return button


def fill(button: QPushButton, icon_name: str) -> None:
    """Make a button the filled one of its dialog, which Enter presses, with an icon that is seen on the accent."""
    button.setDefault(True)
    mark(button, "primary", True)
    button.setText(f" {button.text().strip()}")  # else the icon touches it
    set_icon(button, icon_name, "on_accent")


def small_button(icon_name: str, accessible: str, tip: str) -> QToolButton:
    """Return a square button with an icon."""
    button = QToolButton()
    set_icon(button, icon_name)
    button.setAccessibleName(accessible)
    button.setToolTip(tip)
    return button
