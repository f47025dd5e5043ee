from __future__ import annotations

import pytest

from sdstudio.catalog.schedulers import SCHEDULERS, TAKEN_BY_SOME
from sdstudio.core.errors import InvalidRequest
from sdstudio.core.request.detail_fields import NEED_QUERY, NEED_REGIONS, part_for, prompt_for, prompt_up_to
from sdstudio.core.request.finish_fields import FINISH_FIELDS
from sdstudio.core.request.input_fields import INPUT_ROLES, NEED_PICTURE
from sdstudio.core.request.mask_fields import OF_SOFT_INPAINTING
from sdstudio.core.request.outpaint_fields import NEED_GROUND, Sides, check_extent, sides_in
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.rules import OF_SCHEDULES, idle_fields, idle_prompt_fields, over_defaults, schedule_choices
from sdstudio.core.request.second_pass_fields import NEED_SECOND_PASS, SIZES
from sdstudio.core.request.seed_fields import NEED_STRENGTH
from sdstudio.core.request.tile_fields import NEED_TILES

TILED = NEED_TILES | SIZES | {"tile_redraw"}
PICTURES = dict.fromkeys(INPUT_ROLES, "5a" * 32)


def refused(**values):
    with pytest.raises(InvalidRequest) as caught:
        GenerationRequest.checked(values)
    return caught.value


@pytest.mark.parametrize(
    ("values", "scheduler", "schedule"),
    [
        ({"scheduler": "dpmpp_2m_karras"}, "dpmpp_2m", "karras"),
        ({"scheduler": "DPM++ 2M"}, "dpmpp_2m", "automatic"),
        ({"scheduler": "euler", "schedule": "SGM Uniform"}, "euler", "sgm_uniform"),
        ({"scheduler": "euler", "schedule": "normal"}, "euler", "uniform"),
        ({"scheduler": "euler_karras", "schedule": "automatic"}, "euler", "karras"),
        ({"schedule": "ays"}, "dpmpp_2m", "align_your_steps"),
        ({"scheduler": "ddim"}, "ddim", "automatic"),
    ],
)
def test_sampler_and_schedule_are_taken_by_any_name(values, scheduler, schedule):
    request = GenerationRequest.checked(values)
    assert (request.scheduler, request.schedule) == (scheduler, schedule)


@pytest.mark.parametrize(
    ("written", "scheduler", "schedule"),
    [
        ({"scheduler": "dpmpp_2m_karras"}, "dpmpp_2m", "karras"),
        ({"scheduler": "dpmpp_2m"}, "dpmpp_2m", "uniform"),  # what it meant before schedules were apart
        ({"scheduler": "euler_a"}, "euler_a", "uniform"),
        ({"scheduler": "ddim"}, "ddim", "automatic"),
        ({"scheduler": "dpmpp_2m", "schedule": "automatic"}, "dpmpp_2m", "automatic"),
        ({}, "dpmpp_2m", "automatic"),
        ({"scheduler": "of another version"}, "of another version", "automatic"),
    ],
)
def test_what_older_versions_stored_keeps_its_meaning(written, scheduler, schedule):
    request = GenerationRequest.stored(written)
    assert (request.scheduler, request.schedule) == (scheduler, schedule)


def test_a_schedule_that_the_sampler_does_not_take_is_refused():
    error = refused(scheduler="ddim", schedule="karras")
    assert (error.field, error.message) == ("schedule", "Schedule = Karras: DDIM has noise levels of its own.")


def test_an_unknown_schedule_is_told_what_is_allowed():
    error = refused(schedule="wonder")
    assert error.message.startswith("Schedule = 'wonder': allowed is automatic, karras, ")


@pytest.mark.parametrize(
    ("name", "value", "scheduler"), [("eta", 0.5, "euler"), ("eta_ddim", 0.5, "euler_a"), ("s_churn", 10, "dpmpp_2m")]
)
def test_what_does_not_act_on_the_sampler_is_refused(name, value, scheduler):
    error = refused(scheduler=scheduler, **{name: value})
    assert error.field == name
    assert "does not act on" in error.message
    default = GenerationRequest.model_fields[name].default
    GenerationRequest.checked({"scheduler": scheduler, name: default})


