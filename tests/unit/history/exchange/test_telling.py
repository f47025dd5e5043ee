"""What a copy tells that is to tell less: nothing of what other programs hide in pixels, containers and names."""

from __future__ import annotations

import io
import json
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image, ImageChops

from sdstudio.core.errors import TellsTooMuch
from sdstudio.history.exchange.contact_sheet import contact_sheets
from sdstudio.history.exchange.export import ExportOptions, export_folder, export_zip, save_as, stripped, write_picture
from sdstudio.history.exchange.importing import import_pictures
from sdstudio.history.exchange.telling import told_by
from sdstudio.history.formats import FORMAT_BY_KEY
from sdstudio.history.picture_text.foreign.reading import read_picture
from sdstudio.history.xy_grid import axes, drawn, laid_out
from tests.unit.history.conftest import noise, picture, recipe
from tests.unit.history.foreign.pictures import bits_of, hidden, png, with_bits

TEXT = "privateword cat\nNegative prompt: bad\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 42, Size: 64x64, Model: m"
MARKS = (b"stealth_pngcomp", b"stealth_pnginfo", b"stealth_rgbcomp", b"stealth_rgbinfo")
LESS = (
    ("no metadata", ExportOptions(metadata=False)),
    ("no prompt", ExportOptions(without=frozenset({"prompt"}))),
    ("no date", ExportOptions(without=frozenset({"created"}))),
)


def marks_in(pixels: Image.Image) -> list[bytes]:
    """The marks that stand at the beginning of the pixels' lowest bits, read as the public readers do."""
    found = []
    for in_alpha in (True, False):
        bits = bits_of(pixels, in_alpha)[: 15 * 8]
        head = int("".join(map(str, bits)), 2).to_bytes(15, "big")
        found += [mark for mark in MARKS if mark == head]
    return found


def as_file(data: bytes, key: str) -> bytes:
    """The same pixels in another format that loses nothing."""
    if key == "png":
        return data
    file = io.BytesIO()
    Image.open(io.BytesIO(data)).save(file, "WEBP", lossless=True, exact=True)
    return file.getvalue()


def test_text_hidden_in_pixels_is_read_and_leaves_with_no_copy_that_is_to_tell_less(history, tmp_path):
    sources = tmp_path / "in"
    sources.mkdir()
    for mark in MARKS:
        for key in ("png", "webp"):
            (sources / f"{mark.decode()}.{key}").write_bytes(as_file(hidden(TEXT, mark=mark), key))
    taken = import_pictures(history, [sources]).taken
    assert [each.entry.recipe.request.prompt for each in taken] == ["privateword cat"] * 8
    wrong = []
    for each in taken:
        for key, row in FORMAT_BY_KEY.items():
            for quality in (92, 100):
                for name, less in LESS:
                    options = ExportOptions(key, quality, less.metadata, less.without)
                    target = tmp_path / f"out{row.suffix}"
                    cleaned = save_as(each.entry.path, each.entry.recipe, target, options)
                    with Image.open(target) as image:
                        in_alpha = "png" in each.source.name.partition(".")[0]
                        if marks_in(image) or cleaned != (not in_alpha or key != "jpeg"):
                            wrong.append((each.source.name, key, quality, name, cleaned))
    assert wrong == []


def test_only_the_bits_that_held_the_text_change_and_by_one_level(tmp_path):
    for mark in MARKS:
        before = Image.open(io.BytesIO(hidden(TEXT, mark=mark)))
        file = io.BytesIO()
        assert write_picture(file, before, ExportOptions(metadata=False), None)
        after = Image.open(file)
        gaps = np.abs(np.asarray(before, np.int16) - np.asarray(after, np.int16))
        assert gaps.max() == 1, mark
        if b"png" in mark:
            assert after.getchannel("A").getextrema() == (255, 255)
            assert ImageChops.difference(before.convert("RGB"), after.convert("RGB")).getbbox() is None
        else:
            length = int("".join(map(str, bits_of(before, False)[120:152])), 2)
            assert bits_of(after, False)[: 152 + length] == [0] * (152 + length)
            assert bits_of(after, False)[152 + length :] == bits_of(before, False)[152 + length :]


def test_a_mark_with_nonsense_behind_it_goes_with_every_bit_that_may_belong_to_it():
    for mark in MARKS:
        for length in (0, 800, 2**32 - 1):
            data = mark + length.to_bytes(4, "big") + b"\xff" * 200
            bits = [byte >> place & 1 for byte in data for place in range(7, -1, -1)]
            if length == 800 and not mark.endswith(b"comp"):
                continue  # bytes that are no text are a text all the same
            file = io.BytesIO()
            write_picture(file, with_bits(bits, (64, 64), b"png" in mark), ExportOptions(metadata=False), None)
            left = bits_of(Image.open(file), b"png" in mark)
            assert set(left) == {1 if b"png" in mark else 0}, (mark, length)


def test_a_picture_that_hides_nothing_keeps_every_pixel_and_nothing_is_said_of_it(history, tmp_path):
    entry = history.save(noise((64, 64)), recipe())
    for _name, options in LESS:
        report = export_folder([entry], tmp_path / "out", options)
        assert str(report) == "1 picture exported."
        with Image.open(report.written[0]) as after, Image.open(entry.path) as before:
            assert ImageChops.difference(before, after).getbbox() is None


