from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sdstudio.catalog.families import FAMILIES
from sdstudio.catalog.schedulers import SCHEDULER_BY_KEY
from sdstudio.core.advice import ADVICE, FEW_STEPS_SAMPLERS, ShownPicture, advice_for
from sdstudio.core.models.model import ModelInfo, default_request, parameters_of
from sdstudio.core.pictures.looks import Looks
from sdstudio.core.request.request import GenerationRequest

SD1 = ModelInfo("m", "M", Path("m"), "sd1")
TURBO = ModelInfo("t", "T", Path("t"), "sdxl", defaults={"steps": 4, "guidance_scale": 1.0})
INPUT = "5a" * 32
DULL, BURNT = Looks(0.2, 0.1, 0.0), Looks(0.8, 0.6, 0.3)


def _situation(model: ModelInfo = SD1, chunks: int = 1, looks: Looks | None = None, **values: Any) -> ShownPicture:
    return ShownPicture({**dict(default_request(model)), **values}, model, chunks, looks)


CASES = [
    ("negative_at_one", {"guidance_scale": 1.0, "negative_prompt": "fog"}, {}, {"guidance_scale": 7.0}),
    ("negative_at_one", {"guidance_scale": 1.0, "negative_prompt": "fog"}, {"model": TURBO}, {"guidance_scale": 1.5}),
    ("distilled_guidance", {"scheduler": "lcm", "guidance_scale": 8.0}, {}, {"guidance_scale": 1.5}),
    ("oversaturated", {"guidance_scale": 12.0}, {"looks": BURNT}, {"guidance_scale": 7.0}),
    ("washed_out", {"guidance_scale": 4.0}, {"looks": DULL}, {"guidance_scale": 7.0}),
    ("washed_out", {"steps": 12}, {"looks": DULL}, {"steps": 20}),
    ("washed_out", {}, {"looks": DULL}, {"guidance_scale": 9.0}),
    ("too_high", {"guidance_scale": 20.0}, {}, {"guidance_scale": 7.0}),
    ("too_low", {"guidance_scale": 2.0}, {}, {"guidance_scale": 7.0}),
    ("few_steps", {"steps": 6}, {}, {"steps": 20}),
    ("too_large", {"width": 1024, "height": 768}, {}, {"width": 576, "height": 448}),
    ("too_large", {"width": 1280, "height": 512}, {}, {"width": 640, "height": 384}),
    ("too_small", {"width": 256, "height": 256}, {}, {"width": 512, "height": 512}),
    ("input_lost", {"init_image": INPUT, "strength": 1.0}, {}, {"strength": 0.5}),
    ("input_kept", {"init_image": INPUT, "strength": 0.05}, {}, {"strength": 0.4}),
    ("fill_shows", {"init_image": INPUT, "outpaint": "left=8"}, {}, {"strength": 1.0}),
    (
        "content_shows",
        {"init_image": INPUT, "mask": INPUT, "masked_content": "latent_noise", "strength": 0.5},
        {},
        {"strength": 0.9},
    ),
    ("input_kept", {"init_image": INPUT, "strength": 0.2, "steps": 4}, {}, {"strength": 0.4}),
    ("far_back", {"prompt": "a fox, in rain, at night"}, {"chunks": 3}, {"prompt": "at night, a fox, in rain"}),
]


def test_under_a_mask_all_of_the_strength_is_no_mistake():
    values = {"init_image": INPUT, "strength": 1.0}
    assert "input_lost" in {advice.key for advice in advice_for(_situation(**values))}
    for part in ({"mask": INPUT}, {"outpaint": "left=8"}):
        assert "input_lost" not in {advice.key for advice in advice_for(_situation(**values, **part))}


@pytest.mark.parametrize(("key", "values", "known", "change"), CASES)
def test_each_mistake_gets_its_advice_and_the_change_settles_it(key, values, known, change):
    now = _situation(**known, **values)
    found = {advice.key: advice for advice in advice_for(now)}
    assert dict(found[key].change) == change
    assert found[key].title
    after = _situation(**{**known, "looks": None, "chunks": 1}, **{**values, **change})
    assert key not in {advice.key for advice in advice_for(after)}


