from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from sdstudio.core.errors import InvalidRequest, ModelDamaged, ModelNotFound, StudioError
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import RunOptions
from sdstudio.core.request.submission import Share
from sdstudio.jobs.queue import JobQueue, JobState
from tests.unit.background.conftest import request
from tests.unit.background.fakes import until_cancelled


def test_submit_draws_seeds_and_records_them(build):
    floor = build()
    job = floor.submit(count=3)
    assert len(set(job.seeds)) == 3
    assert floor.submit(count=3, seed=41).seeds == (41, 42, 43)


def test_shares_become_a_job_each_and_are_told_once(build, qtbot):
    floor = build()
    shares = [Share(request("red"), (1, 3)), Share(request("blue"), (2,))]
    with qtbot.waitSignal(floor.controller.queue_changed) as told:
        jobs = floor.controller.submit_shares(shares, batch_size=2)
    assert told.args[0] == jobs
    assert [(job.request.prompt, job.seeds, job.batch_size) for job in jobs] == [("red", (1, 3), 2), ("blue", (2,), 2)]


def test_a_job_that_begins_from_a_picture_of_the_history_has_it_as_its_parent(build):
    parents = {"5a" * 32: 1, "6b" * 32: 99}
    floor = build(parent_of=lambda asked: parents.get(asked.init_image))
    entries = [floor.history.save(Image.new("RGB", (8, 8)), Recipe(app="a", request=request())) for _ in range(2)]
    assert floor.submit(init_image="5a" * 32).parent_id == entries[0].id
    (shared,) = floor.controller.submit_shares([Share(request("red", init_image="5a" * 32), (1,))])
    assert shared.parent_id == entries[0].id
    assert floor.submit().parent_id is None
    again = floor.controller.submit(request(init_image="5a" * 32), RunOptions(), entries[1].id)
    assert again.parent_id == entries[1].id
    gone = floor.submit(init_image="6b" * 32)
    assert floor.queue.get(gone.id).parent_id is None, "its entry is no longer there"


def test_queue_changed_tells_all_jobs(build, qtbot):
    floor = build()
    with qtbot.waitSignal(floor.controller.queue_changed) as told:
        job = floor.submit()
    assert told.args[0] == (job,)
    with qtbot.waitSignal(floor.controller.queue_changed) as told:
        floor.controller.cancel(job.id)
    assert told.args[0][0].state is JobState.CANCELLED


def test_all_that_waits_or_failed_is_cleared_however_much_it_is(build):
    floor = build()
    floor.controller.pause()
    jobs = floor.queue.submit_all([(request(), (n,)) for n in range(300)])
    for job in jobs[:250]:
        floor.queue.finish(job.id, JobState.FAILED if job.id % 2 else JobState.INTERRUPTED)
    before = floor.controller.jobs()
    taken = floor.controller.clear()
    assert floor.controller.jobs() == ()
    assert floor.queue.get(jobs[-1].id).state is JobState.CANCELLED
    with floor.qtbot.waitSignal(floor.controller.queue_changed) as told:
        floor.controller.put_back(taken)
    assert told.args[0] == before
    assert len(before) == 300


def test_submit_holds_the_request_against_its_model(build):
    small = ModelInfo("small", "Small", Path("small"), "sd1", defaults={"steps": 5})
    floor = build(find_model=lambda _key: small)
    floor.submit()
    wrong = request().model_copy(update={"width": 500})
    with pytest.raises(InvalidRequest) as raised:
        floor.controller.submit(wrong, RunOptions())
    assert raised.value.field == "width"
    assert len(floor.controller.jobs()) == 1


def test_a_model_that_is_gone_or_broken_takes_no_job(build):
    def gone(key: str) -> ModelInfo:
        raise ModelNotFound(f"Model = {key}: there is none.")

    floor = build(find_model=gone)
    with pytest.raises(ModelNotFound):
        floor.submit()
    broken = ModelInfo("b", "B", Path("b"), "sd1", problem="unet is missing.")
    other = build(find_model=lambda _key: broken)
    with pytest.raises(ModelDamaged, match="unet is missing"):
        other.submit()
    assert other.controller.jobs() == ()


def test_the_queue_starts_paused_when_jobs_wait_from_the_last_run(build, home):
    before = JobQueue(home)
    interrupted, waiting = before.submit(request(), [1]), before.submit(request(), [2])
    before.start(interrupted.id)
    before.close()
    floor = build()
    assert floor.controller.paused
    assert [job.id for job in floor.controller.leftovers] == [interrupted.id]
    floor.worker.start()
    floor.until(lambda: "engine_ready" in floor.heard.names)
    assert floor.queue.get(waiting.id).state is JobState.QUEUED
    with floor.qtbot.waitSignal(floor.controller.paused_changed) as told:
        floor.controller.resume()
    assert told.args == [False]
    floor.wait_for_end(waiting)
    assert floor.queue.get(interrupted.id).state is JobState.INTERRUPTED, "it runs again only when it is asked for"
    floor.controller.retry(interrupted.id)
    floor.wait_for_end(interrupted)
    assert floor.queue.get(interrupted.id).state is JobState.DONE


