"""Regions of a finished picture that are redrawn: each as the same job by hand, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sdstudio.core.errors import Cancelled, InvalidRequest
from sdstudio.core.events import ImageMade, RegionStep
from sdstudio.core.models.adapter import Adapter
from sdstudio.core.request.input_fields import DETAIL_MASK, INIT, MASK
from sdstudio.engine.pictures.regions import Found, found
from tests.tiny_detectors import tiny_grounding_dino
from tests.unit.engine.conftest import request

ID = "5a" * 32
BOXES = ((4, 4, 28, 24), (36, 30, 60, 60))
DETAIL = {
    "detail_boxes": "4,4,28,24; 36,30,60,60", "detail_grow": 0, "detail_blur": 2, "detail_padding": 8,
    "detail_prompt": "a blue heart [SEP] a green frog", "detail_negative_prompt": "red", "detail_strength": 0.7,
}  # fmt: skip


def pixels(image) -> np.ndarray:
    return np.asarray(getattr(image, "pixels", image), np.int16)


def within(box, reach=0):
    mask = np.zeros((64, 64), bool)
    left, top, right, bottom = box
    mask[max(top - reach, 0) : bottom + reach, max(left - reach, 0) : right + reach] = True
    return mask


@pytest.fixture
def drawn(studio, tmp_path):
    """Draw with the pictures that are given by their roles."""

    def make(family="sd1", pictures=(), **values):
        here = studio(family)
        here.pictures = {}
        for role, picture in dict(pictures).items():
            here.pictures[role] = tmp_path / f"{role.field}.png"
            Image.fromarray(np.asarray(picture, np.uint8)).save(here.pictures[role])
        try:
            return here.make(**values)
        finally:
            here.pictures = {}

    return make


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_each_region_is_the_masked_drawing_that_a_hand_would_order(drawn, family):
    (plain,) = drawn(family, seeds=(5,))
    (image,) = drawn(family, seeds=(5,), **DETAIL)
    picture = plain.pixels
    mask = {"init_image": ID, "mask": ID, "mask_blur": 2, "only_masked": 8}
    by_hand = {**mask, "strength": 0.7, "negative_prompt": "red"}
    for index, (box, prompt) in enumerate(zip(BOXES, ("a blue heart", "a green frog"), strict=True)):
        inputs = {INIT: picture, MASK: within(box) * 255}
        (step,) = drawn(family, inputs, seeds=(5 + index,), prompt=prompt, **by_hand)
        picture = step.pixels
    assert np.array_equal(pixels(image), pixels(picture))
    outside = ~(within(BOXES[0], 8) | within(BOXES[1], 8))
    assert np.array_equal(pixels(image)[outside], pixels(plain)[outside])
    for box in BOXES:
        assert (pixels(image) != pixels(plain))[within(box)].mean() > 0.5
    assert image.recipe.made_with["detail"] == {"regions": [{"box": list(box)} for box in BOXES]}
    (again,) = drawn(family, **{**image.recipe.request.model_dump(), "seeds": (5,)})
    assert np.array_equal(pixels(again), pixels(image))


def test_painted_regions_are_those_that_do_not_touch_and_one_can_be_skipped(drawn):
    painted = np.zeros((64, 64))
    painted[40:56, 8:20] = painted[4:20, 44:60] = painted[20:24, 40:44] = 255  # two of these touch at a corner
    values = {**DETAIL, "detail_boxes": "", "detail_mask": ID, "detail_prompt": "[SKIP] [SEP] a frog"}
    (plain,) = drawn()
    (image,) = drawn(pictures={DETAIL_MASK: painted}, **values)
    regions = image.recipe.made_with["detail"]["regions"]
    assert [region["box"] for region in regions] == [[8, 40, 20, 56], [40, 4, 60, 24]]
    changed = (pixels(image) != pixels(plain)).any(-1)
    assert not changed[:, :30].any()
    assert changed[4:20, 44:60].mean() > 0.5


@pytest.mark.parametrize(
    ("box", "reach"), [("30,30,33,33", 8), ("-20,-20,9,9", 12), ("0,0,64,64", 0), ("60,60,900,900", 8)]
)
def test_tiny_and_cut_regions_are_drawn_where_they_lie(drawn, box, reach):
    (plain,) = drawn()
    (image,) = drawn(**{**DETAIL, "detail_boxes": box, "detail_blur": 64})
    left, top, right, bottom = image.recipe.made_with["detail"]["regions"][0]["box"]
    assert 0 <= left < right <= 64
    assert 0 <= top < bottom <= 64
    changed = (pixels(image) != pixels(plain)).any(-1)
    assert changed[top:bottom, left:right].mean() > 0.5
    if reach:
        assert not changed[~within((left, top, right, bottom), reach)].any()


def test_an_existing_picture_keeps_its_own_size_and_all_else(drawn):
    old = np.random.default_rng(1).integers(0, 256, (70, 45, 3), np.uint8)
    values = {**DETAIL, "init_image": ID, "strength": 0.0, "detail_boxes": "10,20,40,50"}
    (image,) = drawn(pictures={INIT: old}, **values)
    assert image.pixels.size == (45, 70)
    changed = (pixels(image) != old).any(-1)
    assert changed[20:50, 10:40].mean() > 0.9
    changed[12:58, 2:] = False
    assert not changed.any()


def test_a_mask_of_another_size_and_a_black_one_are_refused_before_the_work(drawn):
    values = {**DETAIL, "detail_boxes": "", "detail_mask": ID}
    for painted, words in (
        (np.ones((64, 72)) * 255, "72 x 64 pixels: allowed is the size of the finished picture, 64 x 64"),
        (np.zeros((64, 64)), "all black"),
    ):
        with pytest.raises(InvalidRequest, match=words) as caught:
            drawn(pictures={DETAIL_MASK: painted}, **values)
        assert caught.value.field == "detail_mask"
    with pytest.raises(InvalidRequest, match="outside of the picture, 64 x 64") as caught:
        drawn(**{**DETAIL, "detail_boxes": "70,0,90,10"})
    assert caught.value.field == "detail_boxes"


def test_what_is_cancelled_is_kept_with_the_regions_that_are_ready(drawn, studio):
    here = studio()
    (whole,) = drawn(**{**DETAIL, "detail_boxes": "4,4,28,24"})

    def stop(event):
        if isinstance(event, RegionStep) and event.region == 2:
            here.cancel.set()

    with pytest.raises(Cancelled):
        drawn(**DETAIL, on_event=stop)
    (image,) = here.of(ImageMade)
    assert np.array_equal(pixels(image), pixels(whole))
    assert image.recipe.is_partly_detailed
    assert [notice.message for notice in here.notices] == [
        "Detailer: stopped, so the picture is kept with 1 of 2 regions redrawn."
    ]
    (again,) = drawn(**image.recipe.request.model_dump())
    assert np.array_equal(pixels(again), pixels(image))


def test_the_picture_is_enlarged_after_its_regions_are_redrawn(drawn, studio):
    (image,) = drawn(**DETAIL)
    (larger,) = drawn(
        **{**DETAIL, "detail_prompt": f"<lora:ink:1>{DETAIL['detail_prompt']}"}, finish=2, finish_upscaler=""
    )
    assert "LoRA in the prompts of regions do not act" in studio().notices[-1].message
    assert np.array_equal(pixels(larger), pixels(image.pixels.resize((128, 128), Image.Resampling.LANCZOS)))


def test_regions_come_after_the_second_pass_of_each_picture(drawn, studio):
    values = {**DETAIL, "hires": 1.5, "steps": 2, "detail_steps": 4, "detail_guidance": 1.0}
    made = drawn(seeds=(1, 2), batch_size=2, **values)
    assert [image.pixels.size for image in made] == [(96, 96)] * 2
    steps = studio().of(RegionStep)
    assert [(step.image, step.region, step.step, step.total) for step in steps] == [
        (image, region, step, 2) for image in (0, 1) for region in (1, 2) for step in (1, 2)
    ]
    assert {step.image_count for step in steps} == {2}
    assert [image.recipe.request.seed for image in made] == [1, 2]


PLANTED = (
    Found((2.4, 2.6, 20.2, 18.0), 0.9, "a face"),
    Found((40, 4, 60, 24), 0.8, "a hand"),
    Found((30, 40, 33, 43), 0.7, "a face"),
    Found((-9, 50, 12, 90), 0.35, "a hand"),
    Found((5, 5, 50, 50), 0.29, "a face"),
    Found((float("nan"), 5, 50, 50), 0.9, "a face"),
    Found((70, 5, 90, 50), 0.9, "outside"),
)


@pytest.mark.parametrize(
    ("values", "boxes"),
    [
        ({}, [(0, 50, 12, 64), (2, 2, 21, 18), (30, 40, 33, 43), (40, 4, 60, 24)]),
        ({"detail_confidence": 0.75}, [(2, 2, 21, 18), (40, 4, 60, 24)]),
        ({"detail_top_k": 2}, [(2, 2, 21, 18), (40, 4, 60, 24)]),
        ({"detail_min_ratio": 0.01, "detail_max_ratio": 0.08}, [(0, 50, 12, 64), (2, 2, 21, 18)]),
        ({"detail_confidence": 0.95}, []),
    ],
)
def test_what_is_found_counts_by_confidence_share_and_number_from_left_to_right(values, boxes):
    regions = found(request(detail="a face", **values), PLANTED, (64, 64))
    assert [region.box for region in regions] == boxes
    assert all(region.levels.sum() == 255 * (region.box[2] - region.box[0]) * (region.box[3] - region.box[1])
               for region in regions)  # fmt: skip


def test_a_detector_finds_regions_that_are_recorded_and_found_again(drawn, studio, tmp_path):
    """The detector is a real one of random weights: whatever it finds, it finds again."""
    here = studio()
    folder = tiny_grounding_dino(tmp_path / "dino")
    here.adapters = (Adapter("detector", "dino", folder / "model.safetensors", hash="0123456789"),)
    values = {"detail": "a face. a frog.", "detail_confidence": 0.05, "detail_top_k": 3, "detail_prompt": "a frog"}
    try:
        (image,) = drawn(**values)
        regions = image.recipe.made_with["detail"]["regions"]
        assert len(regions) == 3
        assert all(set(region) == {"box", "score", "label"} for region in regions)
        assert image.recipe.made_with["adapters"] == [{"kind": "detector", "name": "dino", "hash": "0123456789"}]
        assert image.recipe.file_hashes == (("dino", "0123456789"),)
        (again,) = drawn(**image.recipe.request.model_dump())
        assert np.array_equal(pixels(again), pixels(image))
        assert again.recipe.made_with["detail"] == image.recipe.made_with["detail"]
        (none,) = drawn(**{**values, "detail_confidence": 1.0})
        assert none.recipe.made_with["detail"] == {"regions": []}
        assert "nothing was found for 'a face. a frog.'" in here.notices[-1].message
    finally:
        here.adapters = ()
    (plain,) = drawn()
    assert np.array_equal(pixels(none), pixels(plain))
