"""Ctrl-C: the first asks, the second ends, and afterwards all is as before."""

from __future__ import annotations

import signal
import threading

import pytest

from sdstudio.cli.interrupt import interrupt_sets


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_ends(number):
    cancel, told = threading.Event(), []
    before = signal.getsignal(number)
    with interrupt_sets(cancel, lambda: told.append("stopping")):
        signal.raise_signal(number)
        assert cancel.is_set()
        assert told == ["stopping"]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_outside_the_main_thread_nothing_is_installed():
    seen = []

    def work():
        with interrupt_sets(threading.Event(), lambda: None):
            seen.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]
