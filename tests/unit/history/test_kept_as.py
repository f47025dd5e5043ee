from __future__ import annotations

import shutil

import pytest
from PIL import Image

from sdstudio.core import files
from sdstudio.core.errors import SaveFailed
from sdstudio.core.paths import StudioPaths
from sdstudio.core.settings import Settings
from sdstudio.history import store
from sdstudio.history.care.checkup import DAMAGED
from sdstudio.history.care.recovery import Recovery, set_aside
from sdstudio.history.picture_text.foreign.reading import recipe_of
from sdstudio.history.verdict import Outcome, judged
from tests.unit.history.conftest import everything_below, noise, picture, recipe, started

pytestmark = pytest.mark.logs("history.care.recovery", "history.kept_as")

FORMATS = pytest.mark.parametrize(("kept_as", "ending"), [("png", ".png"), ("webp", ".webp"), ("jpeg", ".jpg")])


class KilledError(BaseException):
    """Ends a save as a kill would: nothing is cleaned up afterwards."""


@FORMATS
def test_a_picture_is_kept_in_the_chosen_format_with_its_recipe(history, kept_as, ending):
    history.configure(Settings(file_format=kept_as))
    pixels, made = noise((64, 48)), recipe("red heart 🦊", negative_prompt="blurry")
    entry = history.save(pixels, made)
    assert entry.path.name == f"000001-red-heart-42{ending}"
    assert recipe_of(entry.path) == recipe_of(entry.path) == made
    with Image.open(entry.path) as stored:
        assert stored.format == kept_as.upper()
        assert (stored.convert("RGB").tobytes() == pixels.tobytes()) == (kept_as != "jpeg")
    assert history.entries() == [entry]
    with Image.open(entry.thumbnail) as small:
        assert small.size == (64, 48)
    entry.thumbnail.unlink()
    assert history.thumbnail(entry).is_file()


def test_a_change_counts_from_the_next_picture_on_and_others_stay(history):
    first = history.save(picture(), recipe())
    history.configure(Settings(file_format="jpeg", jpeg_quality=40))
    coarse = history.save(noise((64, 64)), recipe())
    history.configure(Settings(file_format="jpeg", jpeg_quality=100))
    fine = history.save(noise((64, 64)), recipe())
    assert [entry.path.suffix for entry in (first, coarse, fine)] == [".png", ".jpg", ".jpg"]
    assert first.path.is_file()
    assert fine.path.stat().st_size > 2 * coarse.path.stat().st_size


@pytest.mark.parametrize(
    ("kept_as", "size", "prompt"),
    [("jpeg", (64, 64), "word " * 3_999), ("webp", (16_384, 1), "wide"), ("jpeg", (65_501, 1), "wider")],
)
def test_what_a_format_cannot_hold_is_kept_as_png(history, kept_as, size, prompt):
    history.configure(Settings(file_format=kept_as))
    made = recipe(prompt, negative_prompt=prompt)
    entry = history.save(picture(size=size), made)
    assert entry.path.suffix == ".png"
    assert recipe_of(entry.path) == made
    assert history.entries() == [entry]


def test_a_file_of_a_given_name_stays_what_its_name_says(history, tmp_path):
    history.configure(Settings(file_format="webp"))
    with Image.open(history.save(picture(), recipe(), out=tmp_path / "heart.png").path) as named:
        assert named.format == "PNG"
    assert history.save(picture(), recipe(), out=tmp_path).path == tmp_path / "000002-red-heart-42.webp"


