"""When the desktop is notified: of progress all the time, of the end as the settings ask, for users who look away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from PySide6.QtCore import QObject, QTimer

from sdstudio.background.controller import JobController
from sdstudio.core.settings import Settings
from sdstudio.jobs.job import Group, JobState
from sdstudio.jobs.progress import progress_of
from sdstudio.jobs.runner import JobEvent

_PROMPT_LENGTH: Final = 80
_SETTLE_MS: Final = 150


class TellsDesktop(Protocol):
    """What is needed of the desktop."""

    def notify(self, title: str, text: str) -> bool: ...  # noqa: D102
    def show_progress(self, fraction: float | None) -> None: ...  # noqa: D102


class EndOfWork(QObject):
    """Announces the end of each press of Generate, or of the last one, by a sound and a notification.

    What the user cancelled is announced by neither.

    Args:
        controller: Emits what becomes of the jobs.
        settings: Returns those that hold now.
        is_looked_at: Whether a window of the studio is the active one: no notification is needed then.
        desktop: Shows notifications and progress.
        play: Plays the sound.
        parent: As Qt has it.
    """

    def __init__(
        self, controller: JobController, settings: Callable[[], Settings], is_looked_at: Callable[[], bool],
        desktop: TellsDesktop, play: Callable[[], object], parent: QObject,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._settings = settings
        self._is_looked_at = is_looked_at
        self._desktop = desktop
        self._play = play
        self._made = 0
        self._failed = 0
        self._percent = -1
        self._announced: set[tuple[int, int, float]] = set()
        # News of several jobs may come at once, each with the queue as it is by now.
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_SETTLE_MS)
        self._soon.timeout.connect(self._on_settled)
        worker = controller.worker
        worker.job_event.connect(self._on_job_event)
        worker.job_started.connect(lambda _job: self._soon.stop())
        worker.picture_saved.connect(self._on_picture_saved)
        controller.group_ended.connect(self._on_group_ended)
        controller.queue_ended.connect(self._on_queue_ended)

    def _on_job_event(self, event: JobEvent) -> None:
        progress = progress_of(event.event)
        if progress is None or progress.fraction < 0:
            return
        percent = round(progress.fraction * 100)
        if percent != self._percent:
            self._percent = percent
            self._desktop.show_progress(progress.fraction)

    def _on_picture_saved(self, _entry: object) -> None:
        self._made += 1

    def tell_now(self) -> None:
        """Announce an end that has not been announced yet: the program ends."""
        if self._soon.isActive():
            self._soon.stop()
            self._on_settled()

    def _on_group_ended(self, group: Group) -> None:
        as_it_ended = group.id, group.made, group.duration_s
        if as_it_ended in self._announced:
            return
        self._announced.add(as_it_ended)
        failed = sum(job.state is JobState.FAILED for job in group.jobs)
        self._failed += failed
        words = " ".join(group.jobs[0].request.prompt.split())[:_PROMPT_LENGTH]
        if group.state is not JobState.CANCELLED:
            self._announce("every", _title_of(group.made, failed), words)

    def _on_queue_ended(self) -> None:
        self._percent = -1
        self._desktop.show_progress(None)
        self._soon.start()

    def _on_settled(self) -> None:
        made, failed, self._made, self._failed = self._made, self._failed, 0, 0
        if made or failed:
            self._announce("last", _title_of(made, failed), "Nothing more waits in the queue.")

    def _announce(self, when: str, title: str, text: str) -> None:
        settings = self._settings()
        if settings.end_sound == when:
            self._play()
        if settings.end_notification == when and not self._is_looked_at():
            self._desktop.notify(title, text)


def _title_of(made: int, failed: int) -> str:
    pictures = "1 picture" if made == 1 else f"{made} pictures"
    jobs = f"{failed} {'job' if failed == 1 else 'jobs'} failed"
    if not failed:
        return f"Done: {pictures}"
    return f"Done: {pictures}, {jobs}" if made else jobs
