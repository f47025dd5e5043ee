"""The worker: the thread that owns the backend, has job after job made, and outlives every error."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, QThread, Signal

from sdstudio.background.mailbox import Mailbox
from sdstudio.background.signals import TypedSignal
from sdstudio.core.backend import Backend
from sdstudio.core.errors import BackendLost, Cancelled, HistoryError, StudioError
from sdstudio.core.events import EngineStatus, StepDone
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.settings import Settings
from sdstudio.history.store import Entry, History
from sdstudio.jobs.engine_tasks import EngineTask, EngineTasks, TaskTools
from sdstudio.jobs.kept import Keeping, KeptPictures
from sdstudio.jobs.model_hash import ModelHash
from sdstudio.jobs.queue import Job, JobQueue, JobState
from sdstudio.jobs.redrawing import Redrawer, Resolve, as_recorded, unattached
from sdstudio.jobs.report import one_line, report_text
from sdstudio.jobs.runner import (
    BackendGone,
    BugFound,
    JobEvent,
    JobNews,
    JobRunner,
    JobStarted,
    PictureSaved,
    UnsavedChanged,
)
from sdstudio.jobs.saving import UnsavedPicture

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
    engine_ready = TypedSignal[EngineStatus]()
    #: The engine could not be made: a StudioError. It is tried again with the next job.
    engine_failed = TypedSignal[StudioError]()
    #: A job has begun: the Job.
    job_started = TypedSignal[Job]()
    #: The engine emitted an event. Steps not yet delivered are replaced by newer ones.
    job_event = TypedSignal[JobEvent]()
    #: A picture is on disk and in the history: its Entry.
    picture_saved = TypedSignal[Entry]()
    #: A job has ended, whatever way: the Job.
    job_finished = TypedSignal[Job]()
    #: Memory or model of the engine may have changed: an EngineStatus.
    status_changed = TypedSignal[EngineStatus]()
    #: Pictures wait in memory because they could not be saved, or no longer do: a tuple of UnsavedPicture.
    unsaved_changed = TypedSignal[tuple[UnsavedPicture, ...]]()
    #: Unfinished pictures of a cancelled job were kept, or could not be: KeptPictures.
    kept = TypedSignal[KeptPictures]()
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
        self._engine_tasks = EngineTasks()
        self.woken = threading.Event()  # a look at the queue is due
        self._stopping = threading.Event()
        self._runner = JobRunner(
            queue, history, find_model, resolve, model_hash, self._backend_for, self._on_news, self._stopping
        )
        self._lock = threading.Lock()  # over the three below
        self._settings = settings
        self._current: tuple[int, threading.Event] | None = None
        self._paused = False
        self._engine: Backend | None = None  # the worker's thread alone, as the rest
        self._engine_settings: Settings | None = None
        self._status_at = 0.0
        self._used_at = time.monotonic()

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

    def ask(self, task: EngineTask) -> None:
        """Do something else with the engine, before the next job."""
        self._engine_tasks.add(task)
        self.woken.set()

    def withdraw(self, task: EngineTask) -> bool:
        """Stop an engine task; True when it had not been begun, and `EngineTask.ended` will not be called."""
        return self._engine_tasks.cancel(task)

    @property
    def engine_tasks(self) -> tuple[EngineTask, ...]:
        """The engine task that is under way, and those that wait."""
        return self._engine_tasks.all

    def configure(self, settings: Settings) -> None:
        """Take other settings, from the next job on."""
        with self._lock:
            self._settings = settings
        self.woken.set()  # the time after which the model goes may be another

    @property
    def paused(self) -> bool:
        """Whether no further job is begun."""
        with self._lock:
            return self._paused

    def set_paused(self, paused: bool) -> None:
        """Begin no further job until `resume`; a running one goes on."""
        with self._lock:
            self._paused = paused
        self.woken.set()

    @property
    def unsaved(self) -> tuple[UnsavedPicture, ...]:
        """Pictures that could not be saved, oldest first."""
        return self._runner.unsaved.pictures

    def save_unsaved(self, folder: Path | None = None) -> list[Entry]:
        """Save the pictures that could not be saved, in a folder or, by default, in the history's own.

        Raises:
            SaveFailed: One still cannot be saved; it and those after it stay in memory.
        """
        saved: list[Entry] = []
        for picture in self.unsaved:
            saved.append(self._runner.unsaved.save(picture, folder))
            self._mailbox.post(self.picture_saved.emit, saved[-1])
            self._runner.tell_unsaved()
        return saved

    @property
    def unfinished(self) -> frozenset[int]:
        """The cancelled jobs whose last step is still there to be kept."""
        return self._runner.unfinished.ids

    def forget_unfinished(self, listed: Collection[int]) -> None:
        """Let go of what jobs were drawing that are not listed any more."""
        self._runner.unfinished.forget_all_but(listed)

    def keep(self, job: Job) -> None:
        """Decode and save what a cancelled job was drawing, before the next job; `kept` is emitted then."""
        keep = self._runner.keep
        self.ask(Keeping(job.id, lambda tools, cancel: keep(job, tools.redrawer, cancel), self.kept.emit))

    def stop(self, patience_s: float = 30.0) -> bool:
        """End the thread, also in the middle of a job, which is then marked interrupted; no signal comes afterwards.

        Returns:
            Whether it has ended; it may not while it imports torch or sits in one long call of a driver.
        """
        self._stopping.set()
        with self._lock:
            if self._current is not None:
                self._current[1].set()
        self._engine_tasks.cancel_all()
        self.woken.set()
        self._mailbox.close()
        return self.wait(int(patience_s * 1000))

    def abandon(self, patience_s: float) -> None:
        """Leave a thread that `stop` has not ended to the end of the process: no picture is half saved then."""
        if not self._runner.unsaved.end(patience_s):
            log.error("a picture is still being saved")
        with self._lock:
            job_id = self._current[0] if self._current is not None else None
        if job_id is not None:
            with contextlib.suppress(HistoryError):  # the next start finds it running, and marks it then
                self._queue.finish(job_id, JobState.INTERRUPTED, *self._runner.interrupted(self._queue.get(job_id)))

    def run(self) -> None:
        """The thread: the engine, then job after job. Nothing that is raised in here ends it."""
        with contextlib.suppress(StudioError):  # `engine_failed` was emitted; the first job tries again
            self._ready_engine()
        while not self._stopping.is_set():
            self.woken.clear()
            begun = self._engine_tasks.begin()
            if begun is not None:
                self._do(*begun)
                continue
            try:
                job = None if self.paused else self._queue.next()
                if job is not None:
                    self._make(job)
                    continue
                patience = self._until_freed()
                if patience is not None and patience <= 0:
                    self._free()
                    continue
            except Exception as error:  # noqa: BLE001 (the thread must not end)
                if not isinstance(error, HistoryError):
                    self._report(error, None)
                log.warning("the queue cannot be read: %s", error)
                patience = QUEUE_AGAIN_S
            if not self._stopping.is_set():
                self.woken.wait(patience)
        self._runner.close()
        if self._engine is not None:
            self._engine.close()

    def _until_freed(self) -> float | None:
        """Return in how many seconds the model goes because nothing was drawn; ``None`` for never."""
        with self._lock:
            minutes = self._settings.free_after_min
        if not minutes or self._engine is None or not self._engine.status().model:
            return None
        return self._used_at + minutes * 60 - time.monotonic()

    def _free(self) -> None:
        if self._engine is not None:
            self._engine.unload()
            self._tell_status()

    def _do(self, task: EngineTask, cancel: threading.Event) -> None:
        failure: StudioError | None = None
        try:
            engine = self._ready_engine()
            with self._lock:
                settings = self._settings
            redrawer = Redrawer(engine, settings, self._find_model, self._resolve, self._model_hash)
            task.run(TaskTools(redrawer, self._mailbox.post, engine.unload), cancel)
        except Cancelled:
            pass
        except StudioError as error:
            failure = error
            if isinstance(error, BackendLost):
                self._let_go_of_engine()
        except Exception as error:  # noqa: BLE001 (as for a job)
            self._report(error, None)
            failure = StudioError(f"Unexpected error: {one_line(error)}", "This is a bug; the report says more.")
        finally:
            self._engine_tasks.end()
            self._used_at = time.monotonic()
            self._engine_settings = None  # the engine was left with the task's own
        self._mailbox.post(task.ended, failure)
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
            ended = self._runner.run(job, cancel)
        finally:
            with self._lock:
                self._current = None
            self._used_at = time.monotonic()
        if ended is not None:
            self._mailbox.post(self.job_finished.emit, ended)
            self._tell_status()

    def _on_news(self, news: JobNews) -> None:
        """Pass on what the runner reports, as signals of the main thread."""
        match news:
            case JobStarted():
                self._mailbox.post(self.job_started.emit, news.job)
            case JobEvent():
                self._mailbox.post(self.job_event.emit, news)
                if isinstance(news.event, StepDone) and time.monotonic() - self._status_at > STATUS_EVERY_S:
                    self._tell_status()
            case PictureSaved():
                self._mailbox.post(self.picture_saved.emit, news.entry)
            case UnsavedChanged():
                self._mailbox.post(self.unsaved_changed.emit, news.pictures)
            case BackendGone():
                self._let_go_of_engine()
            case BugFound():
                self._report(news.error, news.job)

    def _backend_for(self, job: Job) -> Backend:
        """Return the engine with the newest settings, or those of the picture that a job makes again."""
        engine = self._ready_engine()
        self._repeat_switches(job, engine)
        return engine

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

    def _let_go_of_engine(self) -> None:
        """Close an engine that is lost; the next job has another one made."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _tell_status(self) -> None:
        self._status_at = time.monotonic()
        if self._engine is not None:
            self._mailbox.post(self.status_changed.emit, self._engine.status())

    def _report(self, error: Exception, job: Job | None) -> None:
        log.error("unexpected error", exc_info=error)
        self._mailbox.post(self.crashed.emit, report_text(error, job, self._engine.status() if self._engine else None))
