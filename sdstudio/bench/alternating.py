"""Two sides measured in turn, and again where other programs took the processors meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, NamedTuple

import psutil

FOREIGN_LIMIT: Final = 0.1
"""Share of all processors that others may take during a pair; above it the pair is measured again."""
_MORE_PAIRS: Final = 2
"""At most so many times the pairs that are asked for are measured."""


class Pairs(NamedTuple):
    """What was measured.

    Attributes:
        times: Pairs of seconds, ours and the reference's: those least disturbed, as many as were asked for.
        repeated: How many more were measured.
        foreign: The largest share of all processors that others took during one of ``times``, 0..1.
    """

    times: list[tuple[float, float]]
    repeated: int
    foreign: float

    @property
    def note(self) -> str:
        """What of it is worth telling; "" where nobody disturbed."""
        again = f"{self.repeated} measured again" if self.repeated else ""
        busy = f"others took up to {self.foreign:.0%} of the processors" if self.foreign > FOREIGN_LIMIT else ""
        return ", ".join(part for part in (again, busy) if part)


class ForeignShare:
    """Says which share of all processors other programs have taken since it was asked last.

    This process and its children count as our own; of a child that has ended, the time it took until it was waited for.
    """

    def __init__(self) -> None:
        self._since = self._now()

    def taken(self) -> float:
        """Return it, 0..1."""
        before, self._since = self._since, self._now()
        elapsed, busy, own = (now - then for now, then in zip(self._since, before, strict=True))
        return min(1.0, max(0.0, busy - own) / (elapsed * (psutil.cpu_count() or 1))) if elapsed > 0 else 0.0

    @staticmethod
    def _now() -> tuple[float, float, float]:
        system = psutil.cpu_times()
        busy = sum(system) - system.idle - getattr(system, "iowait", 0.0) - getattr(system, "guest", 0.0)
        process = psutil.Process()
        own = process.cpu_times()
        living = 0.0
        for child in process.children(recursive=True):
            try:
                times = child.cpu_times()
            except psutil.Error:
                continue  # ended meanwhile
            living += times.user + times.system
        return time.monotonic(), busy, own.user + own.system + own.children_user + own.children_system + living


def alternate(
    pairs: int, ours: Callable[[], float], reference: Callable[[], float],
    foreign_share: Callable[[], Callable[[], float]] = lambda: ForeignShare().taken,
) -> Pairs:  # fmt: skip
    """Measure both sides so many times in turn: AB, BA, AB .., so that what else the machine does hits both alike.

    A pair during which others took much of the processors is measured again, as long as that helps: at most twice as
    many pairs are measured as are asked for.

    Args:
        pairs: How many.
        ours: Does the work and returns how many seconds it took.
        reference: The same of what it is compared with.
        foreign_share: Begins to watch; what it returns says what others have taken since it was called last, 0..1.
    """
    taken = foreign_share()
    measured: list[tuple[float, tuple[float, float]]] = []
    quiet = 0
    while quiet < pairs and len(measured) < _MORE_PAIRS * pairs:
        taken()
        if len(measured) % 2:
            second = reference()
            pair = (ours(), second)
        else:
            first = ours()
            pair = (first, reference())
        share = taken()
        quiet += share <= FOREIGN_LIMIT
        measured.append((share, pair))
    least = sorted(range(len(measured)), key=lambda index: measured[index][0])[:pairs]
    times = [measured[index][1] for index in sorted(least)]
    return Pairs(times, len(measured) - pairs, max(measured[index][0] for index in least))
