"""Weights that are read before they are asked for, while another part of the model is being built.

Memory that the system hands out afresh is what costs time when weights are moved to multiples of 64 bytes (0.7 s of the
processor for each GB on one machine), and building a network keeps a single thread busy; both go on side by side.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Final, Self

import torch

from sdstudio.core.errors import ModelError
from sdstudio.core.safetensors_header import read_header
from sdstudio.engine.weights import NAMES, as_bytes

log = logging.getLogger(__name__)

ALIGNED_TO: Final = 64
"""Bytes; what torch's allocator on the CPU keeps (c10/core/alignment.h, ``gAlignment``)."""

Place = tuple[Path, int]
"""A file, and where in it a tensor's bytes begin."""


@dataclass(slots=True)
class _Ahead:
    """A tensor that is to be read; ``tensor`` is ``None`` before, and when it could not be read."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    is_begun: bool = False
    ready: threading.Event = field(default_factory=threading.Event)
    tensor: torch.Tensor | None = None


class ReadAhead:
    """Reads the weights of files that do not lie well in them, in a thread of its own, until it is closed.

    Args:
        files: Safetensors files in the order in which they will be asked for.
        dtype: The format that the weights will have; those in another are converted, into new memory, by the libraries.
        wanted: Says by its name whether a weight will be asked for at all.
    """

    def __init__(
        self, files: Iterable[Path], dtype: torch.dtype, wanted: Callable[[str], bool] = lambda _name: True
    ) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Place] = deque()
        self._rows: dict[Place, _Ahead] = {}
        for path in files:
            self._plan(path, dtype, wanted)
        self._thread = threading.Thread(target=self._work, name="weights-ahead") if self._rows else None
        if self._thread is not None:
            self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Read no more, and let go of what nobody asked for."""
        with self._lock:
            self._waiting.clear()
        if self._thread is not None:
            self._thread.join()
        self._rows.clear()

    def take(self, place: Place, shape: torch.Size, dtype: torch.dtype) -> torch.Tensor | None:
        """Return the weight that lies at a place of a file, ``None`` when whoever asks has to read it."""
        with self._lock:
            row = self._rows.pop(place, None)
            if row is None or not row.is_begun:
                return None
        row.ready.wait()
        found = row.tensor
        return found if found is not None and found.numel() == shape.numel() and found.dtype == dtype else None

    def _plan(self, path: Path, dtype: torch.dtype, wanted: Callable[[str], bool]) -> None:
        try:
            header = read_header(path)
        except ModelError:
            return  # told by whoever loads the file
        for name, entry in sorted(header.tensors.items(), key=lambda item: item[1].begin):
            place = header.body + entry.begin
            if entry.dtype == NAMES[dtype] and place % ALIGNED_TO and entry.end > entry.begin and wanted(name):
                self._rows[path, place] = _Ahead(entry.shape, dtype)
                self._waiting.append((path, place))

    def _work(self) -> None:
        files: dict[Path, FileIO] = {}
        try:
            while (begun := self._next()) is not None:
                (path, place), row = begun
                try:
                    if path not in files:
                        files[path] = FileIO(path)
                    files[path].seek(place)
                    tensor = torch.empty(row.shape, dtype=row.dtype)
                    row.tensor = tensor if _filled(files[path], tensor) else None
                except (OSError, MemoryError, RuntimeError) as error:  # whoever asks reads it, and says what is wrong
                    log.info("%s could not be read ahead: %s", path, error)
                finally:
                    row.ready.set()
        finally:
            for file in files.values():
                file.close()

    def _next(self) -> tuple[Place, _Ahead] | None:
        with self._lock:
            while self._waiting:
                place = self._waiting.popleft()
                row = self._rows.get(place)  # gone when it was asked for first
                if row is not None:
                    row.is_begun = True
                    return place, row
        return None


def _filled(file: FileIO, tensor: torch.Tensor) -> bool:
    """Fill a tensor from where a file stands; False when the file ends before."""
    room = as_bytes(tensor)
    done = 0
    while done < len(room):
        count = file.readinto(room[done:])
        if not count:
            return False
        done += count
    return True
