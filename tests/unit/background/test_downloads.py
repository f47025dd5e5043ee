"""Downloads in the background: how many at a time, what a pause and a second order do, what a close leaves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sdstudio.background import downloads as jobs_downloads
from sdstudio.background.downloads import Downloads, DownloadState
from sdstudio.core.errors import LockedByOther
from sdstudio.library.getting.download import stage, unfinished
from sdstudio.library.getting.fetch import Patience
from sdstudio.library.getting.hub import Hub
from sdstudio.library.getting.planner import DownloadOrder, Planner
from tests.unit.library.getting.test_planner import LORA, safetensors

LONG_MS = 60_000


@pytest.fixture
def downloads(qtbot: Any, home: Any, hub_server: Any) -> Iterator[Downloads]:
    for name in ("one", "two", "three"):
        hub_server.add(f"org/{name}", {f"{name}.safetensors": LORA})
    made = Downloads(home.models, Hub(), patience=Patience(waits_s=(0.01,)))
    yield made
    made.close()


def row_of(downloads, number):
    [found] = [row for row in downloads.downloads() if row.id == number]
    return found


def states(downloads: Downloads) -> list[DownloadState]:
    return [row.state for row in downloads.downloads()]


def test_a_wish_is_looked_at_and_waits_for_a_word(downloads, home, hub_server, qtbot):
    number = downloads.ask(DownloadOrder("org/one"))
    qtbot.waitUntil(lambda: states(downloads) == [DownloadState.READY], timeout=LONG_MS)
    [row] = downloads.downloads()
    assert (row.id, row.title, row.plan.size_bytes) == (number, "one", len(LORA))
    assert unfinished(home.models) == []
    with qtbot.waitSignal(downloads.arrived, timeout=LONG_MS) as told:
        downloads.start(number)
    assert told.args[0].path == home.models / "loras" / "one.safetensors"
    assert states(downloads) == [DownloadState.DONE]


def test_two_run_at_a_time_and_the_third_waits(downloads, hub_server, qtbot):
    hub_server.fault("safetensors", "stall", after=100)
    numbers = [downloads.ask(DownloadOrder(f"org/{name}"), at_once=True) for name in ("one", "two", "three")]
    wanted = [DownloadState.RUNNING, DownloadState.RUNNING, DownloadState.WAITING]
    qtbot.waitUntil(lambda: sorted(states(downloads), key=str) == sorted(wanted, key=str), timeout=LONG_MS)
    hub_server.heal()
    running = [row.id for row in downloads.downloads() if row.state is DownloadState.RUNNING]
    downloads.pause(running[0])
    waiting = next(number for number in numbers if number not in running)
    qtbot.waitUntil(lambda: row_of(downloads, waiting).state is DownloadState.DONE, timeout=LONG_MS)
    assert row_of(downloads, running[0]).state is DownloadState.PAUSED


def test_a_resume_right_after_a_pause_waits_for_the_old_run_to_end(downloads, hub_server, qtbot):
    hub_server.fault("safetensors", "stall", after=100, times=1)
    number = downloads.ask(DownloadOrder("org/one"), at_once=True)
    qtbot.waitUntil(hub_server.stalled.is_set, timeout=LONG_MS)
    downloads.pause(number)
    downloads.start(number)
    qtbot.waitUntil(lambda: states(downloads) == [DownloadState.DONE], timeout=LONG_MS)
    assert [download.id for download in downloads.downloads()] == [number]


def test_the_same_thing_twice_fails_once_and_says_why(downloads, hub_server, qtbot):
    hub_server.fault("safetensors", "stall", after=100, times=1)
    downloads.ask(DownloadOrder("org/one"), at_once=True)
    qtbot.waitUntil(hub_server.stalled.is_set, timeout=LONG_MS)
    second = downloads.ask(DownloadOrder("org/one"), at_once=True)
    qtbot.waitUntil(lambda: row_of(downloads, second).state is DownloadState.FAILED, timeout=LONG_MS)
    assert isinstance(row_of(downloads, second).error, LockedByOther)


def test_what_an_earlier_run_left_is_taken_up_once(downloads, home, hub_server, qtbot):
    hub_server.fault("safetensors", "stall", after=100, times=1)
    downloads.ask(DownloadOrder("org/one"), at_once=True)
    qtbot.waitUntil(lambda: states(downloads) == [DownloadState.RUNNING], timeout=LONG_MS)
    downloads.close()
    later = Downloads(home.models, Hub())
    assert later.take_up_leftovers() == 1
    assert later.take_up_leftovers() == 0
    [row] = later.downloads()
    assert (row.title, row.state, row.is_leftover, row.order) == ("one", DownloadState.PAUSED, True, None)
    later.start(row.id)
    qtbot.waitUntil(lambda: states(later) == [DownloadState.DONE], timeout=LONG_MS)
    later.close()


def test_a_cancelled_wish_is_forgotten_whenever_it_comes(downloads, home, hub_server, qtbot):
    hub_server.fault("/api/models", "stall")
    number = downloads.ask(DownloadOrder("org/one"), at_once=True)
    qtbot.waitUntil(hub_server.stalled.is_set, timeout=LONG_MS)
    with qtbot.waitSignal(downloads.removed, timeout=LONG_MS):
        downloads.cancel(number)
    assert downloads.downloads() == ()
    assert unfinished(home.models) == []


def test_a_file_that_became_another_one_is_fetched_when_tried_again(downloads, home, hub_server, qtbot):
    hub_server.plain["/files/mine.safetensors"] = LORA
    number = downloads.ask(DownloadOrder(f"{hub_server.url}/files/mine.safetensors"))
    qtbot.waitUntil(lambda: states(downloads) == [DownloadState.READY], timeout=LONG_MS)
    hub_server.plain["/files/mine.safetensors"] = longer = safetensors("lora_unet_a.lora_down.weight", size=5000)
    downloads.start(number)
    qtbot.waitUntil(lambda: states(downloads) == [DownloadState.FAILED], timeout=LONG_MS)
    downloads.start(number)
    qtbot.waitUntil(lambda: states(downloads) == [DownloadState.DONE], timeout=LONG_MS)
    assert (home.models / "loras" / "mine.safetensors").read_bytes() == longer


def test_each_cancel_can_be_taken_back_for_the_whole_time(downloads, home, qtbot, monkeypatch):
    stage(home.models, Planner(Hub()).plan(DownloadOrder("org/one")))
    downloads.take_up_leftovers()
    [row] = downloads.downloads()
    monkeypatch.setattr(jobs_downloads, "UNDO_MS", 1)
    downloads.cancel(row.id)
    downloads.undo_cancel(row.id)
    monkeypatch.setattr(jobs_downloads, "UNDO_MS", LONG_MS)
    downloads.cancel(row.id)
    qtbot.wait(100)  # the first cancel's time is up
    assert states(downloads) == [DownloadState.CANCELLED]
    assert len(unfinished(home.models)) == 1


def test_closing_deletes_what_was_cancelled_and_keeps_what_was_not(downloads, home, hub_server, qtbot):
    hub_server.fault("safetensors", "stall", after=100)
    kept, dropped = (downloads.ask(DownloadOrder(f"org/{name}"), at_once=True) for name in ("one", "two"))
    qtbot.waitUntil(lambda: states(downloads) == [DownloadState.RUNNING] * 2, timeout=LONG_MS)
    downloads.cancel(dropped)
    downloads.close()
    assert [staged.plan.title for staged in unfinished(home.models)] == ["one"]
    assert kept == 1
