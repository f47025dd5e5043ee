"""The last line of the prompts: what folds the negative prompt, hints, and Generate; two lines where it is narrow."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QSizePolicy, QWidget

from sdstudio.ui.theme import GRID, NARROW_PX, mark


class PromptFoot(QWidget):
    """Two groups of buttons, one at each end, and the place of hints between them.

    Args:
        first: At the left.
        hints: Takes what is left of the line, whether it is empty or not.
        last: At the right; below the first where there is little room.
    """

    def __init__(self, first: Sequence[QWidget], hints: QWidget, last: Sequence[QWidget]) -> None:
        super().__init__()
        mark(self, "bare", True)
        self._is_narrow = False
        self._first, self._last = _row(first), _row(last)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(GRID)
        self._grid.setVerticalSpacing(GRID // 2)
        self._grid.setColumnStretch(1, 1)
        hints.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self._grid.addWidget(self._first, 0, 0, Qt.AlignmentFlag.AlignLeft)
        self._grid.addWidget(hints, 0, 1)
        self._grid.addWidget(self._last, 0, 2)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 (Qt's name)
        """Cut no word."""
        super().resizeEvent(event)
        is_narrow = event.size().width() < NARROW_PX
        if is_narrow != self._is_narrow:
            self._is_narrow = is_narrow
            self._grid.removeWidget(self._last)
            if is_narrow:
                self._grid.addWidget(self._last, 1, 0, 1, 2, Qt.AlignmentFlag.AlignRight)
            else:
                self._grid.addWidget(self._last, 0, 2)


def _row(widgets: Sequence[QWidget]) -> QWidget:
    holder = QWidget()
    mark(holder, "bare", True)
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(GRID)
    for widget in widgets:
        row.addWidget(widget)
    return holder
