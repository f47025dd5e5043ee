"""Two groups of fields in one row, or one below the other where a row has no room for their texts."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QWidget

from sdstudio.ui.theme import GRID, scaled

_SIDE_BY_SIDE = QBoxLayout.Direction.LeftToRight


class BreakingRow(QWidget):
    """Holds two rows of widgets, which are filled from outside.

    Args:
        least: Below this width the second group goes below the first, at the usual font size.
        parent: As Qt has it.
        shares: How much of a shared row each group takes of what neither needs.
    """

    def __init__(self, least: int, parent: QWidget | None = None, shares: tuple[int, int] = (1, 1)) -> None:
        super().__init__(parent)
        self.first = QHBoxLayout()
        self.second = QHBoxLayout()
        both = _Breaking(least, self)
        both.setContentsMargins(0, 0, 0, 0)
        for layout in (self.first, self.second, both):
            layout.setSpacing(GRID)
        for layout, share in zip((self.first, self.second), shares, strict=True):
            both.addLayout(layout, share)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """As narrow as the wider group."""
        return self.first.minimumSize().expandedTo(self.second.minimumSize())


class _Breaking(QBoxLayout):
    """Knows its height at a width before it has that width: what is below is not pushed down when it breaks."""

    def __init__(self, least: int, parent: QWidget) -> None:
        super().__init__(_SIDE_BY_SIDE, parent)
        self._least = least

    def hasHeightForWidth(self) -> bool:  # noqa: N802 (Qt's name)
        """Broken it is twice as high."""
        return True

    def heightForWidth(self, width: int) -> int:  # noqa: N802 (Qt's name)
        """Return the height of one row, or of two."""
        groups = [self.itemAt(at) for at in range(self.count())]
        heights = [group.sizeHint().height() for group in groups if group is not None]
        return sum(heights) + self.spacing() if self._is_broken(width) else max(heights, default=0)

    def minimumHeightForWidth(self, width: int) -> int:  # noqa: N802 (Qt's name)
        """No row is squeezed."""
        return self.heightForWidth(width)

    def setGeometry(self, rect: QRect) -> None:  # noqa: N802 (Qt's name)
        """Break the row, or join it."""
        way = QBoxLayout.Direction.TopToBottom if self._is_broken(rect.width()) else _SIDE_BY_SIDE
        if self.direction() is not way:
            self.setDirection(way)
        super().setGeometry(rect)

    def _is_broken(self, width: int) -> bool:
        return width < scaled(self._least)
