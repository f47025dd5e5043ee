"""A button whose menu was used goes dark again.

A button gets the event that the pointer has left only when the pointer moves over the button's window; while a menu is
open it moves over the menu, so that a button whose menu was used with the mouse stayed lit until it was passed again.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QAbstractButton, QApplication, QMenu


def unlit_after(menu: QMenu, button: QAbstractButton) -> None:
    """Let a button forget the pointer when its menu closes, unless the pointer is on it."""
    guard = QObject(menu)
    menu.aboutToHide.connect(lambda: QTimer.singleShot(0, guard, lambda: _forget_pointer(button)))


def _forget_pointer(button: QAbstractButton) -> None:
    button.setDown(False)
    if button.underMouse() and not button.rect().contains(button.mapFromGlobal(QCursor.pos())):
        button.setAttribute(Qt.WidgetAttribute.WA_UnderMouse, False)
        QApplication.sendEvent(button, QEvent(QEvent.Type.Leave))
        button.update()
