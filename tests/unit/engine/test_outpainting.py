"""Ground that is added to a picture: its own pixels stay, the ground is new, and all passes are one job."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sdstudio.core.errors import Cancelled, InvalidRequest
from sdstudio.core.events import Decoding, ImageMade, StepDone
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.settings import Settings
from tests.unit.engine.conftest import request

ID = "5a" * 32
VALUES = {"init_image": ID, "strength": 1.0, "steps": 2, "outpaint_overlap": 8}
SIDES = "left=24,top=40,right=8"
FILLS = ("edge", "blur", "noise", "colour")


def levels(image):
    return np.asarray(getattr(image, "pixels", image), dtype=np.int16)


def near_ground(shape, left=0, top=0, right=0, bottom=0):
    """How far a pixel of the picture is from the ground, by rows and columns: 1 for the outermost."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    far = [np.full(shape, 10_000)]
    far += [columns + 1] * bool(left) + [rows + 1] * bool(top)
    far += [shape[1] - columns] * bool(right) + [shape[0] - rows] * bool(bottom)
    return np.min(far, axis=0)


@pytest.fixture
def source():
    return np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)


@pytest.fixture
def outpainted(studio, source, tmp_path):
    """Add ground to the picture."""

    def make(family="sd1", seeds=(1,), pixels=source, mask=None, here=None, **values):
        here = here or studio(family)
        before = here.picture, here.mask
        here.picture = tmp_path / "in.png"
        Image.fromarray(pixels).save(here.picture)
        if mask is not None:
            here.mask = tmp_path / "mask.png"
            Image.fromarray(mask).save(here.mask)
            values["mask"] = ID
        try:
            return here.make(seeds, len(seeds), **{**VALUES, "outpaint": SIDES, **values})
        finally:
            here.picture, here.mask = before

    return make


@pytest.mark.parametrize("family", ["sd1", "sd1_inpaint", "sdxl"])
@pytest.mark.parametrize("fill", FILLS)
def test_the_picture_stays_bit_by_bit_beyond_the_overlap_and_all_ground_is_drawn(outpainted, source, family, fill):
    (image,) = outpainted(family, outpaint_fill=fill)
    assert image.pixels.size == (96, 104)
    whole = levels(image)
    own = whole[40:, 24:88]
    kept = near_ground((64, 64), left=1, top=1, right=1) > 8
    assert np.array_equal(own[kept], source[kept])
    assert not np.array_equal(own[~kept], source[~kept])
    (unchanged,) = outpainted(family, outpaint_fill=fill, strength=0.0)
    ground = np.ones((104, 96), bool)
    ground[40:, 24:88] = False
    assert np.array_equal(levels(unchanged)[~ground], source.reshape(-1, 3))
    assert np.abs(whole - levels(unchanged))[ground].mean() > 5
    assert image.recipe.request.outpaint == SIDES
    assert image.recipe.made_with["passes"] > 1


def test_within_the_overlap_old_and_new_are_mixed_evenly_and_exactly(outpainted, source):
    """Of one pass over the whole: what is new there shows without a share of the old where all is overlap."""
    sides = {"outpaint": "left=32", "outpaint_passes": "one", "width": 96, "height": 64}
    mixed = levels(*outpainted(**sides))[:, 32:].astype(np.int64)
    far = near_ground((64, 64), left=1)
    share = np.rint(np.clip(9 - far, 0, 9) * 255 / 9).astype(np.int64)[..., None]
    old = source.astype(np.int64)
    new = (mixed * 255 - (255 - share) * old) / np.maximum(share, 1)
    inside = (far <= 4)[..., None] & np.ones(3, bool)
    assert new[inside].min() > -2
    assert new[inside].max() < 257  # an even mixture with a share of its own could not be undone to a picture
    assert np.array_equal(mixed[far > 8], source[far > 8])


def test_with_no_overlap_no_pixel_of_the_picture_changes(outpainted, source):
    (image,) = outpainted(outpaint_overlap=0)
    assert np.array_equal(levels(image)[40:, 24:88], source)


def test_passes_are_one_job_of_one_picture_and_the_same_again_in_a_batch(outpainted, studio):
    here = studio("sd1", Settings(previews=True))
    pair = outpainted(here=here, seeds=(3, 4))
    assert [event.index for event in pair] == [0, 1]
    steps = here.of(StepDone)
    assert [event.step for event in steps if event.image == 0] == list(range(1, steps[0].total + 1))
    assert {(event.image, event.image_count) for event in steps} == {(0, 2), (1, 2)}
    assert {event.image for event in here.of(Decoding)} == {0, 1}
    assert {(event.preview.width, event.preview.height) for event in steps if event.preview} == {(12, 13)}
    (again,) = outpainted(seeds=(4,))
    assert np.array_equal(levels(again), levels(pair[1]))
    assert not np.array_equal(levels(again), levels(pair[0]))
    assert again.recipe.request.seed == 4


