"""The queue: which jobs there are and in which order they run, written down first, so that a crash loses none.

A job is one request and N seeds. Which of its pictures exist is not counted here but asked of the history's rows, so
that a job that is tried again makes the missing ones only.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Final

from sdstudio.core.errors import HistoryDamaged, HistoryError
from sdstudio.core.paths import StudioPaths
from sdstudio.core.request import GenerationRequest
from sdstudio.history.schema import Database
from sdstudio.jobs.interrupted import CRASHED, interrupted_message


class JobState(Enum):
    """Where a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to the job by itself."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class Job:
    """One request and the seeds to draw it with.

    Attributes:
        id: Grows with every job.
        request: What to draw; its own seed is the first of ``seeds`` or was left open.
        seeds: One per picture.
        batch_size: How many pictures at a time.
        state: Where it is.
        message: Why it failed or was interrupted, "" otherwise.
        hint: One thing to do about that.
        made: How many of its pictures are saved.
        created: When it was submitted.
        parent_id: The entry it is a re-run of.
    """

    id: int
    request: GenerationRequest
    seeds: tuple[int, ...]
    batch_size: int
    state: JobState
    message: str
    hint: str
    made: int
    created: datetime
    parent_id: int | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for its turn."""
        return self.state is JobState.QUEUED

    @property
    def count(self) -> int:
        """How many pictures it is about."""
        return len(self.seeds)


_SELECT: Final = (
    "SELECT *, (SELECT count(*) FROM entries WHERE job_id = jobs.id AND entries.state = 'done') AS made FROM jobs"
)
_REMEMBERED: Final = 10_000
"""How many jobs' requests stay read."""
_ENDED: Final = tuple(state.value for state in JobState if state.ended)
_ENDED_MARKS: Final = ", ".join("?" for _ in _ENDED)


