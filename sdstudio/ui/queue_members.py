"""The single jobs of one press of Generate, unfolded on its card: what each draws, how it stands, and a way out."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from sdstudio.jobs.queue import Group, Job, JobState
from sdstudio.ui.elided_label import ElidedLabel
from sdstudio.ui.theme import GRID, mark, set_icon

LINES_MAXIMUM: Final = 20
"""A press of Generate may be a thousand jobs."""

_STATES: Final = {
    JobState.QUEUED: "waiting",
    JobState.RUNNING: "running",
    JobState.DONE: "done",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
    JobState.INTERRUPTED: "interrupted",
}


class QueueMembers(QWidget):
    """A line for each job."""

    #: A waiting job is to be taken out; carries its id.
    remove_pressed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: tuple[tuple[int, JobState], ...] = ()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(16 + GRID, 0, 0, 0)
        self._column.setSpacing(0)

    def show_group(self, group: Group) -> None:
        """Bring the lines up to date."""
        shown = tuple((job.id, job.state) for job in group.jobs)
        if shown == self._shown:
            return
        self._shown = shown
        while self._column.count():
            item = self._column.takeAt(0)
            line = item.widget() if item is not None else None
            if line is not None:
                line.hide()
                line.deleteLater()
        for job in group.jobs[:LINES_MAXIMUM]:
            self._column.addWidget(self._line(job))
        if len(group.jobs) > LINES_MAXIMUM:
            more = QLabel(f"and {len(group.jobs) - LINES_MAXIMUM} more", self)
            mark(more, "role", "caption")
            self._column.addWidget(more)

    def _line(self, job: Job) -> QWidget:
        line = QWidget(self)
        mark(line, "bare", True)
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        prompt = ElidedLabel(line)
        prompt.set_text(job.prompt)
        state = QLabel(_STATES[job.state], line)
        mark(state, "role", "caption")
        row.addWidget(prompt, 1)
        row.addWidget(state)
        close = QToolButton(line)
        mark(close, "ghost", True)
        set_icon(close, "x", "muted", 14)
        close.setToolTip("Remove this prompt from the queue")
        close.setAccessibleName(f"Remove {job.prompt[:80]}")
        close.clicked.connect(lambda: self.remove_pressed.emit(job.id))
        policy = close.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        close.setSizePolicy(policy)
        close.setVisible(job.is_waiting)
        row.addWidget(close)
        line.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return line
