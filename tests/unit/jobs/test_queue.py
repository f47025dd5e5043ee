from __future__ import annotations

import json
import sqlite3

import pytest

from sdstudio.core.errors import HistoryDamaged, HistoryError
from sdstudio.history.store import History
from sdstudio.jobs.queue import JobQueue, JobState
from tests.unit.jobs.conftest import request
from tests.unit.jobs.fakes import picture, recipe


@pytest.fixture
def queue(home):
    made = JobQueue(home)
    yield made
    made.close()


def test_a_submitted_job_is_on_disk_when_submit_returns(queue, home):
    job = queue.submit(request("frog", seed=2**64 - 1), [2**64 - 1, 0], batch_size=2)
    other = JobQueue(home)
    assert other.get(job.id) == job
    other.close()
    assert (job.seeds, job.count, job.state, job.made) == ((2**64 - 1, 0), 2, JobState.QUEUED, 0)


def test_jobs_submitted_together_keep_their_order_and_are_all_there_or_none(queue):
    jobs = queue.submit_all([(request("a"), [1, 2]), (request("b"), [3])], batch_size=2)
    assert [(job.request.prompt, job.seeds, job.batch_size) for job in jobs] == [("a", (1, 2), 2), ("b", (3,), 2)]
    assert queue.next() == jobs[0]
    with pytest.raises(AttributeError):
        queue.submit_all([(request("c"), [4]), (None, [5])])
    assert queue.waiting() == 2


def test_jobs_run_in_the_order_they_came(queue):
    jobs = [queue.submit(request(str(i)), [i]) for i in range(3)]
    order = []
    while (job := queue.next()) is not None:
        assert queue.start(job.id)
        order.append(job.id)
        queue.finish(job.id, JobState.DONE)
    assert order == [job.id for job in jobs]


def test_a_job_is_started_once_and_not_after_it_was_cancelled(queue):
    job = queue.submit(request(), [1])
    assert queue.start(job.id)
    assert not queue.start(job.id)
    other = queue.submit(request(), [1])
    assert queue.cancel_waiting(other.id)
    assert not queue.start(other.id)
    assert not queue.cancel_waiting(job.id), "it runs: the worker has to stop it"


def test_an_ended_job_does_not_end_twice(queue):
    job = queue.submit(request(), [1])
    queue.finish(job.id, JobState.CANCELLED)
    assert queue.finish(job.id, JobState.FAILED, "late").state is JobState.CANCELLED


def test_the_list_shows_running_then_waiting_then_ended(queue):
    ids = [queue.submit(request(), [1]).id for _ in range(5)]
    queue.finish(ids[0], JobState.DONE)
    queue.finish(ids[1], JobState.FAILED, "no", "yes")
    queue.start(ids[3])
    assert [job.id for job in queue.jobs()] == [ids[3], ids[2], ids[4], ids[1], ids[0]]
    assert [job.id for job in queue.jobs(limit=1)] == [ids[3], ids[2], ids[4], ids[1]]
    assert queue.waiting() == 2


@pytest.mark.parametrize("state", [state for state in JobState if state.ended])
def test_only_what_ended_without_all_its_pictures_can_be_tried_again(queue, state):
    job = queue.submit(request(), [1])
    assert not queue.retry(job.id)
    queue.finish(job.id, state, "why", "what")
    assert queue.retry(job.id) == (state is not JobState.DONE)
    if state is not JobState.DONE:
        again = queue.get(job.id)
        assert (again.state, again.message, again.hint) == (JobState.QUEUED, "", "")


def test_what_is_made_is_what_the_history_holds(queue, home):
    job = queue.submit(request(), [5, 2**64 - 1, 7])
    history = History(home, trash=lambda _path: None)
    for seed in (5, 2**64 - 1):
        entry = history.save(picture(job.request, seed), recipe(job.request, seed), job.id)
    assert queue.get(job.id).made == 2
    assert queue.remaining(job.id) == (7,)
    history.delete([entry.id])
    assert queue.remaining(job.id) == (7,), "a picture the user deleted is not made again by a retry"
    history.close()


def test_jobs_left_running_are_interrupted_and_do_not_wait(queue, home):
    ids = [queue.submit(request(), [1]).id for _ in range(3)]
    queue.start(ids[0])
    queue.start(ids[1])
    after = JobQueue(home)
    assert [job.id for job in after.interrupt_leftovers()] == ids[:2]
    assert [after.get(i).state for i in ids] == [JobState.INTERRUPTED, JobState.INTERRUPTED, JobState.QUEUED]
    assert after.get(ids[0]).message == "Interrupted when the studio ended unexpectedly."
    assert after.interrupt_leftovers() == []
    after.close()


def test_removing_a_job_keeps_its_pictures(queue, home):
    job = queue.submit(request(), [1])
    history = History(home, trash=lambda _path: None)
    entry = history.save(picture(job.request, 1), recipe(job.request, 1), job.id)
    queue.start(job.id)
    assert not queue.remove(job.id), "a running job stays"
    queue.finish(job.id, JobState.DONE)
    assert queue.remove(job.id)
    assert not queue.remove(job.id)
    assert history.get(entry.id).job_id is None
    assert entry.path.is_file()
    late = history.save(picture(job.request, 2), recipe(job.request, 2), job.id)
    assert history.get(late.id).job_id is None
    history.close()


def test_clearing_waiting_and_ended_jobs(queue):
    ids = [queue.submit(request(), [1]).id for _ in range(4)]
    queue.start(ids[0])
    queue.finish(ids[1], JobState.FAILED)
    assert queue.clear_waiting() == 2
    assert queue.clear_ended() == 3
    assert [job.id for job in queue.jobs()] == [ids[0]]


def test_a_job_that_is_not_there_is_named(queue):
    with pytest.raises(HistoryError, match="Job = 99: there is no such job"):
        queue.get(99)
    assert not queue.start(99)


def test_job_ids_are_never_given_twice(queue):
    job = queue.submit(request(), [1])
    queue.remove(job.id)
    assert queue.submit(request(), [1]).id > job.id


def test_a_job_of_another_version_is_still_listed(queue, home):
    job = queue.submit(request(), [1])
    stored = {**json.loads(job.request.model_dump_json()), "sharpness": 3, "steps": 9000}
    with sqlite3.connect(home.database) as db:
        db.execute("UPDATE jobs SET request = ?", (json.dumps(stored),))
    db.close()
    assert queue.get(job.id).request == request(steps=20)


def test_a_row_that_nobody_can_read_is_named(queue, home):
    job = queue.submit(request("frog"), [1])
    for column, value in (("request", "5"), ("seeds", "[null]"), ("created", "yesterday"), ("seeds", "5")):
        with sqlite3.connect(home.database) as db:
            before = db.execute(f"SELECT {column} FROM jobs").fetchone()[0]
            db.execute(f"UPDATE jobs SET {column} = ?", (value,))
        for ask in (queue.jobs, queue.next, lambda: queue.get(job.id)):
            with pytest.raises(HistoryDamaged, match=rf"^Job = {job.id}: its row"):
                ask()
        with sqlite3.connect(home.database) as db:
            db.execute(f"UPDATE jobs SET {column} = ?", (before,))
    assert queue.next() == job


def test_a_request_with_nulls_is_read_as_far_as_it_is_allowed(queue, home):
    queue.submit(request("frog"), [1])
    with sqlite3.connect(home.database) as db:
        db.execute("UPDATE jobs SET request = ?", (json.dumps({"prompt": "a", "steps": None, "loras": None}),))
    assert queue.next().request.prompt == "a"
