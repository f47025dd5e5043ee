"""Short work that must not hold up the window (thumbnails, scans): run on a few threads, its result on the main one."""

from __future__ import annotations

import itertools
import logging
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from PySide6.QtCore import QObject, Qt, Signal, Slot

from sdstudio.background.signals import TypedSignal
from sdstudio.core.errors import Cancelled, StudioError

log = logging.getLogger(__name__)

THREADS: Final = 2
URGENT_THREADS: Final = 2

WorkResult = TypeVar("WorkResult")


class TaskContext:
    """What the work of a task sees of it, on the work's thread; no QObject, so that none ends there."""

    def __init__(self, on_progress: Callable[[float], None]) -> None:
        self.cancelled_event = threading.Event()
        self._on_progress = on_progress

    def report(self, fraction: float) -> None:
        """Report how far the work is, 0 to 1; raises `Cancelled` when it is to stop."""
        if self.cancelled_event.is_set():
            raise Cancelled
        self._on_progress(fraction)


TaskWork = Callable[[TaskContext], WorkResult]


@dataclass(frozen=True, slots=True)
class Returned(Generic[WorkResult]):
    """What the work returned; ``None`` is a result, too."""

    result: WorkResult


Outcome = Returned[WorkResult] | StudioError | Cancelled
"""How a task ended."""


class Task(QObject, Generic[WorkResult]):
    """One piece of work in the background, as the thread that started it sees it.

    Exactly one of the last three signals comes. It has no parent: what is connected to it may hold the last reference
    to the runner, and a runner that is deleted while it goes must not find it among its children.
    """

    #: How far it is, 0 to 1.
    progressed = TypedSignal[float]()
    #: It is done: what the work returned.
    succeeded = TypedSignal[WorkResult]()
    #: It failed.
    failed = TypedSignal[StudioError]()
    #: It was cancelled.
    cancelled = Signal()

    def __init__(self, title: str, context: TaskContext, asked_for: bool = False) -> None:
        super().__init__()
        self.title = title
        self.asked_for = asked_for
        self._context = context

    @property
    def cancelled_event(self) -> threading.Event:
        """Set when it is to stop."""
        return self._context.cancelled_event

    def cancel(self) -> None:
        """Ask it to stop; whatever it returns is dropped."""
        self.cancelled_event.set()

    def end(self, outcome: Outcome[WorkResult]) -> None:
        """Emit the signal of how it ended."""
        if self.cancelled_event.is_set() or isinstance(outcome, Cancelled):
            self.cancelled.emit()
        elif isinstance(outcome, StudioError):
            self.failed.emit(outcome)
        else:
            self.succeeded.emit(outcome.result)


def _outcome(title: str, held: list[TaskWork[WorkResult]], context: TaskContext) -> Outcome[WorkResult]:
    """Do the work that is held, and return how it ended. Nothing of this thread refers to the work afterwards."""
    work = held.pop()
    try:
        return Cancelled() if context.cancelled_event.is_set() else Returned(work(context))
    except (Cancelled, StudioError) as expected:
        error: BaseException | None = expected
        while error is not None:  # a traceback refers to the work and all that it knows
            error.__traceback__, error = None, error.__cause__ or error.__context__
        return expected
    except Exception as unexpected:
        log.exception("%s failed", title)
        last = traceback.format_exception_only(unexpected)[-1].strip()
        return StudioError(f"{title}: unexpected error: {last}"[:400], "The log says more.")


