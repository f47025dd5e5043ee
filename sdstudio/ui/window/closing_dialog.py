"""The question that is asked when the window is closed over work: what goes on, and the three ways from here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from sdstudio.ui.theme import GRID, mark
from sdstudio.ui.widgets.buttons import push_button
from sdstudio.ui.widgets.dialog_foot import CLOSE, DO, MARGIN, STOP, dialog_foot

LINES_MAXIMUM: Final = 6
_WIDTH: Final = 560
_WAY: Final = "<span style='font-weight:600'>{}</span> {}"  # a real weight of the font; <b> is drawn bold over it
_BACKGROUND: Final = _WAY.format(
    "Finish in the background",
    "closes the window, finishes and saves everything, and then ends the studio. "
    "Start it again to bring the window back.",
)
_STOP: Final = _WAY.format(
    "Stop and keep",
    "stops what runs now. Finished pictures are kept; jobs and downloads that wait are there the next time.",
)
_LOSE: Final = _WAY.format("Close anyway", "breaks this off; nothing of it is kept.")
_LOSE_UNSAVED: Final = _WAY.format("Close anyway", "loses this.")
_FOREVER: Final = "No further picture is begun by “Generate forever”."


@dataclass(frozen=True, slots=True)
class Saving:
    """How something that would be lost is saved by hand.

    Attributes:
        title: On its button.
        save: Does it, maybe later, and then calls `ClosingDialog.tell_saved` or `ClosingDialog.show_error`.
    """

    title: str
    save: Callable[[ClosingDialog], object]


class ClosingDialog(QDialog):
    """Asks once; `Cancel`, Esc and its own close button change nothing.

    Args:
        works: What goes on, or would be lost, a line each.
        can_finish: Whether any of it can be finished without the window.
        is_forever: Whether pictures are made until somebody stops that.
        parent: The window.
        savings: What can be saved by hand.
        is_working: Whether anything goes on.
    """

    #: Something was saved by hand: the window is to be closed again.
    saved = Signal()

    #: The window is to go, the work to go on.
    background_chosen = Signal()
    #: All is to be stopped.
    stop_chosen = Signal()

    def __init__(
        self, works: Sequence[str], can_finish: bool, is_forever: bool, parent: QWidget,
        savings: Sequence[Saving] = (), is_working: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self.setObjectName("closingDialog")
        self.setWindowTitle("Close SD Studio?")
        self.setWindowModality(Qt.WindowModality.WindowModal)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        heading = QLabel("The studio is still working" if is_working else "Not everything is saved", self)
        mark(heading, "role", "heading")
        shown = list(works[:LINES_MAXIMUM])
        if len(works) > LINES_MAXIMUM:
            shown.append(f"and {len(works) - LINES_MAXIMUM} more")
        self._works = QLabel("\n".join(f"•  {line}" for line in shown), self)
        self._works.setObjectName("closingWorks")
        self._works.setTextFormat(Qt.TextFormat.PlainText)
        self._works.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(GRID * 2)
        column.addWidget(heading)
        column.addWidget(self._works)
        self._wrong = QLabel(self)
        self._wrong.setObjectName("closingWrong")
        self._wrong.setTextFormat(Qt.TextFormat.PlainText)
        self._wrong.setWordWrap(True)
        mark(self._wrong, "role", "error")
        self._wrong.hide()
        if savings:
            column.addLayout(self._savings(savings))
            column.addWidget(self._wrong)
        for text in self._ways(can_finish, is_forever, is_working):
            about = QLabel(text, self)
            about.setWordWrap(True)
            mark(about, "role", "muted")
            column.addWidget(about)
        column.addLayout(self._foot(can_finish))
        self.setFixedWidth(_WIDTH)

    @staticmethod
    def _ways(can_finish: bool, is_forever: bool, is_working: bool) -> list[str]:
        if not can_finish:
            return [_LOSE if is_working else _LOSE_UNSAVED]
        return [f"{_BACKGROUND} {_FOREVER}" if is_forever else _BACKGROUND, _STOP]

    def show_error(self, text: str) -> None:
        """Show why something could not be saved."""
        self._wrong.setText(text)
        self._wrong.show()

    def tell_saved(self) -> None:
        """Something was saved: close, and ask again about what is left."""
        self.accept()
        self.saved.emit()

    def _savings(self, savings: Sequence[Saving]) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(GRID)
        for at, saving in enumerate(savings):
            button = push_button(self, f"saveButton{at}", saving.title, "", partial(saving.save, self))
            row.addWidget(button)
        row.addStretch(1)
        return row

    def _foot(self, can_finish: bool) -> QHBoxLayout:
        stop = push_button(self, "stopAndKeepButton", "Stop and keep" if can_finish else "Close anyway", "", self._stop)
        cancel = push_button(self, "cancelClosingButton", "Cancel", "", self.reject)
        buttons = [(stop, STOP), (cancel, CLOSE)]
        first = cancel
        if can_finish:
            finish = push_button(self, "finishInBackgroundButton", "Finish in the background", "", self._finish)
            mark(finish, "primary", True)
            buttons.append((finish, DO))
            first = finish
        foot = dialog_foot(self, buttons, first)
        first.setFocus(Qt.FocusReason.OtherFocusReason)
        return foot

    def _finish(self) -> None:
        self.accept()
        self.background_chosen.emit()

    def _stop(self) -> None:
        self.accept()
        self.stop_chosen.emit()
