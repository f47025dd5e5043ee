"""The queue: which jobs there are and in which order they run, written down first, so that a crash loses none.

A job is one request and N seeds. Which of its pictures exist is not counted here but asked of the history's rows, so
that a job that is tried again makes the missing ones only. A job that is taken off the list keeps its row, so that it
can be put back with its number and its place.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sdstudio.core.errors import HistoryError
from sdstudio.core.paths import StudioPaths
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.database.schema import Database
from sdstudio.jobs.interrupted import CRASHED, interrupted_message
from sdstudio.jobs.job import Group, Job, JobState, groups_of, job_of
from sdstudio.jobs.unwritten_ends import End, UnwrittenEnds, write_end

__all__ = ["Group", "Job", "JobQueue", "JobState", "TakenOff", "groups_of"]


_SELECT: Final = (
    "SELECT *, (SELECT count(*) FROM entries WHERE job_id = jobs.id AND entries.state = 'done') AS made FROM jobs"
)
_PLACE: Final = "coalesce(place, id)"
"""Where a job stands: places are exchanged among jobs, so no two are ever the same."""
_ENDED: Final = tuple(state.value for state in JobState if state.ended)
_ENDED_MARKS: Final = ", ".join("?" for _ in _ENDED)
_UNFINISHED: Final = (JobState.FAILED, JobState.CANCELLED, JobState.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class TakenOff:
    """A job that was taken off the list, and where it was before."""

    job_id: int
    state: JobState


class JobQueue:
    """The jobs of one data folder. Every method may be called from any thread and raises HistoryError.

    Args:
        paths: The data folder; it exists.
    """

    def __init__(self, paths: StudioPaths) -> None:
        self._database = Database(paths.database)
        self._unwritten = UnwrittenEnds()

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
        with self._writing() as db:
            numbers = _inserted(db, work, batch_size, parent_id)
        return self._submitted(numbers)

    def replace(
        self,
        group_id: int,
        work: Sequence[tuple[GenerationRequest, Sequence[int]]],
        batch_size: int = 1,
        parent_id: int | None = None,
    ) -> tuple[list[Job], list[TakenOff]]:
        """Put jobs where a group waits and take what waits of it off the list; all or nothing.

        Where none of it waits any more, they stand at the end. Returns the new jobs and what was taken off.
        """
        with self._writing() as db:
            before = _waiting_ids(db)
            old = [row[0] for row in db.execute("SELECT id FROM jobs WHERE group_id = ?", (group_id,))]
            taken = _take_off(db, "id IN (SELECT value FROM json_each(?)) AND state = 'queued'", json.dumps(old))
            numbers = _inserted(db, work, batch_size, parent_id)
            gone = {one.job_id for one in taken}
            if gone:
                at = next(place for place, job_id in enumerate(before) if job_id in gone)
                _arrange(db, [*before[:at], *numbers, *(job_id for job_id in before[at:] if job_id not in gone)])
        return self._submitted(numbers), taken

    def _submitted(self, numbers: list[int]) -> list[Job]:
        among = "id IN (SELECT value FROM json_each(?))"
        rows = self._database.read(f"{_SELECT} WHERE {among} ORDER BY id", (json.dumps(numbers),))
        return [self._job(row) for row in rows]

    def next(self) -> Job | None:
        """Return the waiting job that stands first, ``None`` when none waits."""
        rows = self._database.read(f"{_SELECT} WHERE state = ? ORDER BY {_PLACE} LIMIT 1", (JobState.QUEUED.value,))
        return self._job(rows[0]) if rows else None

    def start(self, job_id: int) -> bool:
        """Mark a waiting job as running; False when it does not wait any more."""
        return self._move(job_id, JobState.RUNNING, (JobState.QUEUED,))

    def finish(
        self,
        job_id: int,
        state: JobState,
        message: str = "",
        hint: str = "",
        at_step: tuple[int, int] = (0, 0),
        duration_s: float = 0.0,
    ) -> Job:
        """Record how a running or waiting job ended, at which step of how many, and after how long; return it.

        Where that cannot be written down, it is listed so all the same, and written with what is written next.
        """
        end = End(state, message, hint, at_step, duration_s)
        try:
            with self._writing() as db:
                write_end(db, job_id, end)
        except HistoryError:
            self._unwritten.add(job_id, end)
            raise
        return self.get(job_id)

    def cancel_waiting(self, job_id: int) -> bool:
        """Cancel a job unless it has begun; False when it does not wait."""
        return self._move(job_id, JobState.CANCELLED, (JobState.QUEUED,))

    def retry(self, group_id: int) -> bool:
        """Let what ended of a group before all its pictures were made wait again; False when nothing of it did."""
        marks = ", ".join("?" for _ in _UNFINISHED)
        with self._writing() as db:
            cursor = db.execute(
                "UPDATE jobs SET state = ?, message = '', hint = '' WHERE group_id = ? AND cleared = 0"
                f" AND state IN ({marks})",
                (JobState.QUEUED.value, group_id, *(state.value for state in _UNFINISHED)),
            )
        return cursor.rowcount > 0

    def _move(self, job_id: int, state: JobState, allowed: Sequence[JobState]) -> bool:
        with self._writing() as db:
            return _moved(db, job_id, state, allowed)

    def get(self, job_id: int) -> Job:
        """Return a job. Raises HistoryError when there is none."""
        rows = self._database.read(f"{_SELECT} WHERE id = ?", (job_id,))
        if not rows:
            raise HistoryError(f"Job = {job_id}: there is no such job.", "Look at the queue.")
        return self._job(rows[0])

    def remaining(self, job_id: int) -> tuple[int, ...]:
        """Return the seeds of a job whose pictures have not been saved, in order."""
        job = self.get(job_id)
        seed = f"recipe -> '$.request.{job.request.counted}'"  # -> keeps the digits of numbers above 2^63-1
        rows = self._database.read(f"SELECT {seed} FROM entries WHERE job_id = ? AND state = 'done'", (job_id,))
        saved = {row[0] for row in rows}
        return tuple(seed for seed in job.seeds if str(seed) not in saved)

    def jobs(self, limit: int = 40) -> list[Job]:
        """Return the running job, then those waiting, first to run first, then the ended ones, newest first.

        Args:
            limit: Of at most so many groups that ended; all others are always returned.
        """
        active = self._database.read(
            f"{_SELECT} WHERE state IN (?, ?) ORDER BY state = ? DESC, {_PLACE}",
            (JobState.RUNNING.value, JobState.QUEUED.value, JobState.RUNNING.value),
        )
        ended = self._database.read(
            f"{_SELECT} WHERE state IN ({_ENDED_MARKS}) AND cleared = 0 AND group_id IN"
            f" (SELECT group_id FROM jobs WHERE state IN ({_ENDED_MARKS}) AND cleared = 0"
            " GROUP BY group_id ORDER BY max(id) DESC LIMIT ?) ORDER BY id DESC",
            (*_ENDED, *_ENDED, limit),
        )
        return [self._job(row) for row in (*active, *ended)]

    def group(self, group_id: int) -> Group | None:
        """Return a group, with what ran of it and was taken off the list since; ``None`` when there is none."""
        rows = self._database.read(
            f"{_SELECT} WHERE group_id = ? AND NOT (state = ? AND cleared = 1 AND duration_s = 0) ORDER BY {_PLACE}",
            (group_id, JobState.CANCELLED.value),
        )
        return Group(tuple(self._job(row) for row in rows)) if rows else None

    def waiting(self) -> int:
        """Return how many jobs wait."""
        return int(self._database.read("SELECT count(*) FROM jobs WHERE state = ?", (JobState.QUEUED.value,))[0][0])

    def arrange(self, job_ids: Sequence[int]) -> None:
        """Let waiting jobs run in this order; they share the places they had, and all others keep theirs."""
        with self._writing() as db:
            waiting = set(_waiting_ids(db))
            _arrange(db, [job_id for job_id in job_ids if job_id in waiting])

    def cancel_group(self, group_id: int) -> None:
        """Cancel what waits of a group; it stays on the list."""
        with self._writing() as db:
            db.execute(
                "UPDATE jobs SET state = ?, message = '', hint = '' WHERE state = ? AND group_id = ?",
                (JobState.CANCELLED.value, JobState.QUEUED.value, group_id),
            )

    def take_off(self, job_ids: Sequence[int]) -> list[TakenOff]:
        """Take jobs off the list, those that wait will not run; return them but the running one. Pictures stay."""
        with self._writing() as db:
            return _take_off(db, "id IN (SELECT value FROM json_each(?))", json.dumps(list(job_ids)))

    def take_all_off(self) -> list[TakenOff]:
        """Take everything but the running job off the list; return it. Pictures stay."""
        with self._writing() as db:
            return _take_off(db, "state <> ?", JobState.RUNNING.value)

    def take_finished_off(self) -> list[TakenOff]:
        """Take the jobs that are done or cancelled off the list; return them. Pictures stay."""
        with self._writing() as db:
            return _take_off(db, "state IN (?, 'cancelled')", JobState.DONE.value)

    def put_back(self, taken: Sequence[TakenOff]) -> None:
        """Put jobs back where they were before they were taken off."""
        with self._writing() as db:
            for one in taken:
                db.execute(
                    "UPDATE jobs SET state = ?, cleared = 0 WHERE id = ? AND cleared = 1", (one.state.value, one.job_id)
                )

    def interrupt_leftovers(self) -> list[Job]:
        """Mark jobs that a crash left running as interrupted and return them; called once at the start.

        A job that takes the program down must not run again by itself, so none of them waits afterwards.
        """
        rows = self._database.read(f"{_SELECT} WHERE state = ? ORDER BY id", (JobState.RUNNING.value,))
        for job in map(job_of, rows):
            with suppress(HistoryError):  # a data folder that is read-only, or full, is looked at all the same
                self.finish(job.id, JobState.INTERRUPTED, *interrupted_message(CRASHED, job.made, job.count))
        return [self.get(row["id"]) for row in rows]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Commit what the block does, and the ends of jobs that could not be written before, or nothing."""
        with self._database.transaction() as db:
            written = self._unwritten.write(db)
            yield db
        self._unwritten.forget(written)

    def _job(self, row: sqlite3.Row) -> Job:
        return self._unwritten.shown(job_of(row))

    def close(self) -> None:
        """Close the database; nothing may be called afterwards."""
        with suppress(HistoryError), self._writing():
            pass  # only what could not be written before
        self._database.close()


