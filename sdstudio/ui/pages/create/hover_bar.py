"""What lies over the picture: the most used actions while the pointer is on it, unless it is too small to bear them."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QRectF, Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QToolButton, QWidget

from sdstudio.history.store import Entry
from sdstudio.ui.entries.actions import ENTRY_ACTIONS, EntryActions
from sdstudio.ui.theme import GRID, mark, set_icon

_SHARE: Final = 5
"""A picture bears the bar when it is so many times as high: a fifth of it is covered at most."""


def live_button(parent: QWidget) -> QPushButton:
    """Return the hidden button that leads back to the picture that is being made; opaque, for it lies over another."""
    button = QPushButton(" Back to the live view", parent)
    button.setObjectName("liveViewButton")
    button.setAccessibleName("Back to the live view")
    set_icon(button, "play", "accent_text", 14)
    button.hide()
    return button


class HoverBar(QFrame):
    """The most used actions, over the picture."""

    def __init__(self, actions: EntryActions, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("hoverBar")
        self.setProperty("card", True)
        self._entry: Entry | None = None
        self._worded: list[QToolButton] = []
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID // 2, GRID // 2, GRID // 2, GRID // 2)
        row.setSpacing(GRID // 2)
        for spec in ENTRY_ACTIONS:
            if spec.bar:
                button = QToolButton(self)
                button.setObjectName(f"hover_{spec.key}")
                button.setAccessibleName(spec.title.rstrip("…"))
                button.setToolTip(spec.about)
                button.setText(f" {spec.title.rstrip('…')}")
                if spec.key in ("rerun", "variations"):
                    self._worded.append(button)
                mark(button, "ghost", True)
                set_icon(button, spec.icon)
                button.clicked.connect(
                    lambda _checked=False, key=spec.key: actions.ask(key, [self._entry] if self._entry else [])
                )
                row.addWidget(button)
        self.hide()

    def fit_into(self, width: int) -> None:
        """Show the first two actions in words where there is room for it."""
        for style in (Qt.ToolButtonStyle.ToolButtonTextBesideIcon, Qt.ToolButtonStyle.ToolButtonIconOnly):
            for button in self._worded:
                button.setToolButtonStyle(style)
            if self.sizeHint().width() <= width:
                return

    def suits(self, picture: QRectF) -> bool:
        """Return whether a picture drawn there is large enough to lie under it."""
        return self._entry is not None and picture.height() >= _SHARE * self.sizeHint().height()

    def set_entry(self, entry: Entry | None) -> None:
        """Act on this entry from now on."""
        self._entry = entry
        if entry is None:
            self.hide()
