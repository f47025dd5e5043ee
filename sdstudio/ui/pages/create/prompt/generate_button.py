"""The one filled button: its words, and smaller beside them its keys or what waits; and what keeps it pressed."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QKeySequence, QPaintEvent
from PySide6.QtWidgets import QPushButton, QSizePolicy, QStyle, QStyleOptionButton, QStylePainter, QToolButton

from sdstudio.ui import theme
from sdstudio.ui.theme import GRID, SMALL_PX, TEXT_PX, mark, scaled
from sdstudio.ui.widgets.buttons import small_button

SHORTCUT: Final = QKeySequence(Qt.Modifier.CTRL | Qt.Key.Key_Return)


TITLE: Final = "Generate"
MANY: Final = 999
"""From here on the text is that there are more."""


def waiting_words(count: int) -> str:
    """Return how many jobs wait, in few words."""
    return f"{count} waiting" if count < MANY else f"{MANY - 1}+ waiting"


def forever_button() -> QToolButton:
    """Return the button that is down while generating goes on and on."""
    tip = "Generate forever: each time what is written then, until this is pressed again or Cancel (Ctrl+Shift+Enter)"
    button = small_button("infinity", "Generate forever", tip)
    button.setObjectName("foreverButton")
    button.setCheckable(True)
    return button


class GenerateButton(QPushButton):
    """Generate, with its shortcut written on it."""

    def __init__(self) -> None:
        super().__init__(TITLE)
        self._waiting = 0
        self.setObjectName("generateButton")
        self.setAccessibleName("Generate")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        mark(self, "primary", True)
        native = SHORTCUT.toString(QKeySequence.SequenceFormat.NativeText)
        self._keys = native.replace("Return", "Enter")  # what stands on most keyboards; both keys work
        self.setToolTip(f"Make the picture, or queue it while another is made ({self._keys})")

    def set_waiting(self, count: int) -> None:
        """Show how many jobs wait already, in the place of the keys: the button stays where and as wide as it is."""
        self._waiting = count
        self.setText(f"{TITLE} ({count} waiting)" if count else TITLE)

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Room for the words, the keys or what waits, and the padding."""
        words, keys = (QFontMetrics(font) for font in self._fonts())
        beside = max(keys.horizontalAdvance(text) for text in (self._keys, waiting_words(MANY)))
        return QSize(words.horizontalAdvance(TITLE) + beside + 5 * GRID, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Room for the words: the keys are left out where there is no more."""
        words = QFontMetrics(self._fonts()[0])
        return QSize(words.horizontalAdvance(TITLE) + 4 * GRID, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Let the style draw the button, then write on it."""
        option = QStyleOptionButton()
        self.initStyleOption(option)
        option.text = ""
        painter = QStylePainter(self)
        painter.drawControl(QStyle.ControlElement.CE_PushButton, option)
        now = theme.tokens()
        painter.setPen(QColor(now.on_accent if self.isEnabled() else now.disabled))
        words, keys = self._fonts()
        painter.setFont(words)
        inside = QRect(2 * GRID, 0, self.width() - 4 * GRID, self.height())
        painter.drawText(inside, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, TITLE)
        painter.setFont(keys)
        beside = waiting_words(self._waiting) if self._waiting else self._keys
        used = QFontMetrics(words).horizontalAdvance(TITLE) + QFontMetrics(keys).horizontalAdvance(beside)
        if used <= inside.width():
            painter.drawText(inside, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, beside)
        painter.end()

    def _fonts(self) -> tuple[QFont, QFont]:
        words, keys = QFont(self.font()), QFont(self.font())
        words.setPixelSize(scaled(TEXT_PX))
        words.setWeight(QFont.Weight.DemiBold)
        keys.setPixelSize(scaled(SMALL_PX))
        keys.setWeight(QFont.Weight.Normal)
        return words, keys
