from __future__ import annotations

import errno
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from sdstudio.core import files
from sdstudio.core.errors import HistoryError, HistoryTooNew, SaveFailed
from sdstudio.core.paths import StudioPaths
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history import store
from sdstudio.history.care.recovery import Recovery
from sdstudio.history.database.schema import Database
from sdstudio.history.picture_text.foreign.reading import recipe_of
from sdstudio.history.store import History
from tests.unit.history.conftest import Bin, everything_below, noise, picture, recipe, started, written


def test_a_saved_picture_is_a_png_with_its_recipe_a_thumbnail_and_a_row(history, home):
    pixels, made = noise((64, 64)), recipe("red heart on a blue background")
    entry = history.save(pixels, made)
    assert entry.path.parent == home.images / entry.created.date().isoformat()
    assert entry.path.name == "000001-red-heart-on-a-blue-background-42.png"
    with Image.open(entry.path) as stored:
        assert stored.tobytes() == pixels.tobytes()
    assert recipe_of(entry.path) == made
    with Image.open(entry.thumbnail) as small:
        assert small.size == (64, 64)
    assert history.get(entry.id) == entry
    assert history.entries() == [entry]
    assert everything_below(home.images) == {f"{entry.path.parent.name}/{entry.path.name}"}


def test_a_data_folder_can_be_moved(history, home, trash):
    entry = history.save(picture(), recipe())
    history.close()
    moved_to = home.home.rename(home.home.with_name("moved"))
    moved = History(StudioPaths(moved_to), trash)
    assert moved.get(entry.id).path == moved_to / entry.path.relative_to(home.home)
    assert moved.get(entry.id).path.is_file()
    moved.close()


PROMPTS = {
    "emoji": "a 🦊 under a 🌈",
    "right to left": "قلب أحمر على خلفية زرقاء",
    "newlines": "a cat\n\n  in a hat\r\n",
    "nul": "before\0after",
    "a line like the negative prompt": "Negative prompt: no\nSteps: 20, Sampler: x, Size: 1x1",
    "path characters": "../../etc/passwd C:\\con <lora:x:1> *?|",
    "empty": "",
    "very long": "word " * 3_999,
    "sql": "'; DROP TABLE entries; --",
    "lone surrogate": "half \ud83d pair",
}


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS.keys())
def test_any_prompt_can_be_saved_found_and_read_back(history, home, prompt):
    made = recipe(prompt, negative_prompt=prompt)
    entry = history.save(picture(), made)
    assert entry.path.is_relative_to(home.images)
    assert entry.path.name.isascii()
    assert len(entry.path.name) <= 100
    assert history.get(entry.id).recipe == made
    assert recipe_of(entry.path) == made
    words = [word for word in prompt.replace("\0", " ").split() if len(word) >= 3][:5]
    assert history.entries(" ".join(words)) == [entry]


def test_a_seed_of_64_bits_survives(history):
    entry = history.save(picture(), recipe(seed=2**64 - 1))
    assert history.get(entry.id).recipe.request.seed == 2**64 - 1
    assert history.entries("18446744073709551615") == [entry]


def test_newest_comes_first_whatever_the_clock_says(history, monkeypatch):
    entries = []
    now = datetime(2026, 5, 1, 12).astimezone()

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return now - timedelta(hours=len(entries))  # a clock that is set back

    monkeypatch.setattr(store, "datetime", Clock)
    for _ in range(3):
        entries.append(history.save(picture(), recipe()))
    assert [entry.id for entry in history.entries()] == [3, 2, 1]


def test_the_newest_of_a_query_are_the_beginning_of_all_of_it(history):
    ids = [history.save(picture(), recipe(f"heart {i}")).id for i in range(25)]
    assert [entry.id for entry in history.entries("heart", limit=10)] == ids[:-11:-1]
    assert [entry.id for entry in history.entries("heart")] == ids[::-1]
    assert history.count() == history.count("heart") == 25


def test_the_caller_can_choose_file_or_folder(history, tmp_path):
    chosen = tmp_path / "my pictures ❤"
    entry = history.save(picture(), recipe(), out=chosen / "heart.png")
    assert entry.path == chosen / "heart.png"
    assert history.get(entry.id) == entry
    other = history.save(picture(), recipe("frog"), out=chosen)
    assert other.path == chosen / "000002-frog-42.png"


