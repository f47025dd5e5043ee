"""Folders are watched: many changes are told once, those that are gone do no harm."""

from __future__ import annotations

import pytest

from sdstudio.background import folder_watch
from sdstudio.background.folder_watch import FolderWatch


@pytest.fixture
def watch(qapp):
    made = FolderWatch(quiet_ms=100)
    yield made
    made.stop()


def test_several_changes_are_told_once_they_are_over(watch, qtbot, tmp_path):
    watch.watch([str(tmp_path)])
    told = []
    watch.changed.connect(lambda: told.append(1))
    with qtbot.waitSignal(watch.changed, timeout=30_000):
        for at in range(5):
            (tmp_path / f"{at}.safetensors").touch()
    assert told == [1]


def test_folders_come_and_go(watch, qtbot, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    watch.watch([str(tmp_path / "a"), str(tmp_path / "gone")])
    assert watch.folders == {str(tmp_path / "a")}
    watch.watch([str(tmp_path / "b")])
    assert watch.folders == {str(tmp_path / "b")}
    with qtbot.waitSignal(watch.changed, timeout=30_000):
        (tmp_path / "b").rmdir()
    watch.watch([str(tmp_path / "b")])
    assert watch.folders == frozenset()


def test_no_more_folders_are_watched_than_the_system_bears(watch, tmp_path, monkeypatch):
    monkeypatch.setattr(folder_watch, "FOLDERS_MAXIMUM", 3)
    folders = [tmp_path / str(at) for at in range(9)]
    for folder in folders:
        folder.mkdir()
    watch.watch(map(str, folders))
    assert len(watch.folders) == 3


def test_nothing_is_told_after_the_end(watch, qtbot, tmp_path):
    told = []
    watch.changed.connect(lambda: told.append("changed"))
    watch.watch([str(tmp_path)])
    watch.stop()
    (tmp_path / "a").touch()
    qtbot.wait(300)
    assert told == []
