from __future__ import annotations

import shutil

import pytest

from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.library.library import Library
from sdstudio.library.recall import model_of


def told(name: str = "", model_hash: str = "", key: str = "") -> Recipe:
    return Recipe(app="x", request=GenerationRequest(model=key), model_name=name, model_hash=model_hash)


@pytest.fixture
def library(home, tiny_models) -> Library:
    shutil.copytree(tiny_models["sd1"], home.models / "Dream_Shaper 8")
    (home.models / "broken").mkdir()
    (home.models / "broken" / "model_index.json").write_text("{")
    return Library(home)


@pytest.mark.parametrize("name", ["Dream_Shaper 8", "dreamshaper-8", "DREAMSHAPER_8"])
def test_a_model_is_found_by_its_name_however_it_is_written(library, name):
    found = model_of(library, told(name))
    assert found is not None
    assert found.path.name == "Dream_Shaper 8"
    assert model_of(library, told(key=name)) == found


def test_a_model_is_found_by_the_hash_it_is_known_by(library):
    model = library.find("Dream_Shaper 8")
    assert model_of(library, told("renamed since", "0123456789")) is None
    whole = library.hash_of(model)
    for digits in (10, 64):
        assert model_of(library, told("renamed since", whole[:digits].upper())) == model
    assert model_of(library, told("renamed since", whole[:4])) is None, "too short to tell"
    assert model_of(library, told("starter", whole[:10])) == model, "the hash counts before the name"


@pytest.mark.parametrize("name", ["", "nowhere", "broken", "--"])
def test_a_model_that_is_not_there_or_cannot_draw_is_not_found(library, name):
    assert model_of(library, told(name)) is None
