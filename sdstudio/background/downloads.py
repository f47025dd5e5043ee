"""The downloads of this window: asked for, running two at a time, paused, failed, and those an earlier run left."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from sdstudio.background.signals import TypedSignal
from sdstudio.background.tasks import Task, TaskContext, TaskRunner, TaskWork, WorkResult
from sdstudio.core.errors import DownloadDamaged, StudioError
from sdstudio.library.getting.download import Staged, discard, run, stage, unfinished
from sdstudio.library.getting.fetch import Patience
from sdstudio.library.getting.hub import Hub
from sdstudio.library.getting.meter import DownloadProgress
from sdstudio.library.getting.plan import Plan
from sdstudio.library.getting.planner import DownloadOrder, Planner

UNDO_MS: Final = 15_000
"""How long a cancelled download can be taken back before what has arrived is deleted."""

_LET_GO_MS: Final = 100


class DownloadState(Enum):
    """Where a download stands."""

    ASKING = "asking what there is"
    READY = "waiting for the user's word"
    WAITING = "waiting for its turn"
    RUNNING = "running"
    PAUSED = "paused"
    FAILED = "failed"
    CANCELLED = "cancelled, and not yet deleted"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Download:
    """One download as it stands now.

    Attributes:
        id: Its number in this window.
        order: What was asked for; ``None`` for one that an earlier run left.
        state: Where it stands.
        plan: What is fetched, ``None`` while nobody knows.
        progress: How far it is, ``None`` before the first byte.
        error: Why it failed.
        path: Where the model is, when it is done.
        is_leftover: Whether an earlier run left it.
    """

    id: int
    order: DownloadOrder | None
    state: DownloadState
    plan: Plan | None = None
    progress: DownloadProgress | None = None
    error: StudioError | None = None
    path: Path | None = None
    is_leftover: bool = False

    @property
    def is_running(self) -> bool:
        """Whether it is being fetched."""
        return self.state is DownloadState.RUNNING

    @property
    def title(self) -> str:
        """What the user reads."""
        if self.plan is not None:
            return self.plan.title
        return self.order.text if self.order is not None else ""


class Downloads(QObject):
    """Runs downloads on threads of its own; asks nothing of the network before it is asked to.

    Args:
        models: The models folder.
        hub: The Hub.
        parent: As Qt has it.
        patience: How a server that fails is met.
    """

    #: A download is new or has changed; carries the `Download`.
    changed = TypedSignal[Download]()
    #: A download is no longer listed; carries its id.
    removed = Signal(int)
    #: A model has arrived and can be found on disk; carries the `Download`.
    arrived = TypedSignal[Download]()
    _began = Signal(int)
    _progressed = TypedSignal[int, DownloadProgress]()

    def __init__(self, models: Path, hub: Hub, parent: QObject | None = None, patience: Patience | None = None) -> None:
        super().__init__(parent)
        self._models = models
        self._hub = hub
        self._patience = patience
        self._asking = TaskRunner(self)
        self._fetching = TaskRunner(self)
        self._rows: dict[int, Download] = {}
        self._staged: dict[int, Staged] = {}
        self._tasks: dict[int, Task[Any]] = {}
        self._again: set[int] = set()
        self._cancels: dict[int, int] = {}
        self._next_id = 1
        self._began.connect(self._on_began, Qt.ConnectionType.QueuedConnection)
        self._progressed.connect(self._on_progressed, Qt.ConnectionType.QueuedConnection)

    def downloads(self) -> tuple[Download, ...]:
        """Return all that are listed, the oldest first."""
        return tuple(self._rows.values())

    @property
    def under_way(self) -> tuple[Download, ...]:
        """Return those that nobody has to start: being fetched, or waiting for their turn."""
        return tuple(row for row in self._rows.values() if row.state in (DownloadState.WAITING, DownloadState.RUNNING))

    def take_up_leftovers(self) -> int:
        """List what an earlier run left, paused; return how many."""
        known = {staged.folder for staged in self._staged.values()}
        leftovers = [staged for staged in unfinished(self._models) if staged.folder not in known]
        for staged in leftovers:
            row = self._new(None, DownloadState.PAUSED, staged.plan, is_leftover=True)
            self._staged[row.id] = staged
            self._set(row, progress=DownloadProgress(staged.done_bytes, staged.plan.size_bytes))
        return len(leftovers)

    def ask(self, order: DownloadOrder, at_once: bool = False) -> int:
        """Find out what is to be fetched for an order; then wait for `start`, or start ``at_once``. Return its id."""
        row = self._new(order, DownloadState.ASKING)
        self._ask(row, at_once)
        return row.id

    def start(self, number: int) -> None:
        """Begin one that is ready, go on with one that is paused, try one again that failed."""
        row = self._rows.get(number)
        if row is None or row.state not in (DownloadState.READY, DownloadState.PAUSED, DownloadState.FAILED):
            return
        # Something else came than was planned: the file may be another one by now.
        is_other = row.plan is not None and row.order is not None and isinstance(row.error, DownloadDamaged)
        if row.plan is None or is_other:
            self._ask(self._set(row, state=DownloadState.ASKING, error=None), at_once=is_other)
            return
        row = self._set(row, state=DownloadState.WAITING, error=None)
        if number in self._tasks:  # its last run has not ended yet
            self._again.add(number)
        else:
            self._fetch(row)

    def pause(self, number: int) -> None:
        """Stop one and keep what has arrived."""
        row = self._rows.get(number)
        if row is not None and row.state in (DownloadState.WAITING, DownloadState.RUNNING):
            self._set(row, state=DownloadState.PAUSED)
            self._stop(number)

    def cancel(self, number: int) -> None:
        """Stop one; what has arrived is deleted soon, until then `undo_cancel` takes it back."""
        row = self._rows.get(number)
        if row is None:
            return
        self._stop(number)
        if number not in self._staged or row.state is DownloadState.DONE:
            self._forget(number)
            return
        self._set(row, state=DownloadState.CANCELLED, error=None)
        self._cancels[number] = self._cancels.get(number, 0) + 1
        self._delete_in(UNDO_MS, number)

    def undo_cancel(self, number: int) -> None:
        """Take back a cancelled one, paused."""
        row = self._rows.get(number)
        if row is not None and row.state is DownloadState.CANCELLED:
            self._set(row, state=DownloadState.PAUSED)

    def stop(self) -> None:
        """Stop everything, and wait for nothing."""
        for number in list(self._tasks):
            self._stop(number)
        self._asking.stop()
        self._fetching.stop()

    def close(self, patience_s: float | None = None) -> bool:
        """Stop everything; what has arrived stays for the next start, unless it was cancelled.

        Args:
            patience_s: How long to wait for a server, ``None`` for as long as it takes.

        Returns:
            Whether everything has ended.
        """
        self.stop()
        until = None if patience_s is None else time.monotonic() + patience_s
        ended = True
        for runner in (self._asking, self._fetching):
            ended &= runner.close(None if until is None else max(0.0, until - time.monotonic()))
        for number in list(self._rows):
            self._delete(number, closing=True)
        return ended

    def _new(
        self, order: DownloadOrder | None, state: DownloadState, plan: Plan | None = None, is_leftover: bool = False
    ) -> Download:
        row = Download(self._next_id, order, state, plan, is_leftover=is_leftover)
        self._next_id += 1
        return self._set(row)

    def _set(self, row: Download, **changes: object) -> Download:
        row = replace(row, **changes)  # type: ignore[arg-type]
        self._rows[row.id] = row
        self.changed.emit(row)
        return row

    def _forget(self, number: int) -> None:
        self._staged.pop(number, None)
        self._cancels.pop(number, None)
        if self._rows.pop(number, None) is not None:
            self.removed.emit(number)

    def _delete_in(self, wait_ms: int, number: int) -> None:
        """Delete what was cancelled, unless it is taken back until then, and be it cancelled anew."""
        which = self._cancels[number]
        QTimer.singleShot(wait_ms, self, lambda: self._delete(number) if self._cancels.get(number) == which else None)

    def _delete(self, number: int, closing: bool = False) -> None:
        row = self._rows.get(number)
        if row is not None and row.state is DownloadState.CANCELLED:
            if number in self._tasks and not closing:  # its last run has not let go of the folder yet
                self._delete_in(_LET_GO_MS, number)
                return
            with suppress(StudioError):  # another window has taken it up: it is that one's now
                discard(self._staged[number])
            self._forget(number)

    def _stop(self, number: int) -> None:
        self._again.discard(number)
        if number in self._tasks:
            self._tasks[number].cancel()

    def _run(
        self, runner: TaskRunner, row: Download, work: TaskWork[WorkResult], then: Callable[[int, WorkResult], None]
    ) -> None:
        task = runner.run(
            f"Downloading {row.title[:80]}", work, partial(then, row.id), partial(self._on_failed, row.id)
        )
        task.cancelled.connect(partial(self._on_cancelled, row.id))
        self._tasks[row.id] = task

    def _ask(self, row: Download, at_once: bool) -> None:
        order = row.order
        assert order is not None

        def work(task: TaskContext) -> Plan:
            plan = Planner(self._hub).plan(order, task.cancelled_event)
            self._hub.check_access(plan.files[0].url, plan.source, task.cancelled_event)
            return plan

        self._run(self._asking, row, work, partial(self._on_planned, at_once))

    def _fetch(self, row: Download) -> None:
        plan = row.plan
        assert plan is not None
        known = self._staged.get(row.id)

        def work(task: TaskContext) -> Path:
            staged = known or stage(self._models, plan)
            self._staged[row.id] = staged
            self._began.emit(row.id)
            return run(staged, self._hub, task.cancelled_event, partial(self._progressed.emit, row.id), self._patience)

        self._run(self._fetching, row, work, self._on_arrived)

    def _on_planned(self, at_once: bool, number: int, plan: Plan) -> None:
        self._tasks.pop(number, None)
        row = self._rows.get(number)
        if row is None:
            return
        if row.plan != plan:
            self._staged.pop(number, None)
        row = self._set(row, plan=plan, state=DownloadState.READY)
        if at_once:
            self.start(number)

    def _on_began(self, number: int) -> None:
        row = self._rows.get(number)
        if row is not None and row.state is DownloadState.WAITING:
            self._set(row, state=DownloadState.RUNNING)

    def _on_progressed(self, number: int, progress: DownloadProgress) -> None:
        row = self._rows.get(number)
        if row is not None and row.state is not DownloadState.DONE:
            self._set(row, progress=progress)

    def _on_arrived(self, number: int, path: Path) -> None:
        self._tasks.pop(number, None)
        row = self._rows.get(number)
        if row is not None:
            self._staged.pop(number, None)
            self.arrived.emit(self._set(row, state=DownloadState.DONE, path=path))

    def _on_failed(self, number: int, error: StudioError) -> None:
        self._tasks.pop(number, None)
        row = self._rows.get(number)
        if row is not None:
            self._set(row, state=DownloadState.FAILED, error=error)

    def _on_cancelled(self, number: int) -> None:
        self._tasks.pop(number, None)
        row, staged = self._rows.get(number), self._staged.get(number)
        if row is None:  # taken out of the list while its folder was being made
            if staged is not None:
                del self._staged[number]
                with suppress(StudioError):
                    discard(staged)
            return
        if staged is not None and staged.target.exists() and not staged.folder.exists():
            self._on_arrived(number, staged.target)  # it was whole when it was to be stopped
        elif number in self._again:
            self._again.discard(number)
            self._fetch(row)
