"""Work on many files in the background that can be watched and stopped, and keeps what it had done until then.

A `Task` that is cancelled drops what it made; an import that is stopped half-way has imported half, and reports it. So
the work itself looks at a flag, ends early, and returns its report like any other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic

from PySide6.QtCore import QObject, Qt, Signal

from sdstudio.background.signals import TypedSignal
from sdstudio.background.tasks import TaskContext, TaskRunner, WorkResult
from sdstudio.core.errors import StudioError
from sdstudio.history.bulk_work import OnProgress

EMIT_EVERY_S: Final = 0.1

Work = Callable[[OnProgress, Callable[[], bool]], WorkResult]
"""Does the work; takes what to call with its progress, and what returns whether it is to stop."""


@dataclass(frozen=True, slots=True)
class WorkProgress:
    """How far it is: ``done`` of ``total`` files, the ``name`` of the next, seconds left (negative: not known yet)."""

    done: int
    total: int
    name: str
    left_s: float

    @property
    def fraction(self) -> float:
        """Share of the files that are done."""
        return self.done / self.total if self.total else 0.0


class LongWork(QObject, Generic[WorkResult]):
    """One piece of long work. Its signals come on the thread it was made on."""

    #: How far it is, at most ten times a second.
    progressed = TypedSignal[WorkProgress]()
    #: It has ended, whole or stopped: what the work returned.
    done = TypedSignal[WorkResult]()
    #: It failed.
    failed = TypedSignal[StudioError]()
    #: It was stopped and has nothing to show for it.
    stopped = Signal()
    _moved = TypedSignal[WorkProgress]()

    def __init__(self, tasks: TaskRunner, title: str, work: Work[WorkResult], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tasks = tasks
        self._title = title
        self._work = work
        self._stop = threading.Event()
        self._began_s = 0.0
        self._emitted_s = 0.0
        self._running = False
        self._moved.connect(self.progressed, Qt.ConnectionType.QueuedConnection)

    @property
    def is_running(self) -> bool:
        """Whether it has begun and not ended."""
        return self._running

    def begin(self) -> None:
        """Begin, once."""
        self._began_s = time.monotonic()
        self._running = True
        task = self._tasks.run(self._title, self._run, self._on_done, self._on_failed, asked_for=True)
        task.cancelled.connect(self._on_stopped)

    def stop(self) -> None:
        """Ask it to end early."""
        self._stop.set()

    def _run(self, task: TaskContext) -> WorkResult:
        return self._work(self._on_progress, lambda: self._stop.is_set() or task.cancelled_event.is_set())

    def _on_progress(self, done: int, total: int, name: str) -> None:
        now = time.monotonic()
        if done < total and now - self._emitted_s < EMIT_EVERY_S:
            return
        self._emitted_s = now
        left_s = (now - self._began_s) / done * (total - done) if done else -1.0
        self._moved.emit(WorkProgress(done, total, name, left_s))

    def _on_done(self, result: WorkResult) -> None:
        self._running = False
        self.done.emit(result)

    def _on_failed(self, error: StudioError) -> None:
        self._running = False
        self.failed.emit(error)

    def _on_stopped(self) -> None:
        self._running = False
        self.stopped.emit()
