from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image

from sdstudio.core.errors import SaveFailed
from sdstudio.core.paths import StudioPaths
from sdstudio.history import store
from sdstudio.history.care.recovery import Recovery
from sdstudio.history.database.look import Look
from sdstudio.history.exchange.importing import SAYS_NOTHING, find_pictures, import_pictures
from sdstudio.history.picture_text.foreign.origin import origin_of
from sdstudio.history.picture_text.pnginfo import write_png
from sdstudio.history.store import History
from tests.unit.history.conftest import everything_below, picture, recipe, started, written
from tests.unit.history.foreign.pictures import A1111, INVOKE_4, comfy_nodes, json, png, with_comment


def hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """A folder with pictures of several programs and kinds, and things that are none."""
    folder = tmp_path / "from elsewhere"
    (folder / "deeper").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    (folder / "a.png").write_bytes(png({"parameters": A1111.format(sampler="Euler a", version="v1.10.1")}))
    (folder / "b.jpg").write_bytes(with_comment("JPEG", A1111.format(sampler="Euler", version="v1.10.1")))
    (folder / "deeper" / "c.webp").write_bytes(with_comment("WEBP", A1111.format(sampler="Heun", version="v1.10.1")))
    (folder / "deeper" / "d.png").write_bytes(png({"prompt": json.dumps(comfy_nodes())}))
    (folder / "e.png").write_bytes(png({"invokeai_metadata": json.dumps(INVOKE_4)}))
    write_png(folder / "f.png", picture("navy"), recipe("one of ours", seed=7))
    (folder / "g empty.png").write_bytes(b"")
    picture().save(folder / "h photo.png")
    (folder / "i.txt").write_text("not looked at in a folder")
    (folder / ".hidden" / "j.png").write_bytes(b"")
    return folder


def test_a_folder_is_imported_and_what_failed_is_listed(history, others):
    before = {path: hash_of(path) for path in others.rglob("*") if path.is_file()}
    told: list[tuple[int, int, str]] = []
    report = import_pictures(history, [others], lambda *progress: told.append(progress))
    assert str(report) == "6 pictures imported, 2 failed."
    assert [taken.source.name for taken in report.taken] == ["a.png", "b.jpg", "e.png", "f.png", "c.webp", "d.png"]
    reasons = {failure.source.name: failure.reason for failure in report.failed}
    assert reasons == {"g empty.png": "the file is empty (0 bytes)", "h photo.png": SAYS_NOTHING}
    assert [done for done, _, _ in told] == list(range(9))
    assert {total for _, total, _ in told} == {8}
    assert {path: hash_of(path) for path in before} == before, "the originals are untouched"
    for taken in report.taken:
        assert hash_of(taken.entry.path) == before[taken.source], "the copy is the original, bit for bit"
        assert history.get(taken.entry.id).recipe == taken.reading.recipe
        assert taken.entry.thumbnail.is_file()
        assert taken.entry.path.suffix == taken.source.suffix
    assert history.count() == 6
    assert history.entries("glass bottle")[0].recipe.model_name == "dreamshaper_8"


def test_an_imported_picture_has_the_time_it_was_made(history, others):
    os.utime(others / "a.png", (1_500_000_000, 1_500_000_000))
    report = import_pictures(history, [others / "a.png"])
    (entry,) = history.entries()
    assert entry.created == datetime.fromtimestamp(1_500_000_000).astimezone()
    assert report.taken[0].entry.created == entry.created


def test_what_could_not_be_mapped_stays_with_the_entry(history, others):
    import_pictures(history, [others / "e.png"])
    (entry,) = history.entries()
    origin = origin_of(entry.recipe)
    assert origin is not None
    assert origin.program == "InvokeAI 4.2.1"
    assert origin.not_mapped["seamless_x"] == "True"


def test_tidying_up_and_checking_during_an_import_find_nothing_to_put_right(history, others):
    found: list[object] = []

    def meanwhile(done: int, _total: int, _name: str) -> None:
        if done == 2:
            found.append(history.recover())
        if done in (3, 4):
            found.append(history.care.check(repair=done == 4).findings)

    report = import_pictures(history, [others], meanwhile)
    assert found == [Recovery(), [], []]
    assert history.count() == len(report.taken) == 6


def test_the_same_picture_is_not_taken_twice_and_an_own_one_not_at_all(history, others):
    made = history.save(picture(), recipe("made here"))
    first = import_pictures(history, [others])
    shutil.copy(others / "a.png", others / "z.png")
    again = import_pictures(history, [others, made.path])
    assert (len(again.taken), len(again.known)) == (0, 8)
    assert dict(again.known)[made.path] == made.id
    assert dict(again.known)[others / "z.png"] == first.taken[0].entry.id
    assert history.count() == 7