@pytest.mark.parametrize("spec", SCHEDULERS, ids=lambda spec: spec.key)
def test_every_field_of_some_samplers_acts_or_is_idle(spec):
    idle = idle_fields({"scheduler": spec.key, "mask_blending": "soft_inpainting", "detail": "a face", **PICTURES})
    of_others = OF_SCHEDULES | NEED_STRENGTH | NEED_SECOND_PASS | NEED_GROUND | FINISH_FIELDS | TILED
    assert idle - of_others == TAKEN_BY_SOME - set(spec.takes)
    assert idle & OF_SCHEDULES == (frozenset() if spec.automatic else OF_SCHEDULES)
    for name in spec.takes:
        GenerationRequest.checked({"scheduler": spec.key, name: 7 if name == "ensd" else 0.25})


def test_the_level_before_zero_is_of_no_use_to_levels_of_its_own():
    error = refused(scheduler="ddim", last_level="left_out")
    assert error.message == "Level before zero = left_out: DDIM has noise levels of its own."
    assert GenerationRequest.checked({"scheduler": "ddim", "last_level": "automatic"}).last_level == "automatic"
    assert GenerationRequest.checked({"scheduler": "euler", "last_level": "left_out"}).last_level == "left_out"


def test_what_did_not_act_on_a_sampler_in_version_0_1_does_not_under_its_rules():
    old = {"scheduler": "dpmpp_2m_sde", "compatibility": "0.1"}
    assert "eta" in idle_fields(old)
    assert "eta" not in idle_fields({"scheduler": "dpmpp_2m_sde"})
    assert refused(**old, eta=0.5).field == "eta"


def test_what_needs_an_input_picture_is_idle_without_one():
    assert idle_fields({"scheduler": "dpmpp_2m"}) >= NEED_PICTURE
    idle = idle_fields({"scheduler": "dpmpp_2m", "mask_blending": "soft_inpainting", **PICTURES})
    assert idle & NEED_PICTURE == NEED_GROUND


def test_a_mask_acts_on_an_input_picture_and_soft_inpainting_has_fields_of_its_own():
    alone, without = idle_fields({"mask": "5a" * 32}), idle_fields({"init_image": "5a" * 32})
    assert {"mask", "mask_blur", "strength"} <= alone
    assert {"mask_blur", "only_masked"} <= without
    assert not {"mask", "strength"} & without
    of_others = NEED_STRENGTH | NEED_SECOND_PASS | NEED_GROUND | FINISH_FIELDS | NEED_QUERY | TILED
    assert idle_fields(PICTURES) == OF_SOFT_INPAINTING | of_others
    error = refused(mask_blending="latent", soft_bias=2)
    assert (error.field, error.message) == ("soft_bias", "Schedule bias = 2: it acts on soft inpainting alone.")
    assert GenerationRequest.checked({"mask_blending": "soft_inpainting", "soft_bias": 2}).soft_bias == 2


def test_regions_are_found_or_marked_and_what_finds_them_acts_on_the_former_alone():
    assert idle_fields({}) >= NEED_REGIONS
    assert idle_fields({"detail": "a face"}).isdisjoint(NEED_REGIONS)
    assert idle_fields({"detail_boxes": "1,1,9,9"}) & NEED_REGIONS == NEED_QUERY
    for values, words in (
        ({"detail_boxes": "9,1,2,9"}, "left < right"),
        ({"detail_boxes": "1,2,3"}, "left,top,right,bottom"),
        ({"detail_boxes": "600,0,700,9", "width": 512, "height": 512}, "outside of the picture, 512 x 512"),
        ({"detail_boxes": "; ".join(["0,0,9,9"] * 101)}, "at most 100"),
        ({"detail": "a face", "detail_min_ratio": 0.5, "detail_max_ratio": 0.1}, "at most the largest share, 0.1"),
    ):
        assert words in refused(**values).message


@pytest.mark.parametrize(("index", "prompt"), [(0, "a cat's face"), (1, "a cat"), (2, "[SKIP]"), (9, "[SKIP]")])
def test_prompts_of_regions_are_parted_as_adetailer_parts_them(index, prompt):
    assert prompt_for("[PROMPT]'s face[SEP] [SEP][SKIP]", index, "a cat") == prompt
    assert part_for(prompt_up_to("a[SEP]b", 1), index) == ("a" if not index else "[SKIP]")


