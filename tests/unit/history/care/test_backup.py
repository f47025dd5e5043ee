from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import pytest

from sdstudio.core.errors import Cancelled, HistoryDamaged, SaveFailed
from sdstudio.core.paths import StudioPaths
from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.history.care import backup
from sdstudio.history.database.schema import Database
from sdstudio.history.store import History
from tests.unit.history.conftest import everything_below, picture, recipe


@pytest.fixture
def filled(history, home, tmp_path) -> History:
    for n in range(3):
        history.save(picture(), recipe(f"number {n}", seed=n))
    history.save(picture("blue"), recipe("outside"), out=tmp_path / "outside.png")
    history.marks.rate([1], 4)
    history.marks.add_tag([2], "best")
    home.settings.write_text("{}")
    (home.models / "large.safetensors").write_bytes(b"x" * 1000)
    (home.logs / "studio.log").write_text("x")
    return history


def same_history(history: History, target: StudioPaths) -> History:
    copy = History(target, lambda _path: None)
    assert [(e.id, e.recipe, e.created, e.rating) for e in copy.entries()] == [
        (e.id, e.recipe, e.created, e.rating) for e in history.entries()
    ]
    assert all(e.path.is_file() and e.path.is_relative_to(target.home) for e in copy.entries())
    assert copy.marks.tags(2) == ("best",)
    return copy


@pytest.mark.parametrize("ending", [".zip", ""])
def test_a_backup_is_a_data_folder_with_everything_the_user_made(filled, home, tmp_path, ending):
    target = tmp_path / "away" / f"backup{ending}"
    told: list[tuple[int, int, str]] = []
    report = filled.care.back_up(target, lambda *progress: told.append(progress))
    assert (report.pictures, report.missing, report.path) == (4, [], target)
    assert str(report).startswith(f"4 pictures and all settings backed up to {target} (")
    assert told[-1][0] == told[-1][1] == report.files
    assert {path.name for path in target.parent.iterdir()} == {target.name}, "nothing unfinished is left beside it"
    folder = target
    if ending:
        folder = tmp_path / "unpacked"
        with zipfile.ZipFile(target) as archive:
            assert archive.testzip() is None
            archive.extractall(folder)
    names = everything_below(folder)
    assert {"history.db", "settings.json", "images/elsewhere/000004-outside.png"} <= names
    assert not any(name.startswith(("models", "logs", "thumbnails", "history.db-")) for name in names)
    same_history(filled, StudioPaths(folder)).close()


def test_pictures_made_while_it_is_written_do_not_disturb_it(filled, home, tmp_path):
    def draw(done: int, _total: int, _name: str) -> None:
        if done == 1:
            filled.save(picture(), recipe("meanwhile"))

    report = filled.care.back_up(tmp_path / "backup", draw)
    assert report.pictures == 4
    copy = History(StudioPaths(tmp_path / "backup"), lambda _path: None)
    assert copy.count() == 4
    copy.close()


def test_a_picture_that_is_gone_is_named(filled, tmp_path):
    gone = filled.get(2).path
    gone.unlink()
    report = filled.care.back_up(tmp_path / "b.zip")
    assert report.missing == [gone]
    assert "1 were gone" in str(report)


@pytest.mark.parametrize("ending", [".zip", ""])
def test_cancelled_half_way_nothing_is_left(filled, tmp_path, ending):
    asked = iter([False, False, True])
    with pytest.raises(Cancelled):
        filled.care.back_up(tmp_path / "away" / f"b{ending}", cancelled=lambda: next(asked))
    assert list((tmp_path / "away").iterdir()) == []


@pytest.mark.parametrize("ending", [".zip", ""])
def test_what_is_there_is_not_replaced_and_the_data_folder_holds_no_backup_of_itself(filled, home, tmp_path, ending):
    there = tmp_path / f"there{ending}"
    there.write_text("mine")
    with pytest.raises(SaveFailed, match="there already"):
        filled.care.back_up(there)
    assert there.read_text() == "mine"
    with pytest.raises(SaveFailed, match="data folder itself"):
        filled.care.back_up(home.home / f"b{ending}")


