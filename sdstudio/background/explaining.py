"""Explaining a picture: it is drawn again between jobs with every step recorded; nothing is saved or changed."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from PIL import Image
from PySide6.QtCore import QObject, Signal

from sdstudio.background.signals import TypedSignal
from sdstudio.background.worker import Worker
from sdstudio.core.errors import StudioError
from sdstudio.core.events import EngineEvent, GuidanceStep
from sdstudio.history.store import Entry
from sdstudio.jobs.engine_tasks import TaskTools


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """A picture with its recorded steps, first to last; at least one."""

    entry: Entry
    steps: tuple[GuidanceStep, ...]
    pixels: Image.Image


class Explainer(QObject):
    """Explains one picture at a time, the one that was asked for last. Lives on the main thread."""

    #: A picture is about to be drawn again: its Entry.
    begun = TypedSignal[Entry]()
    #: The engine emitted an event meanwhile.
    progressed = TypedSignal[EngineEvent]()
    #: It is done: an Explanation.
    explained = TypedSignal[Explanation]()
    #: It could not be drawn again: a StudioError.
    failed = TypedSignal[StudioError]()
    #: Nothing is being done any more, whatever came of it.
    finished = Signal()

    def __init__(self, worker: Worker, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._worker = worker
        self._current: _Run | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a picture waits or is being drawn."""
        return self._current is not None

    def explain(self, entry: Entry) -> None:
        """Draw a picture again and record it, in place of one that was asked for before."""
        self.cancel()
        self._current = _Run(self, entry)
        self.begun.emit(entry)
        self._worker.ask(self._current)

    def cancel(self) -> None:
        """Stop."""
        run, self._current = self._current, None
        if run is not None:
            self._worker.withdraw(run)
            self.finished.emit()

    def _on_event(self, run: _Run, event: EngineEvent) -> None:
        if run is self._current:
            self.progressed.emit(event)

    def _ended(self, run: _Run, error: StudioError | None) -> None:
        if run is not self._current:
            return
        self._current = None
        if error is not None:
            self.failed.emit(error)
        elif run.explanation is not None:
            self.explained.emit(run.explanation)
        self.finished.emit()


class _Run:
    """One picture, an engine task."""

    title = "Explaining a picture"
    is_kept = False

    def __init__(self, explainer: Explainer, entry: Entry) -> None:
        self.explanation: Explanation | None = None
        self._explainer = explainer
        self._entry = entry

    def run(self, tools: TaskTools, cancel: threading.Event) -> None:
        """Draw and record. Raises: StudioError, Cancelled."""
        if not self._entry.recipe.request.steps_run:
            raise StudioError("No step was run for this picture: it was only enlarged.", "Explain the one it is from.")
        steps: list[GuidanceStep] = []

        def on_event(event: EngineEvent) -> None:
            if isinstance(event, GuidanceStep):
                steps.append(event)
            else:
                tools.post(lambda event: self._explainer._on_event(self, event), event)

        drawn = tools.redrawer.explain(self._entry.recipe, on_event, cancel)
        if not steps:
            raise StudioError("The model told nothing of its steps.", "Explain a picture of another model.")
        self.explanation = Explanation(self._entry, tuple(steps), drawn.pixels)

    def ended(self, error: StudioError | None) -> None:
        """Pass the end on to the explainer."""
        self._explainer._ended(self, error)
