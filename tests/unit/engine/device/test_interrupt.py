from __future__ import annotations

import contextlib
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from sdstudio.core.errors import Cancelled
from sdstudio.engine.device.interrupt import interruptible


def spin(seconds: float) -> int:
    """Python bytecode for a while."""
    end, turns = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        turns += 1
    return turns


@pytest.fixture(autouse=True)
def profile_is_given_back():
    before = sys.getprofile()
    yield
    assert sys.getprofile() is before


def test_work_that_nobody_stops_returns_its_result():
    assert interruptible(threading.Event(), lambda: 7) == 7


def test_an_error_of_the_work_comes_out_as_it_is():
    with pytest.raises(ZeroDivisionError):
        interruptible(threading.Event(), lambda: 1 / 0)


def test_a_wish_from_before_stops_it_before_it_begins():
    cancel = threading.Event()
    cancel.set()
    begun = []
    with pytest.raises(Cancelled):
        interruptible(cancel, lambda: begun.append(1))
    assert begun == []


def test_work_is_stopped_in_the_middle_within_a_fraction_of_a_second():
    cancel = threading.Event()
    timer = threading.Timer(0.05, cancel.set)
    timer.start()
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        interruptible(cancel, lambda: spin(10))
    assert time.monotonic() - begun < 2
    timer.join()


def test_a_library_that_swallows_the_exception_does_not_make_a_cancelled_job_go_on():
    cancel = threading.Event()

    def swallowing() -> str:
        cancel.set()
        with contextlib.suppress(BaseException):
            spin(10)
        return "went on"

    with pytest.raises(Cancelled):
        interruptible(cancel, swallowing)


@pytest.mark.parametrize("length", [0.018, 0.02, 0.022])
def test_nothing_strikes_after_the_work_has_ended(length):
    """The wish comes about when the work ends: either it is cancelled or it is done, and what follows is left alone."""
    outcomes = []
    for _ in range(12):
        cancel = threading.Event()
        timer = threading.Timer(length, cancel.set)
        timer.start()
        try:
            interruptible(cancel, lambda: spin(0.02))
            outcomes.append("done")
        except Cancelled:
            outcomes.append("cancelled")
        spin(0.01)  # anything still on its way would strike here, outside of every try
        timer.join()
    assert set(outcomes) <= {"done", "cancelled"}


def test_threads_that_the_work_starts_are_left_alone():
    """As transformers' pool: a thread that took the exception would never come up, and the work would wait for ever."""
    for _ in range(20):
        cancel = threading.Event()
        done = []

        def start_many(cancel=cancel, done=done):
            with ThreadPoolExecutor(4) as pool:
                results = [pool.submit(spin, 0.001) for _ in range(8)]
                cancel.set()
                done.extend(result.result() for result in results)

        with pytest.raises(Cancelled):
            interruptible(cancel, start_many)


def test_a_profiler_that_was_there_is_there_again():
    def mine(frame, event, argument):
        return None

    before = sys.getprofile()
    sys.setprofile(mine)
    try:
        cancel = threading.Event()
        interruptible(cancel, lambda: spin(0.001))
        assert sys.getprofile() is mine
        with pytest.raises(Cancelled):
            interruptible(cancel, lambda: (cancel.set(), spin(1)))
        assert sys.getprofile() is mine
    finally:
        sys.setprofile(before)
