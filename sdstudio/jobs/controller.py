"""What the window asks of the queue: submit, cancel, try again, pause; and what it hears back, on the main thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import QObject, Signal

from sdstudio.core.errors import ModelDamaged, StudioError
from sdstudio.core.model import ModelInfo, parameters_of
from sdstudio.core.params import Parameter
from sdstudio.core.request import GenerationRequest, RunOptions, seeds_for
from sdstudio.core.settings import Settings
from sdstudio.core.writing import Share
from sdstudio.history.store import Entry
from sdstudio.jobs.queue import Job, JobQueue
from sdstudio.jobs.worker import Worker


class JobController(QObject):
    """The queue as the window sees it. Lives on the main thread; what the worker tells is at ``worker``.

    Jobs that a crash left running are marked interrupted; when others still wait, the queue starts paused, so that
    nothing runs again by itself that may have taken the program down.

    Args:
        worker: Not yet started, or running.
        queue: The one the worker takes its jobs from.
        find_model: Request's model -> model; raises ModelError.
        check: Raises InvalidRequest for what a request names and its model cannot take.
        parent_of: Says which entry of the history a request begins from.

    Raises:
        HistoryError: The queue cannot be read.
    """

    #: Jobs were added, begun, ended or removed, or a picture of one was saved: all jobs as `jobs` returns them.
    queue_changed = Signal(tuple)
    #: The queue was paused or resumed.
    paused_changed = Signal(bool)

    def __init__(
        self,
        worker: Worker,
        queue: JobQueue,
        find_model: Callable[[str], ModelInfo],
        parent: QObject | None = None,
        check: Callable[[GenerationRequest, ModelInfo], None] | None = None,
        parent_of: Callable[[GenerationRequest], int | None] | None = None,
    ) -> None:
        super().__init__(parent)
        self.worker = worker
        self.leftovers: tuple[Job, ...] = tuple(queue.interrupt_leftovers())
        self._queue = queue
        self._find_model = find_model
        self._check = check
        self._parent_of = parent_of
        if queue.waiting():
            worker.set_paused(True)
        worker.job_started.connect(self._on_queue_moved)
        worker.job_finished.connect(self._on_queue_moved)
        worker.picture_saved.connect(self._on_queue_moved)

    def submit(self, request: GenerationRequest, options: RunOptions, parent_id: int | None = None) -> Job:
        """Check a request against its model and put it into the queue.

        Raises:
            InvalidRequest: A field holds what the model does not allow.
            ModelError: The model cannot be used.
            HistoryError: The queue cannot be written.
        """
        checked = self._checked(request)
        parent_id = parent_id if parent_id is not None else self._parent(checked)
        job = self._queue.submit(checked, seeds_for(checked, options.count), options.batch_size, parent_id)
        self._told()
        return job

    def submit_shares(self, shares: Sequence[Share], batch_size: int = 1) -> tuple[Job, ...]:
        """Put a submission whose pictures have different words into the queue, one job a share. Raises as `submit`."""
        models = {share.request.model for share in shares}
        limits = {model: parameters_of(self._usable(model)) for model in models}
        checked = [(self._checked(share.request, limits[share.request.model]), share.seeds) for share in shares]
        parent_id = self._parent(checked[0][0]) if checked else None  # they differ in their words alone
        jobs = self._queue.submit_all(checked, batch_size, parent_id)
        self._told()
        return tuple(jobs)

    def _parent(self, request: GenerationRequest) -> int | None:
        return self._parent_of(request) if self._parent_of is not None else None

    def _usable(self, key: str) -> ModelInfo:
        model = self._find_model(key)
        if not model.is_usable:
            raise ModelDamaged(f"Model = {model.name}: {model.problem}", "Choose another model.")
        return model

    def _checked(self, request: GenerationRequest, limits: Mapping[str, Parameter] | None = None) -> GenerationRequest:
        model = self._usable(request.model)
        checked = GenerationRequest.checked(request.model_dump(), limits or parameters_of(model))
        if self._check is not None:
            self._check(checked, model)
        return checked

    def rerun(self, entry: Entry) -> Job:
        """Make an entry's picture again: the same request, the same seed. Raises as `submit`."""
        return self.submit(entry.recipe.request, RunOptions(), entry.id)

    def cancel(self, job_id: int) -> None:
        """Stop a running job or take a waiting one out of the queue. Raises: HistoryError."""
        self.worker.cancel(job_id)
        self._told()

    def cancel_all(self) -> None:
        """Stop the running job and take all waiting ones out of the queue. Raises: HistoryError."""
        self._queue.clear_waiting()
        for job in self._queue.jobs(limit=0):
            self.worker.cancel(job.id)
        self._told()

    def clear(self) -> None:
        """Take out everything that waits, failed or was cut off; the running job goes on. Raises: HistoryError."""
        self._queue.clear_unfinished()
        self._told()

    def retry(self, job_id: int) -> Job:
        """Let a job that failed, was cancelled or interrupted wait again, for the pictures it still lacks.

        Raises:
            StudioError: It has not ended, or made all its pictures.
        """
        if not self._queue.retry(job_id):
            raise StudioError(f"Job = {job_id}: only one that failed or was stopped can be tried again.")
        self._told()
        return self._queue.get(job_id)

    def remove(self, job_id: int) -> None:
        """Take a job off the list; its pictures stay.

        Raises:
            StudioError: It is running, or not there.
        """
        if not self._queue.remove(job_id):
            raise StudioError(f"Job = {job_id}: it is running, or no longer there.", "Cancel it first.")
        self._told()

    def clear_ended(self) -> None:
        """Take every job that ended off the list; their pictures stay. Raises: HistoryError."""
        self._queue.clear_ended()
        self._told()

    @property
    def paused(self) -> bool:
        """Whether no further job is begun."""
        return self.worker.paused

    def pause(self) -> None:
        """Begin no further job; a running one goes on."""
        self._set_paused(True)

    def resume(self) -> None:
        """Go on with the queue."""
        self._set_paused(False)

    def _set_paused(self, paused: bool) -> None:
        if paused != self.worker.paused:
            self.worker.set_paused(paused)
            self.paused_changed.emit(paused)

    def jobs(self) -> tuple[Job, ...]:
        """Return the running job, then those waiting in their order, then the ended ones, newest first."""
        return tuple(self._queue.jobs())

    def configure(self, settings: Settings) -> None:
        """Take other settings, from the next job on."""
        self.worker.configure(settings)

    def _told(self) -> None:
        self.worker.wake()
        self.queue_changed.emit(self.jobs())

    def _on_queue_moved(self, _payload: object) -> None:
        self.queue_changed.emit(self.jobs())
