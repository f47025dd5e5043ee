"""The real command, killed in the middle of a download or out of disk, and run again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sdstudio.core.errors import SaveFailed
from sdstudio.core.paths import StudioPaths
from sdstudio.library.getting.download import unfinished
from tests.end2end.test_crash_full_disk import small_disk  # noqa: F401 (a fixture)
from tests.unit.library.getting.test_download import LORA, finish, lora_bytes, staged_of

ROOT = Path(__file__).parents[2]
SIZE = 3_000_000
LIMITED = "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)); from sdstudio.__main__ import main; sys.exit(main(sys.argv[1:]))"  # noqa: E501 (a program)

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")


@pytest.fixture
def paths(tmp_path: Path) -> StudioPaths:
    return StudioPaths(tmp_path / "home")


@pytest.fixture
def start(hub_server, paths):
    """A function that starts ``sdstudio models download org/lora`` in a process of its own."""
    hub_server.add("org/lora", {LORA: lora_bytes(SIZE)})
    environment = {
        **os.environ, "HF_ENDPOINT": hub_server.url, "HF_HUB_OFFLINE": "0", "SDSTUDIO_HOME": str(paths.home),
    }  # fmt: skip

    def do(*program: str) -> subprocess.Popen[str]:
        command = [sys.executable, *(program or ("-m", "sdstudio")), "models", "download", "org/lora"]
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    return do


def wait_for_bytes(paths, child, size_bytes: int) -> None:
    [staged] = unfinished(paths.models)
    while staged.done_bytes < size_bytes and child.poll() is None:
        time.sleep(0.01)


def test_a_download_killed_in_the_middle_goes_on_where_it_was(start, hub_server, paths):
    def kill_when_half_is_there() -> None:
        wait_for_bytes(paths, child, 1_000_000)
        child.kill()

    hub_server.fault(LORA, "call", after=2_000_000, call=kill_when_half_is_there)
    child = start()
    out, err = child.communicate(timeout=120)
    assert child.returncode == -signal.SIGKILL, (out, err)
    [left] = unfinished(paths.models)
    assert 1_000_000 <= left.done_bytes <= 2_000_000
    assert not left.target.exists()
    hub_server.heal()
    again = start()
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert out == f"{left.target}\n"
    assert left.target.read_bytes() == lora_bytes(SIZE)
    assert hub_server.ranges(LORA)[-1] == f"bytes={left.done_bytes}-" or hub_server.ranges(LORA)[-1].startswith(
        "bytes="
    )
    assert unfinished(paths.models) == []


def test_ctrl_c_stops_it_and_says_how_to_go_on(start, hub_server, paths):
    hub_server.fault(LORA, "stall", after=1_000_000)
    child = start()
    assert hub_server.stalled.wait(120)
    wait_for_bytes(paths, child, 1)  # what the server has sent may not have been read yet
    child.send_signal(signal.SIGINT)
    _out, err = child.communicate(timeout=120)
    assert child.returncode == 130
    assert "run it again to go on" in err
    assert unfinished(paths.models)[0].done_bytes > 0


def test_a_full_disk_is_said_and_what_came_is_kept(start, hub_server, paths):
    child = start("-c", LIMITED)
    _out, err = child.communicate(timeout=120)
    assert child.returncode == 1
    assert "the disk is full" in err
    assert "Free space" in err
    [left] = unfinished(paths.models)
    assert 0 < left.done_bytes <= 1_000_000
    again = start()
    _out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert left.target.read_bytes() == lora_bytes(SIZE)


def test_a_small_disk_that_fills_up_meanwhile_is_said_and_gone_on_with(small_disk, hub_server):  # noqa: F811
    hub_server.add("org/lora", {LORA: lora_bytes(1_000_000)})
    paths = StudioPaths(small_disk / "home").create()
    staged = staged_of(paths)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1_600_000))
    with pytest.raises(SaveFailed, match="the disk is full"):
        finish(staged)
    [left] = unfinished(paths.models)
    ballast.unlink()
    assert finish(left).read_bytes() == lora_bytes(1_000_000)


def test_a_disk_without_room_is_refused_by_its_own_figures(small_disk, hub_server):  # noqa: F811
    hub_server.add("org/lora", {LORA: lora_bytes(2_500_000)})
    paths = StudioPaths(small_disk / "home").create()
    with pytest.raises(SaveFailed, match="of free disk"):
        staged_of(paths)
    assert unfinished(paths.models) == []