def test_a_picture_written_over_an_older_one_replaces_its_entry(history, tmp_path):
    old = history.save(picture("red"), recipe("old"), out=tmp_path / "x.png")
    new = history.save(picture("blue"), recipe("new"), out=tmp_path / "x.png")
    assert history.entries() == [new]
    assert recipe_of(old.path).request.prompt == "new"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x" * 300 + ".png", "this name cannot be used"),
        ("nul\0byte.png", "this name cannot be used"),
        ("half \ud83d pair.png", "this name cannot be used"),
        ("picture.webp", "pictures are saved as .png"),
        ("file.txt/inside.png", "in each other's way"),
    ],
)
def test_names_that_cannot_be_used_are_said_and_leave_nothing(history, home, tmp_path, name, message):
    (tmp_path / "file.txt").write_text("a file, no folder")
    before = everything_below(tmp_path)
    with pytest.raises(SaveFailed, match=message) as raised:
        history.save(picture(), recipe(), out=tmp_path / name)
    assert "\n" not in str(raised.value)
    assert everything_below(tmp_path) == before
    assert everything_below(home.images) == everything_below(home.thumbnails) == set()
    assert history.count() == 0


def test_a_name_taken_by_a_picture_of_a_lost_database_is_not_overwritten(history, home, monkeypatch):
    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2026, 5, 1, 12).astimezone()

    monkeypatch.setattr(store, "datetime", Clock)
    day = home.images / "2026-05-01"
    day.mkdir()
    (day / "000001-frog-42.png").write_bytes(b"somebody's picture")
    entry = history.save(picture(), recipe("frog"))
    assert entry.path.name == "000001-frog-42-2.png"
    assert (day / "000001-frog-42.png").read_bytes() == b"somebody's picture"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO])
@pytest.mark.parametrize("call", ["mkdir", "open", "fsync", "replace"])
def test_every_call_that_fails_leaves_nothing_and_can_be_repeated(history, home, monkeypatch, call, code):
    before = everything_below(home.home) - {"saving.lock"}

    def refuse(*_args, **_options):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        if call == "mkdir":
            patched.setattr(Path, "mkdir", refuse)
        elif call == "open":
            patched.setattr(files, "open", refuse, raising=False)
        else:
            patched.setattr(files.os, call, refuse)
        pixels = picture()
        with pytest.raises(SaveFailed) as raised:
            history.save(pixels, recipe())
    assert "\n" not in str(raised.value)
    assert raised.value.hint
    assert everything_below(home.home) - {"saving.lock"} == before
    assert history.count() == 0
    assert history.recover().dropped == 0, "no row is left waiting either"
    entry = history.save(pixels, recipe())
    assert history.entries() == [entry]


@pytest.mark.logs("history.store")
def test_a_picture_without_room_for_its_thumbnail_is_kept(history, monkeypatch):
    def refuse(path, pixels):
        raise SaveFailed("Disk full: no thumbnail.")

    with monkeypatch.context() as patched:
        patched.setattr(store, "write_thumbnail", refuse)
        entry = history.save(picture(), recipe())
    assert history.entries() == [entry]
    assert not entry.thumbnail.exists()
    assert history.thumbnail(entry).is_file()


@pytest.mark.logs("history.store")
def test_a_picture_on_disk_is_listed_as_soon_as_the_database_can_be_written_again(history, home, trash, monkeypatch):
    with monkeypatch.context() as patched:
        real = Database.transaction
        calls = []

        def second_fails(self):
            calls.append(1)
            if len(calls) == 2:
                raise HistoryError("History = history.db: the disk is full.")
            return real(self)

        patched.setattr(Database, "transaction", second_fails)
        entry = history.save(picture(), recipe())
        assert entry.path.is_file()
    assert history.entries() == []
    other = history.save(picture(), recipe("frog"))
    assert history.entries() == [other, entry]


