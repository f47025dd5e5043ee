"""Which key does what while one paints; `MASK_KEYS` says the same to the list of shortcuts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent

from sdstudio.ui.pages.create.mask.brush import HARDNESS_STEP, Hand
from sdstudio.ui.pages.create.mask.rows import TOOLS
from sdstudio.ui.widgets.picture_view import PictureView

_KEYPAD: Final = Qt.KeyboardModifier.KeypadModifier
_SHIFT: Final = Qt.KeyboardModifier.ShiftModifier
_BRACKETS: Final = {Qt.Key.Key_BracketLeft: -1, Qt.Key.Key_BracketRight: 1}
_BRACES: Final = {Qt.Key.Key_BraceLeft: -1, Qt.Key.Key_BraceRight: 1}
"""What Shift makes of brackets on most keyboards."""


class PaintingKeys:
    """Finds what a key does.

    Args:
        hand: What is painted with.
        view: Shows the picture.
        command: Does a command of the mask, by its key.
    """

    def __init__(self, hand: Hand, view: PictureView, command: Callable[[str], object]) -> None:
        self._hand = hand
        self._plain: dict[str, Callable[[], object]] = {
            "x": hand.flip,
            "h": partial(command, "mask_hide"),
            "0": view.fit,
            "1": partial(view.zoom_to, 1.0),
        }
        self._plain |= {row.letter.lower(): partial(hand.take, row.key) for row in TOOLS}
        self._invert = partial(command, "mask_invert")
        self._clear = partial(command, "mask_clear")

    def found(self, event: QKeyEvent) -> Callable[[], object] | None:
        """Return what a key does, ``None`` for one that means nothing while one paints."""
        held, key, hand = event.modifiers() & ~_KEYPAD, Qt.Key(event.key()), self._hand
        if held == Qt.KeyboardModifier.ControlModifier:
            return self._invert if key == Qt.Key.Key_I else None
        if held & ~_SHIFT:
            return None
        harder = _BRACES.get(key, _BRACKETS.get(key) if held else None)
        if harder is not None:
            return partial(self._harden, harder)
        if key in _BRACKETS:
            return partial(hand.resize, _BRACKETS[key])
        if held:
            return None
        if key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            return self._clear
        return self._plain.get(event.text().lower())

    def _harden(self, way: int) -> None:
        self._hand.set_hardness(self._hand.hardness + way * HARDNESS_STEP)
