from __future__ import annotations

import fcntl
import shutil
import sqlite3
from contextlib import closing

import pytest

from sdstudio.core.errors import HistoryDamaged
from sdstudio.core.paths import StudioPaths
from sdstudio.history import store
from sdstudio.history.care.recovery import Recovery, set_aside
from sdstudio.history.picture_text import pnginfo
from sdstudio.history.picture_text.pnginfo import write_png
from sdstudio.history.store import History
from sdstudio.jobs.queue import JobQueue, JobState
from tests.unit.history.conftest import everything_below, picture, recipe, started, written

pytestmark = pytest.mark.logs("history.care.recovery")


class KilledError(BaseException):
    """Ends a save as a kill would: nothing is cleaned up afterwards."""


def killed_after(monkeypatch, history: History, point: str) -> None:
    """Save a picture and stop dead after ``point``, one of reliability.md's four states."""

    def stop(*_args, **_options):
        raise KilledError

    if point == "done":
        history.save(picture(), recipe(point))
        return
    with monkeypatch.context() as patched:
        patched.setattr(store, "remove_row", lambda _db, _id: None)
        if point == "row":
            patched.setattr(pnginfo, "write_png", stop)
        elif point == "temporary":
            real = pnginfo.write_png

            def half(path, pixels, made):
                real(path, pixels, made)
                path.rename(path.with_name(path.name + ".tmp"))
                raise KilledError

            patched.setattr(pnginfo, "write_png", half)
        elif point == "picture":
            patched.setattr(store, "write_thumbnail", stop)
        with pytest.raises(KilledError):
            history.save(picture(), recipe(point))


@pytest.mark.parametrize(
    ("point", "recovery", "count"),
    [
        ("row", Recovery(dropped=1), 0),
        ("temporary", Recovery(dropped=1, swept=1), 0),
        ("picture", Recovery(recovered=1), 1),
        ("done", Recovery(), 1),
    ],
)
def test_each_of_the_four_states_is_put_right(history, home, trash, monkeypatch, point, recovery, count):
    killed_after(monkeypatch, history, point)
    after = History(home, trash)
    assert after.recover() == recovery
    entries = after.entries(point)
    assert len(entries) == after.count() == count
    assert all(after.thumbnail(entry).is_file() and entry.path.is_file() for entry in entries)
    assert len(everything_below(home.images)) == count
    assert after.recover() == Recovery(), "there is nothing left to do"
    after.close()


def test_what_the_user_is_told():
    assert str(Recovery()) == str(Recovery(dropped=3, swept=2)) == ""
    assert str(Recovery(recovered=1)) == "1 picture recovered."
    assert str(Recovery(recovered=2)) == "2 pictures recovered."


def test_nothing_is_tidied_up_while_another_process_saves(history, home, monkeypatch):
    killed_after(monkeypatch, history, "temporary")
    with open(home.home / "saving.lock", "wb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert history.recover() == Recovery()
    assert history.recover() == Recovery(dropped=1, swept=1)


def test_an_older_picture_at_a_chosen_name_is_not_taken_for_the_new_one(history, home, tmp_path, monkeypatch):
    chosen = tmp_path / "chosen.png"
    write_png(chosen, picture(), recipe("old"))

    def stop(*_args):
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(store, "remove_row", lambda _db, _id: None)
        patched.setattr(pnginfo, "write_png", stop)
        with pytest.raises(KilledError):
            history.save(picture(), recipe("new"), out=chosen)
    (tmp_path / "chosen.png.tmp").write_bytes(b"half")
    assert history.recover() == Recovery(dropped=1)
    assert chosen.is_file()
    assert not (tmp_path / "chosen.png.tmp").exists()


def test_a_picture_at_a_chosen_name_is_recovered(history, tmp_path, monkeypatch):
    def stop(*_args):
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(store, "remove_row", lambda _db, _id: None)
        patched.setattr(store, "write_thumbnail", stop)
        with pytest.raises(KilledError):
            history.save(picture(), recipe("new"), out=tmp_path / "chosen.png")
    assert history.recover() == Recovery(recovered=1)
    assert history.entries()[0].path == tmp_path / "chosen.png"


def test_a_deletion_that_was_cut_off_is_undone(home):

    def killed(_path):
        raise KilledError

    with closing(History(home, killed)) as history:
        entry = history.save(picture(), recipe())
        with pytest.raises(KilledError):
            history.delete([entry.id])
        assert history.entries() == []
        assert history.recover() == Recovery(restored=1)
        assert history.entries() == [entry]


def test_a_lost_database_is_rebuilt_from_the_pictures(history, home, trash):
    entries = [history.save(picture((i, 0, 0)), recipe(f"heart {i}", seed=2**64 - 1 - i)) for i in range(5)]
    history.delete([entries[0].id])
    history.close()
    for file in home.home.glob("history.db*"):
        file.unlink()
    (home.images / entries[1].path.parent.name / "notes.png").write_bytes(b"not ours")
    after, recovery = started(home, trash)
    assert recovery == Recovery(recovered=4)
    found = after.entries("heart")
    assert [entry.id for entry in found] == [5, 4, 3, 2]
    assert [entry.recipe for entry in found] == [entry.recipe for entry in reversed(entries[1:])]
    assert after.save(picture(), recipe()).id == 6
    after.close()


def test_pictures_saved_after_the_database_was_lost_keep_those_before(history, home, trash):
    old = history.save(picture("red"), recipe("same"))
    history.close()
    home.database.unlink()
    other = History(home, trash)  # as the command line does: nothing is put right
    new = other.save(picture("blue"), recipe("same"))
    assert new.id == old.id
    assert new.path != old.path
    assert other.recover() == Recovery(recovered=1)
    assert {entry.path for entry in other.entries()} == {old.path, new.path}
    other.close()


def damage_header(path):
    path.write_bytes(b"\0" * 100 + path.read_bytes()[100:])


def damage_pages(path):
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8192)


