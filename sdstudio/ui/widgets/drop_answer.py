"""The answer to a program whose picture is dropped here. A module of its own: the bare window takes drops, too."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QDropEvent


def accept_as_copy(event: QDropEvent) -> None:
    """Take what is dragged and answer "copy": a program that is answered "move" deletes the user's original."""
    event.setDropAction(Qt.DropAction.CopyAction)
    event.accept()
