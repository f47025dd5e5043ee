from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sdstudio.catalog.families import FAMILIES
from sdstudio.catalog.schedulers import SCHEDULERS
from sdstudio.core.errors import InvalidRequest
from sdstudio.core.models.model import ModelInfo, parameters_of
from sdstudio.core.params import FieldKind, parameters
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import PROMPT_MAXIMUM, RANDOM_SEED_MAXIMUM, GenerationRequest, RunOptions
from sdstudio.core.request.seed_fields import SEED_MAXIMUM
from sdstudio.core.request.submission import seeds_for

NUMBERS = [
    row for row in parameters(GenerationRequest) if row.kind in (FieldKind.INTEGER, FieldKind.NUMBER, FieldKind.SEED)
]
ALL = [*NUMBERS, *(row for row in parameters(RunOptions) if row.kind is FieldKind.INTEGER)]


def refused(**values) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as raised:
        GenerationRequest.checked(values)
    error = raised.value
    assert "\n" not in str(error)
    assert len(str(error)) < 700
    return error


def owner(row):
    return GenerationRequest if row in NUMBERS else RunOptions


@pytest.mark.parametrize("row", ALL, ids=lambda row: row.name)
def test_bounds_are_inclusive_and_everything_beyond_is_refused(row):
    for value in (row.minimum, row.maximum):
        value = value if row.kind is FieldKind.NUMBER else int(value)
        assert getattr(owner(row).checked({row.name: value}), row.name) == value
    for value in (row.minimum - 1, row.maximum * 2 + 8, float("nan"), float("inf"), float("-inf"), 10**400):
        with pytest.raises(InvalidRequest) as raised:
            owner(row).checked({row.name: value})
        assert raised.value.field == row.name
        assert row.allowed in raised.value.message
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("row", ALL, ids=lambda row: row.name)
@pytest.mark.parametrize("value", [True, False, "abc", "", [], {}, b"20", object])
def test_what_is_no_number_is_refused(row, value):
    with pytest.raises(InvalidRequest) as raised:
        owner(row).checked({row.name: value})
    assert raised.value.field == row.name


@pytest.mark.parametrize("row", [row for row in ALL if row.kind is not FieldKind.NUMBER], ids=lambda row: row.name)
def test_fractions_of_whole_numbers_are_refused(row):
    with pytest.raises(InvalidRequest) as raised:
        owner(row).checked({row.name: row.minimum + 0.5})
    assert raised.value.field == row.name


@pytest.mark.parametrize("row", ALL, ids=lambda row: row.name)
def test_numbers_may_be_written_as_text_and_are_held_to_the_same_bounds(row):
    value = row.maximum if row.kind is FieldKind.NUMBER else int(row.maximum)
    assert getattr(owner(row).checked({row.name: str(value)}), row.name) == value
    with pytest.raises(InvalidRequest):
        owner(row).checked({row.name: str(int(value) * 2 + 8)})


@pytest.mark.parametrize(
    ("values", "message", "hint"),
    [
        ({"width": 500}, "Width = 500: allowed is 64 to 4096 in multiples of 8.", "Nearest: 496 or 504."),
        ({"width": 501.5}, "Width = 501.5: allowed is 64 to 4096 in multiples of 8.", "Nearest: 496 or 504."),
        ({"height": "500"}, "Height = '500': allowed is 64 to 4096 in multiples of 8.", "Nearest: 496 or 504."),
        ({"width": 5}, "Width = 5: allowed is 64 to 4096 in multiples of 8.", "Use 64."),
        ({"width": 9999}, "Width = 9999: allowed is 64 to 4096 in multiples of 8.", "Use 4096."),
        ({"steps": 0}, "Steps = 0: allowed is 1 to 150.", "Use 1."),
        ({"steps": 20.5}, "Steps = 20.5: allowed is 1 to 150.", "Nearest: 20 or 21."),
        ({"steps": True}, "Steps = True: allowed is 1 to 150.", "The default is 20."),
        ({"steps": None}, "Steps = None: allowed is 1 to 150.", "The default is 20."),
        ({"guidance_scale": 0.5}, "Guidance scale = 0.5: allowed is 1 to 30.", "Use 1."),
        ({"guidance_scale": "NaN"}, "Guidance scale = 'NaN': allowed is 1 to 30.", "The default is 7.0."),
        ({"seed": -1}, f"Seed = -1: allowed is 0 to {SEED_MAXIMUM}.", "Use 0."),
        ({"seed": 2**64}, f"Seed = {2**64}: allowed is 0 to {SEED_MAXIMUM}.", f"Use {SEED_MAXIMUM}."),
        ({"stesp": 20}, "stesp: there is no such parameter.", "Did you mean steps?"),
        ({"zzz": 20}, "zzz: there is no such parameter.", "Remove it."),
        ({"scheduler": "eulr"}, "Sampler = 'eulr': there is no such sampler.", "Did you mean euler"),
        (
            {"scheduler": "@"},
            "Sampler = '@': there is no such sampler.",
            "See them all with `sdstudio schedulers`.",
        ),
        (
            {"prompt": "x" * (PROMPT_MAXIMUM + 1)},
            "Prompt = 20,001 characters: at most 20,000 characters.",
            "Shorten it: a model reads a few hundred words at most.",
        ),
    ],
)
def test_messages_say_what_is_allowed_and_one_thing_to_do(values, message, hint):
    error = refused(**values)
    assert error.field == next(iter(values))
    assert error.message == message
    assert error.hint.startswith(hint)


