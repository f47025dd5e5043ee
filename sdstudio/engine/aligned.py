"""Where weights lie in main memory: at multiples of 64 bytes, as torch's own do, whatever they came from.

A file that is mapped puts them at addresses that depend on the length of its header, a ``bytearray`` at multiples of 16
only, and the CPU's kernels round differently there: one value of 12,288 of a picture was another by one level. What
torch allocates lies at multiples of 64, and so does what follows from it, so only what enters is looked at.

A weight in a mapped file is read again from that file, not copied: copying would bring the file's pages into the
process as well, and twice the memory with them.
"""

from __future__ import annotations

import mmap
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final

import torch
from torch import nn

from sdstudio.core.safetensors_header import Header, TensorEntry, read_header
from sdstudio.engine.weights import NAMES, as_bytes

ALIGNED_TO: Final = 64
"""Bytes; what torch's allocator on the CPU keeps (c10/core/alignment.h, ``gAlignment``)."""
_PIECE_BYTES: Final = 8 * 2**20
_READERS_MAXIMUM: Final = 4
"""Threads that read. Most of their time goes into memory that the system hands out, which few of them exhaust."""


@dataclass(frozen=True, slots=True)
class MappedFile:
    """A file that lies in memory as it is.

    Attributes:
        path: Which.
        address: Of its first byte.
        size_bytes: Its size.
    """

    path: Path
    address: int
    size_bytes: int

    def place_of(self, weight: torch.Tensor) -> int | None:
        """Return where in the file a tensor's bytes begin, ``None`` when they lie elsewhere or not in a row."""
        place = weight.data_ptr() - self.address
        inside = place >= 0 and place + weight.nbytes <= self.size_bytes
        return place if inside and weight.is_contiguous() else None


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some bytes of a file, and the memory that they are read into."""

    path: Path
    place: int
    room: memoryview


def is_aligned(tensor: torch.Tensor) -> bool:
    """Whether the CPU's kernels find a tensor where they like it; always for one that they never see."""
    return tensor.device.type != "cpu" or tensor.data_ptr() % ALIGNED_TO == 0


def aligned(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor, copied when it does not lie at a multiple of 64 bytes."""
    return tensor if is_aligned(tensor) else tensor.clone()


def mapped_file(path: Path, tensors: Mapping[str, torch.Tensor]) -> MappedFile | None:
    """Return where a safetensors file is mapped, ``None`` when it is not.

    Args:
        path: The file.
        tensors: What was made of it, by the names in it; those of a network may lack the first part of a name.

    Raises:
        ModelError: It is no whole safetensors file.
    """
    header = read_header(path)
    addresses = {
        tensor.data_ptr() - header.body - entry.begin
        for name, entry in header.tensors.items()
        if (tensor := _of(name, entry, tensors)) is not None
    }
    # Some are where no file puts them: another number format was asked for. A mapping begins with a page.
    starts = {address for address in addresses if address % mmap.PAGESIZE == 0}
    if len(starts) != 1 or len(addresses) != 1:
        return None
    return MappedFile(path, starts.pop(), _size_of(header))


def align(network: nn.Module, files: Iterable[MappedFile] = ()) -> None:
    """Move what of a network's weights and buffers does not lie at a multiple of 64 bytes; the others stay.

    Args:
        network: On the CPU, or partly.
        files: Where it may lie. What lies in none is copied.

    Raises:
        OSError: A file cannot be read any more.
    """
    known = tuple(files)
    pieces: list[_Piece] = []
    fresh: dict[tuple[int, torch.dtype, torch.Size, tuple[int, ...]], torch.Tensor] = {}
    moved: list[tuple[torch.Tensor, torch.Tensor]] = []
    for weight in chain(network.parameters(), network.buffers()):
        if is_aligned(weight):
            continue
        where = (weight.data_ptr(), weight.dtype, weight.shape, weight.stride())
        if where not in fresh:  # weights that share their memory go on to
            fresh[where] = _elsewhere(weight.detach(), known, pieces)
        moved.append((weight, fresh[where]))
    _read(pieces)
    for weight, new in moved:
        weight.data = new


def _of(name: str, entry: TensorEntry, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
    for known in (name, name.partition(".")[2]):
        tensor = tensors.get(known)
        if tensor is not None and tuple(tensor.shape) == entry.shape and NAMES.get(tensor.dtype) == entry.dtype:
            return tensor
    return None


def _size_of(header: Header) -> int:
    return header.body + max((entry.end for entry in header.tensors.values()), default=0)


def _elsewhere(weight: torch.Tensor, files: Sequence[MappedFile], pieces: list[_Piece]) -> torch.Tensor:
    """Return memory for a weight: filled, or to be filled by pieces that are added."""
    for file in files:
        place = file.place_of(weight)
        if place is not None:
            new = torch.empty_like(weight)
            room = as_bytes(new)
            pieces += [
                _Piece(file.path, place + begin, room[begin : begin + _PIECE_BYTES])
                for begin in range(0, len(room), _PIECE_BYTES)
            ]
            return new
    return weight.clone()


def _read(pieces: Sequence[_Piece]) -> None:
    """Read pieces, several at once, in the order in which they lie in their files."""
    waiting = deque(sorted(pieces, key=lambda piece: (piece.path, piece.place)))
    failed: list[OSError] = []

    def work() -> None:
        files: dict[Path, BinaryIO] = {}
        with ExitStack() as stack:
            try:
                while waiting:
                    piece = waiting.popleft()
                    if piece.path not in files:
                        files[piece.path] = stack.enter_context(piece.path.open("rb"))
                    _fill(piece, files[piece.path])
            except IndexError:  # another thread took the last one
                return
            except OSError as error:
                failed.append(error)
                waiting.clear()

    count = min(_READERS_MAXIMUM, torch.get_num_threads(), len(pieces))
    others = [threading.Thread(target=work, name="weights") for _ in range(count - 1)]
    for thread in others:
        thread.start()
    try:
        work()
    finally:
        waiting.clear()  # also when this thread was stopped
        for thread in others:
            thread.join()
    if failed:
        raise failed[0]


def _fill(piece: _Piece, file: BinaryIO) -> None:
    file.seek(piece.place)
    if file.readinto(piece.room) != len(piece.room):  # type: ignore[attr-defined]
        raise OSError(f"{piece.path.name} has become shorter while it was read")
