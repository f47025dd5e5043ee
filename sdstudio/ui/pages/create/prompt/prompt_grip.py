"""The upper edge of the prompts, by which the prompt is made higher or lower: it never does so by itself."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QObject, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from sdstudio.ui.pages.create.prompt.text_edit import PromptText
from sdstudio.ui.theme import GRID, tokens

_MARK_PX: Final = QSize(GRID * 4, 2)


class PromptGrip(QWidget):
    """Dragged with the mouse, or moved a line at a time with Up and Down.

    Args:
        edit: What it makes higher.
    """

    def __init__(self, edit: PromptText) -> None:
        super().__init__()
        self.setObjectName("promptGrip")
        self.setAccessibleName("Height of the prompt")
        self.setToolTip("Drag to make the prompt higher (Up and Down)")
        self.setCursor(Qt.CursorShape.SizeVerCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setFixedHeight(GRID)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._edit = edit
        self._from: tuple[float, int] | None = None
        edit.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Be no stop where the prompt has one height: in a low window."""
        if event.type() == QEvent.Type.Resize:
            self.setEnabled(self._edit.can_grow)
        return False

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Take hold of it."""
        self._from = event.globalPosition().y(), self._edit.lines

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Follow the pointer, in whole lines."""
        if self._from is not None:
            y, lines = self._from
            moved_px = y - event.globalPosition().y()
            self._edit.set_lines(lines + round(moved_px / self._edit.fontMetrics().lineSpacing()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Let it go."""
        self._from = None

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 (Qt's name)
        """Move it by a line."""
        by = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}.get(Qt.Key(event.key()))
        if by is None:
            super().keyPressEvent(event)
        else:
            self._edit.set_lines(self._edit.lines + by)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw a short line to take hold of, in the accent where it has the focus."""
        if not self.isEnabled():
            return
        painter = QPainter(self)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens().accent_text if self.hasFocus() else tokens().control))
        place = QRectF(0, 0, _MARK_PX.width(), _MARK_PX.height() * (2 if self.hasFocus() else 1))
        place.moveCenter(QRectF(self.rect()).center())
        painter.drawRoundedRect(place, 1, 1)
        painter.end()
