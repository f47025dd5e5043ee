"""Work on the whole mask, in the background: one piece after the other, with how far it is and a way to stop it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal

from sdstudio.background.signals import TypedSignal
from sdstudio.background.tasks import Task, TaskContext, TaskRunner
from sdstudio.core.errors import StudioError
from sdstudio.core.readable import readable_duration
from sdstudio.ui.pages.create.mask.document import MaskDocument, Patch, Pixels, difference
from sdstudio.ui.pages.create.mask.works import Tell

SAID_AFTER_MS: Final = 300
"""What takes less long is not worth a word."""

Make = Callable[[Pixels, Tell], Pixels]


@dataclass(frozen=True, slots=True)
class Work:
    """One piece: what it is called, the mask it is done to, and what makes other pixels of its pixels."""

    title: str
    document: MaskDocument
    make: Make


class WholeMask(QObject):
    """Does works in turn.

    Args:
        tasks: Where.
        parent: As Qt has it.
    """

    #: A work is done: the `Work`, and the `Patch` of what it changed, ``None`` for nothing.
    done = TypedSignal[Work, Patch | None]()
    #: A work failed: the StudioError.
    failed = TypedSignal[StudioError]()
    #: Works are under way, or all are done.
    busy_changed = Signal(bool)
    #: How far a long one is, in words; "" when it has ended.
    told = Signal(str)

    def __init__(self, tasks: TaskRunner, parent: QObject) -> None:
        super().__init__(parent)
        self._tasks = tasks
        self._waiting: deque[Work] = deque()
        self._task: Task[tuple[int, Patch | None]] | None = None
        self._now: Work | None = None
        self._fraction = 0.0
        self._since_s = 0.0
        self._says = QTimer(self)
        self._says.setInterval(SAID_AFTER_MS)
        self._says.timeout.connect(self._tell)

    @property
    def is_busy(self) -> bool:
        """Whether anything is under way."""
        return self._now is not None

    def add(self, work: Work) -> None:
        """Do this when what was asked for before is done."""
        self._waiting.append(work)
        if self._now is None:
            self.busy_changed.emit(True)
            self._begin(self._waiting.popleft())

    def stop(self) -> bool:
        """Stop what is under way and what waits; False where nothing is."""
        if self._task is None:
            return False
        self._waiting.clear()
        self._task.cancel()
        return True

    def _begin(self, work: Work) -> None:
        self._now = work
        before, revision = work.document.pixels.copy(), work.document.revision

        def run(task: TaskContext) -> tuple[int, Patch | None]:
            return revision, difference(before, work.make(before, task.report))

        self._fraction, self._since_s = 0.0, time.monotonic()
        self._says.start()
        self._task = self._tasks.run(work.title, run, self._on_done, self._on_failed)
        self._task.progressed.connect(self._on_progressed)
        self._task.cancelled.connect(self._go_on)

    def _on_done(self, came: tuple[int, Patch | None]) -> None:
        revision, patch = came
        work = self._now
        assert work is not None
        if revision != work.document.revision:  # something was taken back meanwhile
            self._begin(work)
            return
        self.done.emit(work, patch)
        self._go_on()

    def _on_failed(self, error: StudioError) -> None:
        self.failed.emit(error)
        self._go_on()

    def _go_on(self) -> None:
        self._says.stop()
        self.told.emit("")
        self._task = self._now = None
        if self._waiting:
            self._begin(self._waiting.popleft())
        else:
            self.busy_changed.emit(False)

    def _on_progressed(self, fraction: float) -> None:
        self._fraction = fraction

    def _tell(self) -> None:
        assert self._now is not None
        parts = [f"{self._now.title}…"]
        if self._fraction > 0.05:
            gone_s = time.monotonic() - self._since_s
            parts += [f"{self._fraction:.0%}", f"{readable_duration(gone_s / self._fraction - gone_s)} left"]
        self.told.emit(" · ".join([*parts, "Esc stops it"]))