def truncate(path):
    with path.open("r+b") as file:
        file.truncate(5000)


@pytest.mark.parametrize("damage", [damage_header, damage_pages, truncate])
def test_a_damaged_database_is_kept_aside_and_rebuilt(history, home, trash, damage):
    entries = [history.save(picture(), recipe(f"heart {i}")) for i in range(3)]
    queue = JobQueue(home)
    job = queue.submit(entries[0].recipe.request, [7])
    queue.close()
    history.close()
    damage(home.database)
    damaged = home.database.read_bytes()
    home.database.with_name("history.db-wal").touch()  # the program did not close it
    after, recovery = started(home, trash)
    assert recovery.kept.read_bytes() == damaged
    assert (recovery.recovered, after.count("heart")) == (3, 3)
    assert str(recovery).startswith(f"The history file was damaged: it was kept as {recovery.kept.name}")
    again = JobQueue(home)
    assert all(found.id == job.id and found.state is JobState.QUEUED for found in again.jobs())
    again.close()
    after.close()
    once_more, recovery = started(home, trash)
    assert recovery == Recovery()
    once_more.close()


def test_jobs_that_can_still_be_read_survive_damage_elsewhere(history, home, trash):
    queue = JobQueue(home)
    jobs = [queue.submit(recipe(f"job {i}").request, [i]) for i in range(3)]
    queue.close()
    for i in range(300):
        with written(home) as db:
            store.insert_entry(db, recipe(f"filler {i}"), "2026-11-23T05:00:00+00:00")
    history.close()
    with sqlite3.connect(home.database) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'entries'").fetchone()
    db.close()
    with home.database.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    home.database.with_name("history.db-wal").touch()
    after, recovery = started(home, trash)
    assert recovery.kept is not None
    again = JobQueue(home)
    assert [(job.id, job.request) for job in again.jobs()] == [(job.id, job.request) for job in jobs]
    again.close()
    after.close()


def test_a_job_that_survives_damage_knows_which_of_its_pictures_are_made(history, home, trash):
    queue = JobQueue(home)
    job = queue.submit(recipe().request, [1, 2, 3])
    for seed in (1, 2):
        history.save(picture(), recipe(seed=seed), job_id=job.id)
    queue.close()
    history.close()
    set_aside(home)
    after, recovery = started(home, trash)
    again = JobQueue(home)
    assert (recovery.recovered, recovery.marked) == (2, 0)
    assert (again.get(job.id).made, again.remaining(job.id)) == (2, (3,))
    again.close()
    after.close()


def test_jobs_beside_a_damaged_page_of_jobs_survive(history, home, trash):
    queue = JobQueue(home)
    jobs = [queue.submit(recipe(f"job {i} " + 400 * "x").request, [i]) for i in range(100)]
    queue.close()
    history.close()
    with closing(sqlite3.connect(home.database)) as db:
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'jobs'").fetchone()
    with home.database.open("r+b") as file:
        file.seek((root - 1) * 4096)
        page = file.read(4096)
        first = int.from_bytes(page[12:14], "big")  # sqlite.org/fileformat2.html: an inner page's first cell
        file.seek((int.from_bytes(page[first : first + 4], "big") - 1) * 4096)  # the leaf it leads to
        file.write(b"\xff" * 4096)
    home.database.with_name("history.db-wal").touch()
    after, recovery = started(home, trash)
    assert recovery.kept is not None
    again = JobQueue(home)
    survived = [job.request for job in again.jobs()]
    again.close()
    after.close()
    assert 80 < len(survived) < 100
    assert survived == [job.request for job in jobs][-len(survived) :]


def test_a_database_that_was_not_closed_is_looked_through_when_it_is_opened(history, home, trash):
    history.save(picture(), recipe())
    history.close()
    damage_pages(home.database)
    home.database.with_name("history.db-wal").touch()
    with pytest.raises(HistoryDamaged) as raised:
        History(home, trash)
    assert "\n" not in str(raised.value)
    assert "rebuilt" in raised.value.hint


def test_a_data_folder_copied_to_another_place_is_whole(history, home, tmp_path, trash):
    history.save(picture(), recipe())
    history.close()
    shutil.copytree(home.home, tmp_path / "copy")
    copy, recovery = started(StudioPaths(tmp_path / "copy"), trash)
    assert recovery == Recovery()
    assert copy.entries()[0].path.is_file()
    copy.close()
