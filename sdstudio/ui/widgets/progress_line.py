"""A thin line that fills."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from sdstudio.ui.theme import GRID, tokens


class ProgressLine(QWidget):
    """A thin line that fills."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._fraction = 0.0
        self.setFixedHeight(GRID)

    @property
    def fraction(self) -> float:
        """How much of it is filled, 0..1."""
        return self._fraction

    def set_fraction(self, fraction: float) -> None:
        """Fill it so far."""
        if fraction != self._fraction:
            self._fraction = min(max(fraction, 0.0), 1.0)
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        whole = QRectF(0, 1, self.width() - GRID, 3)
        painter.setBrush(QColor(tokens().control))
        painter.drawRoundedRect(whole, 1.5, 1.5)
        painter.setBrush(QColor(tokens().accent))
        painter.drawRoundedRect(QRectF(whole.left(), whole.top(), whole.width() * self._fraction, 3), 1.5, 1.5)
        painter.end()
