"""The worker with the real engine on a tiny random model: what the fakes promise holds."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sdstudio.background.explaining import Explainer
from sdstudio.background.verifying import Verifier
from sdstudio.core.events import StepDone
from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.request.request import RunOptions
from sdstudio.core.settings import Settings
from sdstudio.engine.engine import make_engine
from sdstudio.history.picture_text.foreign.reading import recipe_of
from sdstudio.history.verdict import Outcome
from sdstudio.jobs.engine_tasks import Freeing
from sdstudio.jobs.queue import JobState
from sdstudio.library.library import Library
from sdstudio.library.resolving import RequestResolver


@pytest.fixture
def floor(build, tiny_models, home):
    library = Library(home, [tiny_models["sd1"].parent])
    made = build(make_engine=make_engine, find_model=library.find, model_hash=library.hash_of)
    made.key = library.find(str(tiny_models["sd1"])).key
    made.worker.start()
    made.qtbot.waitUntil(lambda: "engine_ready" in made.heard.names, timeout=60_000)
    return made


def wait_for_end(floor, job):
    ended = lambda: job.id in {told.id for told in floor.heard.of("job_finished")}  # noqa: E731
    floor.qtbot.waitUntil(ended, timeout=60_000)
    job = floor.queue.get(job.id)
    assert (job.state, job.message) == (JobState.DONE, "")


def pixels(entry):
    with Image.open(entry.path) as picture:
        return np.asarray(picture).astype(int)


def test_pictures_of_a_batch_can_be_made_again_alone(floor):
    job = floor.submit("a red heart", count=2, batch_size=2, seed=5, model=floor.key, steps=3)
    wait_for_end(floor, job)
    entries = floor.history.entries()[::-1]
    assert [entry.recipe.request.seed for entry in entries] == [5, 6]
    for entry in entries:
        again = floor.controller.rerun(entry)
        wait_for_end(floor, again)
        copy = floor.history.entries(limit=1)[0]
        assert copy.parent_id == entry.id
        assert copy.recipe.request == entry.recipe.request
        assert np.abs(pixels(copy) - pixels(entry)).max() <= 2
    first_alone = floor.controller.rerun(entries[0])
    wait_for_end(floor, first_alone)
    alone = [entry for entry in floor.history.entries() if entry.parent_id == entries[0].id]
    assert (pixels(alone[0]) == pixels(alone[1])).all(), "the same request alone twice: the same pixels"
    recipe = recipe_of(alone[0].path)
    assert len(recipe.model_hash) == 10
    assert recipe.made_with["versions"]["torch"]
    assert floor.heard.of("engine_ready")[0].versions["torch"]


def test_a_re_run_has_the_pictures_own_memory_switches_and_the_next_job_the_settings(floor):
    floor.worker.configure(Settings(attention_slicing=True, vae_tiling=True, precision="bfloat16"))
    job = floor.submit("a red heart", seed=5, model=floor.key, steps=3)
    wait_for_end(floor, job)
    entry = floor.history.entries(limit=1)[0]
    assert entry.recipe.made_with["memory"]["vae_tiling"]
    floor.worker.configure(Settings())
    wait_for_end(floor, floor.controller.rerun(entry))
    again = floor.history.entries(limit=1)[0]
    assert again.recipe.made_with["memory"] == entry.recipe.made_with["memory"]
    assert again.recipe.made_with["dtype"] == "bfloat16"
    assert (pixels(again) == pixels(entry)).all()
    wait_for_end(floor, floor.submit("a red heart", seed=5, model=floor.key, steps=3))
    plain = floor.history.entries(limit=1)[0].recipe.made_with
    assert (plain["memory"], plain["dtype"]) == ({}, "float32")


def test_a_cancelled_job_is_felt_at_once_and_the_next_has_the_same_pixels(floor):
    reference = floor.submit("a frog", seed=9, model=floor.key, steps=3)
    wait_for_end(floor, reference)
    long = floor.controller.submit(
        reference.request.model_copy(update={"steps": 150, "width": 256, "height": 256}), RunOptions(count=50)
    )
    floor.until(lambda: any(isinstance(event, StepDone) for event in floor.heard.events(long.id)))
    floor.controller.cancel(long.id)
    floor.wait_for_end(long)
    assert floor.queue.get(long.id).made == 0, "it stopped in its first picture, of 150 steps"
    again = floor.submit("a frog", seed=9, model=floor.key, steps=3)
    wait_for_end(floor, again)
    newest, oldest = floor.history.entries("frog")[0], floor.history.entries("frog")[-1]
    assert (pixels(newest) == pixels(oldest)).all()
    assert floor.queue.get(long.id).state is JobState.CANCELLED


def test_what_a_cancelled_job_was_drawing_is_kept_verified_and_drawn_to_its_end_by_a_re_run(floor):
    floor.worker.job_event.connect(
        lambda told: floor.controller.cancel(told.job_id)
        if isinstance(told.event, StepDone) and told.event.total == 150 and told.event.step >= 2 else None
    )  # fmt: skip
    long = floor.submit("a frog", seed=9, model=floor.key, steps=150, width=256, height=256)
    floor.wait_for_end(long)
    ended = floor.queue.get(long.id)
    assert (ended.state, ended.step_count) == (JobState.CANCELLED, 150)
    assert 2 <= ended.step < 150
    with floor.qtbot.waitSignal(floor.worker.kept, timeout=60_000) as told:
        floor.controller.keep(long.id)
    (entry,) = told.args[0].entries
    assert entry.recipe.unfinished == (ended.step, 150)
    assert recipe_of(entry.path) == entry.recipe
    assert len(entry.recipe.model_hash) == 10
    verifier = Verifier(floor.worker)
    with floor.qtbot.waitSignal(verifier.verified, timeout=60_000) as told:
        verifier.verify([entry])
    assert told.args[0].verdict.outcome is Outcome.IDENTICAL
    fewer = entry.recipe.request.model_copy(update={"steps": 5})
    wait_for_end(floor, floor.controller.submit(fewer, RunOptions(), entry.id))
    again = floor.history.entries(limit=1)[0]
    assert (again.recipe.unfinished, again.parent_id) == (None, entry.id)


def test_a_job_that_begins_from_a_picture_is_drawn_verified_and_explained_without_its_file(build, tiny_models, home):
    library = Library(home, [tiny_models["sd1"].parent])
    resolver = RequestResolver(library)
    floor = build(
        make_engine=make_engine, find_model=library.find, model_hash=library.hash_of, resolve=resolver.resolve,
        parent_of=resolver.parent_of,
    )  # fmt: skip
    key = library.find(str(tiny_models["sd1"])).key
    floor.worker.start()
    wait_for_end(floor, floor.submit("a red heart", seed=5, model=key, steps=3))
    (first,) = floor.history.entries()
    kept = InputPictures(home).keep(first.path, first.id)
    job = floor.submit("a blue cat", seed=6, model=key, steps=6, init_image=kept.id, strength=0.5)
    wait_for_end(floor, job)
    assert [step.total for step in floor.heard.steps(job.id)] == [3, 3, 3]
    entry = floor.history.entries(limit=1)[0]
    assert entry.parent_id == first.id
    first.path.unlink()
    verifier, explainer = Verifier(floor.worker), Explainer(floor.worker)
    with floor.qtbot.waitSignal(verifier.verified, timeout=60_000) as told:
        verifier.verify([entry])
    assert told.args[0].verdict.outcome is Outcome.IDENTICAL
    with floor.qtbot.waitSignal(explainer.explained, timeout=60_000) as told:
        explainer.explain(entry)
    assert [step.step for step in told.args[0].steps] == [1, 2, 3]
    kept.path.unlink()
    with floor.qtbot.waitSignal(verifier.verified, timeout=60_000) as told:
        verifier.verify([entry])
    assert "it is gone from" in told.args[0].error.message


def test_the_models_memory_is_freed_when_it_is_asked_for_and_after_a_time_without_work(floor):
    def model_in_memory():
        return floor.heard.of("status_changed")[-1].model

    wait_for_end(floor, floor.submit("a red heart", seed=5, model=floor.key, steps=2))
    floor.qtbot.waitUntil(lambda: model_in_memory() == floor.key, timeout=20_000)
    freed = []
    floor.worker.ask(Freeing(lambda: freed.append(True)))
    floor.qtbot.waitUntil(lambda: freed == [True] and model_in_memory() == "", timeout=20_000)
    wait_for_end(floor, floor.submit("a red heart", seed=5, model=floor.key, steps=2))
    first, second = floor.history.entries()
    assert (pixels(first) == pixels(second)).all()
    floor.qtbot.waitUntil(lambda: model_in_memory() == floor.key, timeout=20_000)
    floor.worker.configure(Settings(free_after_min=0.002))
    floor.qtbot.waitUntil(lambda: model_in_memory() == "", timeout=20_000)
