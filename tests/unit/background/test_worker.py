from __future__ import annotations

import threading
import time

import pytest
from PIL import Image

from sdstudio.core.errors import BackendLost, Cancelled, OutOfMemory, SaveFailed, StudioError
from sdstudio.core.events import Decoding, ImageMade, ModelLoading, StepDone
from sdstudio.core.settings import Settings
from sdstudio.history.store import History
from sdstudio.jobs.model_hash import SHORT
from sdstudio.jobs.queue import JobState
from tests.unit.background.conftest import Floor
from tests.unit.background.fakes import ScriptedEngine, until_cancelled


def test_a_job_goes_all_the_way_and_tells_it_in_order(floor: Floor):
    job = floor.submit("red heart", count=2)
    floor.wait_for_end(job)
    told = [name for name in floor.heard.names if name not in ("status_changed", "job_event")]
    assert told == ["engine_ready", "job_started", "picture_saved", "picture_saved", "job_finished"]
    kinds = [type(event) for event in floor.heard.events(job.id)]
    collapsed = [kind for place, kind in enumerate(kinds) if place == 0 or kinds[place - 1] is not kind]
    assert collapsed == [ModelLoading, StepDone, Decoding, ImageMade, StepDone, Decoding, ImageMade]
    assert floor.heard.steps(job.id)[-1].step == 3, "the newest step is never the one that is dropped"
    ended = floor.heard.of("job_finished")[0]
    assert (ended.state, ended.made, ended.message) == (JobState.DONE, 2, "")
    assert ended == floor.queue.get(job.id)


def test_signals_come_on_the_main_thread_and_the_engine_lives_on_the_workers(floor: Floor):
    job = floor.submit()
    floor.wait_for_end(job)
    assert floor.heard.threads == {threading.get_ident()}
    engine = floor.engines[0]
    assert len(set(engine.threads)) == 1
    assert threading.get_ident() not in engine.threads


def test_the_engine_is_made_at_once_without_a_job(floor: Floor):
    floor.until(lambda: "engine_ready" in floor.heard.names)
    assert floor.heard.of("engine_ready")[0].device == "CPU"


def test_saved_pictures_carry_seed_job_parent_and_hash(floor: Floor):
    first = floor.submit("frog", seed=2**64 - 1)
    floor.wait_for_end(first)
    entry = floor.heard.of("picture_saved")[0]
    assert entry.path.is_file()
    assert entry.thumbnail.is_file()
    assert (entry.recipe.request.seed, entry.job_id, entry.parent_id) == (2**64 - 1, first.id, None)
    assert entry.recipe.model_hash == "0123456789abcdef"[:SHORT]
    again = floor.controller.rerun(entry)
    floor.wait_for_end(again)
    child = floor.heard.of("picture_saved")[1]
    assert (child.parent_id, child.recipe.request) == (entry.id, entry.recipe.request)
    with Image.open(entry.path) as one, Image.open(child.path) as other:
        assert one.tobytes() == other.tobytes()


def test_steps_that_pile_up_while_the_window_is_busy_are_dropped(floor: Floor):
    floor.until(lambda: "engine_ready" in floor.heard.names)
    job = floor.submit("long", steps=150)
    deadline = time.monotonic() + 60
    while not floor.queue.get(job.id).state.ended and time.monotonic() < deadline:
        pass  # the window is busy: no event is delivered meanwhile
    floor.wait_for_end(job)
    steps = floor.heard.steps(job.id)
    assert len(steps) == 1
    assert (steps[0].step, steps[0].preview.rgb[0]) == (150, 150)
    kinds = [type(event) for event in floor.heard.events(job.id)]
    assert kinds == [ModelLoading, StepDone, Decoding, ImageMade]


def test_cancel_stops_a_running_job_and_the_next_one_runs(floor: Floor):
    floor.scripts["endless"] = until_cancelled
    endless, next_one = floor.submit("endless"), floor.submit("red heart")
    floor.until(lambda: "job_event" in floor.heard.names)
    floor.controller.cancel(endless.id)
    floor.wait_for_end(endless)
    floor.wait_for_end(next_one)
    assert floor.queue.get(endless.id).state is JobState.CANCELLED
    assert floor.queue.get(next_one.id).state is JobState.DONE


def test_pictures_made_before_a_cancel_stay_and_a_retry_makes_only_the_missing_ones(floor: Floor):
    waited: list[str] = []

    def stop_at_the_third(engine: ScriptedEngine, cancel: threading.Event) -> None:
        del engine
        if not waited:
            waited.append("once")
            floor.worker.picture_saved.connect(lambda entry: cancel.set() if entry.id == 2 else None)

    floor.scripts["many"] = stop_at_the_third
    job = floor.submit("many", count=50, steps=30, seed=7)
    floor.wait_for_end(job)
    stopped = floor.queue.get(job.id)
    assert stopped.state is JobState.CANCELLED
    assert 2 <= stopped.made < 50
    floor.heard.names.clear()
    floor.heard.payloads.clear()
    floor.controller.retry(job.id)
    floor.wait_for_end(job)
    assert floor.queue.get(job.id).made == 50
    assert floor.engines[0].asked[-1][1] == tuple(range(7 + stopped.made, 57))
    seeds = [entry.recipe.request.seed for entry in floor.history.entries(limit=300)]
    assert sorted(seeds) == list(range(7, 57))


