"""Pictures in a folder and under names of the user's choosing: kept, found again, and never lost on the way there."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing

import pytest
from PIL import Image

from sdstudio.core import files
from sdstudio.core.paths import StudioPaths
from sdstudio.core.settings import Settings
from sdstudio.history import name_notes, store
from sdstudio.history.care.checkup import DAMAGED, NO_FILE, NO_ROW
from sdstudio.history.care.recovery import Recovery, set_aside
from sdstudio.history.name_notes import NOTES, noted_names
from sdstudio.history.picture_text.foreign.reading import recipe_of
from sdstudio.history.store import History
from tests.unit.history.conftest import everything_below, noise, picture, recipe, started

pytestmark = pytest.mark.logs("history.care.recovery", "a picture goes to the data folder")

BY_SEED = "{model}/{seed}"
FORMATS = pytest.mark.parametrize("kept_as", ["png", "webp", "jpeg"])


class KilledError(BaseException):
    """Ends a save where ``kill -9`` would."""


@pytest.fixture
def output(tmp_path):
    folder = tmp_path / "pictures ☺"
    folder.mkdir()
    return folder


def written(home: StudioPaths, sql: str) -> None:
    with closing(sqlite3.connect(home.database)) as database, database:
        database.execute(sql)


def cut_off(history: History, monkeypatch, where: str, prompt: str) -> None:
    def stop(*_args):
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(store, where, stop)
        with pytest.raises(KilledError):
            history.save(picture(), recipe(prompt))


@FORMATS
def test_new_pictures_go_there_and_old_ones_stay_in_the_history(history, output, home, kept_as):
    old = history.save(picture(), recipe("old"))
    history.configure(Settings(output_folder=output, name_pattern=BY_SEED, file_format=kept_as))
    new = history.save(picture(), recipe("new"))
    assert new.path.parent == output / "starter"
    assert new.path.stem == "42"
    assert recipe_of(new.path) == new.recipe
    history.configure(Settings(output_folder=output.parent / "trash"))
    third = history.save(picture(), recipe("third"))
    assert third.path == output.parent / "trash" / str(third.created.date()) / "000003-third-42.png"
    assert history.entries() == [third, new, old]
    assert all(entry.path.is_file() for entry in history.entries())
    assert history.placing.folder == output.parent / "trash"
    assert history.placing.problem is None


def test_the_default_writes_no_notes(history, home):
    history.save(picture(), recipe())
    assert not (home.home / NOTES).exists()


def test_a_name_that_exists_is_never_overwritten(history, output, trash):
    history.configure(Settings(output_folder=output, name_pattern="{seed}"))
    (output / "42.png").write_bytes(b"mine")
    first, second = history.save(picture(), recipe("one")), history.save(picture(), recipe("two"))
    assert [first.path.name, second.path.name] == ["42-2.png", "42-3.png"]
    assert (output / "42.png").read_bytes() == b"mine"
    history.delete([first.id])
    third = history.save(picture(), recipe("three"))
    assert third.path.name == "42-4.png", "what lies in the trash may come back"
    assert history.restore([first.id])[0].recipe == recipe("one") == recipe_of(first.path)
    assert history.count() == 3


@pytest.mark.parametrize("prompt", ["x" * 300, "🐸" * 50, "../../../etc", "a/b/c", "\n", "CON", "."])
def test_any_prompt_gives_a_name_within_the_folder(history, output, prompt):
    history.configure(Settings(output_folder=output, name_pattern="{prompt}/{prompt}-{seed}"))
    entry = history.save(picture(), recipe(prompt))
    assert entry.path.is_relative_to(output)
    assert entry.path.resolve().is_relative_to(output.resolve())
    assert recipe_of(entry.path) == entry.recipe


def test_a_folder_that_goes_away_between_pictures_loses_none_and_says_so(history, output, home):
    history.configure(Settings(output_folder=output, name_pattern=BY_SEED))
    first = history.save(picture(), recipe("first"))
    away = output.rename(output.with_name("unplugged"))
    second = history.save(picture(), recipe("second"))
    assert second.path.is_relative_to(home.images)
    assert second.path.name == f"{second.id:06d}-second-42.png"
    assert not output.exists(), "a folder that is gone may be a disk: it is not made anew on another one"
    problem = history.placing.problem
    assert problem.message == f"Output folder = {output}: it is not there."
    assert problem.hint
    assert history.placing.folder == home.images
    away.rename(output)
    assert history.placing.problem is None
    third = history.save(picture(), recipe("third"))
    assert third.path == output / "starter" / "42-2.png"
    assert history.entries() == [third, second, first]


def test_a_file_in_place_of_the_folder_or_of_one_below_loses_no_picture(history, output, home):
    (output / "starter").write_bytes(b"no folder")
    history.configure(Settings(output_folder=output, name_pattern=BY_SEED))
    first = history.save(picture(), recipe("first"))
    assert first.path.is_relative_to(home.images)
    assert "stand in each other's way" in history.placing.problem.message
    history.configure(Settings(output_folder=output / "starter"))
    assert "it is a file, no folder" in history.placing.problem.message
    second = history.save(picture(), recipe("second"))
    assert second.path.is_relative_to(home.images)
    assert history.entries() == [second, first]
    assert everything_below(output) == {"starter"}
    history.configure(Settings(output_folder=output))
    assert history.placing.problem is None


@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
def test_a_full_disk_there_sends_pictures_to_the_data_folder(history, output, home, monkeypatch, call):
    history.configure(Settings(output_folder=output, file_format="webp"))
    real = open if call == "open" else getattr(os, call)
    places: dict[int, str] = {}

    def full(first, *args, **options):
        where = os.readlink(f"/proc/self/fd/{first}") if isinstance(first, int) else str(first)
        places[len(places)] = where
        if where.startswith(str(output)):
            raise OSError(28, "No space left on device")
        return real(first, *args, **options)

    with monkeypatch.context() as patched:
        if call == "open":
            patched.setattr(files, "open", full, raising=False)
        else:
            patched.setattr(files.os, call, full)
        entry = history.save(picture(), recipe())
    assert any(where.startswith(str(output)) for where in places.values())
    assert entry.path.is_relative_to(home.images)
    assert entry.path.suffix == ".webp"
    assert "Disk full" in history.placing.problem.message
    assert everything_below(output) == set()
    assert history.entries() == [entry]
    assert history.save(picture(), recipe()).path.is_relative_to(output)
    assert history.placing.problem is None


def test_folders_of_the_data_folder_that_hold_something_else_take_no_pictures(history, home):
    history.configure(Settings(output_folder=home.thumbnails))
    assert history.save(picture(), recipe()).path.is_relative_to(home.images)
    assert f"pictures are kept in {home.images} alone" in history.placing.problem.message
    inside = home.images / "mine"
    inside.mkdir()
    history.configure(Settings(output_folder=inside, name_pattern="{seed}"))
    assert history.save(picture(), recipe()).path == inside / "42.png"


@FORMATS
@pytest.mark.parametrize("where", ["write_thumbnail", "write"])
def test_a_save_cut_off_there_is_finished_or_taken_back(history, home, trash, output, monkeypatch, kept_as, where):
    history.configure(Settings(output_folder=output, name_pattern=BY_SEED, file_format=kept_as))
    if where == "write":
        monkeypatch.setattr(files.os, "replace", lambda *_args: (_ for _ in ()).throw(KilledError))
        monkeypatch.setattr(type(output), "unlink", lambda *_args, **_options: None)
        with pytest.raises(KilledError):
            history.save(picture(), recipe("cut off"))
        monkeypatch.undo()
        assert [name[-4:] for name in everything_below(output)] == [".tmp"]
    else:
        cut_off(history, monkeypatch, where, "cut off")
    history.close()
    again, recovery = started(home, trash)
    if where == "write":
        assert again.entries() == []
    else:
        assert recovery == Recovery(recovered=1)
        assert [entry.recipe for entry in again.entries()] == [recipe("cut off")]
    again.close()


@FORMATS
def test_a_lost_database_is_rebuilt_from_there_and_other_programs_pictures_are_left_alone(
    history, home, trash, output, kept_as
):
    stranger = output / "00017-1234.png"
    shutil.copy(history.save(picture(), recipe("of another studio"), out=output).path, stranger)
    history.configure(Settings(output_folder=output, name_pattern=BY_SEED, file_format=kept_as))
    first = history.save(picture(), recipe("first"))
    inside = home.images / "inside"
    inside.mkdir()
    history.configure(Settings(output_folder=inside, name_pattern="deep/{seed}"))
    second = history.save(picture(), recipe("second"))
    history.marks.rate([first.id], 4)
    history.close()
    set_aside(home)
    rebuilt, recovery = started(home, trash)
    assert (recovery.recovered, recovery.marked) == (2, 1)
    assert [(entry.id, entry.path, entry.recipe) for entry in rebuilt.entries()] == [
        (second.id, second.path, second.recipe), (first.id, first.path, first.recipe),
    ]  # fmt: skip
    assert rebuilt.get(first.id).rating == 4
    assert rebuilt.recover() == Recovery()
    rebuilt.close()


def test_pictures_on_a_disk_that_is_not_there_come_back_with_it(history, home, trash, output):
    history.configure(Settings(output_folder=output, name_pattern=BY_SEED))
    entry, other = history.save(picture(), recipe("first")), history.save(picture(), recipe("second"))
    away = output.rename(output.with_name("unplugged"))
    report = history.care.check(repair=True)
    assert {finding.kind for finding in report.findings} == {NO_FILE}
    assert history.entries() == []
    away.rename(output)
    assert history.recover() == Recovery(restored=2)
    assert history.entries() == [other, entry]
    history.close()
    set_aside(home)
    output.rename(away)
    rebuilt, _ = started(home, trash)
    assert rebuilt.entries() == []
    newer = rebuilt.save(picture("blue"), recipe("newer"))
    assert newer.id == entry.id, "nothing knows better while the disk is away"
    away.rename(output)
    assert rebuilt.recover().recovered == 2
    assert {each.recipe.request.prompt for each in rebuilt.entries()} == {"first", "second", "newer"}
    rebuilt.close()


def test_a_renamed_picture_is_found_by_repair_and_its_neighbours_are_not_taken(history, output):
    shutil.copy(history.save(picture(), recipe("stranger"), out=output).path, output / "stranger.png")
    history.configure(Settings(output_folder=output, name_pattern="{seed}"))
    entry = history.save(noise((64, 64)), recipe("mine"))
    moved = entry.path.rename(output / "renamed.png")
    (finding,) = history.care.check().findings
    assert (finding.kind, finding.entry_id) == (NO_FILE, entry.id)
    assert str(moved) in finding.text
    history.care.check(repair=True)
    assert history.get(entry.id).path == moved
    assert history.count() == 2
    assert history.care.check().findings == []


def test_check_lists_a_noted_picture_without_a_row_under_its_number(history, home, output):
    history.configure(Settings(output_folder=output, name_pattern=BY_SEED))
    entry = history.save(picture(), recipe("row lost"))
    written(home, "DELETE FROM entries")
    (finding, *_) = history.care.check().findings
    assert (finding.kind, finding.path) == (NO_ROW, entry.path)
    history.care.check(repair=True)
    assert [(each.id, each.path) for each in history.entries()] == [(entry.id, entry.path)]


@FORMATS
def test_checkup_trash_and_backup_know_it(history, home, trash, output, tmp_path, kept_as):
    history.configure(Settings(output_folder=output, name_pattern=BY_SEED, file_format=kept_as))
    entry, other = history.save(noise((64, 64)), recipe("first")), history.save(noise((64, 64)), recipe("second"))
    assert history.care.check(deep=True).findings == []
    report = history.care.back_up(tmp_path / "backup")
    assert (report.pictures, report.missing) == (2, [])
    copy, recovery = started(StudioPaths(tmp_path / "backup"), trash)
    assert recovery == Recovery(), "pictures that lie in the backup by now are not taken from the old place again"
    assert [each.recipe for each in copy.entries()] == [other.recipe, entry.recipe]
    assert all(each.path.is_relative_to(tmp_path / "backup") for each in copy.entries())
    copy.close()
    set_aside(StudioPaths(tmp_path / "backup"))
    rebuilt, _ = started(StudioPaths(tmp_path / "backup"), trash)
    assert [each.id for each in rebuilt.entries()] == [other.id, entry.id]
    rebuilt.close()
    history.delete([entry.id])
    assert (trash.files / entry.path.name).is_file()
    assert history.restore([entry.id])[0].path.is_file()
    other.path.write_bytes(other.path.read_bytes()[:900])
    assert [(each.kind, each.path) for each in history.care.check(deep=True).findings] == [(DAMAGED, other.path)]


def test_a_deletion_cut_off_there_is_undone(history, home, output, trash, monkeypatch):
    history.configure(Settings(output_folder=output, name_pattern=BY_SEED))
    entry = history.save(picture(), recipe("kept"))
    written(home, "UPDATE entries SET deleted_at = created")
    assert history.entries() == []
    assert history.recover() == Recovery(restored=1)
    assert history.entries() == [entry]
    written(home, "UPDATE entries SET deleted_at = created")
    Image.new("RGB", (8, 8)).save(entry.path)
    assert history.recover() == Recovery(), "another picture of that name is not it"


def test_imports_go_to_the_data_folder(history, home, output, tmp_path):
    source = history.save(picture(), recipe("from elsewhere"), out=tmp_path).path
    history.configure(Settings(output_folder=output))
    assert history.add_copy(source, recipe("from elsewhere"), picture()).path.is_relative_to(home.images)


def test_notes_that_were_cut_off_cost_nothing_but_themselves(home, output):
    name_notes.note_name(home, output / "a.png", 1)
    with (home.home / NOTES).open("ab") as file:
        file.write(b'\n[2, "/cut o')
    name_notes.note_name(home, home.images / "x" / "b.png", 3)
    name_notes.note_name(home, output / "a.png", 4)
    assert noted_names(home) == {output / "a.png": 4, home.images / "x" / "b.png": 3}
    lines = [json.loads(line) for line in (home.home / NOTES).read_text().splitlines() if line.endswith("]")]
    assert lines[1] == [3, "images/x/b.png"], "the data folder may be moved"
