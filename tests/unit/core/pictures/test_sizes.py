"""Sizes have the shape that was asked for, about as many pixels as the model draws, and sides that are allowed."""

from __future__ import annotations

from math import log

import pytest

from sdstudio.core.pictures.sizes import RATIOS, side_for, size_of


@pytest.mark.parametrize("side", [128, 512, 768, 1024])
@pytest.mark.parametrize("ratio", RATIOS)
def test_every_common_shape_has_a_size_near_the_models_pixels(ratio, side):
    width, height = size_of(ratio, side * side, 8, 64, 4096)
    assert (width % 8, height % 8) == (0, 0)
    assert abs(log(width / height / (ratio[0] / ratio[1]))) < (0.04 if side == 128 else 0.01)
    assert abs(log(width * height / side**2)) < (0.1 if side == 128 else 0.05)


def test_known_sizes_come_out():
    assert size_of((1, 1), 512 * 512, 8, 64, 4096) == (512, 512)
    assert size_of((16, 9), 1024 * 1024, 8, 64, 4096) == (1368, 768)
    assert size_of((16, 9), 1024 * 1024, 8, 64, 1024) == (1024, 576)


def test_the_other_side_stays_within_what_is_allowed():
    assert side_for(512, 2.0, 8, 64, 4096) == 1024
    assert side_for(4, 2.0, 8, 64, 4096) == 64
    assert side_for(4096, 2.0, 8, 64, 4096) == 4096
    assert side_for(100, 1.0, 8, 60, 4096) == 96