def test_many_threads_save_at_once(history):
    errors, threads = [], []

    def save(number: int) -> None:
        try:
            for i in range(5):
                history.save(picture((number, i, 0)), recipe(f"thread {number} picture {i}"))
        except Exception as error:  # noqa: BLE001 (told by the assertion below)
            errors.append(error)

    for number in range(6):
        threads.append(threading.Thread(target=save, args=(number,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert history.count() == 30
    assert len({entry.path for entry in history.entries()}) == 30
    assert all(recipe_of(entry.path) == entry.recipe for entry in history.entries())


def test_delete_moves_to_the_trash_and_restore_brings_back(history, trash):
    kept, gone = history.save(picture(), recipe("kept")), history.save(picture(), recipe("gone"))
    assert history.delete([gone.id, gone.id, 99]) == [gone.id]
    assert history.entries() == [kept]
    assert history.count("gone") == 0
    assert not gone.path.exists()
    assert (trash.files / gone.path.name).is_file()
    assert history.get(gone.id).recipe == gone.recipe, "its row is kept"
    assert history.restore([gone.id]) == [gone]
    assert gone.path.is_file()
    assert history.entries() == [gone, kept]
    assert everything_below(trash.files.parent) == set(), "the trash's note about the file is gone too"
    assert history.restore([gone.id]) == [gone], "what is there needs no restoring"


def test_restore_says_what_cannot_be_brought_back_and_brings_back_the_rest(history, trash):
    one, two, three = (history.save(picture(), recipe()) for _ in range(3))
    history.delete([one.id, two.id])
    trash.silent = True
    history.delete([three.id])
    (trash.files / one.path.name).unlink()
    with pytest.raises(HistoryError, match="Entry = 1, 3, 77: no longer in the trash"):
        history.restore([one.id, two.id, three.id, 77])
    assert history.entries() == [two]


def test_a_trash_that_refuses_leaves_the_picture_in_the_history(history, trash):
    entry = history.save(picture(), recipe())
    trash.refuses = True
    with pytest.raises(HistoryError, match="could not be moved to the trash"):
        history.delete([entry.id])
    assert history.entries() == [entry]
    assert entry.path.is_file()


def test_an_entry_whose_file_is_gone_can_be_deleted(history):
    entry = history.save(picture(), recipe())
    entry.path.unlink()
    assert history.delete([entry.id]) == [entry.id]
    assert history.entries() == []
    assert history.restore([entry.id]) == [entry], "undo lists it again, as it was"
    assert history.entries() == [entry]


@pytest.mark.parametrize("number", [0, -1, 99, 2**63, 10**30])
def test_an_entry_that_is_not_there_is_named(history, number):
    with pytest.raises(HistoryError, match=f"Entry = {number}: there is no such picture"):
        history.get(number)


def test_an_unusable_data_folder_is_said_in_words(tmp_path, trash):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HistoryError, match="cannot be made or written"):
        History(StudioPaths(tmp_path / "file" / "home"), trash)


def test_a_newer_history_is_refused_and_kept(home, trash):
    with sqlite3.connect(home.database) as db:
        db.execute("PRAGMA user_version = 999")
    db.close()
    with pytest.raises(HistoryTooNew):
        started(home, trash)
    assert not list(home.home.glob("*.bad-*"))


@pytest.mark.logs("a stored (recipe|request) holds")
def test_a_recipe_of_another_version_is_still_shown(history, home):
    entry = history.save(picture(), recipe())
    with sqlite3.connect(home.database) as db:
        db.execute("UPDATE entries SET recipe = json_set(recipe, '$.request.sharpness', 3, '$.request.steps', 9000)")
    db.close()
    assert history.get(entry.id).recipe.request == entry.recipe.request.model_copy(update={"steps": 20})


ANIMALS = ("cat", "dog", "frog", "fox", "horse")
TAIL = "golden hour, highly detailed"


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Iterator[History]:
    """5,000 rows, written directly: what is looked at is the search."""
    paths = StudioPaths(tmp_path_factory.mktemp("large")).create()
    history = History(paths, lambda _path: None)
    with written(paths) as db:
        for i in range(5_000):
            words = f"a {ANIMALS[i % 5]} number {i} in the style of painter {i % 97}, {TAIL}"
            made = Recipe(app="t", request=GenerationRequest(prompt=words, negative_prompt="blurry", seed=i))
            number = store.insert_entry(db, made, "2026-11-23T05:00:00+00:00")
            db.execute("UPDATE entries SET state = 'done', path = ? WHERE id = ?", (f"images/x/{number}.png", number))
    yield history
    history.close()


@pytest.mark.parametrize("query", ["", "frog", "4999", "painter 96 fox", "nothing here", "a", "ur", "9"])
def test_search_in_5000_pictures_finds_the_right_ones_and_is_quick(large, query):
    texts = [f"a {ANIMALS[i % 5]} number {i} in the style of painter {i % 97} {TAIL} blurry" for i in range(5_000)]
    count = sum(all(word in text for word in query.split()) for text in texts)
    begun = time.perf_counter()
    found = large.entries(query)
    total = large.count(query)
    took_s = time.perf_counter() - begun
    assert (len(found), total) == (min(count, 200), count)
    assert took_s < 2, "measured 0.01 to 0.1 s; this catches a scan for every row"


def test_a_trash_whose_path_is_not_utf_8_gives_pictures_back(home, tmp_path):
    trash = Bin(Path(os.fsdecode(os.fsencode(tmp_path) + b"/m\xfcll")))
    history = History(home, trash)
    entry = history.save(picture(), recipe())
    assert history.delete([entry.id]) == [entry.id]
    assert not entry.path.exists()
    assert history.recover() == Recovery()
    assert history.restore([entry.id]) == [entry]
    assert entry.path.is_file()
    history.close()
