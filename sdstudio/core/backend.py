"""What draws: the local engine, or one elsewhere. Code that makes pictures uses this protocol and no engine."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

from sdstudio.core.events import EngineStatus, EventSink, Unfinished
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.core.settings import Settings


class Backend(Protocol):
    """Makes pictures, one job at a time; usable again after any error but `BackendLost`, and after `Cancelled`."""

    def configure(self, settings: Settings) -> None:
        """Take other settings, from the next `generate` on."""

    def generate(
        self, resolved: ResolvedRequest, seeds: Sequence[int], batch_size: int, on_event: EventSink,
        cancel: threading.Event,
    ) -> None:  # fmt: skip
        """Make one picture for each seed, in their order, and emit an event for everything on the way.

        Args:
            resolved: What to draw and with what; the request's own seed is not looked at.
            seeds: One for each picture.
            batch_size: Pictures at once, where memory allows.
            on_event: Called in this thread.
            cancel: Set by anyone to stop.

        Raises:
            StudioError: What went wrong, in one line. `BackendLost`: nothing can be asked of it any more.
            Cancelled: ``cancel`` was set.
        """

    def take_unfinished(self) -> Unfinished | None:
        """Return what the last `generate` was drawing when it was cancelled, once; ``None`` for nothing to keep."""

    def keep(self, unfinished: Unfinished, on_event: EventSink, cancel: threading.Event) -> None:
        """Decode what a cancelled `generate` left, and emit its pictures. Raises as `generate`."""

    def record(self, on: bool) -> None:
        """Emit a `GuidanceStep` at every step from the next `generate` on, or no longer."""

    def status(self) -> EngineStatus:
        """Return what it runs on and holds. Never raises."""

    def unload(self) -> None:
        """Let go of the model and of the memory it took."""

    def close(self) -> None:
        """Let go of everything."""