def test_the_queue_starts_running_when_nothing_waits(build, home):
    before = JobQueue(home)
    before.start(before.submit(request(), [1]).id)
    before.close()
    floor = build()
    assert not floor.controller.paused
    assert len(floor.controller.leftovers) == 1


def test_a_running_job_cannot_be_removed_and_a_done_one_not_retried(floor):
    floor.scripts["endless"] = until_cancelled
    job = floor.submit("endless")
    floor.until(lambda: "job_started" in floor.heard.names)
    assert floor.controller.take_off([job.id]) == []
    floor.controller.cancel(job.id)
    floor.wait_for_end(job)
    done = floor.submit()
    floor.wait_for_end(done)
    with pytest.raises(StudioError, match="only one that failed or was cancelled"):
        floor.controller.retry(done.id)
    floor.controller.take_off([done.id])
    floor.controller.clear_finished()
    assert floor.controller.jobs() == ()


def test_clearing_what_waited_from_last_time_lets_the_queue_run_and_undoing_that_does_not_run_it(build):
    first = build()
    old = [first.submit(str(n)) for n in range(2)]
    floor = build(history=first.history)
    assert floor.controller.paused
    taken = floor.controller.take_off([old[0].id])
    assert floor.controller.paused, "one of them waits still"
    with floor.qtbot.waitSignal(floor.controller.paused_changed) as told:
        taken += floor.controller.clear()
    assert told.args == [False]
    floor.worker.start()
    new = floor.submit("new")
    floor.wait_for_end(new)
    floor.controller.put_back(taken)
    assert floor.controller.paused
    assert [job.id for job in floor.controller.jobs() if job.is_waiting] == [job.id for job in old]
    floor.controller.resume()
    floor.wait_for_end(*old)


def test_clearing_a_queue_that_the_user_paused_leaves_it_paused(build):
    floor = build()
    floor.submit()
    floor.controller.pause()
    floor.controller.clear()
    assert floor.controller.paused


def test_the_end_of_a_group_and_of_all_work_is_told_once(floor):
    groups, ends = [], []
    floor.controller.group_ended.connect(groups.append)
    floor.controller.queue_ended.connect(lambda: ends.append(len(groups)))
    floor.controller.pause()
    shares = [Share(request(word), (n, n + 1)) for n, word in enumerate("ab")]
    together = floor.controller.submit_shares(shares)
    alone = floor.submit("c")
    floor.controller.resume()
    floor.wait_for_end(*together, alone)
    floor.until(lambda: ends == [2])
    assert [(group.id, group.made, group.state) for group in groups] == [
        (together[0].id, 4, JobState.DONE), (alone.id, 1, JobState.DONE),
    ]  # fmt: skip
    assert groups[0].duration_s > 0


def test_one_cancel_stops_a_group_and_leaves_the_others(floor):
    floor.scripts["endless"] = until_cancelled
    shares = [Share(request(word), (n,)) for n, word in enumerate(("endless", "b", "c"))]
    together = floor.controller.submit_shares(shares)
    floor.until(lambda: "job_started" in floor.heard.names)
    alone = floor.submit("d")
    with floor.qtbot.waitSignal(floor.controller.group_ended) as told:
        floor.controller.cancel_group(together[0].group_id)
    assert told.args[0].state is JobState.CANCELLED
    floor.wait_for_end(alone)
    assert {floor.queue.get(job.id).state for job in together} == {JobState.CANCELLED}
    assert floor.queue.get(alone.id).state is JobState.DONE


def test_a_duplicate_has_new_seeds_unless_the_seed_was_fixed(build):
    floor = build()
    random, fixed = floor.submit(count=3), floor.submit(seed=5, count=2)
    (again,), (same,) = floor.controller.duplicate(random.group_id), floor.controller.duplicate(fixed.group_id)
    assert again.request == random.request
    assert len(again.seeds) == 3
    assert not set(again.seeds) & set(random.seeds)
    assert same.seeds == fixed.seeds
    with pytest.raises(StudioError, match="no longer there"):
        floor.controller.duplicate(99)


def test_pausing_twice_tells_once(build):
    floor = build()
    told = []
    floor.controller.paused_changed.connect(told.append)
    floor.controller.pause()
    floor.controller.pause()
    floor.controller.resume()
    assert told == [True, False]
