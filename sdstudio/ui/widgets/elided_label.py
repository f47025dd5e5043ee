"""One line of text with … where it does not fit: at its end, or in its middle."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from sdstudio.ui.widgets.tooltips import wrapped


class ElidedLabel(QLabel):
    """A label whose ``text()`` stays whole; its tooltip shows all of it, or what `say` was given, where needed."""

    def __init__(self, parent: QWidget | None = None, mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight) -> None:
        super().__init__(parent)
        self._mode = mode
        self._more = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def say(self, text: str, more: str = "") -> None:
        """Show a line; ``more`` is a tooltip with more than the line."""
        self._more = more
        self.setText(text)
        self.setAccessibleName(text)
        self._show_tip()

    @property
    def shown(self) -> str:
        """What can be read of it."""
        return self.fontMetrics().elidedText(self.text(), self._mode, self.width())

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """As narrow as wanted."""
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: object) -> None:  # noqa: N802 (Qt's name)
        """A line that fits needs no tooltip."""
        self._show_tip()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Write what fits."""
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.rect(), self.alignment(), self.shown)
        painter.end()

    def _show_tip(self) -> None:
        is_cut = self.shown != self.text()
        self.setToolTip(self._more or (wrapped(self.text()) if is_cut else ""))
