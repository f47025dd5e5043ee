"""Generate forever: another job whenever the queue runs dry, of what is written then, until somebody stops it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QAbstractButton

from sdstudio.background.controller import JobController
from sdstudio.jobs.queue import Job, JobState
from sdstudio.ui.widgets.message_bar import MessageBar

SAME: Final = "Generating forever has ended: the seed is fixed, so that the next picture would be this one again."
SAME_HINT: Final = "Let the seed be random, or change something, and start it again."
ASK: Final = "The seed is fixed: every picture would be the same."
_LIVE: Final = (JobState.QUEUED, JobState.RUNNING)


class Forever(QObject):
    """Keeps the queue from running dry while its button is down.

    What is written counts from the next job on. It ends by the button, when a job is cancelled, fails or is refused,
    and when the next one would be the last one again. Where every picture would be the same, it asks before the first.

    Args:
        button: Checkable; down while it is on.
        controller: Emits what becomes of the jobs.
        generate: Submits what is written and returns its first job; shows what is wrong and returns ``None`` else.
            Called with whether the canvas should show it.
        written: What the pictures follow from; ``None`` while the seed is random and no two are the same.
        say: Shows a message and a hint.
        bar: Where it asks.
        free_seed: Lets the seed be random.
        parent: Qt's.
    """

    def __init__(
        self, button: QAbstractButton, controller: JobController, generate: Callable[[bool], Job | None],
        written: Callable[[], object], say: Callable[[str, str], object], bar: MessageBar,
        free_seed: Callable[[], object], parent: QObject,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._button = button
        self._controller = controller
        self._generate = generate
        self._written = written
        self._say = say
        self._bar = bar
        self._free_seed = free_seed
        self._first_job = 0
        self._last_written: object = None
        # The end of a job reaches every slot before the next one is submitted.
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._go_on)
        button.toggled.connect(self._on_toggled)
        controller.queue_changed.connect(self._on_queue_changed)

    def _on_toggled(self, is_on: bool) -> None:
        self._first_job, self._last_written = 0, None
        self._bar.dismiss()
        if not is_on:
            return
        if self._written() is None:
            self._go_on()
        else:
            self._button.setChecked(False)
            ways = [("Use random seeds", self._begin_with_random_seeds), ("Draw it once", lambda: self._generate(True))]
            self._bar.say(ASK, "info", ways)

    def _begin_with_random_seeds(self) -> None:
        self._free_seed()
        self._button.setChecked(True)

    def _on_queue_changed(self, jobs: Sequence[Job]) -> None:
        if not self._button.isChecked():
            return
        ours = [job for job in jobs if self._first_job and job.id >= self._first_job]
        taken_off = bool(self._first_job) and self._controller.group(self._first_job) is None
        if taken_off or any(job.state not in (*_LIVE, JobState.DONE) for job in ours):
            self._button.setChecked(False)
        elif not any(job.state in _LIVE for job in jobs):
            self._soon.start()

    def _go_on(self) -> None:
        if not self._button.isChecked() or any(job.state in _LIVE for job in self._controller.jobs()):
            return
        written = self._written()
        if written is not None and written == self._last_written:
            self._button.setChecked(False)
            self._say(SAME, SAME_HINT)
            return
        job = self._generate(not self._first_job)
        if job is None:
            self._button.setChecked(False)
            return
        self._first_job, self._last_written = job.id, written
