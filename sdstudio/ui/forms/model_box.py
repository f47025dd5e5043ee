"""The box that names the model: another list than its plain menu can be set to open."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeyEvent

from sdstudio.ui.widgets.choice_box import ChoiceBox

_WIDTH_PX: Final = 376
"""Room for the built-in model's whole title; always the same, so that nothing around it moves."""
_AFTERTHOUGHT: Final = re.compile(r",[^()]*\)$")
_OPEN_MODIFIERS: Final = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier


class ModelBox(ChoiceBox):
    """A combo box of all models. Space, Enter, F4, Alt+Down, a click or a letter open the list."""

    def __init__(self) -> None:
        super().__init__()
        #: Opens the list of models, with what was typed; ``None`` for the plain one.
        self.open_list: Callable[[str], object] | None = None

    @property
    def shown_text(self) -> str:
        """What stands in the closed box; a title that does not fit loses what its brackets add after a comma."""
        shown = super().shown_text
        shorter = _AFTERTHOUGHT.sub(")", self._text)
        return shown if shown == self._text else self._fitting(shorter)

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Ask for a whole title."""
        return QSize(_WIDTH_PX, super().sizeHint().height())

    def showPopup(self) -> None:  # noqa: N802 (Qt's name)
        """Open the list of models."""
        if self.open_list is None:
            super().showPopup()
        else:
            self.open_list("")

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 (Qt's name)
        """Enter opens the list, a letter searches in it; everything else is as in any box."""
        if self.open_list is not None and event.modifiers() in _OPEN_MODIFIERS:
            letter = event.text()
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self.open_list("")
                return
            if letter.isprintable() and letter.strip():
                self.open_list(letter)
                return
        super().keyPressEvent(event)
