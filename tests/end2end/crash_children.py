"""Programs that die on purpose: ``python -m tests.end2end.crash_children NAME FOLDER ..`` prints one line of JSON."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from PIL import Image

from sdstudio.core.paths import StudioPaths
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.settings import Settings
from sdstudio.history import formats
from sdstudio.history.database.look import Look
from sdstudio.history.picture_text.foreign.reading import recipe_of
from sdstudio.history.store import Entry, History
from tests.unit.history.conftest import started

HISTORY_CODE = f"{os.sep}sdstudio{os.sep}history{os.sep}"
SAVED = "saved"


Place = tuple[str, int]
"""A line of code, and the how manieth time it runs."""


def _told_by_child(work: Callable[[int], None]) -> tuple[bool, str]:
    """Fork a child that does the work and tells of it in a pipe; return whether it was killed, and what it told."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        work(writer)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        text = told.read()
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status), text


def _watched(action: Callable[[], None], at_place: Callable[[Place], None]) -> None:
    """Do something, and call ``at_place`` before each line of history code that runs."""
    seen: Counter[str] = Counter()

    def local(frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            line = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
            seen[line] += 1
            at_place((line, seen[line]))
        return local

    sys.settrace(lambda frame, _event, _argument: local if HISTORY_CODE in frame.f_code.co_filename else None)
    action()
    sys.settrace(None)


def places_to_die(action: Callable[[], None], folders: Sequence[Path]) -> tuple[list[Place], set[str]]:
    """Do something in a child and look at the disk before each line of history code.

    Killed at two lines between which the disk stayed as it was, it leaves the same behind: one of them is enough.

    Returns:
        The first line, those before which something on the disk had changed, and the files whose lines ran.
    """

    def look(writer: int) -> None:
        before = b""

        def compare(place: Place) -> None:
            nonlocal before
            now = _disk(folders)
            os.write(writer, f"{json.dumps([*place, now != before])}\n".encode())
            before = now

        _watched(action, compare)

    _, told = _told_by_child(look)
    lines = [json.loads(line) for line in told.splitlines()]
    return [(line, time_) for line, time_, changed in lines if changed], {line.split(":")[0] for line, _, _ in lines}


def _disk(folders: Sequence[Path]) -> bytes:
    """Return what tells the contents of folders from others."""
    told = hashlib.sha256()
    for file in sorted(path for folder in folders for path in folder.rglob("*")):
        told.update(str(file).encode() + (file.read_bytes() if file.is_file() else b""))
    return told.digest()


def killed_at(place: Place | None, action: Callable[[], None]) -> tuple[bool, bool]:
    """Do something in a child and ``kill -9`` it at a place; return whether it was killed, and whether it had ended."""

    def die(writer: int) -> None:
        def at_place(here: Place) -> None:
            if here == place:
                os.kill(os.getpid(), signal.SIGKILL)

        _watched(action, at_place)
        os.write(writer, SAVED.encode())

    killed, told = _told_by_child(die)
    return killed, told == SAVED


def recipe(number: int) -> Recipe:
    return Recipe(app="test", request=GenerationRequest(prompt=f"kill {number}", seed=number, width=64, height=64))


def moved_to(bin_folder: Path) -> Callable[[Path], Path]:
    def trash(path: Path) -> Path:
        bin_folder.mkdir(exist_ok=True)
        os.replace(path, bin_folder / path.name)
        return bin_folder / path.name

    return trash


def check_database(paths: StudioPaths) -> None:
    """Let SQLite look through its whole file."""
    with closing(sqlite3.connect(paths.database)) as database:
        assert database.execute("PRAGMA quick_check").fetchall() == [("ok",)]


def wrong(paths: StudioPaths, history: History) -> list[str]:
    """Return what is not whole after a recovery: rows without a readable picture, pictures without a row, leftovers."""
    found = []
    entries = history.entries(limit=100_000)
    for entry in entries[:2]:
        if recipe_of(entry.path) != entry.recipe:
            found.append(f"entry {entry.id} and its picture differ")
        with Image.open(entry.path) as picture:
            picture.load()
        history.thumbnail(entry)
    pictures = {file for folder in (paths.images, elsewhere(paths)) for file in folder.glob("**/*") if file.is_file()}
    if {entry.path for entry in entries} != pictures:
        found.append("rows and pictures differ")
    leftovers = [str(file) for folder in (paths.home, elsewhere(paths)) for file in folder.rglob("*.tmp")]
    with closing(sqlite3.connect(paths.database)) as database:
        pending = database.execute("SELECT count(*) FROM entries WHERE state = 'pending'").fetchone()[0]
    check_database(paths)
    return [*found, *leftovers, *(["a pending row"] if pending else [])]


def elsewhere(paths: StudioPaths) -> Path:
    """Return a folder beside the data folder, for pictures."""
    return paths.home.with_name("elsewhere")


def save(folder: Path, file_format: str = "png", name_pattern: str = "") -> dict[str, Any]:
    """Kill a save at every line that finds the disk changed, one after the other; recover after each.

    With a pattern the pictures go to a folder of their own.
    """
    paths, pixels = StudioPaths(folder), Image.new("RGB", (64, 64), "red")
    assert file_format in formats.FORMAT_BY_KEY  # imported before: the lines of a module's beginning save nothing

    def saving(paths: StudioPaths, number: int) -> None:
        placed = {"output_folder": elsewhere(paths), "name_pattern": name_pattern} if name_pattern else {}
        history = History(paths, lambda _path: None)
        history.configure(Settings(file_format=file_format, **placed))
        history.save(pixels, recipe(number))

    rehearsed = StudioPaths(folder.with_name("rehearsal") / "home")
    for each in (paths, rehearsed):
        History(each, lambda _path: None).close()
        elsewhere(each).mkdir()
    places, files = places_to_die(partial(saving, rehearsed, 0), (rehearsed.home, elsewhere(rehearsed)))
    problems: list[str] = []
    before = 0
    for number, place in enumerate([*places, None], 1):
        killed, returned = killed_at(place, partial(saving, paths, number))
        history, recovery = started(paths, lambda _path: None)
        problems += [f"{place}: {problem}" for problem in wrong(paths, history)]
        count = history.count()
        # A picture that reached its name is kept, whether or not the row was done; nothing made before is lost.
        if count - before not in (0, 1) or (returned and count != before + 1) or recovery.kept is not None:
            problems.append(f"{place}: {before} pictures became {count}")
        if killed != (place is not None):
            problems.append(f"{place}: it was not killed")
        before = count
        history.close()
    return {"kills": len(places), "files": sorted(files), "recovered": before - 1, "problems": problems}


def at_random(folder: Path) -> dict[str, Any]:
    """Kill a child that saves one picture after the other at 200 random moments; recover and look after each."""
    paths, pixels, chance = StudioPaths(folder), Image.effect_noise((96, 96), 80).convert("RGB"), random.Random(7)
    History(paths, lambda _path: None).close()
    problems: list[str] = []
    seen: Counter[str] = Counter()
    finished: set[int] = set()
    for number in range(200):
        finished |= _saving_until_killed(paths, pixels, chance.randrange(3), chance.uniform(0.0, 0.015))
        history, recovery = started(paths, lambda _path: None)
        found = history.listing.entries(sorted(finished)[-2:])
        problems += [f"kill {number}: picture {entry.id} is not whole" for entry in found if not _is_whole(entry)]
        if history.listing.count(Look()) < len(finished):
            problems.append(f"kill {number}: {len(finished)} were finished and fewer are listed")
        if recovery.kept is not None:
            problems.append(f"kill {number}: the database was damaged")
        seen += Counter(recovered=recovery.recovered, dropped=recovery.dropped, swept=recovery.swept)
        history.close()
    history, _ = started(paths, lambda _path: None)
    listed = history.entries(limit=100_000)
    problems += wrong(paths, history)
    problems += [f"picture {entry.id} is not whole" for entry in listed if not _is_whole(entry)]
    lost = finished - {entry.id for entry in listed}
    history.close()
    return {"problems": problems, "finished": len(finished), "listed": len(listed), "lost": sorted(lost), **seen}


def _saving_until_killed(paths: StudioPaths, pixels: Image.Image, count: int, after_s: float) -> set[int]:
    """Fork a child that saves pictures, and kill it some time after so many were saved.

    Returns:
        The ids of those whose saving had returned.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        history = History(paths, lambda _path: None)
        os.write(writer, b"open\n")
        while True:
            entry = history.save(pixels, recipe(os.getpid()))
            os.write(writer, f"{entry.id}\n".encode())
    os.close(writer)
    with os.fdopen(reader) as told:
        told.readline()  # it is open: before that there is nothing to lose
        saved = {int(told.readline()) for _ in range(count)}
        time.sleep(after_s)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return saved | {int(line) for line in told if line.endswith("\n")}


def _is_whole(entry: Entry) -> bool:
    with Image.open(entry.path) as picture:
        picture.load()
        return picture.size == (96, 96) and recipe_of(entry.path) == entry.recipe


def delete(folder: Path) -> dict[str, Any]:
    """Kill a deletion at every change of the disk: the picture is then either listed and there, or in the trash."""
    paths, pixels = StudioPaths(folder), Image.new("RGB", (64, 64), "red")
    trash = moved_to(folder / "trash")

    def saved(number: int) -> Entry:
        history = History(paths, trash)
        entry = history.save(pixels, recipe(number))
        history.close()
        return entry

    def deleting(entry_id: int) -> None:
        History(paths, trash).delete([entry_id])

    problems: list[str] = []
    places, _ = places_to_die(partial(deleting, saved(0).id), [folder])
    for number, place in enumerate([*places, None], 1):
        entry = saved(number)
        killed, _ = killed_at(place, partial(deleting, entry.id))
        history, _ = started(paths, trash)
        listed = entry.id in {other.id for other in history.entries(limit=3)}
        problems += [f"{place}: {problem}" for problem in wrong(paths, history)]
        if listed == (folder / "trash" / entry.path.name).exists():
            problems.append(f"{place}: listed and in the trash, or neither")
        if killed != (place is not None):
            problems.append(f"{place}: it was not killed")
        history.close()
    return {"kills": len(places), "problems": problems}


def job(folder: Path) -> dict[str, Any]:
    """Run a worker that saves two pictures of three and is killed while it makes the third."""
    from PySide6.QtCore import QCoreApplication

    from sdstudio.background.controller import JobController
    from sdstudio.background.worker import Worker
    from sdstudio.core.request.request import RunOptions
    from sdstudio.jobs.queue import JobQueue
    from tests.unit.background.fakes import MODEL, ScriptedEngine

    application = QCoreApplication([])
    paths = StudioPaths(folder)
    history, _ = started(paths, lambda _path: None)
    queue = JobQueue(paths)

    class Doomed(ScriptedEngine):
        def generate(self, resolved: Any, seeds: Any, batch_size: Any, on_event: Any, cancel: Any) -> None:
            super().generate(resolved, seeds[:2], batch_size, on_event, cancel)
            os.kill(os.getpid(), signal.SIGKILL)

    worker = Worker(Doomed, queue, history, lambda _key: MODEL, lambda model, *, cancel: "", Settings())
    controller = JobController(worker, queue, lambda _key: MODEL)
    request = GenerationRequest(prompt="doomed", seed=10, width=64, height=64, steps=2)
    controller.submit(request, RunOptions(count=3))
    controller.submit(request.model_copy(update={"prompt": "waiting"}), RunOptions())
    worker.start()
    application.exec()
    return {}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])))  # noqa: T201
