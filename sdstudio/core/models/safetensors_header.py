"""How to read a safetensors header from a file that may be hostile: a few bounded reads, never a tensor.

safetensors' own parser takes a 100 MB header with 1.5 million empty tensors (a minute and 2 GB), so how many names a
header may hold is counted before it is parsed. The largest real checkpoints have a few thousand tensors in a few
hundred kB; what makes a header large are the notes of training tools: pictures, and every tag of a data set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from math import prod
from operator import mul
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic_core import from_json

from sdstudio.core.errors import ModelDamaged, ModelNotFound

HEADER_MAXIMUM_BYTES: Final = 100_000_000
"""What safetensors itself allows (``MAX_HEADER_SIZE`` in its ``tensor.rs``)."""
TENSOR_MAXIMUM: Final = 20_000
_LARGE_BYTES: Final = 2**20
"""Headers up to this size are parsed as they are."""
_STRINGS_MAXIMUM: Final = 8 * TENSOR_MAXIMUM
"""Strings in a larger one: five for each tensor, the rest for notes."""
_BARE_MAXIMUM_BYTES: Final = 200 * TENSOR_MAXIMUM
"""What stands outside of strings in a larger one: shapes and offsets."""
_LOOKED_AT: Final = 100
_DAMAGED_HINT: Final = "Get the file again from where it came from."
# Bits per value, safetensors 0.8 `Dtype`.
_BITS: Final = {
    "BOOL": 8, "U8": 8, "I8": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "I64": 64, "U64": 64, "F64": 64, "C64": 64,
}  # fmt: skip


def value_bits(dtype: str) -> int:
    """Return how many bits one value of this number format takes."""
    return _BITS[dtype]


def bits_of(header: Header) -> int:
    """Return how many bits the numbers of a file take, 0 for none; the formats that it mixes are averaged.

    A file lists its widest numbers first, and looking at all of a few thousand tensors takes too long: at some of each
    part, then.
    """
    some = islice(header.tensors, 0, None, max(1, len(header.tensors) // _LOOKED_AT))
    entries = [header.tensors[name] for name in some]
    numbers = sum(prod(entry.shape) for entry in entries)
    return round(sum(entry.end - entry.begin for entry in entries) * 8 / numbers) if numbers else 0


class TensorEntry(NamedTuple):
    """One tensor as the header names it; ``begin`` and ``end`` count bytes from the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class _Tensors(Mapping[str, TensorEntry]):
    """The checked tensors of a header, each made when it is asked for: to recognise a file's kind, a few are needed."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self._raw = raw

    def __getitem__(self, name: str) -> TensorEntry:
        entry = self._raw[name]
        return TensorEntry(entry["dtype"], tuple(entry["shape"]), *entry["data_offsets"])

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)

    def __contains__(self, name: object) -> bool:
        return name in self._raw


@dataclass(frozen=True, slots=True)
class Header:
    """A whole header: the tensors by name, the file's own notes, and where the tensors' bytes begin in the file."""

    tensors: Mapping[str, TensorEntry]
    metadata: dict[str, str]
    body: int = 0

    @property
    def body_bytes(self) -> int:
        """How many bytes of weights follow the header."""
        return max((entry.end for entry in self.tensors.values()), default=0)


def may_begin_header(start: bytes) -> bool:
    """Whether these nine bytes can begin a safetensors file: a length that is allowed; a large one with a brace."""
    length = int.from_bytes(start[:8], "little")
    return length <= _LARGE_BYTES or (length <= HEADER_MAXIMUM_BYTES and start[8:9] == b"{")


def read_header(path: Path) -> Header:
    """Read and check the header of a safetensors file, the length of the file included.

    Raises:
        ModelNotFound: There is no such file, or it may not be read.
        ModelDamaged: The file is truncated, or no safetensors file at all.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            start = file.read(8)
            length = int.from_bytes(start, "little")
            may_begin = may_begin_header(start + file.read(1))
            file.seek(8)
            if size < 8:
                raise _damaged(path, f"it has {size} bytes; a safetensors file has at least 8")
            if not may_begin:
                raise _damaged(path, f"it {_nature(start)}, so it is no safetensors file")
            if 8 + length > size:
                raise _damaged(path, f"it ends inside its header, after {size:,} of at least {8 + length:,} bytes")
            text = file.read(length)
    except FileNotFoundError:
        raise ModelNotFound(f"{path}: there is no such file.", "Check the path.") from None
    except OSError as error:
        raise ModelNotFound(f"{path} could not be read: {error.strerror}.", "Check that you may read it.") from error
    header = parse_header(path, text, size - 8 - length)
    return Header(header.tensors, header.metadata, 8 + length)