def test_a_band_deeper_than_the_model_draws_is_drawn_from_the_picture_outwards(outpainted, source):
    (image,) = outpainted(outpaint="right=100")
    assert image.recipe.made_with["passes"] == 4
    assert np.array_equal(levels(image)[:, :56], source[:, :56])


def test_cancelling_between_two_passes_leaves_no_picture_and_nothing_to_keep(outpainted, studio):
    here = studio("sd1", Settings(previews=False))

    def stop(event):
        if isinstance(event, StepDone) and event.step == 3:
            here.cancel.set()

    make = here.make
    here.make = lambda *args, **values: make(*args, on_event=stop, **values)
    with pytest.raises(Cancelled):
        outpainted(here=here)
    assert not here.of(ImageMade)
    assert here.engine.take_unfinished() is None
    here.make = make
    assert outpainted(here=here)


def test_a_mask_is_drawn_in_the_same_job(outpainted, source):
    mask = np.zeros((64, 64), np.uint8)
    mask[48:60, 40:52] = 255
    for values in ({}, {"masked_content": "fill"}, {"mask_blending": "differential"}):
        (image,) = outpainted(mask=mask, mask_blur=0, **values)
        own = levels(image)[40:, 24:88]
        kept = (near_ground((64, 64), left=1, top=1, right=1) > 8) & (mask == 0)
        assert np.array_equal(own[kept], source[kept]), values
        assert np.abs(own - source)[mask > 0].mean() > 5
    for values, word in (({"mask_blending": "soft_inpainting"}, "soft"), ({"masked_content": "latent_noise"}, "noise")):
        with pytest.raises(InvalidRequest, match=rf"{word}.*Outpaint"):
            GenerationRequest.checked(request(**VALUES, outpaint=SIDES, mask=ID, **values).model_dump())


def test_what_is_transparent_is_drawn_like_ground_or_kept(outpainted, source):
    clear = np.dstack([source, np.full((64, 64), 255, np.uint8)])
    clear[20:44, 30:50, 3] = 0
    clear[10, 60:, 3] = 100
    transparent = clear[..., 3] < 255
    (filled,) = outpainted(pixels=clear, outpaint="", transparency="ground")
    assert filled.pixels.mode == "RGB"
    assert filled.pixels.size == (64, 64)
    assert np.abs(levels(filled)[20:44, 30:50] - 255).mean() > 5
    rows, columns = np.nonzero(transparent)
    far = np.array([
        [np.maximum(np.abs(rows - row), np.abs(columns - column)).min() for column in range(64)] for row in range(64)
    ])  # fmt: skip
    assert np.array_equal(levels(filled)[far > 8], source[far > 8])
    (kept,) = outpainted(pixels=clear, transparency="keep")
    own, away = levels(kept)[40:, 24:88], near_ground((64, 64), left=1, top=1, right=1) > 8
    assert kept.pixels.mode == "RGBA"
    assert np.array_equal(own[away], clear[away])
    ground = np.ones((104, 96), bool)
    ground[40:, 24:88] = False
    assert (levels(kept)[ground][:, 3] == 255).all()
    (over,) = outpainted(pixels=clear, outpaint="", transparency="keep", strength=0.6, steps=3)
    assert np.array_equal(levels(over)[..., 3], clear[..., 3])


@pytest.mark.parametrize(
    ("pixels", "values", "words"),
    [
        ((64, 64), {"outpaint": "left=4000,right=64"}, "4128 x 64 is too large: at most 4096"),
        ((8, 4096), {"outpaint": "left=1"}, "4097 x 8 is too large"),
        ((64, 64), {"outpaint": "", "transparency": "ground"}, "nothing of the input picture is transparent"),
    ],
)
def test_more_than_can_be_is_refused(outpainted, pixels, values, words):
    with pytest.raises(InvalidRequest, match=words):
        outpainted(pixels=np.zeros((*pixels, 3), np.uint8), **values)


def test_a_pass_sees_the_picture_along_its_shorter_side_or_what_it_draws_in_full_detail(outpainted):
    pixels = np.random.default_rng(5).integers(0, 256, (128, 192, 3), np.uint8)
    for values, passes in (({}, 1), ({"outpaint_passes": "detail"}, 3), ({"outpaint_passes": "one"}, 1)):
        (image,) = outpainted(pixels=pixels, outpaint="right=32", **values)
        assert image.pixels.size == (224, 128)
        assert image.recipe.made_with["passes"] == passes
        assert np.array_equal(levels(image)[:, :184], pixels[:, :184])
