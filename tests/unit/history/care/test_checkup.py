from __future__ import annotations

import fcntl
import json
import os
import shutil
import sqlite3
import time
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from sdstudio.core.errors import HistoryError, SaveFailed
from sdstudio.core.paths import StudioPaths
from sdstudio.core.pictures.input_store import InputPictures, KeptPicture
from sdstudio.core.request.recipe import IMPORTED
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.care.checkup import (
    BAD_NAME,
    DAMAGED,
    DATABASE,
    NO_FILE,
    NO_INPUT,
    NO_ROW,
    NO_WORDS,
    SPARE_INPUT,
    STRANGER,
    THUMBNAIL,
    UNFINISHED,
)
from sdstudio.history.care.marks_copy import copies, keep_marks
from sdstudio.history.care.recovery import Recovery, set_aside
from sdstudio.history.database.schema import Database
from sdstudio.history.picture_text.pnginfo import write_png
from sdstudio.history.store import History
from sdstudio.jobs.queue import JobQueue
from tests.unit.history.conftest import noise, picture, recipe, started

pytestmark = pytest.mark.logs("history.care.recovery")


@pytest.fixture
def filled(history) -> History:
    for n in range(4):
        history.save(noise((64, 64)), recipe(f"number {n}", seed=n))
    return history


def kinds(report) -> list[tuple[str, int | None, bool]]:
    return [(finding.kind, finding.entry_id, bool(finding.repaired)) for finding in report.findings]


def write(home: StudioPaths, sql: str, *values: object) -> None:
    db = sqlite3.connect(home.database)
    db.execute(sql, values)
    db.commit()
    db.close()


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def made_bytes(folder: Path, name: bytes) -> bytes:
    os.mkdir(path := os.fsencode(folder) + b"/" + name)
    return path


def saved_anew(path: Path, target: Path, box: tuple[int, ...] | None = None, text: bool = False, **how: object) -> None:
    """Save a picture as another program does, and remove the one before."""
    with Image.open(path) as image:
        texts = PngImagePlugin.PngInfo()
        for key, value in image.info.items() if text else ():
            texts.add_itxt(key, value)
        image.convert("RGB").crop(box).save(target, pnginfo=texts, **how)
    path.unlink()


def test_a_sound_history_has_no_findings(filled):
    told: list[tuple[int, int, str]] = []
    for deep in (False, True):
        report = filled.care.check(deep=deep, on_progress=lambda *progress: told.append(progress))
        assert str(report) == "4 pictures checked, everything is in order."
        assert report.findings == []
    assert told[-1] == (4, 4, "")


def test_everything_that_can_come_apart_is_found_and_repaired(filled, home, tmp_path):
    first, second, third, fourth = reversed(filled.entries())
    first.path.unlink()  # gone
    moved = home.images / "sorted" / "by hand" / second.path.name
    moved.parent.mkdir(parents=True)
    shutil.move(second.path, moved)
    write(home, "DELETE FROM entries WHERE id = ?", third.id)  # a picture without a row
    write(home, "DELETE FROM entries_text WHERE rowid = ?", fourth.id)
    write_png(home.images / "copied in by hand.png", picture(), recipe("from a friend"))
    (home.images / "holiday.png").write_bytes(b"no picture")
    orphaned = home.thumbnails / "000" / "999.jpg"
    orphaned.write_bytes(b"x")
    expected = [
        (NO_FILE, first.id), (NO_FILE, second.id), (NO_ROW, None), (NO_ROW, None), (STRANGER, None),
        (NO_WORDS, fourth.id), (THUMBNAIL, None), (THUMBNAIL, None),  # the other one is the third's
    ]  # fmt: skip
    looked = filled.care.check()
    found = [(kind, entry_id) for kind, entry_id, _ in kinds(looked)]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert not any(repaired for _, _, repaired in kinds(looked))
    assert str(looked).startswith("3 pictures checked: 7 to repair, 1 file that is")
    assert orphaned.exists(), "looking changes nothing"

    repaired = filled.care.check(repair=True)
    assert repaired.open == []
    assert all(done == (kind != STRANGER) for kind, _, done in kinds(repaired))
    again = filled.care.check(repair=True, deep=True)
    assert [finding.kind for finding in again.findings] == [STRANGER]
    listed = {entry.recipe.request.prompt: entry for entry in filled.entries()}
    assert listed.keys() == {"number 1", "number 2", "number 3", "from a friend"}
    assert listed["number 1"].path == moved
    assert listed["number 2"].id == third.id
    assert [entry.id for entry in filled.entries("number 3")] == [fourth.id]
    assert not orphaned.exists()
    assert (home.images / "holiday.png").exists()


