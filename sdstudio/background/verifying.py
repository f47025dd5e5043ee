"""Verifying pictures: each is drawn again between jobs and compared with its file; nothing is saved or changed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QObject, Signal

from sdstudio.background.signals import TypedSignal
from sdstudio.background.worker import Worker
from sdstudio.core.errors import StudioError
from sdstudio.core.events import EngineEvent
from sdstudio.history.store import Entry
from sdstudio.history.verdict import Verdict, judged
from sdstudio.jobs.engine_tasks import TaskTools
from sdstudio.jobs.runner import JobEvent

NO_JOB: Final = 0
"""Job id of the engine's events while it verifies: jobs begin at 1."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of one picture: a verdict, or the error that stood in the way."""

    entry: Entry
    verdict: Verdict | None = None
    error: StudioError | None = None


class Verifier(QObject):
    """Verifies pictures, one after the other, in the order asked for. Lives on the main thread."""

    #: A picture is being drawn again: its Entry.
    begun = TypedSignal[Entry]()
    #: The engine emitted an event meanwhile.
    progressed = TypedSignal[JobEvent]()
    #: A picture was compared, or could not be: Verified.
    verified = TypedSignal[Verified]()
    #: Nothing waits any more: all done, or cancelled.
    finished = Signal()

    def __init__(self, worker: Worker, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._worker = worker
        self._waiting: list[_Verification] = []

    def verify(self, entries: Sequence[Entry]) -> None:
        """Verify these pictures, after those asked for before."""
        for entry in entries:
            one = _Verification(self, entry)
            self._waiting.append(one)
            self._worker.ask(one)

    @property
    def waiting(self) -> int:
        """How many pictures are not verified yet, with the one that is being drawn."""
        return len(self._waiting)

    def cancel(self) -> None:
        """Stop; what is verified already stays."""
        for one in list(self._waiting):
            if self._worker.withdraw(one):
                self._ended(one, None)

    def _ended(self, one: _Verification, error: StudioError | None) -> None:
        if error is not None:
            self.verified.emit(Verified(one.entry, error=error))
        if one in self._waiting:
            self._waiting.remove(one)
            if not self._waiting:
                self.finished.emit()


class _Verification:
    """One picture's verification, an engine task."""

    title = "Verifying a picture"
    is_kept = False

    def __init__(self, verifier: Verifier, entry: Entry) -> None:
        self.entry = entry
        self._verifier = verifier

    def run(self, tools: TaskTools, cancel: threading.Event) -> None:
        """Draw and compare. Raises: StudioError, Cancelled."""
        tools.post(self._verifier.begun.emit, self.entry)

        def on_event(event: EngineEvent) -> None:
            tools.post(self._verifier.progressed.emit, JobEvent(NO_JOB, event))

        drawn = tools.redrawer.draw(self.entry.recipe, on_event, cancel)
        verdict = judged(self.entry.path, self.entry.recipe, drawn.pixels, drawn.recipe)
        tools.post(self._verifier.verified.emit, Verified(self.entry, verdict))

    def ended(self, error: StudioError | None) -> None:
        """Pass the end on to the verifier."""
        self._verifier._ended(self, error)
