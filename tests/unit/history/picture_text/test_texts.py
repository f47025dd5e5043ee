"""Pictures from strangers: each broken or hostile file is one line with its name and the reason."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from sdstudio.core.errors import PictureUnreadable
from sdstudio.core.pictures import opening as pictures
from sdstudio.core.pictures.opening import PNG_SIGNATURE, check_whole, opened_picture
from sdstudio.history.picture_text import texts
from sdstudio.history.picture_text.texts import read_texts


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(texts_inside: dict[str, str] | None = None, size: tuple[int, int] = (64, 64)) -> bytes:
    info = PngImagePlugin.PngInfo()
    for key, text in (texts_inside or {}).items():
        info.add_text(key, text)
    file = io.BytesIO()
    Image.effect_noise(size, 80).convert("RGB").save(file, "PNG", pnginfo=info)
    return file.getvalue()


def behind_the_header(data: bytes) -> bytes:
    whole = png()
    return whole[:33] + data + whole[33:]


def huge(side: int) -> bytes:
    """A well-formed picture of side x side white pixels that is a few megabytes small."""
    pack = zlib.compressobj(9)
    line = b"\0" + b"\xff" * (side // 8)
    rows = b"".join([*(pack.compress(line * 1000) for _ in range(side // 1000)), pack.flush()])
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return PNG_SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def damaged(at: int) -> bytes:
    data = bytearray(png())
    data[at] ^= 0xFF
    return bytes(data)


def jpeg() -> bytes:
    file = io.BytesIO()
    Image.effect_noise((64, 64), 80).save(file, "JPEG")
    return file.getvalue()


BOMB = b"parameters\0\0" + zlib.compress(b"a" * 100_000_000, 9)

HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "zero bytes": (lambda: b"", "empty"),
    "no picture": (lambda: b"I am a text file", "no PNG, JPEG or WebP"),
    "a picture format that is not opened": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n", "no PNG, JPEG or WebP"),
    "50,000 x 50,000": (lambda: huge(50_000), "too large: 50,000 x 50,000"),
    "2^31 a side": (
        lambda: png().replace(struct.pack(">II", 64, 64), struct.pack(">II", 2**31 - 1, 2**31 - 1)), "too large",
    ),
    "9,000 x 9,000": (lambda: huge(9_000), "too large: 9,000 x 9,000"),
    "text that unpacks to 100 MB": (lambda: behind_the_header(chunk(b"zTXt", BOMB)), "damaged"),
    "international text that unpacks to 100 MB": (
        lambda: behind_the_header(chunk(b"iTXt", b"k\0\1\0\0\0" + BOMB[12:])), "damaged",
    ),
    "40 MB of plain text": (lambda: behind_the_header(chunk(b"tEXt", b"k\0" + b"a" * 40_000_000)), "more text inside"),
    "5,000 texts": (lambda: behind_the_header(chunk(b"tEXt", b"k\0v") * 5_000), "more text inside"),
    "wrong checksum of the header": (lambda: damaged(30), "damaged"),
    "wrong checksum of the pixels": (lambda: png()[:-20] + b"\0" + png()[-19:], "checksum"),
    "a flipped bit in the pixels": (lambda: damaged(3_000), "checksum"),
    "cut off in the pixels": (lambda: png()[:5_000], "cut off"),
    "cut off in a JPEG": (lambda: jpeg()[:1_000], "damaged"),
    "header alone": (lambda: PNG_SIGNATURE, "damaged"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_picture_is_one_line_with_file_and_reason(tmp_path, name):
    make, reason = HOSTILE[name]
    path = tmp_path / "from a stranger.png"
    path.write_bytes(make())
    with pytest.raises(PictureUnreadable, match=reason) as raised:
        check_whole(path)
    said = str(raised.value)
    assert said.startswith("from a stranger.png: ")
    assert "\n" not in said
    assert len(said) < 250


def test_a_folder_a_missing_file_and_an_odd_name_are_one_line_too(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere.png", Path(os.fsdecode(bytes(tmp_path) + b"/odd\xff.png"))):
        with pytest.raises(PictureUnreadable) as raised:
            read_texts(path)
        str(raised.value).encode("utf-8")


def test_a_file_that_is_too_long_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "FILE_MAXIMUM_BYTES", 100)
    (tmp_path / "x.png").write_bytes(png())
    with pytest.raises(PictureUnreadable, match=r"bytes: allowed are 100\."):
        read_texts(tmp_path / "x.png")


def test_a_whole_picture_passes(tmp_path):
    for name, data in (("a.png", png({"a": "b"})), ("b.jpg", jpeg())):
        (tmp_path / name).write_bytes(data)
        check_whole(tmp_path / name)
    Image.new("RGB", (8, 8)).save(tmp_path / "c.webp")
    check_whole(tmp_path / "c.webp")
    assert {file.name for file in tmp_path.iterdir()} == {"a.png", "b.jpg", "c.webp"}


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"k\0caf\xe9", "café"),
        (b"k\0\xff\xfe\x00x", "ÿþ\0x"),
    ],
)
def test_text_of_any_bytes_is_read(tmp_path, raw, text):
    (tmp_path / "x.png").write_bytes(behind_the_header(chunk(b"tEXt", raw)))
    assert read_texts(tmp_path / "x.png") == {"k": text}


def test_international_text_that_is_not_utf_8_is_left_out(tmp_path):
    (tmp_path / "x.png").write_bytes(
        behind_the_header(chunk(b"iTXt", b"k\0\0\0\0\0\xff\xfe\xed\xa0\x80") + chunk(b"tEXt", b"good\0one"))
    )
    assert read_texts(tmp_path / "x.png")["good"] == "one"


def test_one_text_that_is_too_long_is_left_out(tmp_path):
    (tmp_path / "x.png").write_bytes(png({"long": "a" * (texts.TEXT_MAXIMUM + 1), "short": "b"}))
    assert read_texts(tmp_path / "x.png") == {"short": "b"}


@pytest.mark.parametrize("prefix", [b"UNICODE\0", b"ASCII\0\0\0", b"\0" * 8, b"plain wo"])
def test_a_user_comment_is_read_whatever_its_prefix_says(tmp_path, prefix):
    exif = Image.Exif()
    text = "Steps: 20, Seed: 猫"
    body = text.encode("utf-16-be") if prefix == b"UNICODE\0" else text.encode()
    exif.get_ifd(0x8769)[0x9286] = prefix + body
    Image.new("RGB", (8, 8)).save(tmp_path / "x.jpg", exif=exif)
    said = read_texts(tmp_path / "x.jpg")["UserComment"]
    assert said == (text if prefix != b"plain wo" else "plain wo" + text)


def test_errors_while_decoding_are_said_in_the_same_way(tmp_path):
    (tmp_path / "x.png").write_bytes(png()[:5_000])
    with pytest.raises(PictureUnreadable, match="damaged"), opened_picture(tmp_path / "x.png") as image:
        image.load()


def test_a_user_comment_with_a_byte_order_mark_is_read_in_the_order_it_tells(tmp_path):
    text = "猫" * 20 + " Steps"  # nothing else tells the order
    for order, mark in (("utf-16-be", b"\xfe\xff"), ("utf-16-le", b"\xff\xfe")):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + mark + text.encode(order)
        Image.new("RGB", (8, 8)).save(tmp_path / "x.jpg", exif=exif)
        assert read_texts(tmp_path / "x.jpg")["UserComment"] == text


def test_the_comment_of_a_jpeg_is_read(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "x.jpg", comment="a 猫".encode())
    assert read_texts(tmp_path / "x.jpg") == {"comment": "a 猫"}


def test_plain_text_of_a_png_that_is_utf_8_after_all_is_read_as_such(tmp_path):
    (tmp_path / "x.png").write_bytes(behind_the_header(chunk(b"tEXt", b"k\0" + "a 猫, é".encode())))
    assert read_texts(tmp_path / "x.png") == {"k": "a 猫, é"}
