"""The foot of every dialog: its buttons in the order of the platform, one of them the one that Enter presses.

Which stands where follows from what each is for (`Role`), as the desktop has it; no dialog lays out buttons itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QPushButton, QWidget

from sdstudio.ui.theme import GRID

MARGIN: Final = GRID * 2
"""Between a dialog's edge and what is in it, on all sides."""

Role = QDialogButtonBox.ButtonRole
DO: Final = Role.AcceptRole
"""What the dialog is for."""
ALSO: Final = Role.ActionRole
"""Something else that can be done with what it shows."""
STOP: Final = Role.DestructiveRole
"""Ends what it is doing."""
CLOSE: Final = Role.RejectRole
"""Leaves it."""
BACK: Final = Role.ResetRole
"""Takes back what was chosen in it."""


def dialog_foot(
    dialog: QDialog,
    buttons: Sequence[tuple[QPushButton, Role]],
    default: QPushButton,
    beside: Sequence[QWidget] = (),
) -> QHBoxLayout:
    """Return the row of a dialog's buttons.

    Args:
        dialog: Whose it is.
        buttons: Each with what it is for.
        default: Enter presses it, unless another button has the focus.
        beside: What stands at the other end; the first one takes the room.
    """
    box = QDialogButtonBox(dialog)  # at once: a button knows that it is the default one by its window
    for button, role in buttons:
        box.addButton(button, role)
        button.setAutoDefault(True)
    default.setDefault(True)
    row = QHBoxLayout()
    row.setSpacing(GRID)
    for at, widget in enumerate(beside):
        row.addWidget(widget, 0 if at else 1)
    row.addWidget(box, 0 if beside else 1)
    return row