def _inserted(
    db: sqlite3.Connection,
    work: Sequence[tuple[GenerationRequest, Sequence[int]]],
    batch_size: int,
    parent_id: int | None,
) -> list[int]:
    """Insert jobs as one group and return their ids."""
    created = datetime.now().astimezone().isoformat()
    numbers: list[int] = []
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
    db.executemany("UPDATE jobs SET group_id = ? WHERE id = ?", [(numbers[0], number) for number in numbers])
    return numbers


def _moved(db: sqlite3.Connection, job_id: int, state: JobState, allowed: Sequence[JobState]) -> bool:
    marks = ", ".join("?" for _ in allowed)
    cursor = db.execute(
        f"UPDATE jobs SET state = ?, message = '', hint = '' WHERE id = ? AND state IN ({marks})",
        (state.value, job_id, *(one.value for one in allowed)),
    )
    return cursor.rowcount == 1


def _waiting_ids(db: sqlite3.Connection) -> list[int]:
    rows = db.execute(f"SELECT id FROM jobs WHERE state = ? ORDER BY {_PLACE}", (JobState.QUEUED.value,))
    return [row[0] for row in rows]


def _arrange(db: sqlite3.Connection, job_ids: Sequence[int]) -> None:
    sql = f"SELECT id, {_PLACE} AS stands FROM jobs WHERE id IN (SELECT value FROM json_each(?)) ORDER BY stands"
    before = [(row["id"], row["stands"]) for row in db.execute(sql, (json.dumps(list(job_ids)),))]
    moves = [(place, job_id) for job_id, (there, place) in zip(job_ids, before, strict=True) if job_id != there]
    db.executemany("UPDATE jobs SET place = ? WHERE id = ?", moves)


def _take_off(db: sqlite3.Connection, which: str, value: str) -> list[TakenOff]:
    """Take the jobs off the list that an SQL condition of one value names."""
    sql = f"SELECT id, state FROM jobs WHERE cleared = 0 AND state <> 'running' AND {which} ORDER BY {_PLACE}"
    taken = [TakenOff(row["id"], JobState(row["state"])) for row in db.execute(sql, (value,))]
    db.executemany(
        "UPDATE jobs SET cleared = 1, state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END WHERE id = ?",
        [(one.job_id,) for one in taken],
    )
    return taken
