from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import time
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from sdstudio.core.errors import HistoryError, SaveFailed
from sdstudio.core.inputs import InputPictures, KeptPicture
from sdstudio.core.paths import StudioPaths
from sdstudio.core.request import GenerationRequest
from sdstudio.history.checkup import (
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
from sdstudio.history.marks_copy import copies, keep_marks
from sdstudio.history.pnginfo import write_png
from sdstudio.history.recovery import Recovery, set_aside
from sdstudio.history.store import History
from sdstudio.jobs.queue import JobQueue
from tests.unit.history.conftest import noise, picture, recipe, started


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


def test_damaged_pictures_are_found_and_named(filled):
    first, second, *_ = reversed(filled.entries())
    first.path.write_bytes(b"")
    data = bytearray(second.path.read_bytes())
    data[len(data) // 2] ^= 1
    second.path.write_bytes(bytes(data))
    assert kinds(filled.care.check()) == [(DAMAGED, first.id, False)]
    report = filled.care.check(repair=True, deep=True)
    assert kinds(report) == [(DAMAGED, first.id, False), (DAMAGED, second.id, False)]
    assert "checksum" in report.findings[1].said
    assert report.open == report.findings
    assert report.findings[0].facts()["path"] == str(first.path)


def test_a_save_that_was_cut_off_is_finished(filled, home):
    write(home, "UPDATE entries SET state = 'pending' WHERE id = 3")
    assert kinds(filled.care.check()) == [(UNFINISHED, 3, False)]
    assert kinds(filled.care.check(repair=True)) == [(UNFINISHED, 3, True)]
    assert filled.count() == 4


def test_repair_waits_for_a_save_in_another_process(filled, home, monkeypatch):
    monkeypatch.setattr("sdstudio.history.checkup.PATIENCE_S", 0.05)
    with open(home.home / "saving.lock", "wb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert filled.care.check().findings == []
        with pytest.raises(HistoryError, match="is being saved"):
            filled.care.check(repair=True)


def test_a_damaged_database_is_said_and_nothing_is_touched(filled, monkeypatch):
    real = filled.care._database.read

    def damaged(sql: str, values: object = ()) -> object:
        return [("wrong # of entries in index entries_path",)] if "integrity" in sql else real(sql, values)

    monkeypatch.setattr(filled.care._database, "read", damaged)
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


def test_there_is_one_copy_a_day_and_three_in_all_and_none_of_nothing(filled, home):
    database = filled.care._database
    assert not keep_marks(database, date(2026, 3, 1))
    filled.marks.rate([2], 5)
    assert [keep_marks(database, date(2026, 3, day)) for day in (1, 1, 2, 3, 4)] == [True, False, True, True, True]
    kept = [file.name for file in copies(home.home, date(2026, 3, 4))]
    assert kept == ["marks-20260304.db", "marks-20260303.db", "marks-20260302.db"]


def test_copies_of_days_when_the_clock_was_wrong_go_behind_those_of_today(filled, home, trash):
    database = filled.care._database
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


def test_a_database_that_was_set_aside_is_believed_before_an_older_copy(filled, home, trash):
    filled.marks.rate([2, 3], 5)
    keep_marks(filled.care._database, date(2026, 3, 1))
    filled.marks.rate([2], 0)
    filled.close()
    set_aside(home)
    rebuilt, recovery = started(home, trash)
    assert recovery.marked == 1
    assert [rebuilt.get(n).rating for n in (2, 3)] == [0, 5]
    rebuilt.close()


@pytest.mark.parametrize("content", [b"", b"nonsense" * 500])
def test_a_damaged_copy_is_passed_over(filled, home, trash, content):
    filled.marks.rate([2], 5)
    keep_marks(filled.care._database, date(2026, 3, 1))
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

    monkeypatch.setattr("sdstudio.history.marks_copy.write_whole", full)
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
    used, deleted, queued = (inputs(name, WEEK_S) for name in ("used.png", "deleted.png", "queued.png"))
    fresh, spare = inputs("fresh.png"), inputs("spare.png", WEEK_S)
    history.save(noise((64, 64)), recipe(init_image=used.id))
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
    assert all(kept.path.is_file() for kept in (used, deleted, queued, fresh))
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