def test_a_row_whose_picture_comes_back_is_listed_again_at_the_next_start(filled, home, trash, tmp_path):
    entry = filled.get(2)
    shutil.move(entry.path, tmp_path / "away.png")
    filled.care.check(repair=True)
    assert filled.count() == 3
    shutil.move(tmp_path / "away.png", entry.path)
    after, recovery = started(home, trash)
    assert recovery.restored == 1
    assert after.get(2).recipe == entry.recipe
    assert after.count() == 4
    after.close()


def test_a_picture_renamed_or_moved_by_hand_keeps_what_was_said_about_it(history, home):
    """By its recipe; and where several have the same one, or it has none any more, by name, number and pixels."""
    ways = {
        "renamed": lambda path: path.rename(path.with_name("my favourite.png")),
        "into a folder": lambda path: shutil.move(path, made(path.parent / "keep")),
        "another day": lambda path: path.rename(made(home.images / "2020-01-01") / path.name),
        "both": lambda path: path.rename(home.images / f"x-{path.name}"),
        "name in Latin-1": lambda path: os.rename(path, os.fsencode(path.parent) + b"/caf\xe9.png"),
        "folder in Latin-1": lambda path: os.rename(path, made_bytes(home.images, b"b\xe9st") + b"/1.png"),
        "no ending": lambda path: path.rename(path.with_name("holiday in May")),
        "another ending": lambda path: path.rename(path.with_name("heart.old")),
        "no ending and no texts": lambda path: saved_anew(path, path.with_name("holiday"), format="PNG"),
        "cropped by an editor": lambda path: saved_anew(path, path.with_name("crop.png"), (5, 5, 50, 60), text=True),
        "without its texts": lambda path: saved_anew(path, path.with_name("bare.png")),
        "as JPEG without texts": lambda path: saved_anew(path, path.with_name("bare.jpg"), quality=90),
    }
    smooth = Image.linear_gradient("L").resize((64, 64))
    flipped = smooth.transpose(Image.Transpose.ROTATE_90)
    pixels = {
        way: Image.merge("RGB", [smooth, flipped, Image.new("L", (64, 64), 20 * n)]) for n, way in enumerate(ways)
    }
    entries = {way: history.save(pixels[way], recipe(way, seed=n)) for n, way in enumerate(ways)}
    for way, move in ways.items():
        history.marks.rate([entries[way].id], 4)
        history.marks.add_tag([entries[way].id], way)
        move(entries[way].path)
    looked = history.care.check()
    assert [finding.kind for finding in looked.open].count(BAD_NAME) == 2
    assert len(looked.open) == len(ways) + 2
    history.care.check(repair=True)
    listed = {entry.recipe.request.prompt: entry for entry in history.entries()}
    assert {way: (e.id, e.rating, history.marks.tags(e.id)) for way, e in listed.items()} == {
        way: (entries[way].id, 4, (way,)) for way in ways
    }
    assert all(entry.path.is_file() for entry in listed.values())
    assert listed["name in Latin-1"].path.name == "caf%E9.png"
    assert listed["folder in Latin-1"].path == home.images / "b%E9st" / "1.png"
    assert history.care.check(deep=True).findings == []


def test_a_copy_without_a_pictures_ending_is_neither_listed_nor_told(filled, home):
    entry = filled.get(2)
    for name in ("heart.bak", "heart", ".heart", "heart.png.tmp", "heart.txt"):
        shutil.copy(entry.path, entry.path.with_name(name))
    report = filled.care.check(repair=True, deep=True)
    assert report.findings == []
    assert filled.get(2).path == entry.path
    entry.path.rename(entry.path.with_name("renamed.png"))
    filled.care.check(repair=True)
    assert filled.get(2).path.name == "renamed.png", "one that is called a picture comes first"
    filled.get(2).path.unlink()
    filled.care.check(repair=True)
    assert filled.get(2).path.name in ("heart.bak", "heart", "heart.txt")
    assert filled.count() == 4


