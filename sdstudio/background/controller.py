"""What the window asks of the queue: submit, cancel, try again, pause; and the signals back, on the main thread."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress

from PySide6.QtCore import QObject, Signal

from sdstudio.background.signals import TypedSignal
from sdstudio.background.worker import Worker
from sdstudio.core.errors import HistoryError, ModelDamaged, StudioError
from sdstudio.core.models.model import ModelInfo, parameters_of
from sdstudio.core.params import Parameter
from sdstudio.core.request.request import GenerationRequest, RunOptions
from sdstudio.core.request.seed_fields import SEED_MAXIMUM
from sdstudio.core.request.submission import Share, seeds_for, seeds_of_run
from sdstudio.core.settings import Settings
from sdstudio.history.store import Entry
from sdstudio.jobs.queue import Group, Job, JobQueue, JobState, TakenOff


class JobController(QObject):
    """The queue as the window sees it. Lives on the main thread; the worker's signals are at ``worker``.

    Jobs that a crash left running are marked interrupted; when others still wait, the queue starts paused, so that
    nothing runs again by itself that may have taken the program down. When none of those waits any more, it goes on.

    Args:
        worker: Not yet started, or running.
        queue: The one the worker takes its jobs from.
        find_model: Request's model -> model; raises ModelError.
        check: Raises InvalidRequest for what a request names and its model cannot take.
        parent_of: Returns the entry of the history that a request begins from.

    Raises:
        HistoryError: The queue cannot be read.
    """

    #: Jobs were added, begun, ended or removed, or a picture of one was saved: all jobs as `jobs` returns them.
    queue_changed = TypedSignal[tuple[Job, ...]]()
    #: The queue was paused or resumed.
    paused_changed = Signal(bool)
    #: Nothing more happens to a press of Generate by itself: its Group.
    group_ended = TypedSignal[Group]()
    #: A job has ended, and no other one begins by itself: none waits, or the queue is paused.
    queue_ended = Signal()

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
        with suppress(HistoryError):  # a data folder that is read-only is looked at all the same
            queue.take_finished_off()
        self._waiting_before = frozenset(job.id for job in queue.jobs(limit=0))
        self._paused_for_them = bool(self._waiting_before)
        if self._paused_for_them:
            worker.set_paused(True)
        worker.job_started.connect(self._on_queue_moved)
        worker.job_finished.connect(self._on_job_finished)
        worker.picture_saved.connect(self._on_queue_moved)
        worker.kept.connect(self._on_queue_moved)

    def submit(self, request: GenerationRequest, options: RunOptions, parent_id: int | None = None) -> Job:
        """Check a request against its model and put it into the queue.

        Raises:
            InvalidRequest: A field holds what the model does not allow.
            ModelError: The model cannot be used.
            HistoryError: The queue cannot be written.
        """
        checked = self._checked(request.with_base_seed())
        parent_id = parent_id if parent_id is not None else self._parent(checked)
        job = self._queue.submit(checked, seeds_of_run(checked, options), options.batch_size, parent_id)
        self._emit_queue()
        return job

    def submit_shares(
        self, shares: Sequence[Share], batch_size: int = 1, instead_of: int | None = None
    ) -> tuple[Job, ...]:
        """Put a submission whose pictures have different words into the queue, one job a share, all of one group.

        Args:
            shares: What to draw.
            batch_size: Pictures at once.
            instead_of: A group that waits, whose place they take.

        Raises: As `submit`.
        """
        models = {share.request.model for share in shares}
        limits = {model: parameters_of(self._usable(model)) for model in models}
        checked = [(self._checked(share.request, limits[share.request.model]), share.seeds) for share in shares]
        parent_id = self._parent(checked[0][0]) if checked else None  # they differ in their words alone
        if instead_of is None:
            jobs = self._queue.submit_all(checked, batch_size, parent_id)
        else:
            jobs, _taken = self._queue.replace(instead_of, checked, batch_size, parent_id)
        self._emit_queue()
        return tuple(jobs)

    def duplicate(self, group_id: int) -> tuple[Job, ...]:
        """Put a group into the queue once more, at its end; where the seed was random, with others.

        Raises:
            StudioError: It is not there.
        """
        group = self._queue.group(group_id)
        if group is None:
            raise StudioError(f"Job = {group_id}: it is no longer there.", "Look at the queue.")
        is_random = group.jobs[0].request.own_seed is None
        shift = seeds_for(group.jobs[0].request, 1)[0] if is_random else 0
        work = [(job.request, [(seed + shift) % (SEED_MAXIMUM + 1) for seed in job.seeds]) for job in group.jobs]
        jobs = self._queue.submit_all(work, group.jobs[0].batch_size, group.jobs[0].parent_id)
        self._emit_queue()
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
        self._emit_queue()

    def cancel_group(self, group_id: int) -> None:
        """Stop what runs of a group and cancel what waits of it; both stay on the list. Raises: HistoryError."""
        self._cancel({group_id})

    def cancel_all(self) -> None:
        """Stop the running job and cancel all waiting ones. Raises: HistoryError."""
        self._cancel({job.group_id for job in self._queue.jobs(limit=0)})

    def _cancel(self, group_ids: Collection[int]) -> None:
        """Cancel what waits before what runs, lest another begins; on a full disk what runs is stopped."""
        try:
            for group_id in group_ids:
                self._queue.cancel_group(group_id)
        finally:
            for job in self._queue.jobs(limit=0):
                if job.group_id in group_ids:
                    self.worker.cancel(job.id)
        self._emit_queue()

    def retry(self, group_id: int) -> None:
        """Let what failed, was cancelled or interrupted of a group wait again, for the pictures it still lacks.

        Raises:
            StudioError: Nothing of it has ended so.
        """
        if not self._queue.retry(group_id):
            raise StudioError(f"Job = {group_id}: only one that failed or was cancelled can be run again.")
        self._emit_queue()

    def can_keep(self, job_id: int) -> bool:
        """Whether what a cancelled job was drawing is still in memory."""
        return job_id in self.worker.unfinished

    def keep(self, job_id: int) -> None:
        """Decode what a cancelled job was drawing and save it; `Worker.kept` is emitted then. Raises: HistoryError."""
        self.worker.keep(self._queue.get(job_id))

    def take_off(self, job_ids: Sequence[int]) -> list[TakenOff]:
        """Take jobs off the list, but the running one; return what `put_back` brings back. Raises: HistoryError."""
        return self._taken(self._queue.take_off(job_ids))

    def clear(self) -> list[TakenOff]:
        """Take everything off the list but the running job, which goes on. Returns and raises as `take_off`."""
        return self._taken(self._queue.take_all_off())

    def clear_finished(self) -> list[TakenOff]:
        """Take what is done or cancelled off the list. Returns and raises as `take_off`."""
        return self._taken(self._queue.take_finished_off())

    def put_back(self, taken: Sequence[TakenOff]) -> None:
        """Put jobs back where they were, with their numbers. Raises: HistoryError."""
        waiting_before = any(one.job_id in self._waiting_before and one.state is JobState.QUEUED for one in taken)
        if waiting_before and not self._paused_for_them:  # nothing of last time runs before somebody starts it
            self._set_paused(True)
            self._paused_for_them = True
        self._queue.put_back(taken)
        self._emit_queue()

    def arrange(self, job_ids: Sequence[int]) -> None:
        """Let waiting jobs run in this order, at the places they share. Raises: HistoryError."""
        self._queue.arrange(job_ids)
        self._emit_queue()

    def group(self, group_id: int) -> Group | None:
        """Return the jobs of one press of Generate. Raises: HistoryError."""
        return self._queue.group(group_id)

    @property
    def paused(self) -> bool:
        """Whether no further job is begun."""
        return self.worker.paused

    def pause(self) -> None:
        """Begin no further job; a running one goes on."""
        self._paused_for_them = False
        self._set_paused(True)

    def resume(self) -> None:
        """Go on with the queue."""
        self._paused_for_them = False
        self._waiting_before = frozenset()
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

    def _taken(self, taken: list[TakenOff]) -> list[TakenOff]:
        self._emit_queue()
        return taken

    def _emit_queue(self) -> None:
        jobs = self.jobs()
        if self._paused_for_them and not any(job.is_waiting and job.id in self._waiting_before for job in jobs):
            self._paused_for_them = False
            self._set_paused(False)
        self.worker.wake()
        self.queue_changed.emit(jobs)

    def _on_queue_moved(self, _payload: object) -> None:
        self.queue_changed.emit(self.jobs())

    def _on_job_finished(self, ended: Job) -> None:
        jobs = self.jobs()
        self.worker.forget_unfinished({job.id for job in jobs})
        self.queue_changed.emit(jobs)
        if not any(job.group_id == ended.group_id and not job.state.ended for job in jobs):
            group = self._queue.group(ended.group_id)
            if group is not None:
                self.group_ended.emit(group)
        if self.paused or not any(not job.state.ended for job in jobs):
            self.queue_ended.emit()
