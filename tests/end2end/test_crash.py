from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sdstudio.core.paths import StudioPaths
from sdstudio.history.picture_text.foreign.reading import recipe_of
from sdstudio.jobs.queue import JobQueue, JobState
from tests.end2end.crash_children import check_database
from tests.unit.history.conftest import started

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")

ROOT = Path(__file__).parents[2]


def child(name: str, folder: Path, *how: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.end2end.crash_children", name, str(folder), *how]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def result(name: str, folder: Path, *how: str) -> dict[str, Any]:
    done = child(name, folder, *how)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_save_killed_at_any_line_loses_nothing_and_leaves_nothing_half_done(quick_folder):
    told = result("save", quick_folder / "home")
    assert told["problems"] == []
    assert told["kills"] > 7
    assert {"store.py", "schema.py", "rows.py", "bulk_work.py", "pnginfo.py", "thumbnails.py"} <= set(told["files"])
    assert told["recovered"] > 2, "kills after the picture reached its name"


@pytest.mark.parametrize(
    ("file_format", "pattern"),
    [("webp", "{prompt}"), ("jpeg", "{date}/{number}-{prompt}-{seed}")],
)
def test_a_save_to_an_output_folder_killed_at_any_line_loses_nothing_either(quick_folder, file_format, pattern):
    told = result("save", quick_folder / "home", file_format, pattern)
    assert told["problems"] == []
    assert told["kills"] > 7
    assert {"store.py", "placing.py", "name_notes.py", "kept_as.py", "thumbnails.py"} <= set(told["files"])
    assert told["recovered"] > 2, "kills after the picture reached its name"


@pytest.mark.slow
def test_200_kills_at_random_moments_lose_no_finished_picture_and_leave_no_row_without_one(quick_folder):
    told = result("at_random", quick_folder / "home")
    assert told["problems"] == []
    assert told["lost"] == []
    assert told["listed"] >= told["finished"] > 100
    assert told.get("recovered", 0) + told.get("dropped", 0) > 20, "kills that hit a save"


def test_a_deletion_killed_at_any_line_leaves_the_picture_listed_or_in_the_trash(quick_folder):
    told = result("delete", quick_folder / "home")
    assert told["problems"] == []
    assert told["kills"] > 4


def test_a_job_killed_in_the_middle_is_listed_as_interrupted_and_can_be_finished(tmp_path):
    paths = StudioPaths(tmp_path / "home")
    assert child("job", paths.home).returncode == -signal.SIGKILL
    history, recovery = started(paths, lambda _path: None)
    check_database(paths)
    assert recovery.dropped == recovery.swept == 0
    queue = JobQueue(paths)
    (left,) = queue.interrupt_leftovers()
    said = "Interrupted when the studio ended unexpectedly. 2 of 3 pictures are in the history."
    assert (left.state, left.message, left.made) == (JobState.INTERRUPTED, said, 2)
    assert [job.request.prompt for job in queue.jobs() if job.state is JobState.QUEUED] == ["waiting"]
    entries = history.entries("doomed")
    assert [entry.recipe.request.seed for entry in entries] == [11, 10]
    assert all(recipe_of(entry.path) == entry.recipe for entry in entries)
    assert queue.remaining(left.id) == (12,)
    queue.close()
    history.close()
