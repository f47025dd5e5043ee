"""Where a picture of one shape goes in a size of another: numbers that whatever paints it follows."""

from __future__ import annotations

import pytest

from sdstudio.core.pictures.fit import Placement, placed


@pytest.mark.parametrize(
    ("shape", "fit", "place"),
    [
        ((192, 64), "crop", Placement((64, 0, 128, 64), (64, 64))),
        ((64, 192), "crop", Placement((0, 64, 64, 128), (64, 64))),
        ((128, 64), "pad", Placement((0, 0, 128, 64), (64, 32), (0, 16))),
        ((32, 64), "pad", Placement((0, 0, 32, 64), (32, 64), (16, 0))),
        ((128, 64), "stretch", Placement((0, 0, 128, 64), (64, 64))),
        ((3000, 1), "pad", Placement((0, 0, 3000, 1), (64, 1), (0, 31))),
        ((3000, 1), "crop", Placement((1499, 0, 1500, 1), (64, 64))),
    ],
)
def test_a_picture_is_cut_padded_or_stretched_about_its_middle(shape, fit, place):
    assert placed(shape, (64, 64), fit) == place


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("shape", [(64, 48), (7, 500), (640, 481), (1, 1)])
def test_what_is_taken_lies_in_the_picture_and_where_it_goes_lies_in_the_size(fit, shape):
    place = placed(shape, (72, 56), fit)
    left, top, right, bottom = place.part
    assert 0 <= left < right <= shape[0]
    assert 0 <= top < bottom <= shape[1]
    assert place.at[0] >= 0 <= place.at[1]
    assert place.at[0] + place.size[0] <= 72
    assert place.at[1] + place.size[1] <= 56
    assert placed((72, 56), (72, 56), fit) == Placement((0, 0, 72, 56), (72, 56))