@FORMATS
@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
def test_a_full_disk_leaves_nothing_and_the_picture_can_be_saved_again(
    history, home, monkeypatch, kept_as, ending, call
):
    history.configure(Settings(file_format=kept_as))
    before = everything_below(home.home) - {"saving.lock"}

    def refuse(*_args, **_options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        if call == "open":
            patched.setattr(files, "open", refuse, raising=False)
        else:
            patched.setattr(files.os, call, refuse)
        with pytest.raises(SaveFailed, match="Disk full"):
            history.save(picture(), recipe())
    assert everything_below(home.home) - {"saving.lock"} == before
    assert history.recover() == Recovery()
    assert history.save(picture(), recipe()).path.suffix == ending


@FORMATS
def test_a_picture_cut_off_before_its_row_was_done_is_recovered(history, home, trash, monkeypatch, kept_as, ending):
    history.configure(Settings(file_format=kept_as))

    def stop(*_args):
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(store, "write_thumbnail", stop)
        with pytest.raises(KilledError):
            history.save(picture(), recipe("cut off"))
    history.close()
    again, recovery = started(home, trash)
    assert recovery == Recovery(recovered=1)
    (entry,) = again.entries()
    assert (entry.path.suffix, entry.recipe) == (ending, recipe("cut off"))
    again.close()


@FORMATS
def test_a_lost_database_is_rebuilt_and_a_renamed_picture_found(history, home, trash, kept_as, ending):
    history.configure(Settings(file_format=kept_as))
    entry = history.save(noise((64, 64)), recipe())
    history.close()
    set_aside(home)
    rebuilt, recovery = started(home, trash)
    assert recovery.recovered == 1
    assert [(each.id, each.path, each.recipe) for each in rebuilt.entries()] == [(1, entry.path, entry.recipe)]
    moved = entry.path.rename(entry.path.with_name(f"000001-another{ending}"))
    assert rebuilt.recover() == Recovery(moved=1)
    assert rebuilt.get(1).path == moved
    rebuilt.close()


@FORMATS
def test_checkup_backup_and_trash_know_it(history, home, trash, tmp_path, kept_as, ending):
    history.configure(Settings(file_format=kept_as))
    entry, other = history.save(noise((64, 64)), recipe()), history.save(noise((64, 64)), recipe(seed=2))
    assert history.care.check(deep=True).findings == []
    history.care.back_up(tmp_path / "kept.zip")
    shutil.unpack_archive(tmp_path / "kept.zip", tmp_path / "unpacked")
    inside = {name.rpartition("/")[2] for name in everything_below(tmp_path / "unpacked")}
    assert {entry.path.name, other.path.name} <= inside
    history.delete([entry.id])
    assert (trash.files / entry.path.name).is_file()
    assert history.restore([entry.id])[0].path.is_file()
    other.path.write_bytes(other.path.read_bytes()[:1500])
    assert [(each.kind, each.path) for each in history.care.check(deep=True).findings] == [(DAMAGED, other.path)]


def test_verify_compares_lossless_pixels_and_says_what_jpeg_did(history, tmp_path):
    pixels = noise((64, 64))
    history.configure(Settings(file_format="webp"))
    exact = history.save(pixels, recipe())
    assert judged(exact.path, exact.recipe, pixels, exact.recipe).outcome is Outcome.IDENTICAL
    history.configure(Settings(file_format="jpeg"))
    changed = history.save(pixels, recipe())
    verdict = judged(changed.path, changed.recipe, pixels, changed.recipe)
    assert verdict.outcome is not Outcome.IDENTICAL
    assert "File format: JPEG (it changes pixels) then, exact pixels now." in str(verdict)


def test_a_folder_of_history_files_is_taken_as_another_history(history, home, trash, tmp_path):
    copied = StudioPaths(tmp_path / "copied").create()
    day = copied.images / "2026-05-01"
    day.mkdir()
    for kept_as in ("png", "webp", "jpeg"):
        history.configure(Settings(file_format=kept_as))
        shutil.copy(history.save(picture(), recipe(kept_as)).path, day)
    other, recovery = started(copied, trash)
    assert recovery.recovered == 3
    assert [entry.recipe.request.prompt for entry in other.entries()] == ["jpeg", "webp", "png"]
    other.close()
