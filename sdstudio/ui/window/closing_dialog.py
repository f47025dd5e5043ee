"""The question that is asked when the window is closed over work: what goes on, and the three ways from here."""

from __future__ import annotations

from collections.abc import Sequence
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
_FOREVER: Final = "No further picture is begun by “Generate forever”."


class ClosingDialog(QDialog):
    """Asks once; `Cancel`, Esc and its own close button change nothing.

    Args:
        works: What goes on, a line each.
        can_finish: Whether any of it can be finished without the window.
        is_forever: Whether pictures are made until somebody stops that.
        parent: The window.
    """

    #: The window is to go, the work to go on.
    background_chosen = Signal()
    #: All is to be stopped.
    stop_chosen = Signal()

    def __init__(self, works: Sequence[str], can_finish: bool, is_forever: bool, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("closingDialog")
        self.setWindowTitle("Close SD Studio?")
        self.setWindowModality(Qt.WindowModality.WindowModal)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        heading = QLabel("The studio is still working", self)
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
        for said in self._ways(can_finish, is_forever):
            about = QLabel(said, self)
            about.setWordWrap(True)
            mark(about, "role", "muted")
            column.addWidget(about)
        column.addLayout(self._foot(can_finish))
        self.setFixedWidth(_WIDTH)

    @staticmethod
    def _ways(can_finish: bool, is_forever: bool) -> list[str]:
        if not can_finish:
            return [_LOSE]
        return [f"{_BACKGROUND} {_FOREVER}" if is_forever else _BACKGROUND, _STOP]

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
