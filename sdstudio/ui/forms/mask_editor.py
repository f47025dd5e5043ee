"""The mask of the input picture in the panel: seen small, how much of it is painted, and the ways to paint or clear it.

What is painted has no id until it is written down. Whoever asks for the value while the hand has gone on gets the one
of now: `written` is called for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from PySide6.QtCore import Signal

from sdstudio.core.params import Parameter
from sdstudio.ui.forms.picture_editor import PictureEditor

NO_MASK: Final = "No mask: all of the picture is drawn over. Press to paint one, or drop one here."


def share_words(share: float) -> str:
    """Return how much of a picture is painted, in words."""
    if 0 < share < 0.01:
        return "under 1 % painted"
    if 0.99 < share < 1:
        return "over 99 % painted"
    return f"{share:.0%} painted".replace("%", " %")


class MaskEditor(PictureEditor):
    """One mask, or none."""

    #: A mask was given by program: its id, "" for none.
    put = Signal(str)
    #: The mask is to be taken away, by hand.
    clear_wanted = Signal()

    invitation = NO_MASK

    def __init__(self, row: Parameter) -> None:
        self._is_ahead = False
        self._told = ""
        super().__init__(row)
        #: Writes down what is painted and returns its id, "" for nothing painted.
        self.written: Callable[[], str] = lambda: ""
        self.paint_button.setText("Paint")
        self.paint_button.setAccessibleName(f"{row.title}: Paint")
        self.choose_button.setText("Load…")
        self.choose_button.setAccessibleName(f"{row.title}: Load")
        self.remove_button.setText("Clear")
        self.remove_button.setAccessibleName(f"{row.title}: Clear")
        layout = self._buttons.layout()
        assert layout is not None
        for button in (self.paint_button, self.choose_button, self.paste_button, self.remove_button):
            layout.removeWidget(button)
            layout.addWidget(button)

    def value(self) -> str:
        """Return the id of the mask as it is now, "" for none."""
        if self._is_ahead:
            self._is_ahead = False
            self._id = self.written()
        return super().value()

    @property
    def held(self) -> str:
        """The id that is shown, though the hand may have gone on."""
        return self._id

    def set_value(self, value: Any) -> None:
        """Show the mask of an id, "" for none."""
        self.value()  # what is painted now can come back by its id
        self._is_ahead = False
        super().set_value(value)
        self._told = self._id
        self.put.emit(self._id)

    def take(self, picture_id: str) -> None:
        """Hold no mask any more: nothing else is held by hand without being painted."""
        if not picture_id:
            self.clear_wanted.emit()

    def _show(self) -> None:
        super()._show()
        self.size_button.hide()  # it is that of its picture
        self.choose_button.show()
        self.paint_button.show()
        self.paint_button.setEnabled(True)

    def fall_behind(self) -> None:
        """The mask was painted on: its id is to be asked for."""
        self._is_ahead = True

    def show_written(self, mask_id: str) -> None:
        """Hold the id of what is painted now."""
        self._is_ahead = False
        self._id, self._gone = mask_id, ""
        if not mask_id:
            self.seen = None
        self._show()
        if mask_id != self._told:
            self._told = mask_id
            self.edited.emit()

    def ask_at_place(self) -> None:
        """Paint: what is pressed is the mask itself."""
        self.paint_wanted.emit()
