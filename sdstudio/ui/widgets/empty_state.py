"""What an empty place shows: what it is for, and the next thing to do as something to press."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from sdstudio.ui.theme import GRID, current_theme, mark, pixmap, set_icon

Way = tuple[str, str, Callable[[], object]]
"""What is on a button that leads elsewhere, its icon, and what it does."""


class EmptyState(QWidget):
    """An icon, a heading, a sentence, suggestions and ways to elsewhere."""

    #: A suggestion was pressed; carries its text.
    chosen = Signal(str)

    def __init__(
        self, icon_name: str, heading: str, text: str, parent: QWidget | None = None, icon_px: int = 40
    ) -> None:
        super().__init__(parent)
        self._icon_name = icon_name
        self._icon_px = icon_px
        self._icon = QLabel(self)
        self._icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._heading = QLabel(heading, self)
        self._heading.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._heading.setWordWrap(True)
        self._heading.setProperty("role", "heading")
        self._text = QLabel(text, self)
        self._text.setObjectName("emptyText")
        self._text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._text.setWordWrap(True)
        self._text.setProperty("role", "muted")
        self._chips: list[QPushButton] = []
        self._ways: list[QPushButton] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(GRID * 2, GRID * 2, GRID * 2, GRID * 2)
        self._column.setSpacing(GRID)
        self._column.addStretch(2)
        for widget in (self._icon, self._heading, self._text):
            self._column.addWidget(widget)
        self._column.addSpacing(GRID)
        self._column.addStretch(3)
        theme = current_theme()
        if theme is not None:
            theme.changed.connect(self._on_theme_changed)
        self._on_theme_changed()

    def say(self, heading: str, text: str) -> None:
        """Change its text."""
        self._heading.setText(heading)
        self._text.setText(text)
        self._fit()

    def suggest(self, suggestions: Sequence[str], icon_name: str = "") -> None:
        """Offer things to press."""
        for chip in self._chips:
            chip.hide()
            chip.deleteLater()
        self._chips = [self._chip(text, icon_name) for text in suggestions]
        for at, chip in enumerate(self._chips):
            place = self._column.count() - 1 - len(self._ways)
            self._column.insertWidget(place, chip, 0, Qt.AlignmentFlag.AlignHCenter)
            chip.setObjectName(f"suggestion{at}")
            chip.show()
        self._fit()

    def lead(self, ways: Sequence[Way]) -> None:
        """Offer ways to elsewhere, below the suggestions."""
        for button in self._ways:
            self._column.removeWidget(button)
            button.hide()
            button.deleteLater()
        self._ways = [self._way(*way) for way in ways]
        for at, button in enumerate(self._ways):
            self._column.insertWidget(self._column.count() - 1, button, 0, Qt.AlignmentFlag.AlignHCenter)
            button.setObjectName(f"way{at}")
            button.show()
        self._fit()

    @property
    def ways(self) -> list[QPushButton]:
        """The buttons that lead elsewhere."""
        return list(self._ways)

    @property
    def suggestions(self) -> list[QPushButton]:
        """The buttons of what is offered."""
        return list(self._chips)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Give the words the room where there is little."""
        super().resizeEvent(event)
        self._fit()

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """As low as its heading: what does not fit is left out, not cut."""
        return QSize(super().minimumSizeHint().width(), 4 * GRID + self._heading.sizeHint().height())

    def _fit(self) -> None:
        """Leave out first the icon, then the sentence, suggestions but the first, what leads elsewhere, the margin."""
        width = self.width() - 4 * GRID
        heights = {
            part: GRID + (part.heightForWidth(width) if part.hasHeightForWidth() else part.sizeHint().height())
            for part in (
                self._heading,
                self._icon,
                self._text,
                *reversed(self._chips[1:]),
                *reversed(self._ways),
                *self._chips[:1],
            )
        }
        margin = 0 if self.height() < 6 * GRID + heights[self._heading] else GRID * 2
        self._column.setContentsMargins(GRID * 2, margin, GRID * 2, margin)
        needed = 4 * GRID + sum(heights.values())
        for part in list(heights)[1:]:
            part.setVisible(needed <= self.height())
            if needed > self.height():
                needed -= heights[part]

    def _chip(self, text: str, icon_name: str) -> QPushButton:
        chip = QPushButton(f" {text}" if icon_name else text, self)
        chip.setAccessibleName(text)
        chip.setCursor(Qt.CursorShape.PointingHandCursor)
        mark(chip, "chip", True)
        if icon_name:
            set_icon(chip, icon_name, "accent_text", 14)
        chip.clicked.connect(lambda: self.chosen.emit(text))
        return chip

    def _way(self, title: str, icon_name: str, act: Callable[[], object]) -> QPushButton:
        button = QPushButton(f" {title}", self)
        button.setAccessibleName(title)
        mark(button, "ghost", True)
        set_icon(button, icon_name)
        button.clicked.connect(lambda: act())
        return button

    def _on_theme_changed(self) -> None:
        self._icon.setPixmap(pixmap(self._icon_name, "muted", self._icon_px, self.devicePixelRatioF()))
