"""How one job is done, by window and command line: a backend draws, each picture is saved, its end is written."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sdstudio.core.backend import Backend
from sdstudio.core.errors import BackendLost, Cancelled, HistoryError, StudioError
from sdstudio.core.events import Decoding, EngineEvent, EventSink, ImageMade, RegionStep, StepDone, Unfinished
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.history.store import Entry, History
from sdstudio.jobs.interrupted import CLOSED, interrupted_message
from sdstudio.jobs.kept import Kept
from sdstudio.jobs.model_hash import LatestHash, ModelHash
from sdstudio.jobs.queue import Job, JobQueue, JobState
from sdstudio.jobs.redrawing import FindModel, Redrawer, Resolve
from sdstudio.jobs.report import one_line
from sdstudio.jobs.saving import Saving, Unsaved, UnsavedPicture

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Part:
    """Pictures of one request: what they are drawn with, and a seed for each."""

    resolved: ResolvedRequest
    seeds: Sequence[int]


class Store(Protocol):
    """Where pictures go."""

    def take(self, event: EngineEvent) -> None:
        """Save a picture that is made. Raises StudioError when nothing more is to be drawn."""


class PictureRunner:
    """Has a backend draw: every event is passed on, and each picture saved.

    Args:
        store: Where pictures go; it sees every event.
        tell: Called with every event, before a picture is saved.
        short_hash: Returns the model's hash as recipes hold it, "" while it is not known.
    """

    def __init__(self, store: Store, tell: EventSink, short_hash: Callable[[], str]) -> None:
        self._store = store
        self._tell = tell
        self._short_hash = short_hash

    def draw(self, backend: Backend, parts: Sequence[Part], batch_size: int, cancel: threading.Event) -> None:
        """Draw parts one after the other; their pictures are counted as those of one job.

        Raises:
            StudioError: The backend's, or the store's.
            Cancelled: ``cancel`` was set.
        """
        count = sum(len(part.seeds) for part in parts)
        before = 0
        for part in parts:
            on_event = _counted(self.take, before, count) if len(parts) > 1 else self.take
            backend.generate(part.resolved, part.seeds, batch_size, on_event, cancel)
            before += len(part.seeds)

    def take(self, event: EngineEvent) -> None:
        """Pass an event on, and save its picture with the model's hash. Raises StudioError: see `Store`."""
        self._tell(event)
        if isinstance(event, ImageMade) and not event.recipe.model_hash:
            event = replace(event, recipe=event.recipe.model_copy(update={"model_hash": self._short_hash()}))
        self._store.take(event)


def _counted(sink: EventSink, before: int, count: int) -> EventSink:
    """Return a sink that counts a part's pictures on from those of the parts before it."""

    def take(event: EngineEvent) -> None:
        if isinstance(event, StepDone | RegionStep | Decoding):
            event = replace(event, image=event.image + before, image_count=count)
        elif isinstance(event, ImageMade):
            event = replace(event, index=event.index + before)
        sink(event)

    return take


@dataclass(frozen=True, slots=True)
class JobStarted:
    """A job has begun."""

    job: Job


@dataclass(frozen=True, slots=True)
class JobEvent:
    """What the backend emitted while it worked on a job."""

    job_id: int
    event: EngineEvent


