"""What patterns call pictures, and which patterns are refused with what is allowed instead."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime

import pytest

from sdstudio.core.errors import InvalidRequest
from sdstudio.core.name_pattern import (
    DEFAULT_PATTERN,
    NAME_FIELDS,
    NAME_MAXIMUM,
    Named,
    check_pattern,
    example_name,
    relative_name,
)
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.seed_fields import SEED_MAXIMUM
from sdstudio.core.settings import Settings

CREATED = datetime(2026, 5, 1, 18, 45, 2)


def named(prompt: str = "red heart", number: int = 7, model_name: str = "Dream Shaper 8", **values: object) -> Named:
    request = GenerationRequest.checked({"prompt": prompt, "seed": 42, **values})
    return Named(number, Recipe(app="test", request=request, model_name=model_name), CREATED)


def as_it_was(number: int, prompt: str, seed: int | None) -> str:
    """Names as they were before there were patterns."""
    plain = unicodedata.normalize("NFKD", prompt[:1000]).encode("ascii", "ignore").decode("ascii")
    slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:60].strip("-")
    return "-".join(part for part in (f"{number:06d}", slug, "" if seed is None else str(seed)) if part)


@pytest.mark.parametrize("seed", [0, 42, SEED_MAXIMUM, None])
@pytest.mark.parametrize("prompt", ["red heart", "🐸🐸", "a/b\\c", "..", "-x-", "Ünïcode", "long " * 60, "", "\0x"])
def test_the_default_gives_the_names_that_were_always_given(prompt, seed):
    made = named(prompt, seed=seed)
    assert relative_name(DEFAULT_PATTERN, made).as_posix() == f"2026-05-01/{as_it_was(7, prompt, seed)}"


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{seed}", "42"),
        ("{model}/{sampler}/{steps}-{guidance}", "dream-shaper-8/dpmpp-2m/30-7.5"),
        ("{date} {time}/{width}x{height}", "2026-05-01 184502/512x768"),
        ("Bilder/{prompt}_{number}", "Bilder/red-heart_000007"),
        ("{number}. {prompt}.", "000007. red-heart"),
        ("con", "_con"),
        ("{date}//{number}", "2026-05-01/000007"),
    ],
)
def test_every_field_says_what_it_is_called(pattern, name):
    check_pattern(pattern)
    made = named(steps=30, guidance_scale=7.5, width=512, height=768, scheduler="dpmpp_2m")
    assert relative_name(pattern, made).as_posix() == name


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("{number}-{prompt}-{seed}", "000007-42"),
        ("{prompt}-{seed}", "42"),
        ("{seed} - {prompt}", "42"),
        ("{prompt}", "000007"),
        ("{prompt}/{seed}", "42"),
        ("x_{prompt}_{prompt}_y", "x_y"),
    ],
)
@pytest.mark.parametrize("prompt", ["🐸 🐸", "///", "....", "\u202e", "漢字"])
def test_a_field_with_nothing_to_say_goes_with_the_sign_beside_it(pattern, name, prompt):
    assert relative_name(pattern, named(prompt)).as_posix() == name


def test_no_prompt_leads_out_of_the_folder_or_makes_a_name_too_long():
    for prompt in ("../../etc/passwd", "/etc/passwd", "C:\\x", "a" * 300, "é" * 300, "a b " * 75, "x\n\0y"):
        name = relative_name("{prompt}/{prompt}-{model}-{seed}", named(prompt, model_name=prompt))
        assert not name.is_absolute()
        assert ".." not in name.parts
        assert max(len(part.encode()) for part in name.parts) <= NAME_MAXIMUM


def test_no_field_is_longer_than_it_is_counted():
    made = named("a" * 300, 10**15 - 1, "b" * 300, seed=SEED_MAXIMUM)
    assert [field.name for field in NAME_FIELDS if len(field.value(made)) > field.longest] == []
    assert [field.name for field in NAME_FIELDS if len(field.example) > field.longest] == []


@pytest.mark.parametrize(
    ("pattern", "said", "hint"),
    [
        ("{sed}", "there is no field {sed}, allowed are {number}, {date}, {time}, {prompt}, {seed}", "{seed}?"),
        ("{}", "there is no field {}", ""),
        ("{seed", "a field begins with { and ends with }", "{number}"),
        ("a:b", ": cannot be in a name", "Use letters"),
        ("a\tb", "cannot be seen", "Use letters"),
        ("a\\b", "\\ cannot be in a name", "/ for a folder"),
        ("../{seed}", ".. is no folder of its own", "Leave it out."),
        ("/{seed}", "within the output folder", "Use {seed}"),
        ("{date}/", "the picture's name is wanted", "Use {date}/{number}"),
        ("  ", "at least one letter or field", DEFAULT_PATTERN),
        ("{prompt}{prompt}{prompt}{prompt}", "can become 240 characters long, at most 200", "put / between"),
        ("é" * 101, "can become 202 characters long", "put / between"),
        ("x" * 201, "at most 200 characters", "Shorten it."),
    ],
)
def test_what_gives_no_name_is_refused_with_what_is_allowed(pattern, said, hint):
    with pytest.raises(InvalidRequest) as refused:
        check_pattern(pattern)
    assert refused.value.message.startswith("Name pattern = '")
    assert said in refused.value.message
    assert hint in refused.value.hint
    assert refused.value.field == "name_pattern"


def test_the_example_shows_every_field():
    assert example_name("{date}/{number}-{seed}").as_posix() == "2026-05-01/000123-421337"


def test_a_pattern_in_a_settings_file_that_is_not_allowed_is_named_and_the_default_used(tmp_path):
    file = tmp_path / "settings.json"
    file.write_text('{"name_pattern": "../{seed}", "output_folder": "/pictures"}')
    settings, said = Settings.load(file)
    assert settings.name_pattern == DEFAULT_PATTERN
    assert str(settings.output_folder) == "/pictures"
    assert said == ["Setting name_pattern = '../{seed}' is not allowed; its default is used."]
