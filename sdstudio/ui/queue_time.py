"""How long the queue still takes: measured on what runs, else as pictures like these took on this machine before."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from sdstudio.core.events import EngineEvent, StepDone
from sdstudio.core.request import GenerationRequest
from sdstudio.jobs.queue import Group, JobState
from sdstudio.ui.progress import readable_duration, seconds_left

_EVERY_S: Final = 0.5
_Like = tuple[str, int, int]
"""Model, width and height: what decides how long a step takes, the number of pictures at once aside."""


class QueueTime:
    """Sums up what is known, and says where something is not."""

    def __init__(self) -> None:
        #: Returns how long a step of such a request took lately, per picture; ``None`` where nobody knows.
        self.seconds_per_step: Callable[[GenerationRequest], float | None] = lambda _request: None
        self._measured: dict[_Like, float] = {}
        self._running: Group | None = None
        self._waiting_s = 0.0
        self._running_s: float | None = None
        self._is_open = False
        self._jobs = 0
        self._told_at = 0.0

    def expect(self, groups: Sequence[Group]) -> None:
        """Take what runs and waits."""
        running = next((group for group in groups if group.state is JobState.RUNNING), None)
        if running is None or self._running is None or running.id != self._running.id:
            self._running_s = None
        self._running = running
        self._waiting_s, self._is_open, self._jobs = 0.0, False, len(groups)
        known: dict[tuple[_Like, int], float | None] = {}
        for group in groups:
            if group is running:
                continue
            for job in group.jobs:
                request = job.request
                key = _like(request), request.steps_run
                if key not in known:
                    known[key] = self._of_step(request)
                each = known[key]
                if each is None:
                    self._is_open = True
                else:
                    self._waiting_s += each * request.steps_run * (job.count - job.made)

    def take(self, event: EngineEvent) -> bool:
        """Take what the running job tells; return whether `words` may say something else now."""
        if not isinstance(event, StepDone) or self._running is None or event.seconds_per_step <= 0:
            return False
        self._running_s = seconds_left(event)
        for job in self._running.jobs[:1]:
            self._measured[_like(job.request)] = event.seconds_per_step / event.count
        now = time.monotonic()
        if now - self._told_at < _EVERY_S:
            return False
        self._told_at = now
        return True

    def words(self) -> str:
        """Return "about 2 min left", "more than 2 min left" where some of it is unknown, "" for nothing or unknown."""
        if not self._jobs:
            return ""
        is_open = self._is_open or (self._running is not None and self._running_s is None)
        total = self._waiting_s + (self._running_s or 0.0)
        if total < 1:
            return ""
        return f"{'more than' if is_open else 'about'} {readable_duration(total)} left"

    def _of_step(self, request: GenerationRequest) -> float | None:
        measured = self._measured.get(_like(request))
        return measured if measured is not None else self.seconds_per_step(request)


def _like(request: GenerationRequest) -> _Like:
    return request.model, request.width, request.height

