from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sdstudio.core.errors import HistoryDamaged
from sdstudio.core.paths import StudioPaths
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.care.recovery import Recovery, set_aside
from sdstudio.history.database.schema import Database
from sdstudio.history.store import History


def recipe(prompt: str = "red heart", *, model_name: str = "Starter", **values: Any) -> Recipe:
    request = GenerationRequest.checked({"prompt": prompt, "seed": 42, "width": 64, "height": 64, **values})
    return Recipe(app="sdstudio 0.1.0", request=request, model_name=model_name, model_hash="6ce0161689")


def picture(color: str | tuple[int, int, int] = "red", size: tuple[int, int] = (64, 64)) -> Image.Image:
    return Image.new("RGB", size, color)


def noise(size: tuple[int, int] = (512, 512)) -> Image.Image:
    """A picture that PNG cannot make small."""
    return Image.frombytes("RGB", size, os.urandom(3 * size[0] * size[1]))


class Bin:
    """A system trash."""

    def __init__(self, folder: Path) -> None:
        self.files = folder / "files"
        self.info = folder / "info"
        self.files.mkdir(parents=True)
        self.info.mkdir()
        self.refuses = False
        self.silent = False

    def __call__(self, path: Path) -> Path | None:
        if self.refuses:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        where = self.files / path.name
        shutil.move(path, where)
        (self.info / f"{path.name}.trashinfo").write_text("[Trash Info]\n")
        return None if self.silent else where


@pytest.fixture
def trash(tmp_path: Path) -> Bin:
    return Bin(tmp_path / "trash")


@pytest.fixture
def history(home: StudioPaths, trash: Bin) -> Iterator[History]:
    made = History(home, trash)
    yield made
    made.close()


@contextmanager
def written(paths: StudioPaths) -> Iterator[sqlite3.Connection]:
    """Write into the database beside the history."""
    with closing(Database(paths.database)) as database, database.transaction() as db:
        yield db


@pytest.fixture
def database(home: StudioPaths, history: History) -> Iterator[Database]:
    """The history's database as another program would open it."""
    with closing(Database(home.database)) as opened:
        yield opened


def started(paths: StudioPaths, trash: Callable[[Path], Path | None]) -> tuple[History, Recovery]:
    """Open the history as the window does at its start: a damaged database is set aside, leftovers are put right."""
    kept = None
    try:
        history = History(paths, trash)
    except HistoryDamaged:
        kept = set_aside(paths)
        history = History(paths, trash)
    return history, replace(history.recover(), kept=kept)


def everything_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@contextmanager
def only_to_be_read(home: Path) -> Iterator[None]:
    """Make a folder read-only for a while."""
    if os.geteuid() == 0:  # access rights do not bind root
        if subprocess.run(["mount", "--bind", home, home], capture_output=True, check=False).returncode:
            pytest.skip("nothing may be mounted here, and root may write everywhere")
        subprocess.run(["mount", "-o", "remount,bind,ro", home], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", "-l", home], check=True)
        return
    changed = [home, *(path for path in home.rglob("*"))]
    for path in reversed(changed):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield
    finally:
        for path in changed:
            path.chmod(0o755 if path.is_dir() else 0o644)
