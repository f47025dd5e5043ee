"""The hashes of the library, computed one file after the other on a thread of their own, the smallest file first.

Reading gigabytes must hold up neither a picture nor a thumbnail, so the task runner is not used: this thread may
run for an hour, rests while a picture is drawn, and stops within a few megabytes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QObject, Qt, Signal

from sdstudio.background.signals import TypedSignal
from sdstudio.core.errors import Cancelled, StudioError
from sdstudio.core.models.asset import Asset
from sdstudio.library.library import Library

log = logging.getLogger(__name__)

_EMIT_EVERY_S: Final = 0.2
_REST_S: Final = 0.25


@dataclass(frozen=True, slots=True)
class HashingProgress:
    """How far the hashing is.

    Attributes:
        done: Files that are done.
        count: Files altogether.
        fraction: Share of their bytes, 0..1.
        seconds_left: What the rest takes at the speed so far, ``None`` while nobody knows.
    """

    done: int
    count: int
    fraction: float
    seconds_left: float | None


class AssetHasher(QObject):
    """Hashes what it is given; its signals come on the thread that made it.

    Args:
        library: Whose files; it keeps the hashes.
        is_busy: Whether a picture is being drawn.
        parent: As Qt has it.
    """

    #: A file's hashes are known now; carries the `Asset` with them.
    hashed = TypedSignal[Asset]()
    #: How far it is; carries a `HashingProgress`.
    progressed = TypedSignal[HashingProgress]()
    #: Nothing is left to do, or it was stopped.
    ended = Signal()
    _hashed = TypedSignal[Asset]()
    _moved = TypedSignal[HashingProgress]()
    _ended = TypedSignal[threading.Event]()

    def __init__(self, library: Library, is_busy: Callable[[], bool], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._library = library
        self._is_busy = is_busy
        self._cancel = threading.Event()
        self._thread: threading.Thread | None = None
        self._leaving: list[threading.Thread] = []
        self._hashed.connect(self.hashed, Qt.ConnectionType.QueuedConnection)
        self._moved.connect(self.progressed, Qt.ConnectionType.QueuedConnection)
        self._ended.connect(self._on_ended, Qt.ConnectionType.QueuedConnection)

    @property
    def is_running(self) -> bool:
        """Whether it has something to do."""
        return self._thread is not None

    def start(self, assets: Sequence[Asset]) -> None:
        """Hash these; what it was doing before is stopped. What is known already costs nothing."""
        self.stop()
        waiting = sorted((asset for asset in assets if not is_hashed(asset)), key=lambda asset: asset.size_bytes)
        if not waiting:
            return
        self._cancel = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(waiting, self._cancel), name="sdstudio-hashes", daemon=True
        )
        self._thread.start()

    def stop(self, wait: bool = True) -> None:
        """Stop; the file that is being read is begun anew the next time. Who waits, waits for earlier ones too."""
        self._cancel.set()
        if self._thread is not None:
            self._leaving.append(self._thread)
            self._thread = None
        if wait:
            self.join()

    def join(self, patience_s: float | None = None) -> bool:
        """Wait for what was stopped, ``None`` for as long as it takes; False when it did not end in time."""
        until = None if patience_s is None else time.monotonic() + patience_s
        for thread in self._leaving:
            thread.join(None if until is None else max(0.0, until - time.monotonic()))
        self._leaving = [thread for thread in self._leaving if thread.is_alive()]
        return not self._leaving

    def _run(self, waiting: Sequence[Asset], cancel: threading.Event) -> None:
        whole = sum(asset.size_bytes for asset in waiting) or 1
        clock = _Clock(whole)
        done_bytes = 0
        try:
            for at, asset in enumerate(waiting):

                def tell(part: float, at: int = at, before: int = done_bytes, size: int = asset.size_bytes) -> None:
                    self._rest(cancel)
                    if clock.is_time():
                        read = before + round(part * size)
                        self._moved.emit(HashingProgress(at, len(waiting), read / whole, clock.seconds_left(read)))

                try:
                    self._hashed.emit(self._library.hash_asset(asset, tell, cancel))
                except (StudioError, OSError) as error:  # gone meanwhile, or unreadable: the list shows it
                    log.info("no hash of %s: %s", asset.path, error)
                done_bytes += asset.size_bytes
        except Cancelled:
            pass
        self._ended.emit(cancel)

    def _rest(self, cancel: threading.Event) -> None:
        """Wait while a picture is drawn: the disk and the processor are for that."""
        while self._is_busy() and not cancel.wait(_REST_S):
            pass
        if cancel.is_set():
            raise Cancelled

    def _on_ended(self, cancel: threading.Event) -> None:
        if cancel is self._cancel:
            self._thread = None
            self.ended.emit()


def is_hashed(asset: Asset) -> bool:
    """Return whether all hashes of an asset are known."""
    return bool(asset.sha256 and (asset.body_sha256 or not asset.kind_row.body_hash))


class _Clock:
    """When progress is due, and how long the rest will take."""

    def __init__(self, whole: int) -> None:
        self._whole = whole
        self._began = self._emitted = time.monotonic()

    def is_time(self) -> bool:
        now = time.monotonic()
        if now - self._emitted < _EMIT_EVERY_S:
            return False
        self._emitted = now
        return True

    def seconds_left(self, done: int) -> float | None:
        spent = time.monotonic() - self._began
        return spent * (self._whole - done) / done if done and spent > 1.0 else None
