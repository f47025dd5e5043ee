from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from sdstudio.core.errors import InvalidRequest, ModelDamaged, ModelNotFound, StudioError
from sdstudio.core.model import ModelInfo
from sdstudio.core.request import Recipe, RunOptions
from sdstudio.core.writing import Share
from sdstudio.jobs.queue import JobQueue, JobState
from tests.unit.jobs.conftest import request


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
    floor.controller.clear()
    assert [job.id for job in floor.queue.jobs(limit=1000)] == [job.id for job in reversed(jobs[250:])]
    assert {job.state for job in floor.queue.jobs()} == {JobState.CANCELLED}


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
    from tests.unit.jobs.fakes import until_cancelled

    floor.scripts["endless"] = until_cancelled
    job = floor.submit("endless")
    floor.until(lambda: "job_started" in floor.heard.names)
    with pytest.raises(StudioError, match="running"):
        floor.controller.remove(job.id)
    floor.controller.cancel(job.id)
    floor.wait_for_end(job)
    done = floor.submit()
    floor.wait_for_end(done)
    with pytest.raises(StudioError, match="only one that failed or was stopped"):
        floor.controller.retry(done.id)
    floor.controller.remove(done.id)
    floor.controller.clear_ended()
    assert floor.controller.jobs() == ()


def test_pausing_twice_tells_once(build):
    floor = build()
    told = []
    floor.controller.paused_changed.connect(told.append)
    floor.controller.pause()
    floor.controller.pause()
    floor.controller.resume()
    assert told == [True, False]
