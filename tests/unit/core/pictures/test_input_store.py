from __future__ import annotations

import hashlib
import os

import pytest
from PIL import Image

from sdstudio.core.errors import InvalidRequest, PictureUnreadable
from sdstudio.core.paths import StudioPaths
from sdstudio.core.pictures.input_store import InputPictures, KeptPicture


@pytest.fixture
def paths(tmp_path):
    return StudioPaths(tmp_path / "home")


@pytest.fixture
def inputs(paths):
    return InputPictures(paths)


@pytest.fixture
def png(tmp_path):
    path = tmp_path / "a cat.png"
    Image.effect_noise((40, 24), 60).save(path)
    return path


def test_a_picture_is_kept_under_its_hash_and_outlives_its_file(inputs, paths, png):
    data = png.read_bytes()
    kept = inputs.keep(png)
    assert kept.id == hashlib.sha256(data).hexdigest()
    png.unlink()
    assert inputs.path_of(kept.id).read_bytes() == data
    assert InputPictures(paths).find(kept.id) == KeptPicture(kept.id, kept.path, "a cat.png")
    assert list(inputs.all()) == [kept]


def test_a_spare_folder_is_written_instead_and_both_are_read(inputs, paths, png, tmp_path):
    old = inputs.keep(png, 7)
    both = InputPictures(StudioPaths(paths.home, tmp_path / "spare"))
    assert (both.path_of(old.id), both.parent_of(old.id)) == (old.path, 7)
    other = tmp_path / "other.png"
    Image.new("RGB", (9, 9), "teal").save(other)
    new = both.keep(other)
    both.keep(png)
    assert new.path.parent == tmp_path / "spare"
    assert sorted(kept.id for kept in both.all()) == sorted([old.id, new.id])
    assert (list(inputs.all()), inputs.find(new.id)) == ([old], None)


@pytest.mark.parametrize(("format_", "ending"), [("PNG", ".png"), ("JPEG", ".jpg"), ("WEBP", ".webp")])
def test_every_format_keeps_its_ending_whatever_the_file_is_called(inputs, tmp_path, format_, ending):
    path = tmp_path / "picture.dat"
    Image.new("RGB", (9, 9), "teal").save(path, format_)
    assert inputs.keep(path).path.suffix == ending


def test_a_photo_that_holds_a_second_picture_is_kept_as_the_jpeg_it_is(inputs, tmp_path):
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (16, 8), "teal").save(path, "MPO", save_all=True, append_images=[Image.new("RGB", (16, 8))])
    kept = inputs.keep(path)
    assert (kept.path.suffix, inputs.size_of(kept.id)) == (".jpg", (16, 8))
    assert inputs.path_of(kept.id) == kept.path


def test_the_same_bytes_are_kept_once_and_remember_their_entry(inputs, paths, png, tmp_path):
    other = tmp_path / "other.png"
    other.write_bytes(png.read_bytes())
    first = inputs.keep(png, entry_id=7)
    again = inputs.keep(other)
    assert (again.id, again.path, again.entry_id) == (first.id, first.path, 7)
    assert inputs.keep(png, entry_id=9).entry_id == 9
    assert InputPictures(paths).parent_of(first.id) == 9
    assert len(os.listdir(paths.inputs)) == 2


def test_a_kept_file_that_was_spoilt_is_written_again(inputs, png):
    kept = inputs.keep(png)
    kept.path.write_bytes(b"spoilt")
    assert inputs.keep(png).path.read_bytes() == png.read_bytes()


def test_a_picture_that_is_gone_is_told_by_its_name_and_what_to_do(inputs, png):
    kept = inputs.keep(png, entry_id=3)
    kept.path.unlink()
    with pytest.raises(InvalidRequest, match=r"Input picture = a cat\.png: it is gone from .*\. Choose the") as raised:
        inputs.path_of(kept.id)
    assert raised.value.field == "init_image"
    assert (inputs.find(kept.id), inputs.parent_of(kept.id)) == (None, 3)


@pytest.mark.parametrize(("orientation", "size"), [(1, (40, 24)), (3, (40, 24)), (6, (24, 40)), (8, (24, 40))])
def test_its_size_is_that_of_the_upright_picture(inputs, tmp_path, orientation, size):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "x.jpg"
    Image.new("RGB", (40, 24)).save(path, exif=exif)
    assert inputs.size_of(inputs.keep(path).id) == size


@pytest.mark.parametrize("key", ["", "ab" * 32, "../../history.db", "AB" * 32, "ab" * 31, "ab" * 32 + "\n"])
def test_what_is_no_id_leads_nowhere(inputs, paths, key):
    paths.create()
    paths.database.write_bytes(b"x")
    assert inputs.find(key) is None
    assert inputs.parent_of(key) is None
    assert inputs.files_of(key) == ()
    with pytest.raises(InvalidRequest):
        inputs.path_of(key)


@pytest.mark.parametrize("note", [b"", b"[]", b"{", b'{"name": 5, "entry": "x"}', b'{"entry": true}', b"\xff" * 20])
@pytest.mark.logs("the note on the input picture")
def test_a_note_that_cannot_be_read_costs_no_picture(inputs, paths, png, note):
    kept = inputs.keep(png, entry_id=3)
    (paths.inputs / f"{kept.id}.json").write_bytes(note)
    found = inputs.find(kept.id)
    assert (found.path, found.entry_id) == (kept.path, None)
    assert inputs.keep(png, entry_id=4) == KeptPicture(kept.id, kept.path, "a cat.png", 4)


def _cut_off(path):
    Image.effect_noise((200, 200), 60).save(path, "PNG")
    path.write_bytes(path.read_bytes()[:-3000])


def _huge(path):
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "cannot be read"),
        (lambda path: path.write_bytes(b""), "empty"),
        (lambda path: path.write_bytes(b"hello"), "no PNG, JPEG or WebP"),
        (lambda path: path.mkdir(), "no file"),
        (_cut_off, "cut off"),
        (_huge, "too large: 50,000 x 50,000 pixels, allowed are 64,000,000"),
    ],
    ids=["missing", "empty", "text", "folder", "cut off", "huge"],
)
def test_what_is_no_picture_of_allowed_size_is_refused_and_leaves_nothing(inputs, paths, tmp_path, make, said):
    path = tmp_path / "x.png"
    make(path)
    with pytest.raises(PictureUnreadable, match=said):
        inputs.keep(path)
    assert not paths.inputs.exists()
