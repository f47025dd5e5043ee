from __future__ import annotations

import pytest
from PIL import Image

from sdstudio.core.pictures.looks import Looks


def _gradient(low: tuple[int, int, int], high: tuple[int, int, int]) -> Image.Image:
    picture = Image.new("RGB", (256, 64))
    for x in range(256):
        colour = tuple(round(a + (b - a) * x / 255) for a, b in zip(low, high, strict=True))
        picture.paste(colour, (x, 0, x + 1, 64))
    return picture


def test_numbers_of_known_pictures():
    grey = Looks.of(Image.new("RGB", (300, 200), (128, 128, 128)))
    assert (grey.span, grey.saturation, grey.burnt) == (0, 0, 0)
    red = Looks.of(Image.new("RGBA", (16, 16), (255, 0, 0, 255)))
    assert (red.saturation, red.burnt) == (1, 1)
    ramp = Looks.of(_gradient((0, 0, 0), (255, 255, 255)))
    assert ramp.span == pytest.approx(0.96, abs=0.03)


@pytest.mark.parametrize(
    ("low", "high", "washed_out", "burnt"),
    [
        ((110, 108, 112), (170, 168, 172), True, False),
        ((0, 0, 0), (255, 255, 255), False, False),
        ((20, 60, 120), (230, 190, 150), False, False),
        ((250, 10, 0), (255, 0, 255), False, True),
    ],
)
def test_dull_and_burnt_pictures_are_told_from_others(low, high, washed_out, burnt):
    looks = Looks.of(_gradient(low, high))
    assert (looks.is_washed_out, looks.is_oversaturated) == (washed_out, burnt)


def test_one_pixel_is_a_picture():
    assert Looks.of(Image.new("L", (1, 1), 7)).span == 0
