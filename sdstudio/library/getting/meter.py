"""How far a download is, how fast, and how long it will still take."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

from sdstudio.library.getting.fetch import Part

_SPEED_OVER_S: Final = 5.0
_TELL_EVERY_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class DownloadProgress:
    """How far a download is.

    Attributes:
        done_bytes: Arrived and written.
        total_bytes: Of all files.
        bytes_per_second: Over the last seconds; 0 when nothing comes.
        doing: What it does instead of receiving, "" while it receives.
    """

    done_bytes: int
    total_bytes: int
    bytes_per_second: float = 0.0
    doing: str = ""

    @property
    def fraction(self) -> float:
        """0..1 of the whole."""
        return self.done_bytes / self.total_bytes if self.total_bytes else 1.0

    @property
    def seconds_left(self) -> float:
        """At this speed; 0 when it is not known."""
        return (self.total_bytes - self.done_bytes) / self.bytes_per_second if self.bytes_per_second > 0 else 0.0


OnProgress = Callable[[DownloadProgress], None]


class Meter:
    """Turns bytes on disk into progress."""

    def __init__(self, done_bytes: int, total_bytes: int, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._done = done_bytes
        self._total = total_bytes
        self._part: Part | None = None
        self._seen: deque[tuple[float, int]] = deque()
        self._told_at = 0.0
        self._said = ""

    def watch(self, part: Part | None) -> None:
        """Count this file as it grows."""
        self._part = part
        self._seen.clear()

    def add(self, size_bytes: int) -> None:
        """A file is whole."""
        self._done += size_bytes

    def tell(self, doing: str, force: bool = False) -> None:
        """Report how far it is, not too often."""
        now = monotonic()
        if not force and doing == self._said and now - self._told_at < _TELL_EVERY_S:
            return
        self._told_at, self._said = now, doing
        done = self._done + (self._part.size_bytes if self._part is not None else 0)
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[0][0] > _SPEED_OVER_S:
            self._seen.popleft()
        past_s, came = now - self._seen[0][0], done - self._seen[0][1]
        speed = came / past_s if past_s > 0 and came > 0 and not doing else 0.0
        self._on_progress(DownloadProgress(done, self._total, speed, doing))