def test_what_an_older_version_imported_gets_its_folder_when_it_is_imported_again(history, home, others):
    made = history.save(picture(), recipe("made here"))
    import_pictures(history, [others])
    with written(home) as db:
        db.execute("UPDATE entries SET folder = NULL")
    again = import_pictures(history, [others, made.path])
    assert str(again).startswith("0 pictures imported, 7 already there (5 now with their folder)")
    assert history.get(made.id).folder == "", "it was made here"
    assert {
        history.get(number).folder for path, number in again.known if path.parent == others and path.name != "f.png"
    } == {others.as_posix()}
    assert "with their folder" not in str(import_pictures(history, [others]))


def test_a_picture_that_an_older_version_read_less_of_is_not_taken_twice(history, home, others):
    import_pictures(history, [others])
    with written(home) as db:
        db.execute("UPDATE entries SET recipe = json_remove(recipe, '$.request.eta', '$.model_name')")
    again = import_pictures(history, [others])
    assert again.taken == []
    assert len(again.known) == history.count()


def test_a_prompt_with_a_nul_is_not_taken_twice(history, home, tmp_path):
    write_png(tmp_path / "nul.png", picture(), recipe("before\0after"))
    assert len(import_pictures(history, [tmp_path / "nul.png"]).taken) == 1
    assert import_pictures(history, [tmp_path / "nul.png"]).taken == []


def test_twins_that_follow_each_other_are_taken_once(history, others):
    shutil.copy(others / "a.png", others / "a2.png")
    report = import_pictures(history, [others / "a.png", others / "a2.png"])
    assert (len(report.taken), len(report.known)) == (1, 1)
    assert history.count() == 1


def test_another_picture_with_the_same_parameters_is_another_entry(history, tmp_path):
    for name, color in (("a.png", "red"), ("b.png", "blue")):
        write_png(tmp_path / name, picture(color), recipe())
    assert len(import_pictures(history, [tmp_path / "a.png", tmp_path / "b.png"]).taken) == 2


def test_a_deleted_picture_can_be_imported_again(history, others):
    (taken,) = import_pictures(history, [others / "a.png"]).taken
    history.delete([taken.entry.id])
    assert len(import_pictures(history, [others / "a.png"]).taken) == 1


def test_an_import_is_taken_back_by_deleting_and_brought_back_by_restoring(history, others):
    report = import_pictures(history, [others])
    ids = [taken.entry.id for taken in report.taken]
    history.delete(ids)
    assert history.count() == 0
    assert all(taken.source.is_file() for taken in report.taken)
    assert [entry.id for entry in history.restore(ids)] == ids


def test_cancelling_keeps_what_is_there_and_says_what_is_left(history, others):
    asked = iter([False, False, True])
    report = import_pictures(history, [others], cancelled=lambda: next(asked))
    assert str(report) == "2 pictures imported, 6 left out: stopped."
    assert history.count() == 2


def test_a_full_disk_stops_the_import_whole(history, home, others, monkeypatch):
    real, calls = store.copy_whole, []

    def full(source: Path, path: Path) -> None:
        calls.append(path)
        if len(calls) == 3:
            raise SaveFailed("Disk full: the picture was not saved.", "Free some space.")
        real(source, path)

    monkeypatch.setattr(store, "copy_whole", full)
    report = import_pictures(history, [others])
    assert str(report) == "2 pictures imported, 6 left out: Disk full: the picture was not saved."
    assert history.count() == len(everything_below(home.images)) == 2


def test_a_source_that_goes_away_meanwhile_is_said(history, others, monkeypatch):
    def gone(_source: Path, _path: Path) -> None:
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))

    monkeypatch.setattr(store, "copy_whole", gone)
    with pytest.raises(OSError, match="No such file"):
        import_pictures(history, [others / "a.png"])
    assert history.count() == 0


def test_named_files_are_looked_at_whatever_they_are_called_and_each_once(tmp_path, others):
    odd = Path(os.fsdecode(bytes(tmp_path) + b"/odd\xff.png"))
    named = [others / "i.txt", others / "a.png", others, odd, tmp_path / "nowhere.png"]
    found = find_pictures(named)
    assert found[:2] == named[:2]
    assert found[-2:] == [odd, tmp_path / "nowhere.png"]
    assert len(found) == len(set(found)) == 11
    assert not any(path.name == "j.png" for path in found)


def test_odd_names_fail_in_one_line_or_are_imported_under_a_plain_name(history, tmp_path):
    odd = Path(os.fsdecode(bytes(tmp_path) + b"/odd\xff.png"))
    odd.write_bytes(png({"parameters": A1111.format(sampler="Euler", version="v1")}))
    report = import_pictures(history, [odd, tmp_path / "nowhere.png"])
    assert [taken.entry.path.name.isascii() for taken in report.taken] == [True]
    assert "nowhere.png: it cannot be read (No such file or directory)" in str(report.failed[0])


