"""How long the queue still takes: honest where something of it is unknown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from sdstudio.core.events import Decoding, StepDone
from sdstudio.core.request.request import GenerationRequest
from sdstudio.jobs.queue import Job, JobState, groups_of
from sdstudio.ui.pages.create.queue.time_left import QueueTime

SMALL = GenerationRequest(width=64, height=64, steps=10)
LARGE = GenerationRequest(width=1024, height=1024, steps=10)


def job(number: int, request: GenerationRequest, count: int = 1, state: JobState = JobState.QUEUED) -> Job:
    made = Job(number, request, tuple(range(count)), 1, state, "", "", 0, datetime.now(UTC))
    return replace(made, group_id=number)


def known(request: GenerationRequest) -> float | None:
    return 2.0 if request.width == 64 else None


def test_what_runs_is_measured_and_what_waits_is_as_it_was_before():
    queue = QueueTime()
    queue.seconds_per_step = known
    queue.expect(groups_of([job(2, SMALL, count=3)]))
    assert queue.words() == "about 1 min left"
    queue.expect(groups_of([job(2, SMALL, count=3), job(3, LARGE)]))
    assert queue.words() == "more than 1 min left"
    running = [job(1, LARGE, state=JobState.RUNNING), job(2, SMALL, count=3), job(3, LARGE)]
    queue.expect(groups_of(running))
    assert queue.words() == "more than 1 min left"
    assert queue.take(StepDone(5, 10, 0, 1, 1, 6.0))
    queue.expect(groups_of(running))
    assert queue.words() == "about 2 min left", "5 steps of 6 s, 30 of 2 s, and 10 of 6 s as just measured"


def test_a_second_pass_counts_as_what_it_takes_longer():
    queue = QueueTime()
    queue.seconds_per_step = known
    twice = SMALL.model_copy(update={"hires": 2.0})
    queue.expect(groups_of([job(2, twice, count=3)]))
    assert queue.words() == "about 5 min left", "10 steps of 2 s and 10 that are four times as large, three times"
    queue.expect(groups_of([job(1, twice, state=JobState.RUNNING), job(2, twice, count=3)]))
    assert queue.take(StepDone(15, 20, 0, 1, 1, 4.0, left=5, whole=12.5))
    queue.expect(groups_of([job(1, twice, state=JobState.RUNNING), job(2, twice, count=3)]))
    assert queue.words() == "about 3 min left", "5 steps of 4 s, and three times 50 s"


def test_a_duration_is_no_finer_than_it_is_known():
    queue = QueueTime()
    queue.seconds_per_step = known
    for count, said in ((2, "40 s"), (7, "2 min"), (210, "1 h 10 min")):
        queue.expect(groups_of([job(1, SMALL, count)]))
        assert queue.words() == f"about {said} left"


def test_nothing_is_said_where_nothing_is_known_or_nothing_is_left():
    queue = QueueTime()
    assert queue.words() == ""
    queue.expect(groups_of([job(1, SMALL)]))
    assert queue.words() == ""
    assert not queue.take(Decoding(0, 1))
    queue.expect([])
    assert queue.words() == ""
