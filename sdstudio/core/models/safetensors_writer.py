"""How a safetensors file is written tensor by tensor, never held as a whole: header first, then bytes in its order.

The safetensors package only writes what lies in memory as a whole. A file grows under ``NAME.part``, reaches the disk
and only then takes its name, so that a crash, a full disk or a cancel leaves what was there before.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

from sdstudio.core.errors import SaveFailed
from sdstudio.core.models.safetensors_header import HEADER_MAXIMUM_BYTES, value_bits

PART_SUFFIX: Final = ".part"
_ALIGNED_TO: Final = 64
"""Bytes at whose multiples a mapped weight should begin: CPU kernels read whole vectors there."""
_ROOM_LEFT_BYTES: Final = 64 * 2**20
"""What is left free on the disk, for everything else that has to be written meanwhile."""


@dataclass(frozen=True, slots=True)
class TensorPlan:
    """A tensor that is going to be written: safetensors' name of its number format, and its shape."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes it takes."""
        return prod(self.shape) * value_bits(self.dtype) // 8


class SafetensorsWriter:
    """Writes one file; used as a context that keeps the file when the block ends well, and nothing of it otherwise.

    Args:
        path: Where it is to lie. A file that is there is replaced at the end.
        tensors: What is going to be written.
        metadata: The file's notes.

    Raises:
        SaveFailed: The disk has too little room, or the file cannot be written.
    """

    def __init__(self, path: Path, tensors: Mapping[str, TensorPlan], metadata: Mapping[str, str]) -> None:
        self.path = path
        self._part = path.with_name(path.name + PART_SUFFIX)
        self._left: list[tuple[str, int]] = []
        self._file: BinaryIO | None = None
        # Odd sizes last, so that all before them are aligned; widest values first, as the package orders them.
        self.names = tuple(sorted(tensors, key=lambda name: _place(name, tensors[name])))
        self._head = _header(self.names, tensors, metadata)
        self.size_bytes = len(self._head) + sum(plan.size_bytes for plan in tensors.values())
        self._sizes = [(name, tensors[name].size_bytes) for name in self.names]

    def __enter__(self) -> SafetensorsWriter:
        check_room(self.path.parent, self.size_bytes)
        self._left = [*reversed(self._sizes)]
        try:
            self._file = self._part.open("wb")
            self._file.write(self._head)
        except OSError as error:
            self._drop()
            raise _unwritten(self.path, error) from error
        return self

    def write(self, name: str, values: bytes | bytearray | memoryview) -> None:
        """Write the next bytes of a tensor; tensors come in the order of `names`, each in any number of pieces.

        Raises:
            SaveFailed: The disk is full or gone.
        """
        if not len(values):
            return
        while self._left and self._left[-1][1] == 0:
            self._left.pop()
        if self._file is None or not self._left or self._left[-1][0] != name or len(values) > self._left[-1][1]:
            raise ValueError(f"{name}: {len(values)} bytes do not come next in {self.path.name}")
        try:
            self._file.write(values)
        except OSError as error:
            raise _unwritten(self.path, error) from error
        self._left[-1] = (name, self._left[-1][1] - len(values))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._drop()
            return
        missing = [name for name, size in self._left if size]
        if missing or self._file is None:
            self._drop()
            raise ValueError(f"{missing} were not written to {self.path.name}")
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            os.replace(self._part, self.path)
            _fsync_folder(self.path.parent)
        except OSError as failure:
            self._drop()
            raise _unwritten(self.path, failure) from failure

    def _drop(self) -> None:
        with suppress(OSError):
            if self._file is not None:
                self._file.close()
        with suppress(OSError):
            self._part.unlink(missing_ok=True)


def check_room(folder: Path, size_bytes: int) -> None:
    """Check that a disk has room for so many bytes. Raises: SaveFailed."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise _unwritten(folder, error) from error
    if free < size_bytes + _ROOM_LEFT_BYTES:
        raise SaveFailed(
            f"Disk of {folder}: {size_bytes / 1e9:.2f} GB are needed, {free / 1e9:.2f} GB are free.",
            "Free some space, or choose another folder.",
        )


def _place(name: str, plan: TensorPlan) -> tuple[bool, int, str]:
    return plan.size_bytes % _ALIGNED_TO != 0, -value_bits(plan.dtype), name


def _header(names: tuple[str, ...], tensors: Mapping[str, TensorPlan], metadata: Mapping[str, str]) -> bytes:
    rows: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    begin = 0
    for name in names:
        plan = tensors[name]
        end = begin + plan.size_bytes
        rows[name] = {"dtype": plan.dtype, "shape": list(plan.shape), "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    text += b" " * (-(8 + len(text)) % _ALIGNED_TO)  # the length before it takes 8
    if len(text) > HEADER_MAXIMUM_BYTES:
        raise SaveFailed(
            f"Header = {len(text):,} bytes: at most {HEADER_MAXIMUM_BYTES:,} are read anywhere.", "Leave the notes out."
        )
    return len(text).to_bytes(8, "little") + text


def _fsync_folder(folder: Path) -> None:
    """Make the new name last too; Windows has no such thing and does not need it."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unwritten(path: Path, error: OSError) -> SaveFailed:
    return SaveFailed(
        f"{path} could not be written: {error.strerror}.", "Free some space, or choose another folder or name."
    )
