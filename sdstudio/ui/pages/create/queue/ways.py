"""The buttons of a card in the queue that ended before all its pictures were made; most cards never need them."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QPushButton, QWidget

from sdstudio.jobs.queue import JobState
from sdstudio.ui.theme import GRID
from sdstudio.ui.widgets.flow_layout import FlowLayout


class QueueWays(QWidget):
    """Run again, keep what there is, copy the report."""

    #: Run it again.
    retry_pressed = Signal()
    #: Keep what it was drawing.
    keep_pressed = Signal()
    #: Copy what went wrong.
    copy_pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._retry = QPushButton("Run again", self)
        self._retry.setAccessibleName("Run again")
        self._retry.clicked.connect(self.retry_pressed)
        self._keep = QPushButton("Keep what there is", self)
        self._keep.setAccessibleName("Keep what there is")
        self._keep.setToolTip("Save the picture as far as it was drawn, marked as unfinished")
        self._keep.clicked.connect(self.keep_pressed)
        self._copy = QPushButton("Copy report", self)
        self._copy.setAccessibleName("Copy report")
        self._copy.setToolTip("Copy what happened, for a bug report or a friend")
        self._copy.clicked.connect(self.copy_pressed)
        flow = FlowLayout(GRID // 2, self)
        for button in (self._retry, self._keep, self._copy):
            flow.addWidget(button)

    def offer(self, state: JobState, can_keep: bool) -> None:
        """Show what can be done in a state."""
        self._keep.setVisible(can_keep)
        self._copy.setVisible(state is JobState.FAILED)
