"""What a ``model_index.json`` may name, what is drawn with, and which file of a part its weights are read from."""

from __future__ import annotations

import pytest

from sdstudio.catalog.families import FAMILIES
from sdstudio.catalog.pipelines import DRAWN, NOT_DRAWN
from sdstudio.core.errors import ModelUnsupported
from sdstudio.core.models.folder import (
    WEIGHTS,
    ModelIndex,
    check_drawable,
    check_pipeline,
    read_index,
    variant_of,
    weights_entry,
)

OF_FAMILIES = {name for family in FAMILIES for name in family.pipelines}


def test_every_pipeline_of_diffusers_that_draws_from_text_is_drawn_with_or_refused_for_a_reason():
    import diffusers
    from diffusers.pipelines.auto_pipeline import AUTO_INPAINT_PIPELINES_MAPPING, AUTO_TEXT2IMAGE_PIPELINES_MAPPING

    theirs = {cls.__name__ for cls in AUTO_TEXT2IMAGE_PIPELINES_MAPPING.values()}
    known = OF_FAMILIES | DRAWN | set(NOT_DRAWN)
    assert theirs - known == set()
    for_inpainting = {cls.__name__ for cls in AUTO_INPAINT_PIPELINES_MAPPING.values()}
    assert theirs | for_inpainting >= DRAWN | OF_FAMILIES
    assert not DRAWN & set(NOT_DRAWN)
    assert [name for name in known if not hasattr(diffusers, name)] == []


@pytest.mark.parametrize("name", sorted(NOT_DRAWN))
def test_what_is_not_drawn_with_says_why_and_what_is(name):
    with pytest.raises(ModelUnsupported) as caught:
        check_pipeline(name, "a model")
    assert NOT_DRAWN[name] in caught.value.message
    assert "Stable Diffusion XL" in caught.value.hint


@pytest.mark.parametrize("family", [family for family in FAMILIES if family.pipelines], ids=lambda family: family.key)
def test_a_model_saved_without_a_part_that_its_family_needs_is_refused(family):
    entries = {part: ["diffusers", "Part"] for part in family.parts}
    for raw in ({}, {"image_encoder": [None, "CLIPVisionModelWithProjection"], "safety_checker": [None, None]}):
        check_drawable(read_index({"_class_name": family.pipelines[0], **entries, **raw}, "m"), "m")
    for part in family.parts:
        for gone in ([None, None], [None, "Part"], None, [], "x", ["diffusers"]):
            index = read_index({"_class_name": family.pipelines[0], **entries, part: gone}, "m")
            with pytest.raises(ModelUnsupported, match=f"saved without its {part};"):
                check_drawable(index, "m")


def test_a_pipeline_of_no_family_misses_only_what_its_index_names_as_null():
    check_drawable(ModelIndex("AuraFlowPipeline", {}), "m")
    with pytest.raises(ModelUnsupported, match="without its vae"):
        check_drawable(ModelIndex("AuraFlowPipeline", {}, ("vae",)), "m")


def test_the_plain_weights_go_before_any_variant_and_safetensors_before_pickles():
    assert WEIGHTS[:2] == ("diffusion_pytorch_model.safetensors", "model.safetensors")
    order = [
        "model.safetensors", "model.fp16.safetensors", "model.bf16.safetensors", "model.non_ema.safetensors",
        "pytorch_model.bin", "pytorch_model.fp16.bin",
    ]  # fmt: skip
    for place in range(len(order)):
        assert weights_entry(set(order[place:])) == order[place]
    assert weights_entry({"._model.safetensors", "model.gguf"}) == ""
    assert [variant_of(name) for name in order] == ["", "fp16", "bf16", "non_ema", "", "fp16"]
    assert variant_of("model.safetensors.index.fp16.json") == "fp16"
