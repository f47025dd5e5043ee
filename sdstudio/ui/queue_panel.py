"""The queue: the running job, those that wait, and those that failed or were cut off and can be run again."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidgetItem,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from sdstudio.core.errors import StudioError
from sdstudio.core.events import EngineEvent
from sdstudio.jobs.controller import JobController
from sdstudio.jobs.queue import Job, JobState
from sdstudio.ui.card_list import CardList
from sdstudio.ui.empty_state import EmptyState
from sdstudio.ui.message_bar import MessageBar
from sdstudio.ui.queue_row import QueueRow
from sdstudio.ui.theme import GRID, mark, set_icon

_SHOWN = {JobState.RUNNING: 0, JobState.QUEUED: 1, JobState.FAILED: 2, JobState.INTERRUPTED: 2}
"""States that have a card, and in which block they stand; done pictures are in the history."""

_MOST_CARDS = 40
"""The next ones to run: a card takes 2 ms to build, and a submission may be a thousand jobs."""


class QueuePanel(QWidget):
    """Shows the controller's jobs and hands presses back to it."""

    def __init__(self, controller: JobController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._rows: dict[int, tuple[QListWidgetItem, QueueRow]] = {}
        self._waiting = 0
        waiting = (job.id for job in controller.jobs() if job.is_waiting)
        self._last_time = frozenset(waiting if controller.paused else ())
        self.bar = MessageBar("queueMessage", self, narrow=True)
        self.view = CardList("queueView", "Queue", self)
        self._empty = EmptyState(
            "list-ordered", "Nothing is waiting", "Press Generate as often as you like; jobs run one by one.", self, 28
        )
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self.view)
        self._count = QLabel(self)
        self._count.setProperty("role", "caption")
        self._pause = _tool("pauseButton", "Pause the queue", "pause", self)
        self._pause.clicked.connect(self.toggle_pause)
        self._clear = _tool("clearQueueButton", "Remove everything that waits or failed", "trash-2", self)
        self._clear.clicked.connect(self.clear)
        self._lay_out()
        controller.queue_changed.connect(self.show_jobs)
        controller.paused_changed.connect(self._on_paused_changed)
        self.show_jobs(controller.jobs())

    def row(self, job_id: int) -> QueueRow | None:
        """Return a job's card."""
        found = self._rows.get(job_id)
        return found[1] if found else None

    def show_event(self, job_id: int, event: EngineEvent) -> None:
        """Show how the running job goes on."""
        row = self.row(job_id)
        if row is not None:
            row.show_event(event)

    def show_jobs(self, jobs: Sequence[Job]) -> None:
        """Bring the cards up to date; unchanged ones stay as they are."""
        listed = sorted((job for job in jobs if job.state in _SHOWN), key=lambda job: _SHOWN[job.state])
        self._waiting = sum(job.is_waiting for job in listed)
        shown = listed[:_MOST_CARDS]
        wanted = [job.id for job in shown]
        for gone in [job_id for job_id in self._rows if job_id not in wanted]:
            item, _row = self._rows.pop(gone)
            self.view.takeItem(self.view.row(item))
        waiting_before = 0
        for at, job in enumerate(shown):
            self._place(job, at, waiting_before)
            waiting_before += job.is_waiting
        self.view.fit()
        more = f" · the next {waiting_before} shown" if waiting_before < self._waiting else ""
        self._count.setText(f"{self._waiting} waiting{more}" if self._waiting else "")
        self._clear.setEnabled(any(job.state is not JobState.RUNNING for job in listed))
        self._stack.setCurrentWidget(self.view if shown else self._empty)
        self._on_paused_changed(self._controller.paused)

    def clear(self) -> None:
        """Take out everything but the running job, what has no card too."""
        self._controller.clear()

    def _place(self, job: Job, at: int, waiting_before: int) -> None:
        found = self._rows.get(job.id)
        if found is not None and self.view.row(found[0]) != at:  # a card's widget cannot move: make it anew
            self.view.takeItem(self.view.row(found[0]))
            found = None
        if found is None:
            row = QueueRow(job)
            row.cancel_pressed.connect(self._on_cancel_pressed)
            row.retry_pressed.connect(self._on_retry_pressed)
            row.remove_pressed.connect(lambda job_id: self._controller.take_off([job_id]))
            found = self._rows[job.id] = (self.view.insert_card(at, row), row)
        found[1].update_job(job, waiting_before)

    def _on_cancel_pressed(self, job_id: int) -> None:
        row = self.row(job_id)
        if row is not None and row.job.state is JobState.RUNNING:
            row.show_cancelling()
        self._controller.cancel(job_id)

    def _on_retry_pressed(self, job_id: int) -> None:
        try:
            self._controller.retry(job_id)
        except StudioError as error:
            self.bar.say(str(error), "error")

    def toggle_pause(self) -> None:
        """Pause the queue after the running job, or start it again."""
        if self._controller.paused:
            self._controller.resume()
        else:
            self._controller.pause()

    def _on_paused_changed(self, paused: bool) -> None:
        set_icon(self._pause, "play" if paused else "pause")
        name = "Start the queue" if paused else "Pause the queue"
        self._pause.setToolTip(name if paused else f"{name} after the running job")
        self._pause.setAccessibleName(name)
        if paused and self._waiting:
            jobs = "1 job is waiting" if self._waiting == 1 else f"{self._waiting} jobs are waiting"
            is_old = all(job.id in self._last_time for job in self._controller.jobs() if job.is_waiting)
            said = f"{jobs} from last time." if is_old else f"Paused: {jobs}."
            self.bar.say(said, "info", [("Start", self._controller.resume), ("Clear", self.clear)])
        else:
            self.bar.dismiss()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setContentsMargins(GRID + GRID // 2, 0, GRID, 0)
        top.addWidget(self._count, 1)
        top.addWidget(self._pause)
        top.addWidget(self._clear)
        middle = QVBoxLayout()
        middle.setContentsMargins(GRID + GRID // 2, 0, GRID + GRID // 2, 0)
        middle.addWidget(self.bar)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, GRID // 2)
        column.setSpacing(GRID // 2)
        column.addLayout(top)
        column.addLayout(middle)
        cards = QVBoxLayout()
        cards.setContentsMargins(GRID + GRID // 2, 0, GRID, 0)
        cards.addWidget(self._stack)
        column.addLayout(cards, 1)


def _tool(name: str, title: str, icon_name: str, parent: QWidget) -> QToolButton:
    button = QToolButton(parent)
    button.setObjectName(name)
    button.setAccessibleName(title)
    button.setToolTip(title)
    mark(button, "ghost", True)
    set_icon(button, icon_name)
    return button
