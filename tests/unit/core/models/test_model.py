from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sdstudio.catalog.families import FAMILIES, optional_fields, titles_that_take
from sdstudio.catalog.previews import PREVIEW_BY_KEY, PreviewSpec
from sdstudio.core.models.model import ModelInfo, default_request, parameters_of
from sdstudio.core.params import parameters
from sdstudio.core.request.request import GenerationRequest

MODEL = ModelInfo("starter", "Starter", Path("starter"), "sd1")


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_every_familys_default_request_is_allowed(family):
    model = replace(MODEL, family=family.key)
    request = default_request(model)
    assert request == GenerationRequest.checked(request.model_dump(), parameters_of(model))
    for name, override in family.overrides.items():
        if override.default is not None:
            assert getattr(request, name) == override.default
    hidden = {name for name, row in parameters_of(model).items() if row.hidden}
    untaken = (optional_fields() - family.takes) | {"mask_weight"}  # of models for inpainting
    assert hidden == {row.name for row in parameters(GenerationRequest)} & untaken
    for_inpainting = replace(model, variant="inpaint")
    assert parameters_of(for_inpainting)["mask_weight"].hidden is ("mask" not in family.takes)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_every_familys_sizes_are_allowed_and_begin_with_a_square(family):
    model = replace(MODEL, family=family.key)
    assert family.sizes[0][0] == family.sizes[0][1]
    for width, height in model.size_presets:
        GenerationRequest.checked({"width": width, "height": height}, parameters_of(model))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_a_familys_preview_is_in_the_table(family):
    model = replace(MODEL, family=family.key)
    assert model.preview_spec == PREVIEW_BY_KEY.get(family.preview)
    assert family.preview == "" or model.preview_spec is not None


def test_a_models_own_wishes_go_before_its_familys():
    own = PreviewSpec("own", ((1.0, 0.0, 0.0),) * 4)
    model = replace(MODEL, defaults={"steps": 8, "width": 128}, sizes=((128, 128),), preview=own)
    assert parameters_of(model)["steps"].default == 8
    assert default_request(model).width == 128
    assert (model.size_presets, model.preview_spec) == (((128, 128),), own)


def test_without_a_model_parameters_are_as_declared():
    assert tuple(parameters_of(None).values()) == parameters(GenerationRequest)


def test_a_hint_names_the_families_that_can():
    assert titles_that_take("init_image") == "Stable Diffusion 1.x, Stable Diffusion 2.x or Stable Diffusion XL"
    assert titles_that_take() == titles_that_take("loras")
    assert titles_that_take("nothing of that kind") == ""