def test_of_pictures_with_the_same_recipe_each_goes_to_the_row_of_its_pixels(history, home):
    entries = [history.save(noise((64, 64)), recipe("same")) for _ in range(4)]
    for rating, entry in enumerate(entries, start=1):
        history.marks.rate([entry.id], rating)
    pixels = {entry.id: entry.path.read_bytes() for entry in entries}
    for entry, name in zip(entries, ("d.png", "c.png", "b.png", "000004-mine.png"), strict=True):
        entry.path.rename(home.images / name)
    assert history.care.check(repair=True).open == []
    assert {entry.id: (entry.rating, entry.path.read_bytes()) for entry in history.entries()} == {
        entry_id: (entry_id, content) for entry_id, content in pixels.items()
    }


def test_a_picture_that_looks_like_two_lost_ones_is_given_to_neither(history, home):
    entries = [history.save(picture((200, 0, n)), recipe(f"red {n}", seed=n)) for n in range(2)]
    for entry in entries:
        entry.path.unlink()
    picture((200, 0, 1)).save(home.images / "bare.png")
    report = history.care.check(repair=True)
    assert [finding.kind for finding in report.findings] == [NO_FILE, NO_FILE, STRANGER]
    assert history.count() == 0


def test_a_copy_beside_its_picture_is_a_picture_of_its_own(filled, home):
    entry = filled.get(2)
    filled.marks.rate([2], 5)
    shutil.copy(entry.path, home.images / "copy.png")
    filled.care.check(repair=True)
    assert sorted((each.path.name, each.rating) for each in filled.entries("number 1")) == [
        (entry.path.name, 5), ("copy.png", 0),
    ]  # fmt: skip


def test_a_copy_of_another_picture_of_its_prompt_and_seed_is_not_taken_for_a_lost_one(history, home):
    """Two samplers draw nearly the same; one picture is deleted by hand, and a copy of the other lies there."""
    drawn = {"made_with": {"device": "CPU"}}
    sorts = {"drawn here": drawn, "imported": {"made_with": {IMPORTED: {"program": "A1111"}}}}
    for prompt, how in sorts.items():
        lost, kept = (
            history.save(picture((200, n, 0)), recipe(prompt, scheduler=key).model_copy(update=how))
            for n, key in enumerate(("euler", "heun"))
        )
        history.marks.rate([lost.id], 5)
        lost.path.unlink()
        shutil.copy(kept.path, home.images / f"copy {prompt}.png")
    renamed = history.save(picture("blue"), recipe("both renamed").model_copy(update=drawn))
    gone = history.save(picture((0, 2, 254)), recipe("both renamed", steps=9).model_copy(update=drawn))
    shutil.copy(renamed.path, home.images / "b.png")
    renamed.path.rename(home.images / "a.png")
    gone.path.unlink()
    history.care.check(repair=True)
    listed = {entry.path.name: entry for entry in history.entries() if entry.path.parent == home.images}
    assert sorted(listed) == ["a.png", "b.png", "copy drawn here.png", "copy imported.png"]
    assert {listed[f"copy {prompt}.png"].rating for prompt in sorts} == {0}
    assert {listed[f"copy {prompt}.png"].recipe.request.scheduler for prompt in sorts} == {"heun"}
    assert {listed[name].recipe.request.steps for name in ("a.png", "b.png")} == {renamed.recipe.request.steps}


def test_a_picture_taken_out_of_the_list_comes_back_under_another_name(filled, home, tmp_path):
    filled.marks.rate([2], 5)
    shutil.move(filled.get(2).path, tmp_path / "away.png")
    filled.care.check(repair=True)
    assert filled.count() == 3
    shutil.move(tmp_path / "away.png", home.images / "back.png")
    assert kinds(filled.care.check()) == [(NO_ROW, 2, False)]
    filled.care.check(repair=True)
    assert (filled.get(2).path, filled.get(2).rating, filled.count()) == (home.images / "back.png", 5, 4)


