"""What a program hears whose picture is dropped here. Stands alone: the bare window takes drops, and needs no more."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QDropEvent


def accept_as_copy(event: QDropEvent) -> None:
    """Take what is dragged and answer "copy": a program that hears "move" deletes the user's original."""
    event.setDropAction(Qt.DropAction.CopyAction)
    event.accept()
