"""How long the queue still takes: measured on what runs, else as pictures like these took on this machine before."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from sdstudio.core.events import EngineEvent, StepDone
from sdstudio.core.readable import readable_duration
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.second_pass_fields import steps_of_work
from sdstudio.jobs.progress import seconds_left
from sdstudio.jobs.queue import Group, JobState

_EVERY_S: Final = 0.5
_Like = tuple[str, int, int]
"""Model, width and height: what decides how long a step takes, the number of pictures at once aside."""


class QueueTime:
    """Sums up what is known, and marks where something is not."""

    def __init__(self) -> None:
        #: Returns how long a step of such a request took lately, per picture; ``None`` where nobody knows.
        self.seconds_per_step: Callable[[GenerationRequest], float | None] = lambda _request: None
        self._measured: dict[_Like, float] = {}
        self._running: Group | None = None
        self._running_s: float | None = None
        self._expected: dict[int, float | None] = {}
        self._told_at = 0.0

    def expect(self, groups: Sequence[Group]) -> None:
        """Take what runs and waits."""
        running = next((group for group in groups if group.state is JobState.RUNNING), None)
        if running is None or self._running is None or running.id != self._running.id:
            self._running_s = None
        self._running = running
        known: dict[_Like, float | None] = {}
        self._expected = {group.id: self._expected_of(group, known) for group in groups}

    def take(self, event: EngineEvent) -> bool:
        """Take an event of the running job; return whether `words` may be different now."""
        if not isinstance(event, StepDone) or self._running is None or event.seconds_per_step <= 0:
            return False
        self._running_s = seconds_left(event)
        for job in self._running.jobs[:1]:
            whole_s = event.work[1] * event.seconds_per_step
            self._measured[_like(job.request)] = whole_s / max(steps_of_work(job.request), 1) / event.count
        now = time.monotonic()
        if now - self._told_at < _EVERY_S:
            return False
        self._told_at = now
        return True

    def words(self) -> str:
        """Return "about 2 min left", "more than 2 min left" where some of it is unknown, "" for nothing or unknown."""
        measured = {self._running.id: self._running_s} if self._running is not None and self._running_s else {}
        parts = {**self._expected, **measured}.values()
        total = sum(part for part in parts if part is not None)
        if total < 1:
            return ""
        return f"{'more than' if None in parts else 'about'} {_roughly(total)} left"

    def _expected_of(self, group: Group, known: dict[_Like, float | None]) -> float | None:
        """Return how long a group takes by what is known of such pictures; ``None`` where nothing is."""
        total = 0.0
        for job in group.jobs:
            if job.state.ended:
                continue
            like = _like(job.request)
            if like not in known:
                known[like] = self._of_step(job.request)
            each = known[like]
            if each is None:
                return None
            total += each * steps_of_work(job.request) * (job.count - job.made)
        return total

    def _of_step(self, request: GenerationRequest) -> float | None:
        measured = self._measured.get(_like(request))
        return measured if measured is not None else self.seconds_per_step(request)


def _roughly(seconds: float) -> str:
    """Return a duration no finer than it is known: "40 s", "2 min", "1 h 10 min"."""
    return readable_duration(seconds) if seconds < 60 or seconds >= 3570 else f"{round(seconds / 60)} min"


def _like(request: GenerationRequest) -> _Like:
    return request.model, request.width, request.height