def test_ground_is_added_by_sides_or_where_the_picture_is_transparent():
    added = idle_fields({**PICTURES, "outpaint": "left=8"})
    assert NEED_GROUND & added == {"outpaint_colour"}
    assert {"init_fit", "only_masked", "seamless"} <= added
    assert not NEED_GROUND & idle_fields({**PICTURES, "transparency": "ground", "outpaint_fill": "colour"})
    assert idle_fields({"outpaint": "left=8"}) >= NEED_GROUND | {"outpaint"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("left=-8", "allowed are 0 to 4095 pixels"), ("left=4096", "allowed are 0 to 4095 pixels"),
        ("middle=8", "allowed is a side and its pixels: left, top, right, bottom"), ("left", "allowed is a side"),
        ("left=0,top=0", "adds nothing"), ("left=8,left=9", "once"), ("left=8.5", "allowed is a side"),
        (8, "allowed are left"),
    ],
)  # fmt: skip
def test_what_is_added_names_sides_and_pixels(text, words):
    error = refused(outpaint=text)
    assert error.field == "outpaint"
    assert error.message.startswith("Outpaint = ")
    assert words in error.message
    assert error.hint == "Write it as left=128,top=64."


def test_what_is_added_is_kept_in_one_order_and_has_a_largest_size():
    assert GenerationRequest.checked({"outpaint": " Top = 64px, left=128,right=0 "}).outpaint == "left=128,top=64"
    assert sides_in("").around((5, 6)) == (5, 6)
    assert Sides(1, 2, 3, 4).around((10, 20)) == (14, 26)
    check_extent(Sides(left=96), (4000, 64))
    with pytest.raises(InvalidRequest, match="4104 x 64 is too large: at most 4096") as caught:
        check_extent(Sides(left=104), (4000, 64))
    assert caught.value.hint == "Add at most 96 pixels to the width and 4032 to the height."
    assert refused(outpaint_colour="red").field == "outpaint_colour"


def test_a_models_schedule_goes_with_its_own_sampler():
    defaults = {"scheduler": "dpmpp_2m", "schedule": "karras", "steps": 20}
    assert over_defaults(defaults, {"scheduler": "ddim"}) == {"scheduler": "ddim", "steps": 20}
    assert over_defaults(defaults, {"scheduler": "DPM++ 2M"})["schedule"] == "karras"
    assert over_defaults(defaults, {"steps": 5}) == {**defaults, "steps": 5}


def test_the_automatic_choice_says_what_it_is():
    assert schedule_choices("dpmpp_2m")[0].title == "Automatic (Karras)"
    assert schedule_choices("euler")[0].title == "Automatic (Uniform)"
    assert schedule_choices("ddim")[0].title == schedule_choices()[0].title == "Automatic"


@pytest.mark.parametrize(
    ("syntax", "version", "is_idle"),
    [("a1111", "0.2", False), ("comfyui", "0.2", True), ("compel", "0.2", True), ("comfyui", "0.1", False)],
)
def test_emphasis_is_idle_where_weights_act_in_another_way(syntax, version, is_idle):
    idle = idle_prompt_fields({"prompt_syntax": syntax, "compatibility": version})
    assert idle == (frozenset({"emphasis"}) if is_idle else frozenset())


def test_the_finish_does_not_act_on_a_masked_picture_and_its_upscaler_not_without_it():
    assert idle_fields({"finish": 4}) & FINISH_FIELDS == frozenset()
    assert idle_fields({"finish": 1}) & FINISH_FIELDS == {"finish_upscaler"}
    assert idle_fields({"finish": 4, "init_image": "5a" * 32}) & FINISH_FIELDS == frozenset()
    assert idle_fields({"finish": 4, **PICTURES}) >= FINISH_FIELDS
    assert GenerationRequest.stored({"width": 128, "height": 128}).made_size == (128, 128), "an earlier version's"


@pytest.mark.parametrize(
    ("values", "size"),
    [
        ({}, (512, 512)), ({"finish": 1}, (128, 128)), ({"finish": 2.4}, (304, 304)), ({"hires": 1.5}, (768, 768)),
        ({"init_image": "5a" * 32, "hires": 2}, (512, 512)), (PICTURES, (128, 128)),
    ],
)  # fmt: skip
def test_the_size_of_the_picture_counts_second_pass_and_finish(values, size):
    request = GenerationRequest.checked({"width": 128, "height": 128, "finish": 4, **values})
    assert request.made_size == size


def test_a_finish_that_is_too_large_is_refused_with_the_largest_that_is_not():
    error = refused(width=1024, height=512, hires=1.5, finish=4)
    assert (error.field, error.message) == ("finish", "Finish = 4: 6144 x 3072 is too large: at most 4096 on a side.")
    assert error.hint == "Use 2.66 or less, or begin smaller."
    GenerationRequest.checked({"width": 1024, "height": 512, "hires": 1.5, "finish": 2.66})
    GenerationRequest.checked({"width": 4096, "height": 64, "finish": 4, **PICTURES})


def test_lanczos_may_be_called_so():
    assert GenerationRequest.checked({"finish_upscaler": "lanczos"}).finish_upscaler == ""