def test_a_prompt_of_100000_characters_is_refused_and_one_of_20000_is_taken():
    assert refused(prompt="x" * 100_000).field == "prompt"
    assert len(GenerationRequest.checked({"prompt": "x" * PROMPT_MAXIMUM}).prompt) == PROMPT_MAXIMUM


@pytest.mark.parametrize("prompt", ["", "🦊🌈", "قلب أحمر", "a\nb", "a\0b", "<b>&amp;"])
def test_any_text_is_a_prompt(prompt):
    assert GenerationRequest.checked({"prompt": prompt}).prompt == prompt


def test_lone_surrogates_become_question_marks():
    request = GenerationRequest.checked({"prompt": "half \ud83d pair", "negative_prompt": "\udc00"})
    assert (request.prompt, request.negative_prompt) == ("half ? pair", "?")
    request.model_dump_json().encode("utf-8")


@pytest.mark.parametrize("value", [5, None, True, ["list"]])
def test_a_prompt_that_is_no_text_is_refused(value):
    assert refused(prompt=value).field == "prompt"


@pytest.mark.parametrize("spec", SCHEDULERS, ids=lambda spec: spec.key)
def test_every_scheduler_is_taken_by_all_its_names(spec):
    for name in (spec.key, spec.title, spec.title.upper(), *spec.aliases):
        assert GenerationRequest.checked({"scheduler": name}).scheduler == spec.key


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_a_family_changes_the_limits_by_its_row_alone(family):
    model = ModelInfo("m", "M", None, family.key)
    limits = parameters_of(model)
    for name, override in family.overrides.items():
        if override.minimum is not None:
            with pytest.raises(InvalidRequest):
                GenerationRequest.checked({name: override.minimum - 1}, limits)
        if override.default is not None:
            assert getattr(GenerationRequest.checked({name: override.default}, limits), name) == override.default


def test_a_models_limits_count_for_text_too():
    from dataclasses import replace

    limits = {row.name: row for row in parameters(GenerationRequest)}
    limits["steps"] = replace(limits["steps"], maximum=8)
    with pytest.raises(InvalidRequest, match="allowed is 1 to 8"):
        GenerationRequest.checked({"steps": "9"}, limits)


def test_requests_are_frozen_and_equal_when_they_say_the_same():
    one, other = GenerationRequest(prompt="a"), GenerationRequest(prompt="a")
    assert (one, hash(one)) == (other, hash(other))
    with pytest.raises(ValidationError):
        one.prompt = "b"


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30), st.lists(st.integers())),
       st.sampled_from([row.name for row in parameters(GenerationRequest)]))  # fmt: skip
def test_any_value_is_taken_or_refused_in_one_line(value, name):
    said = None
    try:
        GenerationRequest.checked({name: value})
    except InvalidRequest as error:
        said = error
    if said is not None:
        assert said.field == name
        assert said.message
        assert len(str(said).splitlines()) == 1
        str(said).encode("utf-8")


def test_seeds_count_up_and_start_again_past_the_last():
    assert seeds_for(GenerationRequest(seed=5), 3) == (5, 6, 7)
    assert seeds_for(GenerationRequest(seed=SEED_MAXIMUM), 3) == (SEED_MAXIMUM, 0, 1)


