"""A recorded run: the pictures fit the formula of guidance, and the run stays what it was."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sdstudio.catalog.schedulers import SCHEDULERS
from sdstudio.core.errors import ModelUnsupported
from sdstudio.core.events import GuidanceStep
from sdstudio.core.settings import Settings
from sdstudio.engine.recording import RECORDED_MAXIMUM


@pytest.fixture
def record(studio):
    def run(family: str = "sd1", **values) -> tuple[list[GuidanceStep], object, object]:
        here = studio(family)
        here.engine.configure(Settings(previews=False))
        [plain] = here.make([7], **values)
        here.engine.record(True)
        try:
            [again] = here.make([7], **values)
            return here.of(GuidanceStep), plain, again
        finally:
            here.engine.record(False)

    return run


@pytest.mark.parametrize("spec", SCHEDULERS, ids=lambda spec: spec.key)
def test_every_samplers_steps_fit_the_formula_and_its_picture_stays_the_same(record, spec):
    steps, plain, again = record(scheduler=spec.key, steps=4, guidance_scale=5.0)
    assert plain.pixels.tobytes() == again.pixels.tobytes()
    assert [step.step for step in steps] == list(range(1, steps[0].total + 1))
    for step in steps:
        assert step.uncond is not None
        assert step.noisy.shape == step.cond.shape == (8, 8, 3)
        guided = step.uncond + 5.0 * (step.cond - step.uncond)
        scale = max(1.0, float(np.abs(step.guided).max()))
        assert np.abs(guided - step.guided).max() < 2e-3 * scale
    assert np.abs(steps[0].cond - steps[0].uncond).max() > 0


def test_without_guidance_there_is_one_prediction(record):
    steps, _, _ = record(guidance_scale=1.0, steps=3)
    assert [step.uncond for step in steps] == [None] * 3
    assert np.array_equal(steps[0].cond, steps[0].guided)


def test_two_encoders_and_v_prediction_are_recorded_too(record):
    for family in ("sdxl", "sd2"):
        steps, plain, again = record(family, steps=3, guidance_scale=4.0)
        assert len(steps) == 3
        assert plain.pixels.tobytes() == again.pixels.tobytes()


def test_prompts_joined_by_and_and_words_that_change_fit_the_formula_too(record):
    for prompt in ("heart AND frog :0.5", "[heart:frog:2]"):
        steps, plain, again = record(prompt=prompt, steps=4, guidance_scale=3.0)
        assert plain.pixels.tobytes() == again.pixels.tobytes()
        for step in steps:
            assert np.abs(step.uncond + 3.0 * (step.cond - step.uncond) - step.guided).max() < 1e-2


def test_steps_at_which_guidance_pauses_have_one_prediction(record):
    steps, _, _ = record(steps=4, guidance_end=0.5)
    assert [step.uncond is None for step in steps] == [False, False, True, True]


def test_long_runs_are_told_in_part_and_to_the_end(record):
    steps, _, _ = record(steps=50)
    assert len(steps) == RECORDED_MAXIMUM
    assert steps[-1].step == 50


def test_nothing_is_told_when_nobody_asks(studio):
    here = studio()
    here.make([1], steps=2)
    assert here.of(GuidanceStep) == []


def test_a_model_whose_latents_are_unknown_is_refused(studio, own_copy):
    folder = own_copy()
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps({**index, "_class_name": "StableDiffusionPAGPipeline"}))
    here = studio("other", path=folder)
    here.engine.record(True)
    with pytest.raises(ModelUnsupported, match="cannot be shown"):
        here.make([1], steps=1)