class TaskRunner(QObject):
    """Runs tasks on a few threads of its own.

    Work often is a method of a window or of another QObject, which must not end on a thread of the pool. So the runner
    holds the work until the signal of its end was emitted, and the pool's thread lets go of it before.
    """

    #: A task failed. Comes beside the task's own signal, for one place that shows them all.
    failed = TypedSignal[StudioError]()
    # From the threads; the task's number stands for it there.
    _progressed = TypedSignal[int, float]()
    _ended = TypedSignal[int, Outcome[Any]]()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="sdstudio-task")
        self._urgent_pool = ThreadPoolExecutor(URGENT_THREADS, thread_name_prefix="sdstudio-task-urgent")
        self._numbers = itertools.count()
        self._running: dict[int, tuple[Task[Any], TaskWork[Any]]] = {}
        self._held: list[Callable[[], object]] | None = None
        self._futures: set[Future[None]] = set()
        self._progressed.connect(self._on_progressed, Qt.ConnectionType.QueuedConnection)
        self._ended.connect(self._on_ended, Qt.ConnectionType.QueuedConnection)

    def run(
        self,
        title: str,
        work: TaskWork[WorkResult],
        on_done: Callable[[WorkResult], object] | None = None,
        on_failed: Callable[[StudioError], object] | None = None,
        urgent: bool = False,
        asked_for: bool = False,
    ) -> Task[WorkResult]:
        """Begin a piece of work.

        Args:
            title: What it is, for messages: "Reading the model folders".
            work: Called on another thread with the task's context.
            on_done: Called on this thread with what the work returned.
            on_failed: Called on this thread with the error; without it, the runner emits `failed`.
            urgent: Someone looks at the place it will fill, and it takes moments: it does not wait for longer work.
            asked_for: Somebody waits for its result: the window does not close over it without a question.
        """
        number = next(self._numbers)
        context = TaskContext(lambda fraction: self._progressed.emit(number, fraction))
        task: Task[WorkResult] = Task(title, context, asked_for)
        if on_done is not None:
            task.succeeded.connect(on_done)
        if on_failed is not None:
            task.failed.connect(on_failed)
        else:
            task.failed.connect(self.failed)
        self._running[number] = (task, work)
        held = [work]
        pool = self._urgent_pool if urgent else self._pool

        def begin() -> None:
            future = pool.submit(lambda: self._ended.emit(number, _outcome(title, held, context)))
            self._futures = {waiting for waiting in self._futures if not waiting.done()} | {future}

        if self._held is None:
            begin()
        else:
            self._held.append(begin)
        return task

    def hold(self) -> None:
        """Begin nothing until `release`: other threads take the time that this one needs to show the window."""
        self._held = []

    def release(self) -> None:
        """Begin what was held."""
        waiting, self._held = self._held or [], None
        for begin in waiting:
            begin()

    @property
    def is_idle(self) -> bool:
        """Nothing is under way, and the signal of everything that has ended was emitted."""
        return not self._running

    @property
    def asked_for(self) -> tuple[str, ...]:
        """The titles of what somebody waits for, the oldest first."""
        return tuple(task.title for task, _work in self._running.values() if task.asked_for)

    @Slot(int, float)
    def _on_progressed(self, number: int, fraction: float) -> None:
        if number in self._running:
            self._running[number][0].progressed.emit(fraction)

    @Slot(int, object)
    def _on_ended(self, number: int, outcome: Outcome[Any]) -> None:
        ended = self._running.pop(number, None)
        if ended is not None:
            ended[0].end(outcome)

    def stop(self) -> None:
        """Cancel everything, and wait for nothing."""
        for task, _work in self._running.values():
            task.cancel()
        for pool in (self._pool, self._urgent_pool):
            pool.shutdown(wait=False, cancel_futures=True)

    def close(self, patience_s: float | None = None) -> bool:
        """Cancel everything and wait for what is running; no signal comes afterwards.

        Args:
            patience_s: How long, ``None`` for as long as it takes.

        Returns:
            Whether everything has ended.
        """
        self.stop()
        # A future that was cancelled in its queue is done, but does not announce it, and `wait` would wait for that.
        running = [future for future in self._futures if not future.done()]
        ended = not wait_for(running, patience_s).not_done
        if ended:
            for pool in (self._pool, self._urgent_pool):
                pool.shutdown(wait=True)
        self._running.clear()
        return ended