@dataclass(frozen=True, slots=True)
class PictureSaved:
    """A picture is on disk and in the history."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class UnsavedChanged:
    """Pictures wait in memory because they could not be saved, or no longer do."""

    pictures: tuple[UnsavedPicture, ...]


@dataclass(frozen=True, slots=True)
class BackendGone:
    """The backend that was drawing is lost; the next job needs another one."""

    error: BackendLost


@dataclass(frozen=True, slots=True)
class BugFound:
    """A job failed by an error that is a bug."""

    error: Exception
    job: Job


JobNews = JobStarted | JobEvent | PictureSaved | UnsavedChanged | BackendGone | BugFound


class JobRunner:
    """Makes jobs of a queue, one at a time; `run` and `keep` belong to one thread.

    Args:
        queue: Where it is written down how a job goes.
        history: Where pictures go.
        find_model: Request's model -> model; raises ModelError.
        resolve: Finds the files that a request names.
        model_hash: See `ModelHash`.
        backend_for: Returns what draws a job, ready for it. May raise StudioError.
        tell: Called with what happens, on the thread of `run`.
        closing: Set when the program ends: what is cancelled then is marked as interrupted.

    Attributes:
        unsaved: The pictures that could not be saved.
        unfinished: What cancelled jobs were drawing.
    """

    def __init__(
        self, queue: JobQueue, history: History, find_model: FindModel, resolve: Resolve, model_hash: ModelHash,
        backend_for: Callable[[Job], Backend], tell: Callable[[JobNews], None], closing: threading.Event,
    ) -> None:  # fmt: skip
        self._queue = queue
        self._history = history
        self._find_model = find_model
        self._resolve = resolve
        self._hash = LatestHash(model_hash)
        self._backend_for = backend_for
        self._tell = tell
        self._closing = closing
        self.unsaved = Unsaved(history)
        self.unfinished = Kept()

    def run(self, job: Job, cancel: threading.Event) -> Job | None:
        """Make a job that waits, and return it as it ended; ``None`` when it waits no more. Raises: HistoryError."""
        if not self._queue.start(job.id):
            return None
        self.unfinished.forget(job.id)
        self._tell(JobStarted(replace(job, state=JobState.RUNNING)))
        state, message, hint = JobState.DONE, "", ""
        saving, begun, backend = self._saving(job, job.id), time.monotonic(), None
        try:
            backend = self._backend_for(job)
            self._draw(job, backend, saving, cancel)
        except Cancelled:
            state = JobState.INTERRUPTED if self._closing.is_set() else JobState.CANCELLED
            unfinished = backend.take_unfinished() if backend is not None else None
            if unfinished is not None and state is JobState.CANCELLED:
                self.unfinished.add(job.id, unfinished)
        except StudioError as error:
            state, message, hint = JobState.FAILED, error.message, error.hint
            if isinstance(error, BackendLost):
                self._tell(BackendGone(error))
        except Exception as error:  # noqa: BLE001 (a bug ends this job and nothing else)
            self._tell(BugFound(error, job))
            state, message = JobState.FAILED, f"Unexpected error: {one_line(error)}"
            hint = "This is a bug of the studio; the report says more."
        return self._written_down(job, state, message, hint, saving.at_step, time.monotonic() - begun)

    def keep(self, job: Job, redrawer: Redrawer, cancel: threading.Event) -> tuple[Entry, ...]:
        """Decode and save what a cancelled job was drawing; counted to no job. Raises: StudioError, Cancelled."""
        unfinished: Unfinished | None = self.unfinished.get(job.id)
        if unfinished is None:
            raise StudioError(f"Job = {job.id}: what it was drawing is no longer in memory.", "Run it again.")
        self._hash.begin(self._find_model(job.request.model))
        saving = self._saving(job, None)
        runner = PictureRunner(saving, lambda event: None, self._hash.short)
        redrawer.keep(unfinished, runner.take, cancel)
        saving.check()
        self.unfinished.forget(job.id)
        return tuple(saving.entries)

    def interrupted(self, job: Job) -> tuple[str, str]:
        """Return message and hint of a job that the end of the program cuts short. Raises: HistoryError."""
        return interrupted_message(CLOSED, job.count - len(self._queue.remaining(job.id)), job.count)

    def tell_unsaved(self) -> None:
        """Pass on which pictures could not be saved."""
        self._tell(UnsavedChanged(self.unsaved.pictures))

    def close(self) -> None:
        """Let what runs beside the jobs end soon."""
        self._hash.stop()

    def _draw(self, job: Job, backend: Backend, saving: Saving, cancel: threading.Event) -> None:
        model = self._find_model(job.request.model)
        seeds = self._queue.remaining(job.id)
        if not seeds:
            return
        self._hash.begin(model)
        resolved = self._resolve(job.request, model, cancel)
        runner = PictureRunner(saving, lambda event: self._tell(JobEvent(job.id, event)), self._hash.short)
        runner.draw(backend, [Part(resolved, seeds)], job.batch_size, cancel)
        saving.check()

    def _saving(self, job: Job, counted_to: int | None) -> Saving:
        def saved(entry: Entry) -> None:
            self._tell(PictureSaved(entry))

        return Saving(self._history, self.unsaved, counted_to, job.parent_id, saved, self.tell_unsaved)

    def _written_down(
        self, job: Job, state: JobState, message: str, hint: str, at_step: tuple[int, int], duration_s: float
    ) -> Job:
        """Return the job as it ended, written down where that is possible."""
        try:
            if state is JobState.INTERRUPTED:
                message, hint = self.interrupted(job)
            return self._queue.finish(job.id, state, message, hint, at_step, duration_s)
        except HistoryError as error:  # the next start finds it running and marks it interrupted
            log.warning("how job %d ended could not be written down: %s", job.id, error)
            return replace(job, state=state, message=message, hint=hint)