def test_a_start_finds_pictures_that_were_moved_to_another_folder(filled, home, trash):
    filled.marks.rate([1, 2], 5)
    moved = made(home.images / "best")
    for number, name in ((1, filled.get(1).path.name), (2, "000002-renamed.png")):
        filled.get(number).path.rename(moved / name)
    filled.close()
    after, recovery = started(home, trash)
    assert recovery == Recovery(moved=2)
    assert str(recovery) == "2 pictures were moved or renamed, and found again."
    assert [(after.get(n).rating, after.get(n).path.parent.name) for n in (1, 2)] == [(5, "best"), (5, "best")]
    assert after.count() == 4
    after.close()


def test_a_name_that_is_not_utf_8_stops_neither_a_start_nor_a_check(filled, home, trash):
    folder = os.fsencode(filled.get(1).path.parent)
    shutil.copy(filled.get(1).path, folder + b"/000099-caf\xe9.png")
    for name in (b"/\xff.jpg", b"/\xe9.txt"):
        with open(os.fsencode(home.images) + name, "wb") as file:
            file.write(b"no picture")
    for name in (b"/9\xe9.jpg", b"/\xb2.jpg", "/²".encode() + b".jpg"):
        with open(os.fsencode(home.thumbnails) + b"/000" + name, "wb") as file:
            file.write(b"x")
    filled.close()
    after, recovery = started(home, trash)
    assert recovery == Recovery()
    looked = after.care.check(deep=True)
    assert sorted(finding.kind for finding in looked.findings) == [BAD_NAME, NO_ROW, STRANGER] + [THUMBNAIL] * 3
    assert all(json.dumps(finding.facts()) and str(finding.facts()["path"]).encode() for finding in looked.findings)
    repaired = after.care.check(repair=True)
    assert repaired.open == []
    assert {entry.path for entry in after.entries("number 0")} == {
        after.get(1).path, after.get(1).path.with_name("000099-caf%E9.png"),
    }  # fmt: skip
    assert [finding.kind for finding in after.care.check().findings] == [STRANGER]
    after.close()


