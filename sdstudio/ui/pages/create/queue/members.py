"""The single jobs of one press of Generate, unfolded on its card: what each draws, how it stands, and a way out."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from sdstudio.jobs.queue import Group, Job, JobState
from sdstudio.ui.theme import GRID, mark, set_icon
from sdstudio.ui.widgets.elided_label import ElidedLabel

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
    #: They were folded away or unfolded.
    folded = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._group: Group | None = None
        self._shown: tuple[tuple[int, JobState], ...] = ()
        self._fold = QToolButton(self)
        self._fold.setObjectName("queueFoldButton")
        self._fold.setCheckable(True)
        self._fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        mark(self._fold, "fold", True)
        self._fold.toggled.connect(self._on_folded)
        self._lines = QWidget(self)
        self._column = QVBoxLayout(self._lines)
        self._column.setContentsMargins(16 + GRID, 0, 0, 0)
        self._column.setSpacing(0)
        self._lines.hide()
        outside = QVBoxLayout(self)
        outside.setContentsMargins(0, 0, 0, 0)
        outside.setSpacing(0)
        outside.addWidget(self._fold)
        outside.addWidget(self._lines)

    def show_group(self, group: Group) -> None:
        """Show how many there are, and bring the lines up to date where they are unfolded."""
        self._group = group
        is_open = self._fold.isChecked()
        set_icon(self._fold, "chevron-down" if is_open else "chevron-right", "muted")
        self._fold.setText(f"{len(group.jobs)} prompts")
        self._fold.setAccessibleName(f"{len(group.jobs)} prompts, {'fold away' if is_open else 'show'}")
        if is_open:
            self._show_lines(group)

    def _on_folded(self, is_open: bool) -> None:
        self._lines.setVisible(is_open)
        if self._group is not None:
            self.show_group(self._group)
        self.folded.emit()

    def _show_lines(self, group: Group) -> None:
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
            more = QLabel(f"and {len(group.jobs) - LINES_MAXIMUM} more", self._lines)
            mark(more, "role", "caption")
            self._column.addWidget(more)

    def _line(self, job: Job) -> QWidget:
        line = QWidget(self._lines)
        mark(line, "bare", True)
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        prompt = ElidedLabel(line)
        prompt.say(job.prompt)
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