def test_a_blank_seed_is_drawn_where_every_other_program_can_take_it():
    drawn = {seeds_for(GenerationRequest(), 1)[0] for _ in range(50)}
    assert len(drawn) > 45
    assert max(drawn) <= RANDOM_SEED_MAXIMUM


@pytest.mark.parametrize("values", [{"count": 0}, {"count": 1001}, {"batch_size": "x"}, {"count": None}, {"cuont": 1}])
def test_run_options_are_refused_in_words_too(values):
    with pytest.raises(InvalidRequest) as raised:
        RunOptions.checked(values)
    assert raised.value.field == next(iter(values))
    assert raised.value.hint


def test_with_seed_changes_the_seed_alone():
    request = GenerationRequest(prompt="a", steps=7)
    assert request.with_seed(2**64 - 1) == GenerationRequest(prompt="a", steps=7, seed=2**64 - 1)


def stored(**changes) -> str:
    values = json.loads(Recipe(app="a", request=GenerationRequest(prompt="p", seed=2**64 - 1)).model_dump_json())
    values["request"].update(changes)
    return json.dumps(values)


def test_a_recipe_survives_its_json():
    recipe = Recipe(
        app="a", request=GenerationRequest(prompt="猫\0", seed=2**64 - 1), made_with={"torch": "2", "n": [1]}
    )
    assert Recipe.stored(recipe.model_dump_json()) == recipe


def test_a_request_of_before_compatibility_keeps_the_rules_of_its_version():
    values = GenerationRequest(prompt="a").model_dump()
    assert GenerationRequest.stored(values).compatibility == "0.2"
    del values["compatibility"]
    assert GenerationRequest.stored(values).compatibility == "0.1"


def test_an_imported_recipe_of_before_compatibility_has_the_newest_rules_for_no_version_drew_it():
    request = GenerationRequest(prompt="a").model_dump()
    del request["compatibility"]
    made = json.dumps({"app": "A1111", "request": request, "made_with": {"imported": {"program": "A1111"}}})
    assert Recipe.stored(made).request.compatibility == "0.2"
    assert Recipe.stored(json.dumps({"app": "x", "request": request})).request.compatibility == "0.1"


def test_what_another_version_stored_is_read_as_far_as_it_is_known(caplog):
    recipe = Recipe.stored(stored(steps=9000, sharpness=1, width="wide"))
    assert recipe.request == GenerationRequest(prompt="p", seed=2**64 - 1)
    assert "['sharpness', 'steps', 'width']" in caplog.text


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"request": 5}', '{"request": {}}', "[" * 100_000])
@pytest.mark.logs("a stored recipe holds")
def test_what_is_no_recipe_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"."):
        Recipe.stored(text)


def test_a_recipe_tells_the_hashes_of_what_it_was_drawn_with():
    rows = [{"kind": "lora", "name": "style", "hash": "1a2b3c4d5e6f"}, {"name": "x", "hash": ""}, "odd", {"hash": 1}]
    request = GenerationRequest(file_hashes=(("told", "99aabbcc"),))
    recipe = Recipe(app="t", request=request, made_with={"adapters": rows})
    assert recipe.file_hashes == (("style", "1a2b3c4d5e6f"), ("told", "99aabbcc"))
    assert Recipe(app="t", request=request, made_with={"adapters": "none"}).file_hashes == (("told", "99aabbcc"),)


@pytest.mark.logs("a stored recipe holds")
def test_a_recipe_with_wrong_facts_keeps_the_right_ones():
    text = json.dumps({"app": 5, "request": {"prompt": "a fox"}, "duration_s": None, "model_name": "Tiny"})
    read = Recipe.stored(text)
    assert (read.app, read.request.prompt, read.duration_s, read.model_name) == ("", "a fox", 0.0, "Tiny")


def test_half_of_a_surrogate_pair_in_a_recipe_can_be_stored():
    prompt = r"a \ud800 fox \ud83e\udd8a"
    read = Recipe.stored(rf'{{"app": "x", "request": {{"prompt": "{prompt}"}}, "made_with": {{"\udfff": 1}}}}')
    assert (read.request.prompt, read.made_with) == ("a ? fox \U0001f98a", {"?": 1})
    assert Recipe.stored(read.model_dump_json()) == read
