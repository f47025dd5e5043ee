"""Which sha256 a file has, computed once: kept by path, size and time of change in ``cache/hashes.json``.

Beside the sha256 of the whole file stands, where it was asked for, that of a safetensors file's body: all that follows
the header. Other programs know a LoRA by it (AutoV3), since a changed note in the header does not change it.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from sdstudio.core.errors import Cancelled, ModelNotFound
from sdstudio.library.cache_file import read_cache, write_cache

_SHA256: Final = re.compile("[0-9a-f]{64}")
_CHUNK_BYTES: Final = 4 * 2**20


class HashCache:
    """The sha256 of model files. Safe to use from several threads; several programs may share one cache folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "hashes.json"
        self._lock = threading.Lock()
        self._rows: dict[str, Any] = read_cache(self._path)

    def known(self, path: Path, body: bool = False) -> str:
        """Return the file's sha256, or its body's, when it is known and the file unchanged since, else ""."""
        try:
            stamp = _stamp(path)
        except OSError:
            return ""
        with self._lock:
            row = self._rows.get(str(path))
        if isinstance(row, dict) and {"size": row.get("size"), "mtime_ns": row.get("mtime_ns")} == stamp:
            value = row.get("body_sha256" if body else "sha256")
            return value if isinstance(value, str) and _SHA256.fullmatch(value) else ""
        return ""

    def compute(
        self,
        paths: Sequence[Path],
        on_progress: Callable[[float], None] | None = None,
        cancel: threading.Event | None = None,
        bodies: bool = False,
    ) -> list[str]:
        """Return the sha256 of each file, reading those that are not known.

        Args:
            paths: The files.
            on_progress: Called with the share of bytes done, 0..1, after every few megabytes.
            cancel: Set by another thread to stop.
            bodies: Whether the bodies' are to be known afterwards too.

        Raises:
            ModelNotFound: A file is gone or cannot be read.
            Cancelled: ``cancel`` was set.
        """
        results: list[str] = []
        try:
            sizes = [path.stat().st_size for path in paths]
            whole, done = sum(sizes) or 1, 0
            for path, size in zip(paths, sizes, strict=True):
                value = self.known(path)
                if not value or (bodies and not self.known(path, body=True)):
                    stamp = _stamp(path)
                    hashes = _read_through(path, bodies, cancel, _part_of(on_progress, done, whole))
                    value = hashes["sha256"]
                    self._keep(path, {**stamp, **hashes})
                done += size
                if on_progress is not None:
                    on_progress(done / whole)
                results.append(value)
        except OSError as error:
            message = f"{error.filename} could not be read: {error.strerror}."
            raise ModelNotFound(message, "Check that the model is still there.") from error
        return results

    def adopt(self, source: Path, target: Path) -> None:
        """Take over what is known about a file for a second name of it."""
        with self._lock:
            row = self._rows.get(str(source))
        if isinstance(row, dict) and self.known(source) and target.samefile(source):
            self._keep(target, row)

    def learn(self, path: Path, sha256: str) -> None:
        """Take a file's sha256 that was just computed elsewhere."""
        with suppress(OSError):
            self._keep(path, {**_stamp(path), "sha256": sha256})

    def _keep(self, path: Path, row: dict[str, Any]) -> None:
        """Remember a row on disk too; a folder that cannot be written only costs the next start the time."""
        with self._lock:
            self._rows = {**read_cache(self._path), **self._rows, str(path): row}
            write_cache(self._path, self._rows)


def _stamp(path: Path) -> dict[str, int]:
    status = path.stat()
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns}


def _read_through(
    path: Path, body: bool, cancel: threading.Event | None, on_read: Callable[[int], None]
) -> dict[str, str]:
    """Return the sha256 of a file, with ``body`` also that of what follows its header, in one reading."""
    whole, rest = hashlib.sha256(), hashlib.sha256()
    read = 0
    with path.open("rb") as file:
        start = 0
        if body:  # a file without a header of a possible length is all body
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            length = int.from_bytes(file.read(8), "little") + 8
            start = length if length <= size else 0
            file.seek(0)
        while chunk := file.read(_CHUNK_BYTES):
            if cancel is not None and cancel.is_set():
                raise Cancelled
            whole.update(chunk)
            if body:
                rest.update(memoryview(chunk)[max(0, start - read) :])
            read += len(chunk)
            on_read(read)
    return {"sha256": whole.hexdigest(), **({"body_sha256": rest.hexdigest()} if body else {})}


def _part_of(on_progress: Callable[[float], None] | None, done: int, whole: int) -> Callable[[int], None]:
    def on_read(read: int) -> None:
        if on_progress is not None:
            on_progress((done + read) / whole)

    return on_read
