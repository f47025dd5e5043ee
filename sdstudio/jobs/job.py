"""What a job is, what a group of jobs is, and how a row of the database is read as one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Final

from sdstudio.core.errors import HistoryDamaged
from sdstudio.core.request.request import GenerationRequest

_REMEMBERED: Final = 10_000
"""How many jobs' requests stay read."""


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
        group_id: Id of the first job of the same press of Generate.
        step: The last step that was done when it was cancelled, 0 before the first.
        step_count: Of how many.
        duration_s: How long it ran, all tries together.
        cleared: It was taken off the list.
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
    group_id: int = 0
    step: int = 0
    step_count: int = 0
    duration_s: float = 0.0
    cleared: bool = False

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for its turn."""
        return self.state is JobState.QUEUED

    @property
    def count(self) -> int:
        """How many pictures it is about."""
        return len(self.seeds)

    @property
    def prompt(self) -> str:
        """Its prompt in one line, as people name the job."""
        return " ".join(self.request.prompt.split()) or "No prompt"


@dataclass(frozen=True, slots=True)
class Group:
    """The jobs of one press of Generate: a prompt's choices and wildcards make several of it.

    Attributes:
        jobs: In their order; those that were taken off the list before they ran are not among them.
    """

    jobs: tuple[Job, ...]

    @property
    def id(self) -> int:
        """Id of the group."""
        return self.jobs[0].group_id

    @property
    def count(self) -> int:
        """How many pictures it is about."""
        return sum(job.count for job in self.jobs)

    @property
    def made(self) -> int:
        """How many of them are saved."""
        return sum(job.made for job in self.jobs)

    @property
    def duration_s(self) -> float:
        """How long its jobs ran."""
        return sum(job.duration_s for job in self.jobs)

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to any of it by itself."""
        return all(job.state.ended for job in self.jobs)

    @property
    def state(self) -> JobState:
        """Where it is: running or waiting while any of its jobs is, else as the worst of them ended."""
        states = {job.state for job in self.jobs}
        return next(state for state in _WORST_FIRST if state in states)


_WORST_FIRST: Final = (
    JobState.RUNNING, JobState.QUEUED, JobState.FAILED, JobState.INTERRUPTED, JobState.CANCELLED, JobState.DONE,
)  # fmt: skip


def groups_of(jobs: Sequence[Job]) -> list[Group]:
    """Return jobs by their groups, each where its first job stands."""
    by_group: dict[int, list[Job]] = {}
    for job in jobs:
        by_group.setdefault(job.group_id, []).append(job)
    return [Group(tuple(members)) for members in by_group.values()]


# The whole list is emitted at each change, on the UI thread; what a job asks for never changes, and reading it is most
# of the work.
@lru_cache(_REMEMBERED)
def _request(text: str) -> GenerationRequest:
    return GenerationRequest.stored(dict(json.loads(text)))


@lru_cache(_REMEMBERED)
def _seeds(text: str) -> tuple[int, ...]:
    return tuple(int(seed) for seed in json.loads(text))


def job_of(row: sqlite3.Row) -> Job:
    """Return the job of a row. Raises: HistoryDamaged."""
    try:
        return _read_job(row)
    except (ValueError, TypeError) as error:
        message = f"Job = {row['id']}: its row in the history cannot be read ({str(error)[:120]})."
        raise HistoryDamaged(message, "Clear the queue, or take the newest backup of the data folder.") from error


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
        group_id=row["group_id"],
        step=row["step"] or 0,
        step_count=row["step_count"] or 0,
        duration_s=row["duration_s"],
        cleared=bool(row["cleared"]),
    )
