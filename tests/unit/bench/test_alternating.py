"""Two sides measured in turn, and what others take meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from sdstudio.bench.alternating import ForeignShare, alternate


class Sides:
    """Two sides that note the order they are measured in; each takes what its list says next."""

    def __init__(self, ours, reference):
        self.order = ""
        self._left = {"o": list(ours), "r": list(reference)}

    def measure(self, side):
        self.order += side
        return self._left[side].pop(0)


def measured(sides, pairs, shares):
    shares = iter([value for share in shares for value in (0.9, share)])  # what was taken between pairs counts for none
    return alternate(pairs, lambda: sides.measure("o"), lambda: sides.measure("r"), lambda: lambda: next(shares))


def test_sides_take_turns():
    sides = Sides([2.0] * 3, [1.0] * 3)
    assert measured(sides, 3, [0.0] * 3) == ([(2.0, 1.0)] * 3, 0, 0.0)
    assert sides.order == "orroor"


def test_a_disturbed_pair_is_measured_again_and_left_out():
    sides = Sides([2.0, 9.0, 2.1, 2.2], [1.0] * 4)
    pairs = measured(sides, 3, [0.02, 0.5, 0.0, 0.1])
    assert pairs.times == [(2.0, 1.0), (2.1, 1.0), (2.2, 1.0)]
    assert pairs.note == "1 measured again"


def test_where_others_never_rest_the_least_disturbed_pairs_count_and_it_is_noted():
    sides = Sides([1.0, 2.0, 3.0, 4.0], [1.0] * 4)
    pairs = measured(sides, 2, [0.4, 0.9, 0.3, 0.8])
    assert pairs.times == [(1.0, 1.0), (3.0, 1.0)]
    assert pairs.note == "2 measured again, others took up to 40% of the processors"


def test_a_process_of_somebody_else_is_seen():
    count = os.cpu_count() or 1
    busy = "import os, sys, time; os.fork() and os._exit(0); print(os.getpid(), flush=True); end = time.time() + 20\n"
    busy += "while time.time() < end: pass"
    started = subprocess.Popen([sys.executable, "-c", busy], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    stranger = int(started.stdout.readline())
    started.wait(20)
    try:
        share = ForeignShare()
        time.sleep(1.0)
        assert 0.3 / count < share.taken() <= 1.0
    finally:
        os.kill(stranger, signal.SIGKILL)
        started.stdout.close()
