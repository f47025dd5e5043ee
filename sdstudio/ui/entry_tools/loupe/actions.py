"""What can be done in the loupe by a key, one row each; its buttons' tooltips name the keys from here.

Digits rate, as in the grid of the history, so that 100 % and fitting keep the keys that the menu gives them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QKeyCombination, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence

from sdstudio.ui.entries.actions import ENTRY_ACTIONS
from sdstudio.ui.entries.keys import pressed_key


@dataclass(frozen=True, slots=True)
class LoupeAction:
    """One thing to do.

    Attributes:
        key: Stable name, the end of its button's objectName.
        title: What it is called.
        icon: Name of its icon.
        keys: Key sequences that do it; tooltips name the first.
    """

    key: str
    title: str
    icon: str
    keys: tuple[str, ...]

    @property
    def about(self) -> str:
        """Return its tooltip."""
        return f"{self.title} ({QKeySequence(self.keys[0]).toString(QKeySequence.SequenceFormat.NativeText)})"


LOUPE_ACTIONS: Final = (
    LoupeAction("back", "Back to where you were", "arrow-left", ("Esc", "Space", "Return", "Enter")),
    LoupeAction("previous", "Previous picture", "chevron-left", ("Left", "PgUp", "Up")),
    LoupeAction("next", "Next picture", "chevron-right", ("Right", "PgDown", "Down")),
    LoupeAction("first", "First picture", "chevron-left", ("Home",)),
    LoupeAction("last", "Last picture", "chevron-right", ("End",)),
    LoupeAction("full_screen", "Full screen, or back into the window", "maximize", ("F11",)),
    LoupeAction("zoom_out", "Zoom out", "zoom-out", ("-", "Ctrl+-")),
    LoupeAction("zoom_in", "Zoom in", "zoom-in", ("+", "=", "Ctrl++", "Ctrl+=")),
    LoupeAction("fit", "Show all of it", "scan", ("Ctrl+0",)),
    LoupeAction("actual_size", "100 %: each pixel as it is", "image", ("Ctrl+1",)),
    LoupeAction("toggle_zoom", "100 % or all of it", "image", ("Z",)),
    LoupeAction("slideshow", "Start or stop the slideshow", "play", ("S",)),
    LoupeAction("compare", "Compare with another picture", "columns-2", ("X",)),
    LoupeAction("use", "Use all or some of its parameters", "sliders-horizontal", ("Shift+U",)),
    LoupeAction("menu", "All that can be done with it", "ellipsis", ("M", "Menu")),
    LoupeAction("delete", "Move to trash, and go on to the next", "trash-2", ("Del", "Backspace")),
    LoupeAction("undo", "Undo", "undo-2", ("Ctrl+Z",)),
)
LOUPE_ACTION_BY_KEY: Final = {row.key: row for row in LOUPE_ACTIONS}

_BY_GRID_KEY: Final = {row.grid_key: row.key for row in ENTRY_ACTIONS if row.grid_key}
_BY_COMBINATION: Final = {
    QKeySequence(keys).toString(): row.key for row in LOUPE_ACTIONS for keys in row.keys
}  # fmt: skip


def wanted_by(event: QKeyEvent) -> str:
    """Return the key of the `LoupeAction`, or of the `EntryAction` with an ``entry_`` before it, that a key stands for.

    "" when it stands for none.
    """
    modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    if not event.text().isalpha():  # a plus is typed with Shift on many keyboards, a digit on some
        modifiers &= ~Qt.KeyboardModifier.ShiftModifier
    key = _BY_COMBINATION.get(QKeySequence(QKeyCombination(modifiers, Qt.Key(event.key()))).toString(), "")
    if not key and pressed_key(event) in _BY_GRID_KEY:
        return f"entry_{_BY_GRID_KEY[pressed_key(event)]}"
    return key