@pytest.mark.logs("history.care.recovery")
def test_the_history_rebuilt_from_the_pictures_alone_is_the_same(history, home: StudioPaths, trash, others):
    made = [history.save(picture(), recipe(f"made here {n}", seed=n)) for n in range(3)]
    import_pictures(history, [others])
    history.save(picture(), recipe("the last one"))
    before = history.entries()
    assert len(before) == 10
    history.close()
    for ending in ("", "-wal", "-shm"):
        Path(f"{home.database}{ending}").unlink(missing_ok=True)
    rebuilt, recovery = started(home, trash)
    assert recovery.recovered == 10
    after = rebuilt.entries()
    assert [entry.recipe for entry in after] == [entry.recipe for entry in before]
    assert [entry.id for entry in after] == [entry.id for entry in before]
    assert [entry.path for entry in after] == [entry.path for entry in before]
    own = {entry.id for entry in made}
    assert [e.created for e in after if e.id not in own] == [e.created for e in before if e.id not in own] or all(
        abs((a.created - b.created).total_seconds()) < 60 for a, b in zip(after, before, strict=True)
    )
    rebuilt.close()


def killed_import(history: History, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class KilledError(BaseException):
        pass

    def stop(*_args: object) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(store, "write_thumbnail", stop)
        with pytest.raises(KilledError):
            import_pictures(history, [source])


@pytest.mark.logs("history.care.recovery")
def test_an_import_that_is_cut_off_is_finished_at_the_next_start(history, home, trash, others, monkeypatch):
    killed_import(history, others / "b.jpg", monkeypatch)
    assert history.count() == 0
    after, recovery = started(home, trash)
    assert recovery.recovered == 1
    assert after.entries()[0].path.suffix == ".jpg"
    after.close()


def test_a_thousand_dropped_files_with_one_in_a_hundred_broken(history, quick_folder):
    folder = quick_folder / "many"
    folder.mkdir()
    pixels = Image.effect_noise((16, 16), 60)
    broken = {at: kind for at, kind in zip(range(0, 1200, 100), ["empty", "cut", "text", "sum"] * 3, strict=True)}
    for at in range(1200):
        file = folder / f"{at:05d}.png"
        write_png_quickly(file, pixels, at)
        if at in broken:
            data = file.read_bytes()
            file.write_bytes({
                "empty": b"", "cut": data[: len(data) - 60], "text": b"no picture",
                "sum": data[:-17] + bytes([data[-17] ^ 1]) + data[-16:],
            }[broken[at]])  # fmt: skip
    shares: list[float] = []
    report = import_pictures(history, [folder], lambda done, total, _name: shares.append(done / total))
    assert str(report) == "1,188 pictures imported, 12 failed."
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert {int(failure.source.stem) for failure in report.failed} == set(broken)
    assert len({failure.reason.split("(")[0] for failure in report.failed}) >= 3
    assert history.count() == 1188


def write_png_quickly(file: Path, pixels: Image.Image, number: int) -> None:
    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", f"number {number}\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: {number}")
    pixels.save(file, pnginfo=info, compress_level=1)


def test_each_folder_that_was_imported_from_is_counted_with_those_below_it(history, others):
    beside = others.parent / "from elsewhere 2"
    beside.mkdir()
    write_png(beside / "k.png", picture("navy"), recipe("another", seed=8))
    made_here = history.save(picture("navy"), recipe("made here", seed=9))
    import_pictures(history, [others, beside / "k.png"])
    assert history.get(made_here.id).folder == ""
    above = others.as_posix()
    counted = [(above, 6), (f"{above} 2", 1), (f"{above}/deeper", 2)]
    assert history.listing.facet("folder") == counted
    for folder, number in counted:
        found = history.listing.entries(history.listing.ids(Look(chosen=(("folder", folder),))))
        assert len(found) == number
        assert all((entry.folder + "/").startswith(folder + "/") for entry in found)


def test_a_picture_from_a_folder_whose_name_is_no_text_is_imported_all_the_same(history, tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    folder.mkdir()
    write_png(folder / "f.png", picture("navy"), recipe("one of ours", seed=7))
    assert str(import_pictures(history, [folder])) == "1 picture imported."
    assert [value for value, _ in history.listing.facet("folder")] == [f"{tmp_path.as_posix()}/?"]


def test_an_old_history_takes_pictures_with_their_folder(home, others):
    home.create()
    old = Path(__file__).parents[1] / "old_databases" / "4.sql"
    with closing(sqlite3.connect(home.database)) as db:
        db.executescript(old.read_text(encoding="utf-8"))
    with closing(History(home, lambda path: path)) as history:
        before = history.count()
        import_pictures(history, [others / "a.png"])
        assert history.count() == before + 1
        assert history.listing.facet("folder") == [(others.as_posix(), 1)]