def test_a_disk_without_room_is_said_before_anything_is_written(filled, tmp_path, monkeypatch):
    monkeypatch.setattr(backup, "SPACE_TO_SPARE", 10**18)
    with pytest.raises(SaveFailed, match="MB left"):
        filled.care.back_up(tmp_path / "away" / "b.zip")
    assert list((tmp_path / "away").iterdir()) == []


def test_a_damaged_database_is_not_backed_up_over_good_ones(filled, home, tmp_path, monkeypatch):
    monkeypatch.setattr(Database, "read", lambda _self, _sql, _values=(): [("row 3 missing from index",)])
    with pytest.raises(HistoryDamaged):
        filled.care.back_up(tmp_path / "b.zip")
    assert not (tmp_path / "b.zip").exists()


def test_a_place_that_cannot_be_written_is_one_line(filled, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(SaveFailed):
        filled.care.back_up(Path(tmp_path / "file" / "b.zip"))


def test_input_pictures_are_part_of_a_backup_and_what_was_made_from_them_can_be_made_again(filled, home, tmp_path):
    path = tmp_path / "cat.png"
    picture().save(path)
    kept = InputPictures(home).keep(path, entry_id=1)
    filled.save(picture(), recipe(init_image=kept.id), parent_id=1)
    filled.care.back_up(tmp_path / "backup")
    copy = StudioPaths(tmp_path / "backup")
    again = InputPictures(copy)
    assert again.path_of(kept.id).read_bytes() == path.read_bytes()
    assert (again.find(kept.id).name, again.parent_of(kept.id)) == ("cat.png", 1)
    history = History(copy, lambda _path: None)
    assert history.care.check(deep=True).findings == []
    history.close()


@pytest.mark.parametrize("ending", [".zip", ""])
def test_pictures_behind_a_link_to_another_disk_are_part_of_a_backup(filled, home, tmp_path, ending):
    shutil.move(home.images, tmp_path / "large disk")
    home.images.symlink_to(tmp_path / "large disk", target_is_directory=True)
    (home.images / "back").symlink_to(home.home, target_is_directory=True)
    target = tmp_path / f"backup{ending}"
    assert filled.care.back_up(target).missing == []
    if ending:
        shutil.unpack_archive(target, tmp_path / "unpacked")
        target = tmp_path / "unpacked"
    assert not (target / "images" / "back").exists()
    same_history(filled, StudioPaths(target)).close()


def test_a_backup_into_the_data_folder_by_another_name_of_it_is_refused(filled, home, tmp_path):
    (tmp_path / "other name").symlink_to(home.home, target_is_directory=True)
    shutil.move(home.images, tmp_path / "large disk")
    home.images.symlink_to(tmp_path / "large disk", target_is_directory=True)
    for folder in ("other name", "large disk"):
        with pytest.raises(SaveFailed, match="data folder itself"):
            filled.care.back_up(tmp_path / folder / "b.zip")


@pytest.mark.parametrize("ending", [".zip", ""])
def test_a_name_that_is_not_utf_8_stops_no_backup(filled, home, tmp_path, ending):
    (home.wildcards / os.fsdecode(b"caf\xe9.txt")).write_text("latte")
    target = tmp_path / f"backup{ending}"
    filled.care.back_up(target)
    if ending:
        shutil.unpack_archive(target, tmp_path / "unpacked")
        target = tmp_path / "unpacked"
    assert (target / "wildcards" / "caf%E9.txt").read_text() == "latte"


def test_a_backup_whose_name_is_too_long_is_one_line(filled, tmp_path):
    with pytest.raises(SaveFailed, match="cannot be used"):
        filled.care.back_up(tmp_path / f"{'b' * 300}.zip")
    assert not list(tmp_path.glob(".sdstudio-*"))
