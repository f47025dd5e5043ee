"""Which picture becomes which mask, and what is said of one that is of no use."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sdstudio.core.errors import InvalidRequest
from sdstudio.core.pictures.masks import check_mask, read_mask

LEVELS = np.array([[0, 64], [200, 255]], np.uint8)


def saved(tmp_path, image, name="mask.png", **options):
    path = tmp_path / name
    image.save(path, **options)
    return path


def transparent(alpha, colour="white"):
    image = Image.new("RGBA", (alpha.shape[1], alpha.shape[0]), colour)
    image.putalpha(Image.fromarray(alpha))
    return image


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(LEVELS),
        Image.fromarray(LEVELS).convert("RGB"),
        transparent(LEVELS, "black"),
        Image.merge("RGBA", [Image.fromarray(LEVELS)] * 3 + [Image.new("L", (2, 2), 255)]),
        Image.fromarray(LEVELS.astype(np.uint16) * 257),
        Image.merge("LA", [Image.new("L", (2, 2), 9), Image.fromarray(LEVELS)]),
    ],
    ids=["grey", "colour", "alpha alone", "opaque alpha", "16 bits", "grey with alpha"],
)
def test_lightness_is_the_mask_and_alpha_where_there_is_some(tmp_path, image):
    path = saved(tmp_path, image)
    assert np.array_equal(np.asarray(read_mask(path)), LEVELS)
    assert np.array_equal(np.asarray(read_mask(path, "not_masked")), 255 - LEVELS)


def test_of_an_animated_picture_the_first_frame_is_the_mask(tmp_path):
    frames = [Image.new("L", (4, 4), 255), Image.new("L", (4, 4), 0)]
    path = saved(tmp_path, frames[0], "moving.png", save_all=True, append_images=frames[1:])
    assert read_mask(path).getextrema() == (255, 255)


def test_a_mask_lies_over_its_picture_and_draws_something(tmp_path):
    picture = saved(tmp_path, Image.new("RGB", (2, 2)), "in.png")
    check_mask(saved(tmp_path, Image.fromarray(LEVELS)), picture)
    check_mask(saved(tmp_path, Image.new("L", (2, 2), 255)), picture)
    for image, mode, said in (
        (Image.new("L", (4, 2), 255), "masked", "Mask = 4 x 2 pixels: allowed is the size of the input picture, 2 x 2"),
        (Image.new("L", (2, 2), 0), "masked", "Mask = all black: nothing would be drawn anew."),
        (transparent(np.zeros((2, 2), np.uint8)), "masked", "Mask = all black: nothing would be drawn anew."),
        (Image.new("L", (2, 2), 255), "not_masked", "Mask = all white: nothing would be drawn anew."),
    ):
        with pytest.raises(InvalidRequest, match=said) as raised:
            check_mask(saved(tmp_path, image), picture, mode)
        assert raised.value.field == "mask"
    dark = saved(tmp_path, Image.new("L", (2, 2), 128))
    with pytest.raises(InvalidRequest, match="nowhere lighter than half") as raised:
        check_mask(dark, picture, "masked", "latent")
    assert raised.value.field == "mask"
    check_mask(dark, picture, "masked", "differential")