def test_every_row_has_a_case_and_stands_beside_a_parameter():
    assert {row.key for row in ADVICE} == {key for key, *_ in CASES}
    assert all(row.field in GenerationRequest.model_fields for row in ADVICE)
    assert set(SCHEDULER_BY_KEY) >= FEW_STEPS_SAMPLERS


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_a_models_own_defaults_and_sizes_need_no_advice(family):
    model = ModelInfo("m", "M", Path("m"), family.key)
    for width, height in model.size_presets:
        assert advice_for(_situation(model, width=width, height=height, prompt="a fox, running")) == ()
    assert advice_for(_situation(TURBO)) == ()


@pytest.mark.parametrize(
    ("values", "known"),
    [
        ({"prompt": "a fox in fog"}, {"looks": DULL}),
        ({"prompt": "black and white photograph"}, {"looks": DULL}),
        ({}, {"looks": BURNT}),  # colourful by itself: the guidance is the model's own
        ({"scheduler": "lcm", "steps": 4, "guidance_scale": 1.5}, {}),
        ({"guidance_scale": 1.0, "negative_prompt": " "}, {"model": TURBO}),
        ({"prompt": "x " * 400}, {"chunks": 6}),
        ({"strength": 1.0}, {}),  # it does not act without an input picture
        ({"strength": 0.0}, {}),
        ({"init_image": INPUT}, {}),
        ({"init_image": INPUT, "strength": 0.0, "guidance_scale": 30.0, "width": 2048, "height": 2048}, {}),
        ({"init_image": INPUT, "strength": 0.3, "width": 1024, "height": 1024}, {}),  # its shapes are the input's
        ({"init_image": INPUT, "strength": 0.3}, {"looks": DULL}),  # and so are its colours
    ],
)
def test_what_may_be_meant_is_left_alone(values, known):
    assert advice_for(_situation(**known, **values)) == ()


def test_one_parameter_gets_one_piece_of_advice_and_every_change_is_allowed():
    now = _situation(guidance_scale=20.0, looks=BURNT, steps=3, width=2048, height=2048)
    found = advice_for(now)
    assert [advice.field for advice in found] == ["guidance_scale", "steps", "width"]
    for advice in found:
        GenerationRequest.checked({**now.values, **advice.change}, parameters_of(SD1))


@pytest.mark.parametrize(
    ("prompt", "moved"),
    [
        ("a fox, in rain, (at night, stars:1.2)", "(at night, stars:1.2), a fox, in rain"),
        ("a fox, {rain, wind|snow}", "{rain, wind|snow}, a fox"),
        ("a fox, [rain, wind:snow:0.5], ", "[rain, wind:snow:0.5], a fox"),
        ("a fox, \\(rain\\, wind", "\\(rain\\, wind, a fox"),
        ("a fox, <lora:ink,thin:1> rain", "<lora:ink,thin:1> rain, a fox"),
        ("a fox BREAK rain, wind", "wind, a fox BREAK rain"),
        ("(a fox, in rain)", None),
        ("a fox, (in rain, at night", None),
        ("a fox), in rain", None),
        ("a fox # not a wolf, a dog", None),
        ("a fox AND rain, wind", None),
        (", rain", None),
    ],
)
def test_what_is_moved_to_the_front_of_a_prompt_is_whole(prompt, moved):
    changes = [dict(advice.change) for advice in advice_for(_situation(prompt=prompt, chunks=3))]
    assert changes == ([{"prompt": moved}] if moved else [])


@pytest.mark.parametrize(
    ("guidance", "change"),
    [(14.0, {"guidance_scale": 17.5}), (17.5, {}), (20.0, {"guidance_scale": 7.0}), (30.0, {"guidance_scale": 7.0})],
)
def test_a_washed_out_picture_is_not_guided_beyond_what_burns_colours(guidance, change):
    found = advice_for(_situation(guidance_scale=guidance, looks=DULL))
    assert {name: value for advice in found for name, value in advice.change.items()} == change


def test_a_button_that_changes_the_steps_beside_another_field_says_so():
    (advice,) = advice_for(_situation(steps=12, looks=DULL))
    assert (advice.field, advice.title) == ("guidance_scale", "Use 20 steps")
