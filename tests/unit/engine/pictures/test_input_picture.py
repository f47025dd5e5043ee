from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from sdstudio.core.errors import PictureUnreadable
from sdstudio.engine.pictures.input_picture import fitted, input_picture
from tests.unit.engine.conftest import request


def array(picture):
    return np.asarray(picture, dtype=np.int16)


def corners(size=(64, 64)):
    """Return a picture whose left upper quarter is red, the right one lime, the left lower one blue."""
    picture = Image.new("RGB", size, "white")
    half = (size[0] // 2, size[1] // 2)
    picture.paste("red", (0, 0, *half))
    picture.paste("lime", (half[0], 0, size[0], half[1]))
    picture.paste("blue", (0, half[1], half[0], size[1]))
    return picture


@pytest.fixture
def opened(tmp_path):
    def through_a_file(picture, name="x.png", **options):
        path = tmp_path / name
        picture.save(path, **options)
        return input_picture(path, request())

    return through_a_file


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_a_picture_of_the_size_asked_for_keeps_its_pixels(fit):
    noise = Image.effect_noise((64, 48), 80).convert("RGB")
    assert np.array_equal(array(fitted(noise, 64, 48, fit)), array(noise))


def test_a_wide_picture_is_cropped_in_its_middle():
    wide = Image.new("RGB", (192, 64), "black")
    wide.paste("red", (64, 0, 128, 64))
    assert array(fitted(wide, 64, 64, "crop")).tolist() == array(Image.new("RGB", (64, 64), "red")).tolist()


def test_a_wide_picture_is_padded_above_and_below_or_stretched():
    wide = Image.new("RGB", (128, 64), "red")
    padded = array(fitted(wide, 64, 64, "pad"))
    assert (padded[:16] == 255).all()
    assert (padded[48:] == 255).all()
    assert (padded[16:48] == (255, 0, 0)).all()
    assert (array(fitted(wide, 64, 64, "stretch")) == (255, 0, 0)).all()


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("size", [(1, 1), (3000, 1), (1, 3000), (65, 64), (64, 63), (7, 500), (640, 480)])
@pytest.mark.parametrize("wanted", [(64, 64), (72, 256), (256, 72)])
def test_any_shape_becomes_exactly_the_size(fit, size, wanted):
    assert fitted(Image.new("RGB", size), *wanted, fit).size == wanted


def test_only_what_is_too_small_is_enlarged():
    asked = []

    def enlarge(picture, width, height):
        asked.append((picture.size, width, height))
        return picture.resize((width, height))

    fitted(Image.new("RGB", (32, 32)), 64, 64, "crop", enlarge)
    fitted(Image.new("RGB", (32, 16)), 64, 64, "pad", enlarge)
    fitted(Image.new("RGB", (300, 200)), 64, 64, "crop", enlarge)
    assert asked == [((32, 32), 64, 64), ((32, 16), 64, 32)]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_turned_by_its_exif_stands_upright(opened, orientation):
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    stored = corners() if orientation == 1 else corners().transpose(turns[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(array(opened(stored, exif=exif)), array(corners()))


def test_what_cannot_be_an_orientation_is_left_alone(opened):
    exif = Image.Exif()
    exif[0x0112] = 99
    assert np.array_equal(array(opened(corners(), exif=exif)), array(corners()))


def test_transparent_parts_are_white(opened):
    clear = corners().convert("RGBA")
    clear.putalpha(Image.new("L", (64, 64), 0))
    assert (array(opened(clear)) == 255).all()
    half = Image.new("RGBA", (64, 64), (0, 0, 0, 128))
    assert np.abs(array(opened(half)) - 127).max() <= 1
    assert (array(opened(Image.new("LA", (64, 64), (0, 0)))) == 255).all()


def test_a_palette_keeps_its_colours_and_its_transparent_one_is_white(opened):
    picture = corners().quantize(4)
    assert np.array_equal(array(opened(picture)), array(corners()))
    red = picture.getpixel((0, 0))
    clear = array(opened(picture, transparency=red))
    assert (clear[:32, :32] == 255).all()
    assert (clear[:32, 32:] == (0, 255, 0)).all()


def test_two_bits_and_one_bit_are_read(opened):
    assert np.array_equal(array(opened(corners().quantize(4), bits=2)), array(corners()))
    flag = Image.new("1", (64, 64), 1)
    flag.paste(0, (0, 0, 32, 64))
    seen = array(opened(flag))
    assert (seen[:, :32] == 0).all()
    assert (seen[:, 32:] == 255).all()


def test_sixteen_bits_of_grey_keep_their_tones(opened):
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)[None].repeat(64, 0)
    seen = array(opened(Image.fromarray(ramp)))
    assert np.abs(seen[0, :, 0] - ramp[0] / 257).max() <= 1
    assert (seen[..., 0] == seen[..., 2]).all()


def test_grey_and_cmyk_become_rgb(opened):
    assert (array(opened(Image.new("L", (64, 64), 90))) == 90).all()
    seen = array(opened(Image.new("CMYK", (64, 64), (0, 255, 255, 0)), "x.jpg", quality=95))
    assert np.abs(seen - (255, 0, 0)).max() <= 6


def test_of_a_photo_that_holds_a_second_picture_the_first_counts(opened):
    blue = Image.new("RGB", (64, 64), "blue")
    seen = opened(Image.new("RGB", (64, 64), "red"), "x.jpg", format="MPO", save_all=True, append_images=[blue])
    assert np.abs(array(seen) - (255, 0, 0)).max() <= 3


@pytest.mark.parametrize("name", ["x.png", "x.webp"])
def test_of_an_animated_picture_the_first_frame_counts(opened, name):
    seen = opened(
        Image.new("RGB", (64, 64), "red"), name, save_all=True, append_images=[Image.new("RGB", (64, 64), "blue")],
        **({"lossless": True} if name.endswith("webp") else {}),
    )  # fmt: skip
    assert (array(seen) == (255, 0, 0)).all()


def test_a_file_that_was_spoilt_since_is_told_in_one_line(tmp_path):
    path = tmp_path / "x.png"
    corners().save(path)
    path.write_bytes(path.read_bytes()[:60] + struct.pack(">I", 7))
    with pytest.raises(PictureUnreadable) as raised:
        input_picture(path, request())
    assert "\n" not in str(raised.value)