def test_damaged_pictures_are_found_and_named(filled):
    first, second, *_ = reversed(filled.entries())
    first.path.write_bytes(b"")
    data = bytearray(second.path.read_bytes())
    data[len(data) // 2] ^= 1
    second.path.write_bytes(bytes(data))
    assert kinds(filled.care.check()) == [(DAMAGED, first.id, False)]
    report = filled.care.check(repair=True, deep=True)
    assert kinds(report) == [(DAMAGED, first.id, False), (DAMAGED, second.id, False)]
    assert "checksum" in report.findings[1].text
    assert report.open == report.findings
    assert report.findings[0].facts()["path"] == str(first.path)


def test_a_save_that_was_cut_off_is_finished(filled, home):
    write(home, "UPDATE entries SET state = 'pending' WHERE id = 3")
    assert kinds(filled.care.check()) == [(UNFINISHED, 3, False)]
    assert kinds(filled.care.check(repair=True)) == [(UNFINISHED, 3, True)]
    assert filled.count() == 4


def test_repair_waits_for_a_save_in_another_process(filled, home, monkeypatch):
    monkeypatch.setattr("sdstudio.history.care.checkup.PATIENCE_S", 0.05)
    with open(home.home / "saving.lock", "wb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert filled.care.check().findings == []
        with pytest.raises(HistoryError, match="is being saved"):
            filled.care.check(repair=True)


def test_a_damaged_database_is_said_and_nothing_is_touched(filled, monkeypatch):
    real = Database.read

    def damaged(self: Database, sql: str, values: object = ()) -> object:
        return [("wrong # of entries in index entries_path",)] if "integrity" in sql else real(self, sql, values)

    monkeypatch.setattr(Database, "read", damaged)
    report = filled.care.check(repair=True)
    assert kinds(report) == [(DATABASE, None, False)]


def test_a_check_can_be_cancelled(filled):
    report = filled.care.check(cancelled=lambda: True)
    assert report.findings == []


def test_what_only_the_database_knew_comes_back_from_one_that_was_set_aside(filled, home, trash):
    child = filled.save(picture(), recipe("child"), parent_id=2)
    filled.marks.rate([2], 5)
    filled.marks.set_favourite([3], True)
    filled.marks.add_tag([3, 4], "blue")
    filled.marks.collect([4], "Best of")
    filled.close()
    set_aside(home)
    rebuilt, recovery = started(home, trash)
    assert (recovery.recovered, recovery.marked) == (5, 4)
    assert "Ratings and tags of 4 of them could be kept." in str(replace(recovery, kept=home.database))
    assert rebuilt.get(2).rating == 5
    assert rebuilt.get(3).favourite
    assert rebuilt.get(child.id).parent_id == 2
    assert [rebuilt.marks.tags(n) for n in (2, 3, 4)] == [(), ("blue",), ("blue",)]
    assert rebuilt.marks.collections_of(4) == ("Best of",)
    rebuilt.close()


def marked(history):
    """Mark pictures in every way and return what is then known of them."""
    child = history.save(picture(), recipe("child"), parent_id=2)
    history.marks.rate([2], 5)
    history.marks.set_favourite([3], True)
    history.marks.add_tag([3, 4], "blue")
    history.marks.collect([4], "Best of")
    return marks_of(history, child.id)


def marks_of(history, child_id):
    entries = [history.get(n) for n in (2, 3, 4, child_id)]
    known = [(entry.rating, entry.favourite, entry.parent_id, history.marks.tags(entry.id)) for entry in entries]
    return known, history.marks.collections_of(4)


@pytest.mark.parametrize("damage", ["gone", "nonsense"])
def test_marks_come_back_from_the_days_copy_when_the_database_is_lost(filled, home, trash, damage):
    before = marked(filled)
    filled.recover()
    filled.close()
    for file in home.home.glob("history.db*"):
        file.unlink()
    if damage == "nonsense":
        home.database.write_bytes(b"no database at all" * 1000)
    rebuilt, recovery = started(home, trash)
    assert (recovery.recovered, recovery.marked) == (5, 4)
    assert marks_of(rebuilt, 5) == before
    assert ("5 pictures recovered, 4 of them with ratings or tags." in str(recovery)) == (damage == "gone")
    rebuilt.close()


def test_there_is_one_copy_a_day_and_three_in_all_and_none_of_nothing(filled, database, home):
    assert not keep_marks(database, date(2026, 3, 1))
    filled.marks.rate([2], 5)
    assert [keep_marks(database, date(2026, 3, day)) for day in (1, 1, 2, 3, 4)] == [True, False, True, True, True]
    kept = [file.name for file in copies(home.home, date(2026, 3, 4))]
    assert kept == ["marks-20260304.db", "marks-20260303.db", "marks-20260302.db"]


def test_copies_of_days_when_the_clock_was_wrong_go_behind_those_of_today(filled, database, home, trash):
    filled.marks.rate([2], 5)
    today = date.today()
    days = {back: today - timedelta(days=back) for back in (-402, -401, -400, 2, 1)}
    for back in (-400, -401, -402):
        keep_marks(database, days[back])
    filled.marks.rate([2], 1)
    for back in (2, 1):
        keep_marks(database, days[back])
    kept = [file.name for file in copies(home.home, today)]
    assert kept == [f"marks-{days[back]:%Y%m%d}.db" for back in (1, 2, -402)]
    filled.close()
    home.database.unlink()
    rebuilt, _recovery = started(home, trash)
    assert rebuilt.get(2).rating == 1
    rebuilt.close()


def test_a_database_that_was_set_aside_is_believed_before_an_older_copy(filled, database, home, trash):
    filled.marks.rate([2, 3], 5)
    keep_marks(database, date(2026, 3, 1))
    filled.marks.rate([2], 0)
    filled.close()
    set_aside(home)
    rebuilt, recovery = started(home, trash)
    assert recovery.marked == 1
    assert [rebuilt.get(n).rating for n in (2, 3)] == [0, 5]
    rebuilt.close()


@pytest.mark.parametrize("content", [b"", b"nonsense" * 500])
def test_a_damaged_copy_is_passed_over(filled, database, home, trash, content):
    filled.marks.rate([2], 5)
    keep_marks(database, date(2026, 3, 1))
    (home.home / "marks-20260302.db").write_bytes(content)
    filled.close()
    home.database.unlink()
    rebuilt, recovery = started(home, trash)
    assert (recovery.recovered, recovery.marked) == (4, 1)
    rebuilt.close()


def test_a_copy_that_cannot_be_written_stops_nothing(filled, home, monkeypatch, caplog):
    filled.marks.rate([2], 5)

    def full(*_args):
        raise SaveFailed("Disk full.", "Make room.")

    monkeypatch.setattr("sdstudio.history.care.marks_copy.write_whole", full)
    assert filled.recover() == Recovery()
    assert "could not be copied: Disk full" in caplog.text
    assert copies(home.home, date.today()) == []


def test_marks_stay_with_their_picture_when_its_number_went_to_another(filled, home, trash):
    filled.marks.rate([2], 5)
    path = filled.get(2).path
    filled.close()
    set_aside(home)
    path.rename(path.with_name("000002-another.png"))
    rebuilt, recovery = started(home, trash)
    assert recovery.marked == 0
    assert rebuilt.get(2).rating == 0
    rebuilt.close()


def test_a_database_that_cannot_be_read_at_all_costs_the_marks_and_nothing_else(filled, home, trash):
    filled.marks.rate([2], 5)
    filled.close()
    home.database.write_bytes(b"no database at all" * 1000)
    rebuilt, recovery = started(home, trash)
    assert (recovery.recovered, recovery.marked) == (4, 0)
    assert "Ratings" not in str(recovery)
    rebuilt.close()


@pytest.fixture
def inputs(home, tmp_path):
    """A function that keeps a picture, chosen so many seconds ago."""
    store = InputPictures(home)

    def keep(name: str, ago_s: float = 0) -> KeptPicture:
        path = tmp_path / name
        noise((8, 8)).save(path)
        kept = store.keep(path)
        then = time.time() - ago_s
        os.utime(home.inputs / f"{kept.id}.json", (then, then))
        return kept

    return keep


WEEK_S = 7 * 24 * 3600


def test_an_entry_whose_input_picture_is_gone_is_named(filled, inputs):
    kept = inputs("cat.png")
    entry = filled.save(noise((64, 64)), recipe(init_image=kept.id))
    assert filled.care.check(deep=True).findings == []
    kept.path.unlink()
    (finding,) = filled.care.check(repair=True).findings
    assert (finding.kind, finding.entry_id, finding.path, finding.repaired) == (NO_INPUT, entry.id, entry.path, "")
    assert entry.id in {listed.id for listed in filled.entries()}, "the picture itself is all right"


def test_input_pictures_that_nothing_needs_go_to_the_trash_and_the_others_stay(home, inputs):
    gone: list[Path] = []
    history = History(home, lambda path: gone.append(path) or path.unlink())
    queue = JobQueue(home)
    names = ("used.png", "mask.png", "deleted.png", "queued.png")
    used, mask, deleted, queued = (inputs(name, WEEK_S) for name in names)
    fresh, spare = inputs("fresh.png"), inputs("spare.png", WEEK_S)
    history.save(noise((64, 64)), recipe(init_image=used.id, mask=mask.id))
    in_the_trash = history.save(noise((64, 64)), recipe(init_image=deleted.id))
    history.delete([in_the_trash.id])
    gone.clear()
    queue.submit(GenerationRequest(init_image=queued.id), (1,))
    looked = history.care.check()
    assert [(finding.kind, finding.path) for finding in looked.findings] == [(SPARE_INPUT, spare.path)]
    assert looked.open == []
    assert str(looked) == "1 picture checked: 1 input picture that nothing needs any more."
    assert spare.path.is_file()
    repaired = history.care.check(repair=True)
    assert str(repaired) == "1 picture checked: 1 repaired."
    assert gone == [spare.path, spare.path.with_suffix(".json")]
    assert all(kept.path.is_file() for kept in (used, mask, deleted, queued, fresh))
    assert history.care.check().findings == []
    queue.close()
    history.close()


def test_a_spare_input_picture_stays_where_there_is_no_trash(home, inputs):
    def no_trash(path: Path) -> None:
        raise HistoryError(f"{path} was not deleted.")

    history = History(home, no_trash)
    spare = inputs("spare.png", WEEK_S)
    report = history.care.check(repair=True)
    assert (report.open, [finding.repaired for finding in report.findings]) == ([], [""])
    assert spare.path.is_file()
    history.close()


def test_a_deep_check_finds_an_input_picture_that_was_changed(filled, inputs):
    kept = inputs("cat.png")
    filled.save(noise((64, 64)), recipe(init_image=kept.id))
    noise((9, 9)).save(kept.path)
    assert filled.care.check().findings == []
    (finding,) = filled.care.check(deep=True).findings
    assert (finding.kind, finding.path) == (DAMAGED, kept.path)
