"""Exports, backups and imports onto a disk that fills up: said in words, and nothing half is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdstudio.core.errors import SaveFailed
from sdstudio.core.paths import StudioPaths
from sdstudio.history.exchange.contact_sheet import contact_sheets
from sdstudio.history.exchange.export import ExportOptions, export_folder, export_zip
from sdstudio.history.exchange.importing import import_pictures
from sdstudio.history.picture_text.pnginfo import write_png
from sdstudio.history.store import History
from tests.end2end.test_crash_full_disk import no_trash, small_disk  # noqa: F401 (a fixture)
from tests.unit.history.conftest import everything_below, noise, recipe


@pytest.fixture
def history(home: StudioPaths):
    """Eight pictures of 270 kB each; the small disk holds 2 MB."""
    opened = History(home, no_trash)
    for n in range(8):
        opened.save(noise((300, 300)), recipe(f"number {n}", seed=n))
    yield opened
    opened.close()


def test_a_folder_keeps_the_whole_pictures_that_fitted(history, small_disk):  # noqa: F811
    report = export_folder(history.entries(), small_disk, ExportOptions())
    assert report.stopped.startswith("Disk full")
    assert 0 < report.made < 8
    names = everything_below(small_disk)
    assert len(names) == report.made
    assert all((small_disk / name).stat().st_size > 200_000 for name in names)


def test_a_zip_and_a_sheet_that_do_not_fit_are_not_there(history, small_disk):  # noqa: F811
    with pytest.raises(SaveFailed, match="Disk full"):
        export_zip(history.entries(), small_disk / "a.zip", ExportOptions())
    many = history.entries() * 12
    report = contact_sheets(many, small_disk / "sheet.png", ExportOptions())
    assert report.stopped.startswith("Disk full")
    assert everything_below(small_disk) == set()


def test_a_backup_that_does_not_fit_is_said_before_and_leaves_nothing(history, small_disk, monkeypatch):  # noqa: F811
    with pytest.raises(SaveFailed, match="MB left"):
        history.care.back_up(small_disk / "b.zip")
    monkeypatch.setattr("sdstudio.history.care.backup.check_space", lambda _target, _pieces: None)
    for name in ("b.zip", "folder"):
        with pytest.raises(SaveFailed, match="Disk full"):
            history.care.back_up(small_disk / name)
    assert everything_below(small_disk) == set()


def test_an_import_stops_and_the_pictures_that_fitted_are_whole(small_disk, tmp_path: Path):  # noqa: F811
    for n in range(8):
        write_png(tmp_path / "in" / f"{n}.png", noise((300, 300)), recipe(f"number {n}", seed=n))
    history = History(StudioPaths(small_disk / "home"), no_trash)
    report = import_pictures(history, [tmp_path / "in"])
    assert "isk full" in report.stopped or "disk is full" in report.stopped
    assert report.done < 8
    assert history.count() == len(report.taken)
    assert all(entry.path.stat().st_size > 200_000 for entry in history.entries())
    history.close()
