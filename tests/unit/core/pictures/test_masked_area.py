"""Which part of a picture is drawn where only what is masked is: A1111's rule, in its own numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdstudio.core.pictures.masked_area import masked_area


@pytest.mark.parametrize(
    ("bounds", "padding", "shape", "size", "area"),
    [
        ((192, 240, 320, 272), 0, (512, 512), (512, 512), (192, 192, 320, 320)),  # 128 x 32 in the middle: a square
        ((100, 100, 200, 200), 32, (512, 512), (512, 512), (68, 68, 232, 232)),
        ((100, 100, 200, 200), 0, (512, 512), (768, 512), (75, 100, 225, 200)),
        ((0, 500, 100, 512), 0, (512, 512), (512, 512), (0, 412, 100, 512)),  # pushed up from the lower border
        ((0, 0, 100, 10), 0, (512, 512), (512, 512), (0, 0, 100, 100)),  # pushed down from the upper one
        ((10, 10, 20, 20), 99, (64, 48), (64, 48), (0, 0, 64, 48)),
        ((0, 20, 512, 30), 0, (512, 64), (512, 512), (0, 0, 512, 64)),  # there is no more: it keeps another shape
    ],
)
def test_it_grows_to_the_shape_of_the_size_and_stays_in_the_picture(bounds, padding, shape, size, area):
    assert masked_area(bounds, padding, shape, size) == area


@given(st.tuples(*[st.integers(0, 299)] * 4), st.integers(0, 256), st.sampled_from([(512, 512), (64, 256), (4096, 64)]))
def test_it_holds_what_is_masked_and_lies_in_the_picture(corners, padding, size):
    left, right = sorted(corners[:2])
    top, bottom = sorted(corners[2:])
    area = masked_area((left, top, right + 1, bottom + 1), padding, (300, 300), size)
    assert 0 <= area[0] <= left < right + 1 <= area[2] <= 300
    assert 0 <= area[1] <= top < bottom + 1 <= area[3] <= 300