class JobQueue:
    """The jobs of one data folder. Every method may be called from any thread and raises HistoryError.

    Args:
        paths: The data folder; it exists.
    """

    def __init__(self, paths: StudioPaths) -> None:
        self._database = Database(paths.database)

    def submit(
        self,
        request: GenerationRequest,
        seeds: Sequence[int],
        batch_size: int = 1,
        parent_id: int | None = None,
    ) -> Job:
        """Put a job at the end of the queue; when this returns it is on disk."""
        return self.submit_all([(request, seeds)], batch_size, parent_id)[0]

    def submit_all(
        self,
        work: Sequence[tuple[GenerationRequest, Sequence[int]]],
        batch_size: int = 1,
        parent_id: int | None = None,
    ) -> list[Job]:
        """Put jobs at the end of the queue, in this order, all or none; when this returns they are on disk."""
        created = datetime.now().astimezone().isoformat()
        numbers: list[int] = []
        with self._database.transaction() as db:
            for request, seeds in work:
                cursor = db.execute(
                    "INSERT INTO jobs (state, request, seeds, batch_size, created, parent_id) VALUES (?, ?, ?, ?, ?,"
                    " (SELECT id FROM entries WHERE id = ?))",
                    (
                        JobState.QUEUED.value,
                        request.model_dump_json(),
                        json.dumps([str(seed) for seed in seeds]),  # as text: SQLite's integers end at 2^63-1
                        batch_size,
                        created,
                        parent_id,
                    ),
                )
                assert cursor.lastrowid is not None
                numbers.append(cursor.lastrowid)
        return [self.get(number) for number in numbers]

    def next(self) -> Job | None:
        """Return the job that waits longest, ``None`` when none waits."""
        rows = self._database.read(f"{_SELECT} WHERE state = ? ORDER BY id LIMIT 1", (JobState.QUEUED.value,))
        return _job(rows[0]) if rows else None

    def start(self, job_id: int) -> bool:
        """Mark a waiting job as running; False when it does not wait any more."""
        return self._move(job_id, JobState.RUNNING, (JobState.QUEUED,))

    def finish(self, job_id: int, state: JobState, message: str = "", hint: str = "") -> Job:
        """Say how a running or waiting job ended and return it."""
        self._move(job_id, state, (JobState.RUNNING, JobState.QUEUED), message, hint)
        return self.get(job_id)

    def cancel_waiting(self, job_id: int) -> bool:
        """Cancel a job unless it has begun; False when it does not wait."""
        return self._move(job_id, JobState.CANCELLED, (JobState.QUEUED,))

    def retry(self, job_id: int) -> bool:
        """Let a job that ended before all its pictures were made wait again; False when it did not end."""
        unfinished = (JobState.FAILED, JobState.CANCELLED, JobState.INTERRUPTED)
        return self._move(job_id, JobState.QUEUED, unfinished)

    def _move(
        self, job_id: int, state: JobState, allowed: Sequence[JobState], message: str = "", hint: str = ""
    ) -> bool:
        marks = ", ".join("?" for _ in allowed)
        with self._database.transaction() as db:
            cursor = db.execute(
                f"UPDATE jobs SET state = ?, message = ?, hint = ? WHERE id = ? AND state IN ({marks})",
                (state.value, message, hint, job_id, *(one.value for one in allowed)),
            )
        return cursor.rowcount == 1

    def get(self, job_id: int) -> Job:
        """Return a job. Raises HistoryError when there is none."""
        rows = self._database.read(f"{_SELECT} WHERE id = ?", (job_id,))
        if not rows:
            raise HistoryError(f"Job = {job_id}: there is no such job.", "Look at the queue.")
        return _job(rows[0])

    def remaining(self, job_id: int) -> tuple[int, ...]:
        """Return the seeds of a job whose pictures have not been saved, in order."""
        rows = self._database.read(
            "SELECT request_seed FROM entries WHERE job_id = ? AND entries.state = 'done'", (job_id,)
        )
        made = {row[0] for row in rows}
        return tuple(seed for seed in self.get(job_id).seeds if str(seed) not in made)

    def jobs(self, limit: int = 200) -> list[Job]:
        """Return the running job, then those waiting, first to run first, then the ended ones, newest first.

        Args:
            limit: At most this many ended ones; all others are always returned.
        """
        active = self._database.read(
            f"{_SELECT} WHERE state IN (?, ?) ORDER BY state = ? DESC, id",
            (JobState.RUNNING.value, JobState.QUEUED.value, JobState.RUNNING.value),
        )
        ended = self._database.read(
            f"{_SELECT} WHERE state IN ({_ENDED_MARKS}) ORDER BY id DESC LIMIT ?", (*_ENDED, limit)
        )
        return [_job(row) for row in (*active, *ended)]

    def waiting(self) -> int:
        """Return how many jobs wait."""
        return int(self._database.read("SELECT count(*) FROM jobs WHERE state = ?", (JobState.QUEUED.value,))[0][0])

    def remove(self, job_id: int) -> bool:
        """Take a job off the list, its pictures stay; False when it is running or not there."""
        with self._database.transaction() as db:
            cursor = db.execute("DELETE FROM jobs WHERE id = ? AND state <> ?", (job_id, JobState.RUNNING.value))
        return cursor.rowcount == 1

    def clear_waiting(self) -> int:
        """Cancel every job that waits; return how many."""
        with self._database.transaction() as db:
            cursor = db.execute(
                "UPDATE jobs SET state = ? WHERE state = ?", (JobState.CANCELLED.value, JobState.QUEUED.value)
            )
        return cursor.rowcount

    def clear_unfinished(self) -> None:
        """Cancel every job that waits and take those that failed or were cut off off the list; pictures stay."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM jobs WHERE state IN (?, ?)", (JobState.FAILED.value, JobState.INTERRUPTED.value))
            db.execute("UPDATE jobs SET state = ? WHERE state = ?", (JobState.CANCELLED.value, JobState.QUEUED.value))

    def clear_ended(self) -> int:
        """Take every job that ended off the list, their pictures stay; return how many."""
        with self._database.transaction() as db:
            cursor = db.execute(f"DELETE FROM jobs WHERE state IN ({_ENDED_MARKS})", _ENDED)
        return cursor.rowcount

    def interrupt_leftovers(self) -> list[Job]:
        """Mark jobs that a crash left running as interrupted and return them; called once at the start.

        A job that takes the program down must not run again by itself, so none of them waits afterwards.
        """
        rows = self._database.read(f"{_SELECT} WHERE state = ? ORDER BY id", (JobState.RUNNING.value,))
        return [
            self.finish(job.id, JobState.INTERRUPTED, *interrupted_message(CRASHED, job.made, job.count))
            for job in map(_job, rows)
        ]

    def close(self) -> None:
        """Close the database; nothing may be called afterwards."""
        self._database.close()


# The whole list is told at each change, on the UI thread; what a job asks for never changes, and reading it is the most
# of the work.
@lru_cache(_REMEMBERED)
def _request(text: str) -> GenerationRequest:
    return GenerationRequest.stored(dict(json.loads(text)))


@lru_cache(_REMEMBERED)
def _seeds(text: str) -> tuple[int, ...]:
    return tuple(int(seed) for seed in json.loads(text))


def _job(row: sqlite3.Row) -> Job:
    """Return the job that a row says. Raises: HistoryDamaged."""
    try:
        return _read_job(row)
    except (ValueError, TypeError) as error:
        said = f"Job = {row['id']}: its row in the history cannot be read ({str(error)[:120]})."
        raise HistoryDamaged(said, "Clear the queue, or take the newest backup of the data folder.") from error


def _read_job(row: sqlite3.Row) -> Job:
    return Job(
        id=row["id"],
        request=_request(row["request"]),
        seeds=_seeds(row["seeds"]),
        batch_size=row["batch_size"],
        state=JobState(row["state"]),
        message=row["message"],
        hint=row["hint"],
        made=row["made"],
        created=datetime.fromisoformat(row["created"]),
        parent_id=row["parent_id"],
    )
