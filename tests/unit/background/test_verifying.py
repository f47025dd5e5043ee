"""Verifying between jobs: told in order, nothing saved, settings as recorded, cancelled, and outliving errors."""

from __future__ import annotations

import threading

import pytest
from PIL import Image

from sdstudio.background.verifying import Verifier
from sdstudio.core.errors import ModelNotFound, StudioError
from sdstudio.core.settings import Settings
from sdstudio.history.verdict import Outcome
from tests.unit.background.conftest import find_model, request
from tests.unit.background.fakes import picture, recipe, until_cancelled


@pytest.fixture
def entry(floor):
    def save(prompt="red heart", seed=1, pixels=None, **made_with):
        asked = request(prompt, seed=seed)
        kept = recipe(asked, seed).model_copy(update={"made_with": made_with})
        return floor.history.save(pixels or picture(asked, seed), kept)

    return save


@pytest.fixture
def verifier(floor, qtbot):
    made = Verifier(floor.worker)
    made.told = []
    made.verified.connect(made.told.append)
    yield made
    made.deleteLater()


def test_each_picture_gets_its_verdict_in_order_and_nothing_is_saved(floor, verifier, entry, qtbot):
    same, other = entry(), entry(seed=2, pixels=Image.new("RGB", (64, 64), (2, 240, 90)))
    steps = []
    verifier.progressed.connect(steps.append)
    with qtbot.waitSignal(verifier.finished, timeout=10_000):
        verifier.verify([same, other])
        assert verifier.waiting == 2
    assert [told.entry for told in verifier.told] == [same, other]
    assert [told.verdict.outcome for told in verifier.told] == [Outcome.IDENTICAL, Outcome.DIFFERENT]
    assert verifier.told[1].verdict.largest == 200
    assert steps
    assert floor.history.count() == 2
    assert verifier.waiting == 0


def test_it_goes_before_waiting_jobs_and_these_get_todays_settings_back(floor, verifier, entry, qtbot):
    floor.worker.set_paused(True)
    job = floor.submit()
    recorded = entry(memory={"vae_tiling": True})
    with qtbot.waitSignal(verifier.finished, timeout=10_000):
        verifier.verify([recorded])
    assert not floor.heard.of("job_started")
    floor.worker.set_paused(False)
    floor.wait_for_end(job)
    [engine] = floor.engines
    assert engine.settings[-2].vae_tiling
    assert not engine.settings[-2].previews
    assert engine.settings[-1] == Settings()


def test_cancelling_stops_the_one_and_forgets_the_others(floor, verifier, entry, qtbot):
    floor.scripts["slow"] = until_cancelled
    waiting = [entry("slow"), entry(seed=2), entry(seed=3)]
    with qtbot.waitSignal(verifier.begun, timeout=10_000):
        verifier.verify(waiting)
    with qtbot.waitSignal(verifier.finished, timeout=10_000):
        verifier.cancel()
    assert verifier.told == []
    job = floor.submit()
    floor.wait_for_end(job)
    assert floor.heard.of("job_finished")[0].made == 1


@pytest.mark.logs("unexpected error")
def test_an_error_is_the_verdict_of_its_picture_alone(floor, verifier, entry, qtbot):
    def fail(_engine, _cancel):
        raise ModelNotFound("Model = x: it is gone.")

    def crash(_engine, _cancel):
        raise ZeroDivisionError("a bug")

    floor.scripts.update({"gone": fail, "bug": crash})
    missing = entry(seed=4)
    missing.path.unlink()
    with qtbot.waitSignal(verifier.finished, timeout=10_000):
        verifier.verify([entry("gone"), entry("bug"), missing, entry()])
    gone, bug, file, fine = verifier.told
    assert gone.error.message == "Model = x: it is gone."
    assert "ZeroDivisionError" in bug.error.message
    assert "gone or cannot be read" in file.error.message
    assert fine.verdict.outcome is Outcome.IDENTICAL
    assert floor.heard.of("crashed")


def test_an_engine_that_cannot_start_is_said_for_each(build, qtbot):
    def make_engine(_settings):
        raise StudioError("No engine.")

    floor = build(make_engine=make_engine, find_model=find_model)
    floor.worker.start()
    verifier = Verifier(floor.worker)
    told = []
    verifier.verified.connect(told.append)
    asked = request(seed=1)
    with qtbot.waitSignal(verifier.finished, timeout=10_000):
        verifier.verify([floor.history.save(picture(asked, 1), recipe(asked, 1))])
    assert told[0].error.message == "No engine."


def test_closing_the_studio_ends_it(floor, verifier, entry, qtbot):
    begun = threading.Event()

    def slow(engine, cancel):
        begun.set()
        until_cancelled(engine, cancel)

    floor.scripts["slow"] = slow
    verifier.verify([entry("slow"), entry()])
    assert begun.wait(10)
    assert floor.worker.stop()
    assert verifier.told == []