def test_a_waiting_job_can_be_cancelled(floor: Floor):
    floor.scripts["endless"] = until_cancelled
    endless, waiting = floor.submit("endless"), floor.submit("frog")
    floor.until(lambda: "job_started" in floor.heard.names)
    floor.controller.cancel(waiting.id)
    assert floor.queue.get(waiting.id).state is JobState.CANCELLED
    floor.controller.cancel(endless.id)
    floor.wait_for_end(endless)
    assert [prompt for prompt, _, _ in floor.engines[0].asked] == ["endless"]


def test_cancel_all_stops_everything(floor: Floor):
    floor.scripts["endless"] = until_cancelled
    jobs = [floor.submit("endless") for _ in range(4)]
    floor.until(lambda: "job_started" in floor.heard.names)
    floor.controller.cancel_all()
    floor.wait_for_end(jobs[0])
    assert {floor.queue.get(job.id).state for job in jobs} == {JobState.CANCELLED}


def test_an_error_for_the_user_fails_its_job_alone(floor: Floor):
    def fail(_engine: ScriptedEngine, _cancel: threading.Event) -> None:
        raise OutOfMemory("Not enough memory for 4096 x 4096.", "Choose a smaller size.")

    floor.scripts["huge"] = fail
    huge, frog = floor.submit("huge"), floor.submit("frog")
    floor.wait_for_end(huge, frog)
    failed = floor.queue.get(huge.id)
    assert (failed.state, failed.message, failed.hint) == (
        JobState.FAILED,
        "Not enough memory for 4096 x 4096.",
        "Choose a smaller size.",
    )
    assert floor.queue.get(frog.id).state is JobState.DONE
    assert "crashed" not in floor.heard.names


def test_a_bug_fails_its_job_alone_and_is_reported(floor: Floor, caplog: pytest.LogCaptureFixture):
    def crash(_engine: ScriptedEngine, _cancel: threading.Event) -> None:
        raise ZeroDivisionError("secret sauce\nmissing")

    floor.scripts["crash"] = crash
    broken, frog = floor.submit("crash"), floor.submit("frog")
    floor.wait_for_end(broken, frog)
    failed = floor.queue.get(broken.id)
    assert failed.state is JobState.FAILED
    assert failed.message == "Unexpected error: ZeroDivisionError: secret sauce missing"
    assert floor.queue.get(frog.id).state is JobState.DONE
    report = floor.heard.of("crashed")[0]
    assert "Traceback" in report
    assert "ZeroDivisionError" in report
    assert '"prompt":"crash"' in report
    assert "torch 0" in report
    assert "unexpected error" in caplog.text


def test_a_missing_model_fails_the_job_with_its_message(build):
    from sdstudio.core.errors import ModelNotFound
    from tests.unit.background.fakes import MODEL

    gone: list[str] = []

    def find_model(key: str):
        if gone:
            raise ModelNotFound(f"Model = {key}: its folder is gone.", "Look for it in the library.")
        return MODEL

    floor = build(find_model=find_model)
    job = floor.submit()
    gone.append("now")
    floor.worker.start()
    floor.wait_for_end(job)
    assert floor.queue.get(job.id).message == "Model = starter: its folder is gone."


def test_an_engine_that_cannot_be_made_fails_jobs_and_is_tried_again(build):
    attempts: list[str] = []

    def make_engine(settings: Settings) -> ScriptedEngine:
        attempts.append("try")
        if len(attempts) < 3:
            raise StudioError("torch is missing.", "Install it.")
        return ScriptedEngine(settings)

    floor = build(make_engine=make_engine)
    floor.worker.start()
    floor.until(lambda: "engine_failed" in floor.heard.names)
    first = floor.submit()
    floor.wait_for_end(first)
    assert floor.queue.get(first.id).message == "torch is missing."
    second = floor.submit()
    floor.wait_for_end(second)
    assert floor.queue.get(second.id).state is JobState.DONE


@pytest.mark.logs("unexpected error")
def test_a_broken_installation_is_told_and_reported(build):
    def make_engine(settings: Settings) -> ScriptedEngine:
        raise ImportError("libtorch_cpu.so: cannot open shared object file")

    floor = build(make_engine=make_engine)
    floor.worker.start()
    floor.until(lambda: "engine_failed" in floor.heard.names)
    assert "libtorch_cpu.so" in floor.heard.of("engine_failed")[0].message
    assert "ImportError" in floor.heard.of("crashed")[0]


def test_stop_ends_a_running_job_and_marks_it_interrupted(floor: Floor):
    floor.scripts["endless"] = until_cancelled
    job = floor.submit("endless")
    floor.until(lambda: "job_started" in floor.heard.names)
    assert floor.worker.stop()
    stopped = floor.queue.get(job.id)
    assert (stopped.state, stopped.message) == (JobState.INTERRUPTED, "Interrupted when the studio closed.")
    assert floor.engines[0].closed


