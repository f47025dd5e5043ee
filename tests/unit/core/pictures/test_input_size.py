from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdstudio.core.params import parameters
from sdstudio.core.pictures.input_size import SIDE_MAXIMUM, is_allowed, larger, size_like
from sdstudio.core.request.request import GenerationRequest

ROWS = {row.name: row for row in parameters(GenerationRequest)}
SIDES = st.integers(1, 9000)


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((512, 512), (512, 512)), ((4000, 4000), (512, 512)), ((64, 64), (512, 512)),
        ((1600, 900), (680, 384)), ((3, 4), (440, 592)), ((9000, 3), (4096, 64)),
    ],
)  # fmt: skip
def test_the_shape_is_kept_with_the_models_usual_number_of_pixels(shape, size):
    assert size_like(shape, ROWS) == size


@pytest.mark.parametrize(
    ("shape", "size"),
    [((512, 768), (512, 768)), ((1001, 751), (1000, 744)), ((8192, 4096), (4096, 2048)), ((20, 30), (64, 64))],
)
def test_a_pictures_own_size_is_kept_but_for_what_is_not_allowed(shape, size):
    assert size_like(shape, ROWS, keep=True) == size


def test_one_side_follows_from_the_other():
    assert size_like((200, 100), ROWS, width=512) == (512, 256)
    assert size_like((200, 100), ROWS, height=512, keep=True) == (1024, 512)
    assert size_like((200, 100), ROWS, width=64, height=96) == (64, 96)


@given(SIDES, SIDES, st.booleans())
def test_any_shape_gets_a_size_that_is_allowed(width, height, keep):
    wide, high = size_like((width, height), ROWS, keep=keep)
    request = GenerationRequest.checked({"width": wide, "height": high})
    assert (request.width, request.height) == (wide, high)


@pytest.mark.parametrize("factor", [1.5, 2.0, 3.0, 4.0])
@pytest.mark.parametrize("size", [(64, 96), (500, 333), (65, 1000), (1, 1)])
def test_a_larger_size_can_be_asked_for(factor, size):
    for side, new, name in zip(size, larger(size, factor), ("width", "height"), strict=True):
        assert new % ROWS[name].multiple_of == 0
        assert new >= ROWS[name].minimum
        assert abs(new - side * factor) <= max(ROWS[name].multiple_of / 2, ROWS[name].minimum - side * factor)


def test_no_side_may_be_longer_than_what_is_declared():
    assert is_allowed((SIDE_MAXIMUM, 64))
    assert not is_allowed((64, SIDE_MAXIMUM + 8))
    assert GenerationRequest(width=SIDE_MAXIMUM, height=SIDE_MAXIMUM)
