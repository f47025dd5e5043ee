"""A line that shows what happened where it happened, with what can be done about it; never a dialog."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from sdstudio.ui.theme import GRID, current_theme, mark, pixmap, set_icon
from sdstudio.ui.widgets.window_words import in_window

Tone = Literal["info", "warning", "error"]
MessageAction = tuple[str, Callable[[], object]]

_LOOKS: dict[Tone, tuple[str, str]] = {  # icon, field of `Tokens`
    "info": ("info", "accent_text"),
    "warning": ("triangle-alert", "warning"),
    "error": ("circle-alert", "danger"),
}
_BY_KEYS: Final = Qt.FocusPolicy.TabFocus
"""A mouse leaves the focus where it was: with the button it would go, and land on whatever comes next."""
_WORDS_LEAST_PX: Final = 240
"""Where less is left beside the buttons, they go below the words."""


class MessageBar(QFrame):
    """Hidden until there is a message; one message at a time, the newest.

    Args:
        name: objectName.
        parent: As Qt has it.
    """

    #: The message is gone; carries its text.
    dismissed = Signal(str)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName("Message")
        self.setProperty("card", True)
        self._tone: Tone = "info"
        self._icon = QLabel(self)
        self._text = QLabel(self)
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._buttons: list[QPushButton] = []
        self._close = QToolButton(self)
        self._close.setObjectName("dismissMessageButton")
        self._close.setAccessibleName("Dismiss message")
        self._close.setToolTip("Dismiss")
        self._close.setFocusPolicy(_BY_KEYS)
        mark(self._close, "ghost", True)
        set_icon(self._close, "x", "muted", 14)
        self._close.clicked.connect(self.dismiss)
        row = QHBoxLayout()
        row.setSpacing(GRID)
        row.addWidget(self._icon)
        row.addWidget(self._text, 1)
        self._beside, self._beneath = QHBoxLayout(), QHBoxLayout()
        self._beneath.setContentsMargins(16 + GRID, 0, 0, GRID // 2)
        self._beneath.setAlignment(Qt.AlignmentFlag.AlignLeft)
        for place in (self._beside, self._beneath):
            place.setSpacing(GRID)
        row.addLayout(self._beside)
        row.addWidget(self._close)
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID + GRID // 2, GRID // 2, GRID // 2, GRID // 2)
        column.setSpacing(GRID // 2)
        column.addLayout(row)
        column.addLayout(self._beneath)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.dismiss)
        theme = current_theme()
        if theme is not None:
            theme.changed.connect(self._on_theme_changed)
        self.hide()

    @property
    def message(self) -> str:
        """The text of the message, "" when it is hidden."""
        return "" if self.isHidden() else self._text.text()

    @property
    def tone(self) -> Tone:
        """The tone of the message."""
        return self._tone

    def say(
        self, text: str, tone: Tone = "info", actions: Sequence[MessageAction] = (), dismiss_after_s: float = 0.0
    ) -> None:
        """Show a message.

        Args:
            text: What happened, and one thing to do.
            tone: Its icon and colour.
            actions: Buttons: title and what they do; each also dismisses the message.
            dismiss_after_s: Hide it by itself after so long; 0 keeps it.
        """
        self._timer.stop()
        self._text.setText(in_window(text))
        self._tone = tone
        self._on_theme_changed()
        for button in self._buttons:
            button.hide()
            button.deleteLater()
        self._buttons = [self._button(title, act) for title, act in actions]
        self._arrange(self.width())
        self.show()
        if dismiss_after_s:
            self._timer.start(round(dismiss_after_s * 1000))

    def heightForWidth(self, width: int) -> int:  # noqa: N802 (Qt's name)
        """Return the height that the words need at a width, with the buttons where they have room."""
        self._arrange(width)
        return super().heightForWidth(width)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 (Qt's name)
        """Put the buttons where they have room."""
        super().resizeEvent(event)
        self._arrange(event.size().width())

    def _arrange(self, width: int) -> None:
        taken = sum(button.sizeHint().width() + GRID for button in self._buttons)
        place = self._beneath if width - taken - 8 * GRID < _WORDS_LEAST_PX else self._beside
        for button in self._buttons:
            if place.indexOf(button) < 0:
                (self._beside if place is self._beneath else self._beneath).removeWidget(button)
                place.addWidget(button)

    def dismiss(self) -> None:
        """Hide it."""
        self._timer.stop()
        text = self.message
        self.hide()
        if text:
            self.dismissed.emit(text)

    def _button(self, title: str, act: Callable[[], object]) -> QPushButton:
        button = QPushButton(title, self)
        button.setAccessibleName(title)
        button.setFocusPolicy(_BY_KEYS)
        button.clicked.connect(self.dismiss)
        button.clicked.connect(lambda: act())
        self._beside.addWidget(button)
        button.show()
        return button

    def _on_theme_changed(self) -> None:
        name, color = _LOOKS[self._tone]
        self._icon.setPixmap(pixmap(name, color, 16, self.devicePixelRatioF()))
        self._icon.setFixedSize(QSize(16, 16))
