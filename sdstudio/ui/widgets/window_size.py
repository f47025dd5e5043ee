"""How large a window opens: as it would like to be, or as the screen has room for."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QWidget

FRAME: Final = QSize(16, 48)
"""Room for the frame and title bar that a desktop puts around a window."""


def open_at(window: QWidget, wanted: QSize) -> None:
    """Give a window its size, no larger than its screen has room for."""
    window.resize(wanted.boundedTo(window.screen().availableSize() - FRAME))