def parse_header(path: Path, text: bytes, body: int | None) -> Header:
    """Check a header that was read already.

    Args:
        path: Where it is from, for messages.
        text: The JSON after the length.
        body: How many bytes follow it, ``None`` when nobody knows yet.

    Raises:
        ModelDamaged: It is no header, or not one for a body of this length.
    """
    if len(text) > _LARGE_BYTES and not _is_bounded(text):
        raise _damaged(path, f"its header names more than {TENSOR_MAXIMUM:,} tensors")
    try:
        raw = from_json(text, allow_inf_nan=False)  # faster than json's, and it stops at deep nesting
    except ValueError:
        raise _damaged(path, "its header is not JSON, so it is no safetensors file") from None
    if not isinstance(raw, dict):
        raise _damaged(path, "its header is no JSON object")
    notes = raw.pop("__metadata__", None)
    notes = {} if notes is None else notes  # as safetensors' own reader has it
    if not isinstance(notes, dict) or not all(isinstance(value, str) for value in notes.values()):
        raise _damaged(path, "the notes in its header are no JSON object of texts, as the format has it")
    if len(raw) > TENSOR_MAXIMUM:
        raise _damaged(path, f"its header names {len(raw):,} tensors; at most {TENSOR_MAXIMUM:,} are read")
    spans = _spans(raw)
    if spans is None:
        wrong = next(name for name, entry in raw.items() if _spans({name: entry}) is None)
        raise _damaged(path, f"its header describes the tensor {wrong[:80]!r} wrongly")
    _check_cover(path, spans, body)
    return Header(_Tensors(raw), notes)


def _is_bounded(text: bytes) -> bool:
    """Whether a large header is small but for the texts in its notes, so that parsing it is cheap."""
    quoted = text.replace(rb"\\", b"").replace(rb"\"", b"")
    if quoted.count(b'"') > 2 * _STRINGS_MAXIMUM:
        return False
    return sum(map(len, quoted.split(b'"')[::2])) <= _BARE_MAXIMUM_BYTES


def _spans(raw: dict[str, Any]) -> list[tuple[int, int]] | None:
    """Return where each tensor of a header begins and ends; ``None`` when one is none, or not of the noted size.

    The thousand files of a library name a million tensors, so all are looked at together: 0.5 us each instead of 9.
    """
    entries = raw.values()
    try:
        shapes = [entry["shape"] for entry in entries]
        spans = [(begin, end) for begin, end in [entry["data_offsets"] for entry in entries]]
        bits = [_BITS[entry["dtype"]] for entry in entries]
    except (TypeError, ValueError, KeyError):
        return None
    if set(map(type, shapes)) - {list}:
        return None
    if set(map(type, chain(chain.from_iterable(spans), chain.from_iterable(shapes)))) - {int}:
        return None
    if min(chain(chain.from_iterable(spans), chain.from_iterable(shapes)), default=0) < 0:
        return None
    sizes = map(mul, map(prod, shapes), bits)
    if any(size != (end - begin) * 8 for size, (begin, end) in zip(sizes, spans, strict=True)):
        return None  # an end before its begin is a negative size, which no shape has
    return spans


def _check_cover(path: Path, spans: list[tuple[int, int]], body: int | None) -> None:
    spans.sort()
    ends = spans[-1][1] if spans else 0
    body = ends if body is None else body
    if ends > body:
        raise _damaged(path, f"{ends - body:,} of its {ends:,} bytes of weights are missing")
    if (spans and spans[0][0] != 0) or any(left[1] != right[0] for left, right in pairwise(spans)):
        raise _damaged(path, "the tensors its header names overlap or leave holes")
    if ends < body:
        raise _damaged(path, f"{body - ends:,} bytes follow its last tensor")


def _nature(start: bytes) -> str:
    if start[:2] == b"PK" or start[:1] == b"\x80":
        return "holds pickled Python objects"
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in start):
        return f"begins with the text {start.decode('ascii')!r}"
    return "does not begin with the length of a header"


def _damaged(path: Path, reason: str) -> ModelDamaged:
    return ModelDamaged(f"{path} is damaged: {reason}.", _DAMAGED_HINT)
