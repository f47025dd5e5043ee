"""How news gets from the worker's thread to the window's: in order, stale progress replaced and never piled up."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from PySide6.QtCore import QObject, Qt, Signal

from sdstudio.core.events import Encoding, EngineStatus, Enlarging, ModelLoading, RegionStep, StepDone
from sdstudio.jobs.runner import JobEvent

_REPLACED: Final = (ModelLoading, Enlarging, Encoding, RegionStep)
"""Of several of these in a row, only the last one is needed."""


class Mailbox(QObject):
    """Filled by any thread, emptied on the thread it was made on (the main thread).

    A `StepDone` that follows another one not yet delivered takes its place; so do `ModelLoading`, `Enlarging`,
    `Encoding`, `RegionStep` and `EngineStatus`. A window that is busy for a second therefore gets the newest preview
    and not the ten before it.
    """

    #: Something lies in the box.
    _filled = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lock = threading.Lock()
        self._items: deque[tuple[Callable[[Any], None], Any]] = deque()
        self._closed = False
        self._filled.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def post(self, emit: Callable[[Any], None], payload: Any) -> None:
        """Have ``emit(payload)`` called on the main thread, after everything posted before."""
        if self._closed:  # a thread may outlive its window
            return
        with self._lock:
            replaced = self._replace(emit, payload)
            if not replaced:
                self._items.append((emit, payload))
        if not replaced:  # else the one it replaced has announced itself already
            self._filled.emit()

    def _replace(self, emit: Callable[[Any], None], payload: Any) -> bool:
        for place in range(len(self._items) - 1, -1, -1):
            waiting = self._items[place][1]
            merged = _merged(waiting, payload)
            if merged is not None:
                self._items[place] = (emit, merged)
                return True
            if not isinstance(waiting, EngineStatus):  # a status may be delivered before or after anything else
                return False
        return False

    def close(self) -> None:
        """Drop what has not been delivered and whatever comes yet."""
        self._closed = True

    def _deliver(self) -> None:
        while not self._closed:
            with self._lock:
                if not self._items:
                    return
                emit, payload = self._items.popleft()
            emit(payload)


def _merged(old: Any, new: Any) -> Any:
    """Return the one payload that holds all of two, ``None`` when both have to be delivered."""
    if isinstance(old, EngineStatus) and isinstance(new, EngineStatus):
        return new
    if not (isinstance(old, JobEvent) and isinstance(new, JobEvent) and old.job_id == new.job_id):
        return None
    before, after = old.event, new.event
    if isinstance(before, StepDone) and isinstance(after, StepDone):
        if after.preview is None and before.image == after.image:  # throttled: the one before is still the newest
            return JobEvent(new.job_id, replace(after, preview=before.preview))
        return new
    return new if type(before) is type(after) and isinstance(after, _REPLACED) else None
