"""The worker: the thread that owns the engine, makes job after job, saves every picture, and outlives every error."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, QThread, Signal

from sdstudio.background.mailbox import JobEvent, Mailbox
from sdstudio.core.backend import Backend
from sdstudio.core.errors import Cancelled, HistoryError, StudioError
from sdstudio.core.events import EngineEvent, StepDone
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.settings import Settings
from sdstudio.history.store import Entry, History
from sdstudio.jobs.engine_tasks import Errand, Errands, TaskTools
from sdstudio.jobs.interrupted import CLOSED, interrupted_message
from sdstudio.jobs.kept import Keeping, Kept, KeptPictures
from sdstudio.jobs.model_hash import LatestHash, ModelHash
from sdstudio.jobs.queue import Job, JobQueue, JobState
from sdstudio.jobs.redrawing import Redrawer, Resolve, as_recorded, unattached
from sdstudio.jobs.report import one_line, report_text
from sdstudio.jobs.saving import Saving, Unsaved, UnsavedPicture

__all__ = ["JobEvent", "KeptPictures", "UnsavedPicture", "Worker"]

log = logging.getLogger(__name__)

STATUS_EVERY_S: Final = 2.0
QUEUE_AGAIN_S: Final = 5.0
"""After this long the queue is looked at again when its database could not be read."""


class Worker(QThread):
    """Makes the queue's jobs, one after the other. Every method may be called from any thread.

    Args:
        make_engine: Called on the worker's thread, where it imports torch.
        queue: Where jobs come from.
        history: Where pictures go.
        find_model: Request's model -> model; raises ModelError.
        model_hash: See `ModelHash`.
        settings: For the engine.
        resolve: Finds the files that a request names; default: it names none.
    """

    #: The engine stands: an EngineStatus.
    engine_ready = Signal(object)
    #: The engine could not be made: a StudioError. It is tried again with the next job.
    engine_failed = Signal(object)
    #: A job has begun: the Job.
    job_started = Signal(object)
    #: The engine told something: a JobEvent. Steps not yet delivered are replaced by newer ones.
    job_event = Signal(object)
    #: A picture is on disk and in the history: its Entry.
    picture_saved = Signal(object)
    #: A job has ended, whatever way: the Job.
    job_finished = Signal(object)
    #: Memory or model of the engine may have changed: an EngineStatus.
    status_changed = Signal(object)
    #: Pictures wait in memory because they could not be saved, or no longer do: a tuple of UnsavedPicture.
    unsaved_changed = Signal(object)
    #: Unfinished pictures of a cancelled job were kept, or could not be: KeptPictures.
    kept = Signal(object)
    #: An error that is a bug: the report's text.
    crashed = Signal(str)

    def __init__(
        self,
        make_engine: Callable[[Settings], Backend],
        queue: JobQueue,
        history: History,
        find_model: Callable[[str], ModelInfo],
        model_hash: ModelHash,
        settings: Settings,
        parent: QObject | None = None,
        resolve: Resolve = unattached,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("sdstudio-worker")  # the system's name of the thread: 15 bytes
        self._make_engine = make_engine
        self._queue = queue
        self._history = history
        self._find_model = find_model
        self._model_hash = model_hash
        self._resolve = resolve
        self._mailbox = Mailbox(self)
        self._errands = Errands()
        self.woken = threading.Event()  # a look at the queue is due
        self._stopping = threading.Event()
        self._unfinished = Kept()
        self._unsaved = Unsaved(history)
        self._lock = threading.Lock()  # over the three below
        self._settings = settings
        self._current: tuple[int, threading.Event] | None = None
        self._paused = False
        self._engine: Backend | None = None  # the worker's thread alone, as the rest
        self._engine_settings: Settings | None = None
        self._hash = LatestHash(model_hash)
        self._status_at = 0.0

    def wake(self) -> None:
        """Look at the queue: there may be something to do."""
        self.woken.set()

    def cancel(self, job_id: int) -> bool:
        """Stop a running job or take a waiting one out of the queue; False when it is neither. Raises: HistoryError."""
        with self._lock:
            if self._current is not None and self._current[0] == job_id:
                self._current[1].set()
                return True
        return self._queue.cancel_waiting(job_id)

    def ask(self, errand: Errand) -> None:
        """Do something else with the engine, before the next job."""
        self._errands.add(errand)
        self.woken.set()

    def withdraw(self, errand: Errand) -> bool:
        """Stop an errand; True when it had not been begun, and `Errand.ended` will not be called."""
        return self._errands.cancel(errand)

    @property
    def errands(self) -> tuple[Errand, ...]:
        """The errand that is being done, and those that wait."""
        return self._errands.all

    def configure(self, settings: Settings) -> None:
        """Take other settings, from the next job on."""
        with self._lock:
            self._settings = settings

    @property
    def paused(self) -> bool:
        """Whether no further job is begun."""
        with self._lock:
            return self._paused

    def set_paused(self, paused: bool) -> None:
        """Begin no further job until told otherwise; a running one goes on."""
        with self._lock:
            self._paused = paused
        self.woken.set()

    @property
    def unsaved(self) -> tuple[UnsavedPicture, ...]:
        """Pictures that could not be saved, oldest first."""
        return self._unsaved.pictures

    def save_unsaved(self, folder: Path | None = None) -> list[Entry]:
        """Save the pictures that could not be saved, in a folder or, by default, in the history's own.

        Raises:
            SaveFailed: One still cannot be saved; it and those after it stay in memory.
        """
        saved: list[Entry] = []
        for picture in self.unsaved:
            saved.append(self._unsaved.save(picture, folder))
            self._mailbox.post(self.picture_saved.emit, saved[-1])
            self._tell_unsaved()
        return saved

    @property
    def unfinished(self) -> frozenset[int]:
        """The cancelled jobs whose last step is still there to be kept."""
        return self._unfinished.ids

    def forget_unfinished(self, listed: Collection[int]) -> None:
        """Let go of what jobs were drawing that are not listed any more."""
        self._unfinished.forget_all_but(listed)

    def keep(self, job: Job) -> None:
        """Decode and save what a cancelled job was drawing, before the next job; `kept` tells of it."""
        self.ask(Keeping(job.id, lambda tools, cancel: self._keep(job, tools, cancel), self.kept.emit))

    def stop(self, patience_s: float = 30.0) -> bool:
        """End the thread, also in the middle of a job, which is then marked interrupted; no signal comes afterwards.

        Returns:
            Whether it has ended; it may not while it imports torch or sits in one long call of a driver.
        """
        self._stopping.set()
        with self._lock:
            if self._current is not None:
                self._current[1].set()
        self._errands.cancel_all()
        self.woken.set()
        self._mailbox.close()
        return self.wait(int(patience_s * 1000))

    def abandon(self, patience_s: float) -> None:
        """Leave a thread that `stop` has not ended to the end of the process: no picture is half saved then."""
        if not self._unsaved.end(patience_s):
            log.error("a picture is still being saved")
        with self._lock:
            job_id = self._current[0] if self._current is not None else None
        if job_id is not None:
            with contextlib.suppress(HistoryError):  # the next start finds it running, and marks it then
                self._queue.finish(job_id, JobState.INTERRUPTED, *self._interrupted(self._queue.get(job_id)))

    def run(self) -> None:
        """The thread: the engine, then job after job. Nothing that is raised in here ends it."""
        with contextlib.suppress(StudioError):  # told already; the first job tries again
            self._ready_engine()
        while not self._stopping.is_set():
            self.woken.clear()
            begun = self._errands.begin()
            if begun is not None:
                self._do(*begun)
                continue
            try:
                job = None if self.paused else self._queue.next()
                if job is not None:
                    self._make(job)
                    continue
                patience = None
            except Exception as error:  # noqa: BLE001 (the thread must not end)
                if not isinstance(error, HistoryError):
                    self._report(error, None)
                log.warning("the queue cannot be read: %s", error)
                patience = QUEUE_AGAIN_S
            if not self._stopping.is_set():
                self.woken.wait(patience)
        self._hash.stop()
        if self._engine is not None:
            self._engine.close()

    def _do(self, errand: Errand, cancel: threading.Event) -> None:
        failure: StudioError | None = None
        try:
            engine = self._ready_engine()
            with self._lock:
                settings = self._settings
            redrawer = Redrawer(engine, settings, self._find_model, self._resolve, self._model_hash)
            errand.run(TaskTools(redrawer, self._mailbox.post), cancel)
        except Cancelled:
            pass
        except StudioError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 (as for a job)
            self._report(error, None)
            failure = StudioError(f"Unexpected error: {one_line(error)}", "This is a bug; the report says more.")
        finally:
            self._errands.end()
            self._engine_settings = None  # the engine was left with the errand's own
        self._mailbox.post(errand.ended, failure)
        self._tell_status()

    def _make(self, job: Job) -> None:
        cancel = threading.Event()
        with self._lock:
            if self._paused:
                return  # since the queue was looked at
            self._current = (job.id, cancel)
        if self._stopping.is_set():
            cancel.set()
        try:
            if not self._queue.start(job.id):
                return  # cancelled in the moment between
            self._unfinished.forget(job.id)
            self._mailbox.post(self.job_started.emit, replace(job, state=JobState.RUNNING))
            ended = self._ended(job, cancel)
        finally:
            with self._lock:
                self._current = None
        self._mailbox.post(self.job_finished.emit, ended)
        self._tell_status()

    def _ended(self, job: Job, cancel: threading.Event) -> Job:
        """Draw, and return the job as it ended, written down where that is possible."""
        state, message, hint = JobState.DONE, "", ""
        saving, begun = self._saving(job.id, job), time.monotonic()
        try:
            self._draw(job, saving, cancel)
        except Cancelled:
            state = JobState.CANCELLED
            if self._stopping.is_set():
                state = JobState.INTERRUPTED
            else:
                self._leave(job)
        except StudioError as error:
            state, message, hint = JobState.FAILED, error.message, error.hint
        except Exception as error:  # noqa: BLE001 (a bug ends this job and nothing else)
            self._report(error, job)
            state, message = JobState.FAILED, f"Unexpected error: {one_line(error)}"
            hint = "This is a bug of the studio; the report says more."
        at_step, took_s = saving.at_step, time.monotonic() - begun
        try:
            if state is JobState.INTERRUPTED:
                message, hint = self._interrupted(job)
            return self._queue.finish(job.id, state, message, hint, at_step, took_s)
        except HistoryError as error:  # the next start finds it running and marks it interrupted
            log.warning("how job %d ended could not be written down: %s", job.id, error)
            return replace(job, state=state, message=message, hint=hint)

    def _interrupted(self, job: Job) -> tuple[str, str]:
        return interrupted_message(CLOSED, job.count - len(self._queue.remaining(job.id)), job.count)

    def _draw(self, job: Job, saving: Saving, cancel: threading.Event) -> None:
        engine = self._ready_engine()
        model = self._find_model(job.request.model)
        seeds = self._queue.remaining(job.id)
        if not seeds:
            return
        self._repeat_switches(job, engine)
        self._hash.begin(model)
        resolved = self._resolve(job.request, model, cancel)

        def on_event(event: EngineEvent) -> None:
            self._mailbox.post(self.job_event.emit, JobEvent(job.id, event))
            saving.take(event)
            if isinstance(event, StepDone) and time.monotonic() - self._status_at > STATUS_EVERY_S:
                self._tell_status()

        engine.generate(resolved, seeds, job.batch_size, on_event, cancel)
        if saving.not_saved is not None:
            raise saving.not_saved

    def _saving(self, counted_to: int | None, job: Job) -> Saving:
        return Saving(
            self._history, self._unsaved, counted_to, job.parent_id,
            self._hash.short, lambda entry: self._mailbox.post(self.picture_saved.emit, entry), self._tell_unsaved,
        )  # fmt: skip

    def _leave(self, job: Job) -> None:
        """Hold what a cancelled job was drawing."""
        unfinished = self._engine.take_unfinished() if self._engine is not None else None
        if unfinished is not None:
            self._unfinished.add(job.id, unfinished)

    def _keep(self, job: Job, tools: TaskTools, cancel: threading.Event) -> tuple[Entry, ...]:
        unfinished = self._unfinished.get(job.id)
        if unfinished is None:
            raise StudioError(f"Job = {job.id}: what it was drawing is no longer in memory.", "Run it again.")
        self._hash.begin(self._find_model(job.request.model))
        saving = self._saving(None, job)
        tools.redrawer.keep(unfinished, saving.take, cancel)
        if saving.not_saved is not None:
            raise saving.not_saved
        self._unfinished.forget(job.id)
        return tuple(saving.entries)

    def _repeat_switches(self, job: Job, engine: Backend) -> None:
        """Draw a re-run with its picture's own memory switches, which shift pixels; the next job has the settings."""
        if job.parent_id is None or self._engine_settings is None:
            return
        settings = as_recorded(self._history, job.parent_id, job.request, self._engine_settings, engine.status().device)
        if settings != self._engine_settings:
            engine.configure(settings)
            self._engine_settings = settings

    def _ready_engine(self) -> Backend:
        """Return the engine with the newest settings, made when there is none. Raises: StudioError."""
        with self._lock:
            settings = self._settings
        if self._engine is None:
            try:
                self._engine = self._make_engine(settings)
            except StudioError as error:
                self._mailbox.post(self.engine_failed.emit, error)
                raise
            except Exception as error:
                self._report(error, None)
                hint = "Install it again, then start again; the report says more."
                failure = StudioError(f"The engine could not start: {one_line(error)}", hint)
                self._mailbox.post(self.engine_failed.emit, failure)
                raise failure from error
            self._mailbox.post(self.engine_ready.emit, self._engine.status())
        elif settings != self._engine_settings:
            self._engine.configure(settings)
        self._engine_settings = settings
        return self._engine

    def _tell_unsaved(self) -> None:
        self._mailbox.post(self.unsaved_changed.emit, self.unsaved)

    def _tell_status(self) -> None:
        self._status_at = time.monotonic()
        if self._engine is not None:
            self._mailbox.post(self.status_changed.emit, self._engine.status())

    def _report(self, error: Exception, job: Job | None) -> None:
        log.error("unexpected error", exc_info=error)
        self._mailbox.post(self.crashed.emit, report_text(error, job, self._engine.status() if self._engine else None))
