"""Ground around a picture before anything is drawn there, and the windows in which it is drawn."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sdstudio.core.pictures.ground import extended, ground_of
from sdstudio.core.pictures.outpaint_plan import seen_at_once, windows
from sdstudio.core.request.outpaint_fields import Sides


@pytest.mark.parametrize("fill", ["edge", "blur", "noise", "colour"])
@pytest.mark.parametrize("size", [(40, 30), (1200, 40)])
def test_the_pictures_own_pixels_stay_whatever_is_filled_in_around_it(fill, size):
    pixels = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), np.uint8)
    also = np.zeros((size[1], size[0]), bool)
    also[10:20, 5:15] = True
    sides = Sides(left=16, bottom=9)
    whole = np.asarray(extended(Image.fromarray(pixels), sides, fill, "#102030", also))
    own = whole[: size[1], 16:]
    assert whole.shape == (size[1] + 9, size[0] + 16, 3)
    assert np.array_equal(own[~also], pixels[~also])
    assert ground_of(size, sides, also).sum() == whole.shape[0] * whole.shape[1] - (~also).sum()
    if fill == "edge":
        assert np.array_equal(whole[5, :16], np.repeat(pixels[5, :1], 16, axis=0))
        assert np.array_equal(own[10, 10], pixels[9, 10])
    if fill == "colour":
        assert (whole[ground_of(size, sides, also)] == [16, 32, 48]).all()


def test_blurred_ground_has_the_colours_beside_it_in_small_and_in_large():
    for side in (64, 1500):
        source = Image.new("RGB", (side, 64), (40, 160, 90))
        whole = np.asarray(extended(source, Sides(top=32), "blur", "#ff0000"), np.int16)
        assert np.abs(whole - [40, 160, 90]).max() <= 5


@pytest.mark.parametrize("size", [(64, 64), (96, 64), (512, 512)])
@pytest.mark.parametrize("shape", [(64, 64), (200, 130), (31, 90)])
@pytest.mark.parametrize("sides", [Sides(40), Sides(0, 8, 0, 300), Sides(100, 100, 100, 100), Sides(right=8)])
def test_windows_cover_all_ground_lie_within_and_begin_beside_what_is_there(size, shape, sides):
    whole = sides.around(shape)
    new = ground_of(shape, sides)
    for left, top, right, bottom in windows(shape, sides, None, size):
        assert (right - left, bottom - top) == (min(size[0], whole[0]), min(size[1], whole[1]))
        assert 0 <= left < right <= whole[0]
        assert 0 <= top < bottom <= whole[1]
        part = new[top:bottom, left:right]
        assert not part.all(), "something is known in each"
        part[...] = False
    assert not new.any()


def test_a_pass_sees_the_shorter_side_of_a_picture_that_is_larger_than_what_is_drawn():
    assert seen_at_once((512, 768), (128, 128), in_detail=False) == (512, 512)
    assert seen_at_once((512, 768), (128, 128), in_detail=True) == (128, 128)
    assert seen_at_once((300, 100), (512, 768), in_detail=False) == (512, 768)
