"""How jobs ended, as long as it cannot be written down: on a full disk, none of them seems to run for ever."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection
from dataclasses import dataclass, replace

from sdstudio.jobs.job import Job, JobState


@dataclass(frozen=True, slots=True)
class End:
    """How a job ended, at which step of how many, and after how long."""

    state: JobState
    message: str = ""
    hint: str = ""
    at_step: tuple[int, int] = (0, 0)
    duration_s: float = 0.0


def write_end(db: sqlite3.Connection, job_id: int, end: End) -> None:
    """Write down how a running or waiting job ended; one that has ended already does not end twice."""
    db.execute(
        "UPDATE jobs SET state = ?, message = ?, hint = ?, step = ?, step_count = ?, duration_s = duration_s + ?"
        " WHERE id = ? AND state IN (?, ?)",
        (
            *(end.state.value, end.message, end.hint, *end.at_step, end.duration_s),
            *(job_id, JobState.RUNNING.value, JobState.QUEUED.value),
        ),
    )


class UnwrittenEnds:
    """Ends of jobs that run according to the database. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: dict[int, End] = {}

    def add(self, job_id: int, end: End) -> None:
        """Remember how a job ended."""
        with self._lock:
            self._ends[job_id] = end

    def shown(self, job: Job) -> Job:
        """Return a job as it ended."""
        with self._lock:
            end = self._ends.get(job.id) if job.state is JobState.RUNNING else None
        if end is None:
            return job
        step, step_count = end.at_step
        return replace(
            job, state=end.state, message=end.message, hint=end.hint, step=step, step_count=step_count,
            duration_s=job.duration_s + end.duration_s,
        )  # fmt: skip

    def write(self, db: sqlite3.Connection) -> Collection[int]:
        """Write them all down; return the ids, to be forgotten once they are on disk."""
        with self._lock:
            ends = dict(self._ends)
        for job_id, end in ends.items():
            write_end(db, job_id, end)
        return ends.keys()

    def forget(self, job_ids: Collection[int]) -> None:
        """Forget what is written down."""
        with self._lock:
            for job_id in job_ids:
                self._ends.pop(job_id, None)
