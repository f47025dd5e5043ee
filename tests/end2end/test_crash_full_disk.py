"""Full and read-only disks, real ones where the tests may mount them, else under the system's limit on file sizes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from sdstudio.core.errors import HistoryError, SaveFailed
from sdstudio.core.paths import StudioPaths
from sdstudio.history.picture_text.foreign.reading import recipe_of
from sdstudio.history.store import History
from tests.end2end.crash_children import check_database
from tests.unit.history.conftest import everything_below, noise, recipe, started

ROOT = Path(__file__).parents[2]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root may mount a small disk; the twin below limits file sizes instead")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "sdstudio-test", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here ({mounted.stderr.strip()}); the twin below limits file sizes")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def no_trash(_path: Path) -> None:
    return None


def fill(history: History) -> tuple[list[int], Image.Image, SaveFailed]:
    saved: list[int] = []
    while True:
        pixels = noise((300, 300))
        try:
            saved.append(history.save(pixels, recipe(f"number {len(saved)}", seed=len(saved))).id)
        except SaveFailed as error:
            return saved, pixels, error


@pytest.mark.logs("Disk full")
def test_a_full_disk_keeps_what_is_saved_writes_nothing_half_and_works_again_with_room(small_disk):
    paths = StudioPaths(small_disk / "home")
    history, _ = started(paths, no_trash)
    saved, pixels, error = fill(history)
    assert len(saved) >= 2
    assert "isk full" in error.message or "disk is full" in error.message
    assert error.hint
    check_database(paths)
    pictures = [name for name in everything_below(paths.images) if (paths.images / name).stat().st_size]
    assert len(pictures) == len(everything_below(paths.images)) == len(saved) == history.count()
    with pytest.raises(SaveFailed, match=r"Disk full|disk is full"):
        history.save(pixels, recipe("again"))
    first = history.get(saved[0])
    first.path.unlink()
    history.delete([first.id])
    entry = history.save(pixels, recipe("again"))
    with Image.open(entry.path) as stored:
        assert stored.tobytes() == pixels.tobytes()
    listed = history.count()
    history.close()
    still_full = History(paths, no_trash)
    assert still_full.count() >= listed, "what is there can be looked at on a full disk too"
    (found,) = still_full.entries(limit=1)
    found.path.unlink()
    still_full.close()
    after, recovery = started(paths, no_trash)
    assert recovery.kept is None
    assert after.count() == len(saved)
    after.delete([found.id])
    assert all(recipe_of(found.path) == found.recipe for found in after.entries())
    after.close()


def test_a_disk_with_no_room_for_a_row_says_so_and_is_whole_afterwards(small_disk):
    paths = StudioPaths(small_disk / "home")
    history, _ = started(paths, no_trash)
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space"):
        ballast.write_bytes(b"\xff" * 4_000_000)
    assert os.statvfs(small_disk).f_bavail == 0
    saved, _, error = fill(history)
    assert "disk" in error.message
    assert "\n" not in str(error)
    before = history.count()
    assert before == len(saved)
    ballast.unlink()
    check_database(paths)
    entry = history.save(noise((8, 8)), recipe("with room"))
    assert history.count() == before + 1
    assert history.entries(limit=1) == [entry]
    assert history.recover().recovered == 0
    history.close()


def test_a_read_only_disk_is_said_in_one_line(small_disk):
    paths = StudioPaths(small_disk / "home")
    history, _ = started(paths, no_trash)
    history.save(noise((8, 8)), recipe())
    history.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(HistoryError) as raised:
        started(paths, no_trash)
    assert "\n" not in str(raised.value)
    assert raised.value.hint
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    again, _ = started(paths, no_trash)
    assert again.count() == 1
    again.close()


LIMITED = """
import resource, signal, sys
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from sdstudio.core.errors import SaveFailed
from sdstudio.core.paths import StudioPaths
from sdstudio.history.store import History
from tests.end2end.crash_children import check_database
from tests.unit.history.conftest import everything_below, noise, recipe
paths = StudioPaths(Path(sys.argv[1]))
history = History(paths, lambda path: None)
small = history.save(noise((64, 64)), recipe("small"))
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
pixels = noise((600, 600))
try:
    history.save(pixels, recipe("large"))
except SaveFailed as error:
    assert error.message.startswith("Disk full: "), error
else:
    raise AssertionError("a picture of 1 MB was saved under a limit of 600 kB")
assert len(everything_below(paths.images)) == 1
assert history.entries() == [small]
history.save(noise((64, 64)), recipe("another small one"))
check_database(paths)
print("as it should be")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on file sizes")
def test_a_picture_beyond_the_limit_on_file_sizes_is_not_saved_at_all(tmp_path):
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "home")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "as it should be", done.stderr
