from __future__ import annotations

import inspect

import pytest

from sdstudio.catalog.families import FAMILIES
from sdstudio.catalog.schedulers import (
    DEFAULT_SCHEDULER,
    SCHEDULER_BY_KEY,
    SCHEDULERS,
    find_sampling,
    find_schedule,
    find_scheduler,
    nearest_schedulers,
    schedule_of,
)
from sdstudio.catalog.schedules import AUTOMATIC, EVERY_SCHEDULE, SCHEDULE_BY_KEY, SCHEDULES
from sdstudio.core.request.request import GenerationRequest
from sdstudio.engine.samplers.schedulers import scheduler_class

OLD_KEYS = [
    "dpmpp_2m_karras", "dpmpp_2m", "dpmpp_2m_sde_karras", "dpmpp_2m_sde", "dpmpp_2m_sde_heun", "dpmpp_3m_sde",
    "dpmpp_3m_sde_karras", "dpmpp_sde_karras", "dpmpp_sde", "dpmpp_2s", "euler", "euler_karras", "euler_a", "heun",
    "heun_karras", "lms", "lms_karras", "dpm2", "dpm2_karras", "dpm2_a", "dpm2_a_karras", "ddim", "pndm", "unipc",
    "unipc_karras", "deis", "deis_karras", "ddpm", "lcm", "tcd",
]  # fmt: skip


def test_names_are_unique():
    names = [name for spec in SCHEDULERS for name in {spec.key, *spec.aliases}]
    assert sorted(names) == sorted(set(names))
    for program in ("sampler", "comfyui", "invokeai"):
        theirs = [getattr(spec, program) for spec in SCHEDULERS if getattr(spec, program)]
        assert sorted(theirs) == sorted(set(theirs))
    for program in ("schedule_type", "comfyui"):
        theirs = [getattr(row, program) for row in SCHEDULES if getattr(row, program)]
        assert sorted(theirs) == sorted(set(theirs))
    assert len({spec.title for spec in SCHEDULERS}) == len(SCHEDULERS)
    assert DEFAULT_SCHEDULER in SCHEDULER_BY_KEY
    names = [name for row in SCHEDULES for name in {row.key, *row.aliases} if name]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("spec", SCHEDULERS, ids=lambda spec: spec.key)
def test_the_class_exists_and_knows_every_entry_of_the_config(spec):
    for row in (spec, *(spec.at(version) for version in spec.before)):
        known = inspect.signature(scheduler_class(row).__init__).parameters
        assert set(row.config) <= set(known)


@pytest.mark.parametrize("spec", SCHEDULERS, ids=lambda spec: spec.key)
def test_a_sampler_takes_every_schedule_or_has_levels_of_its_own(spec):
    assert spec.automatic in ("", *EVERY_SCHEDULE)
    assert spec.schedules == ((AUTOMATIC, *EVERY_SCHEDULE) if spec.automatic else (AUTOMATIC,))
    assert schedule_of(spec, AUTOMATIC) == spec.automatic
    assert schedule_of(spec, "beta") == "beta"
    assert set(spec.takes) <= set(GenerationRequest.model_fields)


@pytest.mark.parametrize("spec", SCHEDULERS, ids=lambda spec: spec.key)
def test_a_sampler_is_found_by_every_name_it_goes_by(spec):
    names = [spec.key, spec.title, spec.title.upper(), spec.key.replace("_", " "), *spec.aliases]
    for name in names:
        assert find_sampling(name) == (spec, "")
        assert find_scheduler(name) is spec


@pytest.mark.parametrize("spec", [spec for spec in SCHEDULERS if spec.automatic], ids=lambda spec: spec.key)
@pytest.mark.parametrize("schedule", EVERY_SCHEDULE)
def test_a_name_may_hold_the_schedule(spec, schedule):
    title = SCHEDULE_BY_KEY[schedule].title
    assert find_sampling(f"{spec.key}_{schedule}") == (spec, schedule)
    assert find_sampling(f"{spec.title} {title}") == (spec, schedule)


@pytest.mark.parametrize("key", OLD_KEYS)
def test_the_keys_of_before_schedules_were_apart_are_still_names(key):
    spec, schedule = find_sampling(key)
    assert schedule == ("karras" if key.endswith("_karras") else "")
    assert spec.key == key.removesuffix("_karras")


@pytest.mark.parametrize("row", SCHEDULES, ids=lambda row: row.key)
def test_a_schedule_is_found_by_every_name_it_goes_by(row):
    for name in (row.key, row.title, row.title.upper(), *row.aliases):
        assert find_schedule(name) == row.key
    assert find_schedule("wonder") is None


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_align_your_steps_has_eleven_levels_for_every_family(family):
    levels = family.align_your_steps
    assert len(levels) == 11
    assert list(levels) == sorted(levels, reverse=True)


@pytest.mark.parametrize(
    ("wrong", "meant"), [("eulr", "euler"), ("dpmpp2m", "dpmpp_2m"), ("dpm++ 2m karas", "dpmpp_2m")]
)
def test_a_misspelt_name_has_the_right_one_among_its_nearest(wrong, meant):
    assert meant in [spec.key for spec in nearest_schedulers(wrong)] or find_scheduler(wrong) is SCHEDULER_BY_KEY[meant]


def test_nonsense_resembles_nothing():
    assert find_scheduler("qqqqqqqq") is None
    assert nearest_schedulers("qqqqqqqq") == ()
