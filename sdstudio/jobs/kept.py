"""What cancelled jobs were drawing: in main memory until it is kept, its job is gone, or newer ones take its place.

The pictures that come of it are counted to no job: one that is run again still draws them to the end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from sdstudio.core.errors import StudioError
from sdstudio.core.events import Unfinished
from sdstudio.history.store import Entry
from sdstudio.jobs.engine_tasks import TaskTools

KEPT_JOBS: Final = 8
"""Of how many cancelled jobs the latents stay: 16 pictures of 1024 x 1024 take 4 MB."""


@dataclass(frozen=True, slots=True)
class KeptPictures:
    """What came of keeping a cancelled job's pictures: entries, or the error that stood in the way."""

    job_id: int
    entries: tuple[Entry, ...]
    error: StudioError | None = None


class Kept:
    """Unfinished pictures by job. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_job: dict[int, Unfinished] = {}

    def add(self, job_id: int, unfinished: Unfinished) -> None:
        """Hold a job's; the oldest go."""
        with self._lock:
            self._by_job.pop(job_id, None)
            self._by_job[job_id] = unfinished
            for oldest in list(self._by_job)[:-KEPT_JOBS]:
                del self._by_job[oldest]

    def get(self, job_id: int) -> Unfinished | None:
        """Return a job's, ``None`` when there is nothing, or no longer."""
        with self._lock:
            return self._by_job.get(job_id)

    def forget(self, job_id: int) -> None:
        """Let go of a job's."""
        with self._lock:
            self._by_job.pop(job_id, None)

    def forget_all_but(self, job_ids: Collection[int]) -> None:
        """Let go of all but these jobs'."""
        with self._lock:
            self._by_job = {job_id: held for job_id, held in self._by_job.items() if job_id in job_ids}

    @property
    def ids(self) -> frozenset[int]:
        """The jobs of which something is held."""
        with self._lock:
            return frozenset(self._by_job)


class Keeping:
    """One job's unfinished pictures are decoded and saved, an engine task.

    Args:
        job_id: Whose.
        decode: Does it, on the worker's thread; returns what was saved.
        on_kept: Called on the main thread with what came of it.
    """

    title = "Saving a cancelled picture"
    is_kept = True

    def __init__(
        self, job_id: int, decode: Callable[[TaskTools, threading.Event], tuple[Entry, ...]],
        on_kept: Callable[[KeptPictures], object],
    ) -> None:  # fmt: skip
        self._job_id = job_id
        self._decode = decode
        self._on_kept = on_kept
        self._entries: tuple[Entry, ...] = ()

    def run(self, tools: TaskTools, cancel: threading.Event) -> None:
        """Decode and save. Raises: StudioError, Cancelled."""
        self._entries = self._decode(tools, cancel)

    def ended(self, error: StudioError | None) -> None:
        """Report what was kept, or the error."""
        self._on_kept(KeptPictures(self._job_id, self._entries, error))