def test_settings_reach_the_engine_before_the_next_job_and_only_when_they_changed(floor: Floor):
    first = floor.submit()
    floor.wait_for_end(first)
    other = Settings(vae_tiling=True)
    floor.controller.configure(other)
    second, third = floor.submit(), floor.submit()
    floor.wait_for_end(second, third)
    assert floor.engines[0].settings == [Settings(), other]


def test_a_paused_queue_begins_nothing_until_it_is_resumed(floor: Floor):
    floor.until(lambda: "engine_ready" in floor.heard.names)
    floor.controller.pause()
    job = floor.submit()
    floor.until(lambda: not floor.worker.woken.is_set())  # it has looked
    assert floor.queue.get(job.id).state is JobState.QUEUED
    floor.controller.resume()
    floor.wait_for_end(job)
    assert floor.queue.get(job.id).state is JobState.DONE


def test_a_job_that_was_picked_as_the_pause_came_waits_too(floor: Floor, monkeypatch):
    floor.until(lambda: "engine_ready" in floor.heard.names)
    pick = floor.queue.next
    looked, picked = [], []

    def pick_and_be_paused():
        job = pick()
        looked.append(job)
        if job is not None:
            floor.worker.set_paused(True)
            picked.append(job.id)
        return job

    monkeypatch.setattr(floor.queue, "next", pick_and_be_paused)
    floor.worker.set_paused(False)  # wakes it
    floor.until(lambda: bool(looked))  # no look of before is under way any more
    job = floor.submit()
    floor.until(lambda: bool(picked))
    floor.until(lambda: not floor.worker.woken.is_set())  # it has looked again, and waits
    assert picked == [job.id]
    assert floor.queue.get(job.id).state is JobState.QUEUED
    monkeypatch.undo()
    floor.worker.set_paused(False)
    floor.wait_for_end(job)
    assert floor.queue.get(job.id).state is JobState.DONE


class FullDisk(History):
    """A history whose disk is full for a while."""

    full = True

    def save(self, pixels, recipe, job_id=None, parent_id=None, out=None):
        if self.full and out is None:
            raise SaveFailed("Disk full: the picture was not saved.", "Free some space.")
        return super().save(pixels, recipe, job_id, parent_id, out)


def test_pictures_that_cannot_be_saved_stay_in_memory_and_can_be_saved_later(build, home, tmp_path):
    history = FullDisk(home, trash=lambda _path: None)
    floor = build(history=history)
    floor.worker.start()
    job = floor.submit("frog", count=6, batch_size=2, seed=1)
    floor.wait_for_end(job)
    failed = floor.queue.get(job.id)
    assert (failed.state, failed.made) == (JobState.FAILED, 0)
    assert failed.message.startswith("Disk full")
    unsaved = floor.worker.unsaved
    assert [picture.recipe.request.seed for picture in unsaved] == [1, 2], "its batch is kept, no further one is begun"
    assert floor.heard.of("unsaved_changed")[-1] == unsaved
    with pytest.raises(SaveFailed):
        floor.worker.save_unsaved()
    assert floor.worker.unsaved == unsaved
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    entries = floor.worker.save_unsaved(elsewhere)
    assert [entry.path.parent for entry in entries] == [elsewhere, elsewhere]
    assert floor.worker.unsaved == ()
    history.full = False
    floor.controller.retry(job.id)
    floor.until(lambda: floor.queue.get(job.id).state is JobState.DONE)
    assert floor.engines[0].asked[-1][1] == (3, 4, 5, 6)
    assert floor.queue.get(job.id).made == 6


def test_a_slow_hash_holds_up_no_picture_and_ends_with_the_worker(build):
    ended = threading.Event()

    def slow_hash(model, *, cancel: threading.Event) -> str:
        cancel.wait(30)
        ended.set()
        raise Cancelled

    floor = build(model_hash=slow_hash)
    floor.worker.start()
    jobs = [floor.submit(), floor.submit()]
    floor.wait_for_end(*jobs)
    assert [entry.recipe.model_hash for entry in floor.heard.of("picture_saved")] == ["", ""]
    assert floor.worker.stop()
    assert ended.wait(5)


def test_many_jobs_in_a_row_all_end(floor: Floor):
    jobs = [floor.submit(f"heart {i}", steps=1) for i in range(40)]
    floor.wait_for_end(*jobs)
    assert floor.history.count() == 40
    assert floor.history.count("heart 39") == 1


def test_a_lost_engine_fails_its_job_and_the_next_one_has_another_engine(floor: Floor):
    def die(_engine: ScriptedEngine, _cancel: threading.Event) -> None:
        raise BackendLost("The engine is gone.", "Run it again.")

    floor.scripts["last"] = die
    lost, frog = floor.submit("last"), floor.submit("frog")
    floor.wait_for_end(lost, frog)
    failed = floor.queue.get(lost.id)
    assert (failed.state, failed.message) == (JobState.FAILED, "The engine is gone.")
    assert floor.queue.get(frog.id).state is JobState.DONE
    assert [engine.closed for engine in floor.engines] == [True, False]
    assert "crashed" not in floor.heard.names
