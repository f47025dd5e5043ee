"""Explaining between jobs: recorded, told, nothing saved, cancelled, and outliving errors."""

from __future__ import annotations

import pytest

from sdstudio.background.explaining import Explainer
from sdstudio.core.errors import OutOfMemory
from sdstudio.core.events import StepDone
from tests.unit.background.conftest import request
from tests.unit.background.fakes import picture, recipe, until_cancelled

WAIT_MS = 20_000


@pytest.fixture
def entry(floor):
    def save(prompt="red heart", seed=1):
        asked = request(prompt, seed=seed)
        return floor.history.save(picture(asked, seed), recipe(asked, seed))

    return save


@pytest.fixture
def explainer(floor):
    made = Explainer(floor.worker)
    made.told = []
    for name in ("begun", "progressed", "explained", "failed"):
        getattr(made, name).connect(lambda payload, name=name: made.told.append((name, payload)))
    yield made
    made.deleteLater()


def test_a_picture_is_drawn_again_and_every_step_kept(floor, explainer, entry, qtbot):
    chosen = entry(seed=3)
    with qtbot.waitSignal(explainer.explained, timeout=WAIT_MS) as caught:
        explainer.explain(chosen)
        assert explainer.is_busy
    explanation = caught.args[0]
    assert explanation.entry == chosen
    assert [step.step for step in explanation.steps] == [1, 2, 3]
    assert explanation.pixels.getpixel((0, 0)) == (3, 40, 90)
    qtbot.waitUntil(lambda: not explainer.is_busy, timeout=WAIT_MS)
    assert floor.history.count() == 1
    assert not floor.engines[0].recording
    assert any(name == "progressed" and isinstance(event, StepDone) for name, event in explainer.told)


def test_a_picture_that_was_only_enlarged_has_no_steps_to_explain(floor, explainer, qtbot):
    asked = request("red heart", seed=1, init_image="5a" * 32, strength=0.0)
    with qtbot.waitSignal(explainer.failed, timeout=WAIT_MS) as caught:
        explainer.explain(floor.history.save(picture(asked, 1), recipe(asked, 1)))
    assert "only enlarged" in caught.args[0].message
    assert not any(engine.asked for engine in floor.engines)


def test_the_newest_wish_counts_and_the_one_before_says_no_more(floor, explainer, entry, qtbot):
    floor.scripts["slow"] = until_cancelled
    slow, quick = entry("slow"), entry("quick")
    with qtbot.waitSignal(explainer.progressed, timeout=WAIT_MS):
        explainer.explain(slow)
    with qtbot.waitSignal(explainer.explained, timeout=WAIT_MS) as caught:
        explainer.explain(quick)
    assert caught.args[0].entry == quick
    assert [payload for name, payload in explainer.told if name == "begun"] == [slow, quick]


def test_cancelled_it_says_that_it_is_finished_and_nothing_else(floor, explainer, entry, qtbot):
    floor.scripts["slow"] = until_cancelled
    with qtbot.waitSignal(explainer.progressed, timeout=WAIT_MS):
        explainer.explain(entry("slow"))
    with qtbot.waitSignal(explainer.finished, timeout=WAIT_MS):
        explainer.cancel()
    job = floor.submit()
    floor.wait_for_end(job)
    assert not {"explained", "failed"} & {name for name, _ in explainer.told}


def test_an_error_is_told_and_the_next_one_goes_on(floor, explainer, entry, qtbot):
    def full(_engine, _cancel):
        raise OutOfMemory("Not enough memory.", "Close other programs.")

    floor.scripts["large"] = full
    with qtbot.waitSignal(explainer.failed, timeout=WAIT_MS) as caught:
        explainer.explain(entry("large"))
    assert caught.args[0].message == "Not enough memory."
    assert not floor.engines[0].recording
    with qtbot.waitSignal(explainer.explained, timeout=WAIT_MS):
        explainer.explain(entry("small"))
