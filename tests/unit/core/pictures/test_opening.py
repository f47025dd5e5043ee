"""Pictures of strangers: as large as they are to be seen."""

from __future__ import annotations

import struct

import pytest
from PIL import ExifTags, Image, ImageCms

from sdstudio.core.pictures.opening import as_seen, opened_picture, upright_size

PRIMARIES = {"r": (0.4361, 0.2225, 0.0139), "g": (0.3851, 0.7169, 0.0971), "b": (0.1431, 0.0606, 0.7139)}
"""sRGB's, adapted to D50."""


def profile(order: str = "bgr", space: bytes = b"RGB ", description: bytes = b"swapped") -> bytes:
    """An ICC profile, version 2, of sRGB's primaries in this order and a gamma of 2.2."""

    def xyz(values):
        return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in values))

    gamma = b"curv" + bytes(4) + struct.pack(">IH", 1, round(2.2 * 256))
    said = b"desc" + bytes(4) + struct.pack(">I", len(description) + 1) + description + bytes(1 + 4 + 4 + 2 + 1 + 67)
    tags = {b"desc": said, b"cprt": b"text" + bytes(4) + b"none\0", b"wtpt": xyz((0.9642, 1.0, 0.8249))}
    for channel, primary in zip("rgb", order, strict=True):
        tags[f"{channel}XYZ".encode()], tags[f"{channel}TRC".encode()] = xyz(PRIMARIES[primary]), gamma
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(">I4sI4s4s4s", start + len(body), bytes(4), 0x02200000, b"mntr", space, b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + body


def through_a_file(path, image, icc):
    image.save(path, icc_profile=icc)
    with opened_picture(path) as opened:
        return as_seen(opened)


@pytest.mark.parametrize(("turn", "size"), [(1, (30, 20)), (3, (30, 20)), (6, (20, 30)), (8, (20, 30)), (99, (30, 20))])
def test_a_turned_camera_makes_wide_pictures_high(tmp_path, turn, size):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = turn
    Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg", exif=exif)
    with opened_picture(tmp_path / "a.jpg") as image:
        assert upright_size(image) == size


def test_a_colour_profile_is_turned_into_srgb(tmp_path):
    shown = through_a_file(tmp_path / "a.png", Image.new("RGB", (4, 4), (250, 10, 5)), profile())
    red, green, blue = shown.getpixel((0, 0))
    assert blue > 240
    assert red < 15
    assert green < 15


def test_a_palette_and_what_is_transparent_have_profiles_too(tmp_path):
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 255))
    clear.putpixel((0, 0), (255, 0, 0, 0))
    shown = through_a_file(tmp_path / "a.png", clear, profile())
    assert shown.getpixel((0, 0)) == (255, 255, 255)
    assert shown.getpixel((3, 3))[2] > 240
    few = Image.new("RGB", (4, 4), (255, 0, 0)).convert("P", palette=Image.Palette.ADAPTIVE)
    assert through_a_file(tmp_path / "b.png", few, profile()).getpixel((0, 0))[2] > 240


def test_pixels_that_say_they_are_srgb_stay_exactly_as_they_are(tmp_path):
    noise = Image.merge("RGB", [Image.effect_noise((16, 16), 90) for _ in range(3)])
    built_in = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for icc in (built_in, profile("rgb", description=b"sRGB IEC61966-2.1")):
        assert through_a_file(tmp_path / "a.png", noise, icc).tobytes() == noise.tobytes()


@pytest.mark.parametrize("icc", [b"nonsense", profile()[:200], profile(space=b"CMYK")])
def test_nonsense_for_a_profile_is_left_aside(tmp_path, icc):
    assert through_a_file(tmp_path / "a.png", Image.new("RGB", (4, 4), (9, 8, 7)), icc).getpixel((0, 0)) == (9, 8, 7)
    assert through_a_file(tmp_path / "b.png", Image.new("L", (4, 4), 9), icc).getpixel((0, 0)) == (9, 9, 9)
