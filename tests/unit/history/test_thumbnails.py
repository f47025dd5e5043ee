from __future__ import annotations

import pytest
from PIL import Image

from sdstudio.core.errors import SaveFailed
from sdstudio.core.pictures import opening as pictures
from sdstudio.history.thumbnails import SIDE, ensure_thumbnail, write_thumbnail
from tests.unit.history.conftest import picture, recipe


@pytest.mark.parametrize(("size", "small"), [((1024, 512), (256, 128)), ((64, 64), (64, 64)), ((8, 4096), (1, 256))])
def test_a_thumbnail_keeps_the_shape_and_never_grows(tmp_path, size, small):
    write_thumbnail(tmp_path / "t.jpg", picture(size=size))
    with Image.open(tmp_path / "t.jpg") as stored:
        assert stored.size == small
        assert max(stored.size) <= SIDE


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1"])
def test_every_kind_of_picture_has_one(tmp_path, mode):
    write_thumbnail(tmp_path / "t.jpg", picture().convert(mode))
    assert (tmp_path / "t.jpg").is_file()


def test_a_missing_thumbnail_is_made_again_from_the_picture(history):
    entry = history.save(picture("blue"), recipe())
    entry.thumbnail.unlink()
    assert history.thumbnail(entry) == entry.thumbnail
    with Image.open(entry.thumbnail) as small:
        red, _green, blue = small.getpixel((5, 5))
        assert blue > 240 > 20 > red


def test_one_that_is_there_is_not_made_again(tmp_path):
    there = tmp_path / "t.jpg"
    there.write_bytes(b"as it is")
    assert ensure_thumbnail(there, tmp_path / "no picture.png").read_bytes() == b"as it is"


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 100])
def test_a_broken_picture_gives_one_line(tmp_path, content):
    broken = tmp_path / "broken.png"
    broken.write_bytes(content)
    with pytest.raises(SaveFailed) as raised:
        ensure_thumbnail(tmp_path / "t.jpg", broken)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "t.jpg").exists()


def test_a_picture_that_is_too_large_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "PIXELS_MAXIMUM", 100)
    picture().save(tmp_path / "large.png")
    with pytest.raises(SaveFailed, match="too large"):
        ensure_thumbnail(tmp_path / "t.jpg", tmp_path / "large.png")
