"""Two groups of fields in one row, or one below the other where a row has no room for what they say."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QWidget

from sdstudio.ui.theme import GRID, scaled


class BreakingRow(QWidget):
    """Holds two rows of widgets, which are filled from outside.

    Args:
        least: Below this width the second group goes below the first, at the usual font size.
        parent: As Qt has it.
    """

    def __init__(self, least: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._least = least
        self.first = QHBoxLayout()
        self.second = QHBoxLayout()
        self._both = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._both.setContentsMargins(0, 0, 0, 0)
        for layout in (self.first, self.second, self._both):
            layout.setSpacing(GRID)
        self._both.addLayout(self.first, 1)
        self._both.addLayout(self.second, 1)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """As narrow as the wider group."""
        return self.first.minimumSize().expandedTo(self.second.minimumSize())

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 (Qt's name)
        """Break the row, or join it."""
        super().resizeEvent(event)
        is_broken = event.size().width() < scaled(self._least)
        ways = QBoxLayout.Direction
        self._both.setDirection(ways.TopToBottom if is_broken else ways.LeftToRight)
