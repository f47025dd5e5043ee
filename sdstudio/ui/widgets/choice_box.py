"""A combo box for names of any length: cut in the middle where they do not fit, whole in the list and the tooltip."""

from __future__ import annotations

import html
from typing import Final

from PySide6.QtCore import QEvent, QRect, QSize, Qt
from PySide6.QtGui import QHelpEvent, QPaintEvent, QPalette
from PySide6.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter, QToolTip

from sdstudio.ui.theme import GRID

_LETTERS: Final = 6
_WIDEST_PX: Final = 120
"""What it asks for at most: a name, or a placeholder, is as long as it likes and widens nothing around it."""


class ChoiceBox(QComboBox):
    """A combo box that is as wide as it is given, whatever is chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(_LETTERS)

    @property
    def shown_text(self) -> str:
        """What stands in the closed box: the choice or the placeholder, its middle cut out where it does not fit."""
        return self._fitting(self._text)

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Ask for little."""
        return super().sizeHint().boundedTo(QSize(_WIDEST_PX, super().sizeHint().height()))

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Do with little."""
        return super().minimumSizeHint().boundedTo(QSize(_WIDEST_PX, super().minimumSizeHint().height()))

    def showPopup(self) -> None:  # noqa: N802 (Qt's name)
        """Open the list, wide enough for the longest name."""
        self.view().setMinimumWidth(self.view().sizeHintForColumn(0) + 2 * GRID)
        super().showPopup()

    def event(self, event: QEvent) -> bool:
        """Show a name that is cut whole, before what the field is for."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip and self.shown_text != self._text:
            QToolTip.showText(event.globalPos(), f"<p>{html.escape(self._text)}</p>{self.toolTip()}", self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw as the style does, but with the text that fits."""
        painter = QStylePainter(self)
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        if self.currentIndex() < 0:
            option.palette.setBrush(QPalette.ColorRole.ButtonText, option.palette.placeholderText())
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        option.currentText = self.shown_text
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.end()

    @property
    def _text(self) -> str:
        return self.currentText() if self.currentIndex() >= 0 else self.placeholderText()

    def _fitting(self, text: str) -> str:
        return self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, self._room().width() - 4)

    def _room(self) -> QRect:
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        part = QStyle.SubControl.SC_ComboBoxEditField
        return self.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, part, self)
