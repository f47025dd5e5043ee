"""What works on many pictures share: how they report progress and failures, and the lock that keeps saves safe."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OnProgress = Callable[[int, int, str], None]
"""Called with how many of how many pictures are done, and the name of the one that comes next."""

SAVING_LOCK: Final = "saving.lock"
"""File in the data folder; see `saving_lock`."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One picture that did not: its file, and why in a few words."""

    source: Path
    reason: str

    def __str__(self) -> str:
        return f"{str(self.source).encode('utf-8', 'replace').decode('utf-8')}: {self.reason}"


def unheard(_done: int, _total: int, _name: str) -> None:
    """Nobody wants to know how far the work is."""


def never() -> bool:
    """Nobody stops the work."""
    return False


@contextmanager
def saving_lock(file: Path, alone: bool, patience_s: float = 1.0) -> Iterator[bool]:
    """Hold the lock that keeps tidying up after a crash apart from saves under way in this or another process.

    Args:
        file: The lock file. A killed process loses the lock by itself.
        alone: Wait for no one else to hold it; else share it with others that save.
        patience_s: How long to try.

    Yields:
        Whether it is held. Where the system cannot lock files (Windows, some network drives) it counts as held.
    """
    try:
        import fcntl  # noqa: PLC0415 (POSIX only)
    except ImportError:
        yield True
        return
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError:  # a full or read-only disk: what wanted the lock reports it better
        yield True
        return
    try:
        kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
        give_up = time.monotonic() + patience_s
        held = False
        while not held:
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
                held = True
            except BlockingIOError:
                if time.monotonic() >= give_up:
                    break
                time.sleep(0.02)
            except OSError:
                held = True
        yield held
    finally:
        os.close(descriptor)
