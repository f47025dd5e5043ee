from __future__ import annotations

import json
import sqlite3

import pytest

from sdstudio.core.errors import HistoryDamaged, HistoryError
from sdstudio.history.store import History
from sdstudio.jobs.queue import JobQueue, JobState, TakenOff, groups_of
from tests.full_disk import full_disk
from tests.unit.background.conftest import request
from tests.unit.background.fakes import picture, recipe


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
    assert queue.take_off([job.id]) == [], "a running job stays"
    queue.finish(job.id, JobState.DONE)
    assert queue.take_off([job.id]) == [TakenOff(job.id, JobState.DONE)]
    assert queue.take_off([job.id]) == []
    assert queue.jobs() == []
    assert history.get(entry.id).job_id == job.id
    assert entry.path.is_file()
    history.close()


def test_what_was_taken_off_comes_back_with_its_number_its_place_and_its_state(queue):
    ids = [queue.submit(request(str(i)), [i]).id for i in range(6)]
    queue.start(ids[0])
    queue.finish(ids[1], JobState.FAILED, "no", "yes")
    queue.finish(ids[2], JobState.DONE)
    queue.arrange([ids[5], ids[3], ids[4]])
    before = queue.jobs()
    finished = queue.take_finished_off()
    assert [one.job_id for one in finished] == [ids[2]]
    taken = queue.take_all_off()
    assert [job.id for job in queue.jobs()] == [ids[0]]
    assert queue.next() is None
    queue.put_back(taken)
    queue.put_back(finished)
    queue.put_back(finished)
    assert queue.jobs() == before
    assert [job.id for job in before] == [ids[0], ids[5], ids[3], ids[4], ids[2], ids[1]]


def test_jobs_run_in_the_order_they_were_arranged_in_and_it_is_on_disk(queue, home):
    ids = [queue.submit(request(str(i)), [i]).id for i in range(4)]
    queue.start(ids[0])
    queue.arrange([ids[3], 99, ids[0], ids[1]])
    other = JobQueue(home)
    assert [job.id for job in other.jobs()] == [ids[0], ids[3], ids[2], ids[1]], "they share the places they had"
    assert other.next().id == ids[3]
    late = other.submit(request("late"), [9])
    assert other.jobs()[-1].id == late.id
    other.close()


def test_jobs_submitted_together_are_a_group(queue):
    first, second, third = queue.submit_all([(request(word), [1, 2]) for word in "abc"])
    alone = queue.submit(request("d"), [1])
    assert [group.id for group in groups_of(queue.jobs())] == [first.id, alone.id]
    group = queue.group(second.id - 1)
    assert (group.count, group.made, group.state, group.ended) == (6, 0, JobState.QUEUED, False)
    queue.start(first.id)
    queue.finish(first.id, JobState.DONE, duration_s=2.5)
    queue.start(second.id)
    queue.take_off([third.id])
    assert [job.id for job in queue.group(first.id).jobs] == [first.id, second.id], "it never ran"
    queue.cancel_group(first.id)
    ended = queue.finish(second.id, JobState.CANCELLED, at_step=(13, 60), duration_s=1.0)
    assert (ended.step, ended.step_count) == (13, 60)
    queue.take_off([first.id])
    group = queue.group(first.id)
    assert (group.count, group.state, group.duration_s, group.ended) == (4, JobState.CANCELLED, 3.5, True)
    assert queue.group(99) is None


def test_a_group_that_is_cancelled_stays_on_the_list_and_waits_no_more(queue):
    jobs = queue.submit_all([(request(word), [1]) for word in "ab"])
    other = queue.submit(request("c"), [1])
    queue.cancel_group(jobs[0].group_id)
    assert [(job.id, job.state) for job in queue.jobs()] == [
        (other.id, JobState.QUEUED), (jobs[1].id, JobState.CANCELLED), (jobs[0].id, JobState.CANCELLED),
    ]  # fmt: skip


def test_jobs_that_replace_a_group_take_its_place(queue):
    ids = [queue.submit(request(str(i)), [i]).id for i in range(3)]
    new, taken = queue.replace(ids[1], [(request("x"), [7]), (request("y"), [8])])
    assert [job.id for job in queue.jobs()] == [ids[0], new[0].id, new[1].id, ids[2]]
    assert taken == [TakenOff(ids[1], JobState.QUEUED)]
    queue.start(ids[0])
    late, none = queue.replace(ids[0], [(request("z"), [9])])
    assert none == [], "it runs already"
    assert queue.jobs()[-1].id == late[0].id


def test_ended_groups_are_listed_whole_and_only_the_newest(queue):
    groups = [queue.submit_all([(request(), [1]), (request(), [2])]) for _ in range(3)]
    for job in [job for group in groups for job in group]:
        queue.finish(job.id, JobState.DONE)
    assert [job.id for job in queue.jobs(limit=2)] == [6, 5, 4, 3]


def test_a_job_that_is_not_there_is_named(queue):
    with pytest.raises(HistoryError, match="Job = 99: there is no such job"):
        queue.get(99)
    assert not queue.start(99)


def test_job_ids_are_never_given_twice(queue):
    job = queue.submit(request(), [1])
    queue.take_off([job.id])
    assert queue.submit(request(), [1]).id > job.id


@pytest.mark.logs("a stored (recipe|request) holds")
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


@pytest.mark.logs("a stored (recipe|request) holds")
def test_a_request_with_nulls_is_read_as_far_as_it_is_allowed(queue, home):
    queue.submit(request("frog"), [1])
    with sqlite3.connect(home.database) as db:
        db.execute("UPDATE jobs SET request = ?", (json.dumps({"prompt": "a", "steps": None, "loras": None}),))
    assert queue.next().request.prompt == "a"


def test_on_a_full_disk_a_job_that_ended_is_listed_so_and_written_down_once_there_is_room(queue, home):
    job, other = queue.submit(request("frog"), [1]), queue.submit(request("owl"), [2])
    queue.start(job.id)
    with full_disk():
        with pytest.raises(HistoryError):
            queue.finish(job.id, JobState.CANCELLED, at_step=(3, 20), duration_s=1.5)
        listed = {each.id: each for each in queue.jobs()}
        assert (listed[job.id].state, listed[job.id].step, listed[job.id].duration_s) == (JobState.CANCELLED, 3, 1.5)
        assert queue.group(job.group_id).ended
    assert queue.start(other.id)
    beside = JobQueue(home)
    assert beside.get(job.id) == listed[job.id]
    beside.close()
    assert queue.retry(job.group_id)
    assert queue.get(job.id).state is JobState.QUEUED


def test_on_a_full_disk_what_a_crash_left_running_is_interrupted_all_the_same(queue, home):
    job = queue.submit(request("frog"), [1])
    queue.start(job.id)
    again = JobQueue(home)
    with full_disk():
        (left,) = again.interrupt_leftovers()
        assert left.state is JobState.INTERRUPTED
        assert again.jobs() == [left]
    again.close()
    assert queue.get(job.id) == left, "there was room when it was closed"