def test_what_was_taken_out_is_told_for_files_and_zips(history, tmp_path):
    (tmp_path / "in.png").write_bytes(hidden(TEXT, mark=b"stealth_rgbcomp"))
    (taken,) = import_pictures(history, [tmp_path / "in.png"]).taken
    entries = [taken.entry, history.save(picture(), recipe())]
    options = ExportOptions(metadata=False)
    said = "2 pictures exported. 1 had text hidden in the pixels, which was taken out."
    assert str(export_folder(entries, tmp_path / "out", options)) == said
    assert str(export_zip(entries, tmp_path / "a.zip", options)) == said
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        for name in archive.namelist():
            assert not marks_in(Image.open(io.BytesIO(archive.read(name))))
    whole = export_folder(entries[:1], tmp_path / "whole", ExportOptions())
    assert str(whole) == "1 picture exported."
    assert whole.written[0].read_bytes() == entries[0].path.read_bytes(), "nothing is to be left out"


def test_sheets_and_grids_hold_no_hidden_text_of_pictures_that_keep_their_size(history, tmp_path):
    (tmp_path / "in.png").write_bytes(hidden(TEXT, (256, 256), b"stealth_rgbcomp"))
    (taken,) = import_pictures(history, [tmp_path / "in.png"]).taken
    for _name, options in LESS:
        (sheet,) = contact_sheets([taken.entry], tmp_path / "sheet.png", options).written
        with Image.open(sheet) as image:
            assert not marks_in(image.crop((16, 16, 272, 272)))
    entries = [taken.entry, history.save(picture(), recipe(seed=43, width=256, height=256))]
    seed = next(row for row in axes(entries) if row.name == "seed")
    grid = np.asarray(drawn(laid_out(entries, seed, None))) & 1
    mark = "".join(f"{byte:08b}" for byte in MARKS[2])
    assert not any(mark in "".join(map(str, column.reshape(-1))) for column in grid.transpose(1, 0, 2))


@pytest.mark.parametrize(
    ("key", "planted"),
    [("png", {"icc_profile": b"a secret description"}), ("jpeg", {"comment": b"a secret"})],
)
def test_what_a_writer_hands_on_unasked_is_found_and_nothing_is_written(key, planted):
    pixels = picture()
    pixels.info = dict(planted)
    for _name, less in LESS:
        file = io.BytesIO()
        with pytest.raises(TellsTooMuch, match=next(iter(planted))):
            write_picture(file, pixels, ExportOptions(key, 92, less.metadata, less.without), recipe())
        assert file.getvalue() == b""


def test_comments_profiles_and_texts_of_any_container_stay_behind(history, tmp_path):
    exif = Image.Exif()
    exif[0x9C9C] = "secret\0".encode("utf-16-le")  # XPComment
    exif[0x013B] = "a secret artist"
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + TEXT.encode("utf-16-be")
    made = {
        "a.jpg": {"comment": b"secret", "exif": exif, "xmp": b"<x>secret</x>", "icc_profile": b"secret"},
        "b.webp": {"exif": exif, "xmp": b"<x>secret</x>", "icc_profile": b"secret", "lossless": True},
        "c.png": {"exif": exif, "icc_profile": b"secret"},
    }
    for name, values in made.items():
        noise((64, 64)).save(tmp_path / name, **values)
    behind = io.BytesIO()
    picture().save(behind, "PNG")
    raw = b"parameters\0" + TEXT.encode()
    chunk = len(raw).to_bytes(4, "big") + b"tEXt" + raw + zlib.crc32(b"tEXt" + raw).to_bytes(4, "big")
    (tmp_path / "d.png").write_bytes(behind.getvalue()[:-12] + chunk + behind.getvalue()[-12:])
    taken = import_pictures(history, [tmp_path / name for name in (*made, "d.png")]).taken
    assert len(taken) == 4
    for each in taken:
        for key in FORMAT_BY_KEY:
            file = io.BytesIO()
            save_as(each.entry.path, each.entry.recipe, tmp_path / "out", ExportOptions(key, metadata=False))
            file.write((tmp_path / "out").read_bytes())
            assert told_by(file) == {}, each.source.name
            assert read_picture(file) is None
            assert b"secret" not in file.getvalue()
            assert b"privateword" not in file.getvalue()


def test_what_another_program_said_beside_the_parameters_goes_with_dates_and_names(history, tmp_path):
    text = TEXT.replace("Model: m", "Model: m, Created Date: 2031-02-03, User: somebody, Version: v1.9.4")
    (tmp_path / "in.png").write_bytes(png({"parameters": text}))
    (taken,) = import_pictures(history, [tmp_path / "in.png"]).taken
    assert "somebody" in taken.entry.recipe.model_dump_json()
    for name in ("created", "app", "made_with"):
        kept, _names = stripped(taken.entry.recipe, [name])
        said = json.dumps(kept.model_dump(mode="json"))
        assert "somebody" not in said
        assert "2031" not in said
        assert ("v1.9.4" in said) == (name != "app"), "the program itself is no date"
        assert kept.request == taken.entry.recipe.request


def test_lora_that_are_left_out_leave_the_prompt_too():
    made = recipe("a cat <lora:secret:0.8>, red <hypernet:x:1>", negative_prompt="<lyco:secret:1> blurry")
    kept, _names = stripped(made, ["loras"])
    assert kept.request.prompt == "a cat, red <hypernet:x:1>"
    assert kept.request.negative_prompt == "blurry"
