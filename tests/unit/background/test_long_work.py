from __future__ import annotations

import threading

import pytest

from sdstudio.background.long_work import LongWork, WorkProgress
from sdstudio.background.tasks import TaskRunner
from sdstudio.core.errors import Cancelled, StudioError

PATIENCE_MS = 20_000


@pytest.fixture
def tasks(qtbot):
    runner = TaskRunner()
    yield runner
    runner.close()


def test_it_tells_how_far_it_is_and_hands_over_its_report(tasks, qtbot):
    def work(tell, _stop):
        for at in range(5):
            tell(at, 5, f"file {at}")
        tell(5, 5, "")
        return "report"

    long = LongWork(tasks, "Working", work)
    seen: list[WorkProgress] = []
    long.progressed.connect(seen.append)
    with qtbot.waitSignal(long.done, timeout=PATIENCE_MS) as ended:
        long.begin()
    qtbot.waitUntil(lambda: bool(seen) and seen[-1].done == 5, timeout=PATIENCE_MS)
    assert ended.args == ["report"]
    assert not long.is_running
    assert seen[-1].fraction == 1.0
    assert seen[-1].left_s == 0
    assert len(seen) <= 6


def test_the_time_left_follows_from_the_time_taken():
    assert WorkProgress(0, 0, "", -1).fraction == 0.0


def test_stopped_work_still_hands_over_what_it_did(tasks, qtbot):
    under_way = threading.Event()

    def work(_tell, stop):
        under_way.set()
        while not stop():
            threading.Event().wait(0.005)
        return "half"

    long = LongWork(tasks, "Working", work)
    with qtbot.waitSignal(long.done, timeout=PATIENCE_MS) as ended:
        long.begin()
        assert under_way.wait(20)
        assert long.is_running
        long.stop()
    assert ended.args == ["half"]


@pytest.mark.parametrize(("error", "signal"), [(StudioError("Disk full."), "failed"), (Cancelled(), "stopped")])
def test_failed_and_given_up_work_is_told_apart(tasks, qtbot, error, signal):
    def work(_tell, _stop):
        raise error

    long = LongWork(tasks, "Working", work)
    with qtbot.waitSignal(getattr(long, signal), timeout=PATIENCE_MS):
        long.begin()
    assert not long.is_running


def test_closing_the_studio_ends_the_work(qtbot):
    runner = TaskRunner()
    under_way, ended = threading.Event(), threading.Event()

    def work(_tell, stop):
        under_way.set()
        while not stop():
            threading.Event().wait(0.005)
        ended.set()

    LongWork(runner, "Working", work, runner).begin()
    assert under_way.wait(20)
    runner.close()
    assert ended.is_set()
