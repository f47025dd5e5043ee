"""What the user says about a model: it follows the model's bytes, outlives the pictures it shows, and is checked."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path
from types import MappingProxyType

import pytest
from PIL import Image

from sdstudio.core.errors import InvalidRequest, SaveFailed
from sdstudio.core.models.model import default_request
from sdstudio.library.library import Library
from sdstudio.library.remarks import NOTES_MAXIMUM, Remark, Remarks, own_values


@pytest.fixture
def remarks(home):
    return Remarks(home)


def test_nothing_is_written_before_something_is_said(remarks, home, tmp_path):
    assert remarks.of(tmp_path / "a.safetensors", "f00") == Remark()
    assert not home.remarks.exists()


def test_notes_are_kept_and_replaced(remarks, home, tmp_path):
    path = tmp_path / "a.safetensors"
    remarks.keep(path, "", Remark("good with 30 steps"))
    remarks.keep(path, "", Remark("no: 20\nsteps \ud800"))
    assert Remarks(home).of(path).notes == "no: 20\nsteps ?"


def test_a_remark_follows_the_bytes_to_another_place(remarks, tmp_path):
    remarks.keep(tmp_path / "a.safetensors", "f00", Remark("mine"))
    assert remarks.of(tmp_path / "moved" / "b.safetensors", "f00").notes == "mine"
    assert remarks.of(tmp_path / "a.safetensors").notes == "mine"


def test_other_bytes_at_the_same_place_are_not_what_was_spoken_of(remarks, tmp_path):
    remarks.keep(tmp_path / "a.safetensors", "f00", Remark("mine"))
    assert remarks.of(tmp_path / "a.safetensors", "bad") == Remark()


def test_what_was_said_before_the_hash_was_known_is_found_with_it(remarks, tmp_path):
    path = tmp_path / "a.safetensors"
    remarks.keep(path, "", Remark("mine"))
    assert remarks.of(path, "f00").notes == "mine"
    remarks.keep(path, "f00", remarks.of(path, "f00"))
    assert remarks.of(tmp_path / "b", "f00").notes == "mine"


def test_a_cover_is_a_small_copy_that_outlives_the_picture(remarks, home, tmp_path):
    picture = tmp_path / "picture.png"
    Image.new("RGBA", (2000, 1000), "red").save(picture)
    cover = remarks.cover_from(picture)
    picture.unlink()
    remarks.keep(tmp_path / "a", "", Remark(cover=cover))
    kept = remarks.of(tmp_path / "a").cover
    assert kept is not None
    assert kept.is_relative_to(home.home)
    assert Image.open(kept).size == (512, 256)
    kept.unlink()
    assert remarks.of(tmp_path / "a").cover is None


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 100])
def test_what_is_no_picture_is_no_cover(remarks, tmp_path, content):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(SaveFailed, match="could not be used"):
        remarks.cover_from(path)


def test_a_path_in_the_table_leads_nowhere_else(remarks, home, tmp_path):
    remarks.keep(tmp_path / "a", "", Remark("x"))
    secret = tmp_path / "secret.jpg"
    secret.touch()
    with sqlite3.connect(home.remarks) as db:
        db.execute("UPDATE remarks SET cover = ?", (str(secret),))
    db.close()
    assert remarks.of(tmp_path / "a").cover is None


def test_only_allowed_values_are_own(remarks, home, tmp_path):
    assert own_values({"steps": 4, "seed": 3, "prompt": "x", "width": None}) == {"steps": 4}
    with pytest.raises(InvalidRequest):
        own_values({"steps": 0})
    remarks.keep(tmp_path / "a", "", Remark(defaults=own_values({"steps": 4, "guidance_scale": 1.5})))
    with sqlite3.connect(home.remarks) as db:
        db.execute("""UPDATE remarks SET defaults = '{"steps": 0, "guidance_scale": 1.5, "seed": 3}'""")
    db.close()
    assert remarks.of(tmp_path / "a").defaults == {"guidance_scale": 1.5}


def test_too_long_notes_are_refused(remarks, tmp_path):
    with pytest.raises(SaveFailed, match="allowed are 20,000"):
        remarks.keep(tmp_path / "a", "", Remark("x" * (NOTES_MAXIMUM + 1)))


@pytest.mark.logs("library.remarks")
def test_a_damaged_table_says_nothing_and_is_told_when_written(remarks, home, tmp_path):
    home.remarks.write_bytes(b"no database" * 100)
    assert remarks.of(tmp_path / "a") == Remark()
    with pytest.raises(SaveFailed, match=r"models\.db"):
        remarks.keep(tmp_path / "a", "", Remark("x"))


def test_other_bytes_at_the_same_place_do_not_begin_with_the_values_of_those_before(home, tiny_models):
    shutil.copytree(tiny_models["sd1"], home.models / "mine")
    library = Library(home)
    library.hash_of(library.find("mine"))
    library.keep_remark(library.find_any("mine"), Remark(defaults=own_values({"steps": 7})))
    assert default_request(library.find("mine")).steps == 7
    weights = home.models / "mine" / "vae" / "diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    library.hash_of(library.find("mine"))
    library.rescan()
    assert default_request(library.find("mine")).steps != 7


def test_a_models_own_values_are_what_it_begins_with(home, tiny_models):
    (home.models / "m").symlink_to(tiny_models["sd1"], target_is_directory=True)
    library = Library(home)
    asset = library.find_asset("checkpoint", "m")
    before = library.find("m").defaults
    library.keep_remark(asset, Remark(defaults=own_values({"steps": 7})))
    assert library.find("m").defaults == {**before, "steps": 7}
    assert default_request(library.find("m")).steps == 7
    library.rescan()
    assert library.find("m").defaults["steps"] == 7
    assert Library(home).find("m").defaults["steps"] == 7
    library.keep_remark(asset, Remark(defaults=MappingProxyType({})))
    assert library.find("m").defaults == before


def test_a_model_whose_name_is_not_utf_8_has_remarks_like_any_other(remarks, home, tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.safetensors"))
    remarks.keep(tmp_path / "a.safetensors", "", Remark("another's"))
    assert remarks.of(path) == Remark()
    remarks.keep(path, "", Remark("mine"))
    assert Remarks(home).of(path).notes == "mine"
    assert remarks.everything()[1][str(path)].notes == "mine"


def test_rows_that_hold_something_else_are_no_remarks(remarks, home, tmp_path):
    for column, value in (("defaults", b"\xff"), ("notes", b"n"), ("path", 5), ("sha256", b""), ("defaults", "[1")):
        remarks.keep(tmp_path / "a", "", Remark("mine"))
        with sqlite3.connect(home.remarks) as db:
            db.execute(f"UPDATE remarks SET {column} = ?", (value,))
        assert remarks.of(tmp_path / "a").notes in ("", "mine")
        remarks.everything()


def test_favourites_are_kept_and_a_file_of_before_has_none(remarks, home, tmp_path):
    with sqlite3.connect(home.remarks) as db:
        db.execute(
            "CREATE TABLE remarks (id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, path TEXT NOT NULL,"
            " notes TEXT NOT NULL, cover TEXT NOT NULL, defaults TEXT NOT NULL)"
        )
        db.execute("INSERT INTO remarks VALUES (1, '', ?, 'mine', '', '{}')", (str(tmp_path / "a"),))
        db.execute("PRAGMA user_version = 1")
    assert remarks.of(tmp_path / "a") == Remark("mine")
    remarks.keep(tmp_path / "b", "", Remark(favourite=True))
    assert Remarks(home).of(tmp_path / "b").favourite
    assert [remark.favourite for remark in remarks.everything()[1].values()] == [False, True]
