"""What a cancelled job was drawing can be kept: saved beside the history's pictures and counted to no job."""

from __future__ import annotations

import pytest

from sdstudio.jobs.kept import KEPT_JOBS
from sdstudio.jobs.queue import JobState
from tests.unit.background.fakes import cancelled_at


@pytest.fixture
def stopped(floor):
    """A function that submits a job and cancels it at a step."""

    def make(step=13, **values):
        floor.scripts["red heart"] = cancelled_at(step)
        job = floor.submit(**{"steps": 60, **values})
        floor.wait_for_end(job)
        floor.scripts.clear()
        return floor.queue.get(job.id)

    return make


def keep(floor, job):
    with floor.qtbot.waitSignal(floor.worker.kept, timeout=20_000) as told:
        floor.controller.keep(job.id)
    return told.args[0]


def test_a_cancelled_job_says_at_which_step_and_what_it_was_drawing_is_kept_once(floor, stopped):
    job = stopped(seed=5)
    assert (job.state, job.step, job.step_count) == (JobState.CANCELLED, 13, 60)
    assert floor.controller.can_keep(job.id)
    kept = keep(floor, job)
    (entry,) = kept.entries
    assert entry.recipe.unfinished == (13, 60)
    assert entry.recipe.request.seed == 5
    assert floor.history.entries() == [entry]
    assert not floor.controller.can_keep(job.id)
    assert "no longer in memory" in keep(floor, job).error.message


def test_a_kept_picture_is_not_counted_and_the_job_run_again_draws_it_to_the_end(floor, stopped):
    job = stopped(seed=5, count=2)
    keep(floor, job)
    assert floor.queue.get(job.id).made == 0
    floor.controller.retry(job.id)
    floor.wait_for_end(job)
    floor.until(lambda: floor.queue.get(job.id).state is JobState.DONE)
    told = [(entry.recipe.request.seed, entry.recipe.unfinished) for entry in floor.history.entries()]
    assert sorted(told, key=str) == [(5, (13, 60)), (5, None), (6, None)]


def test_only_the_newest_cancelled_jobs_are_held_and_none_that_is_off_the_list_or_before_its_first_step(floor, stopped):
    jobs = [stopped() for _ in range(KEPT_JOBS + 1)]
    assert [floor.controller.can_keep(job.id) for job in jobs] == [False] + [True] * KEPT_JOBS
    floor.controller.take_off([jobs[1].id])
    done = floor.submit()
    floor.wait_for_end(done)
    assert not floor.controller.can_keep(jobs[1].id)
    floor.controller.retry(jobs[2].id)
    floor.wait_for_end(jobs[2])
    floor.until(lambda: not floor.controller.can_keep(jobs[2].id))
    floor.scripts["early"] = lambda _engine, cancel: cancel.set()
    early = floor.submit("early")
    floor.wait_for_end(early)
    assert floor.queue.get(early.id).step == 0
    assert not floor.controller.can_keep(early.id)
