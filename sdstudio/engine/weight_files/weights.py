"""How weights are read piece by piece: a safetensors file by plain reads, a pickle by torch's safe unpickler.

A file that is mapped into memory counts to the process page by page as it is read, two SDXL checkpoints to 14 GB; plain
reads of a few megabytes at a time count to nothing. So merging and converting read this way, and loading maps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Final, Protocol

import torch

from sdstudio.core.errors import InvalidNumbers, ModelDamaged, ModelNotFound, ModelUnsupported
from sdstudio.core.models.quantised import is_extra, packed_as, scales_of, without_notes
from sdstudio.core.models.safetensors_header import Header, TensorEntry, read_header
from sdstudio.core.models.safetensors_writer import TensorPlan
from sdstudio.core.models.work import KEEP
from sdstudio.engine.weight_files.pickles import PICKLED, read_pickled

PACKED_HINT: Final = "Get the same model in float16, bfloat16 or fp8."

CHUNK_VALUES: Final = 2**22
"""Values that are worked on at once: 16 MB in float32."""

DESCALED: Final = torch.float16
"""What becomes of scaled fp8 where no format is asked for: fp8 has 3 or 2 binary digits, float16 has 10."""

# Safetensors' name of a number format -> torch's. What is not here no checkpoint has, and no arithmetic is done with.
DTYPES: Final[Mapping[str, torch.dtype]] = MappingProxyType({
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
    "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
    "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2,
})  # fmt: skip
NAMES: Final[Mapping[torch.dtype, str]] = MappingProxyType({dtype: name for name, dtype in DTYPES.items()})


class Weights(Protocol):
    """The tensors of one model part, wherever they lie."""

    @property
    def header(self) -> Header:
        """Names, formats and shapes; a pickle's too."""
        ...

    def values(self, name: str, begin: int, end: int) -> torch.Tensor:
        """Return the values ``begin`` to ``end`` of a tensor in a row, in its own format: (end - begin,)."""
        ...


class SafetensorsWeights:
    """A safetensors file that is read in pieces."""

    def __init__(self, path: Path, header: Header, file: BinaryIO) -> None:
        self.header = header
        self._path = path
        self._file = file

    def values(self, name: str, begin: int, end: int) -> torch.Tensor:
        """See `Weights`. Raises: ModelDamaged when the file has changed meanwhile."""
        entry = self.header.tensors[name]
        dtype = DTYPES[entry.dtype]
        if end <= begin:
            return torch.empty(0, dtype=dtype)
        values = torch.empty(end - begin, dtype=dtype)
        room = as_bytes(values)
        try:
            self._file.seek(self.header.body + entry.begin + begin * dtype.itemsize)
            read = self._file.readinto(room)  # type: ignore[attr-defined]
        except OSError as error:
            raise ModelNotFound(f"{self._path} could not be read: {error.strerror}.", "Check its drive.") from error
        if read != len(room):
            raise ModelDamaged(f"{self._path} has become shorter while it was read.", "Try again.")
        return values


class TorchWeights:
    """Tensors that torch holds: of a pickle, mapped, or of a network in memory."""

    def __init__(self, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None) -> None:
        self._tensors = {name: value for name, value in tensors.items() if value.dtype in NAMES}
        rows = {
            name: TensorEntry(NAMES[value.dtype], tuple(value.shape), 0, value.nbytes)
            for name, value in self._tensors.items()
        }
        self.header = Header(rows, dict(metadata or {}))

    def values(self, name: str, begin: int, end: int) -> torch.Tensor:
        """See `Weights`."""
        return self._tensors[name].detach().reshape(-1)[begin:end]


class DescaledWeights:
    """Weights in scaled fp8 as what they stand for, in float16: each times its scale; the scales are not there."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._scales = scales_of(weights.header)
        rows = {name: entry for name, entry in weights.header.tensors.items() if not is_extra(name)}
        for name in self._scales:
            rows[name] = TensorEntry(NAMES[DESCALED], rows[name].shape, 0, prod(rows[name].shape) * DESCALED.itemsize)
        self.header = Header(rows, without_notes(weights.header.metadata))

    def values(self, name: str, begin: int, end: int) -> torch.Tensor:
        """See `Weights`."""
        raw = self._weights.values(name, begin, end)
        if name not in self._scales:
            return raw
        scale = whole(self._weights, self._scales[name]).float().reshape(-1)
        if scale.numel() > 1:
            shape = self.header.tensors[name].shape
            scale = scale[torch.arange(begin, end) // prod(shape[1:])]
        return (raw.float() * scale).to(DESCALED)


class JoinedWeights:
    """Several files that belong together: the shards of one part."""

    def __init__(self, parts: Sequence[Weights]) -> None:
        self._by_name = {name: part for part in parts for name in part.header.tensors}
        rows = {name: part.header.tensors[name] for part in parts for name in part.header.tensors}
        self.header = Header(rows, {})

    def values(self, name: str, begin: int, end: int) -> torch.Tensor:
        """See `Weights`."""
        return self._by_name[name].values(name, begin, end)


@contextmanager
def opened_weights(path: Path) -> Iterator[Weights]:
    """Open a file of weights.

    Raises:
        ModelNotFound: There is no such file, or it may not be read.
        ModelDamaged: It is not whole.
        ModelUnsupported: It is a pickle that holds more than numbers, or holds a number format that nobody computes in.
    """
    if path.suffix.lower() in PICKLED:
        yield _plain(TorchWeights(read_pickled(path)), path)
        return
    header = read_header(path)
    odd = sorted({entry.dtype for entry in header.tensors.values()} - set(DTYPES))
    if odd:
        raise ModelUnsupported(
            f"{path} holds numbers of the format {odd[0]}: allowed are {', '.join(DTYPES)}.", "Choose another file."
        )
    with path.open("rb") as file:
        yield _plain(SafetensorsWeights(path, header, file), path)


def _plain(weights: Weights, path: Path) -> Weights:
    """Return weights that arithmetic can be done with. Raises: ModelUnsupported for packed ones."""
    packed = packed_as(weights.header)
    if packed:
        raise ModelUnsupported(f"{path.name}: its weights are packed: {packed}.", PACKED_HINT)
    return DescaledWeights(weights) if scales_of(weights.header) else weights


def descaled(
    tensors: Mapping[str, torch.Tensor], prefixes: tuple[str, ...], dtype: torch.dtype | None
) -> dict[str, torch.Tensor]:
    """Return tensors with the scales of those multiplied in whose names begin with one of ``prefixes``.

    Args:
        tensors: By name; `scales_of` returns which are scales. They are not returned.
        prefixes: Of the names that are wanted; all others stay as they are.
        dtype: Number format of the products, `DESCALED` when ``None``.
    """
    if not any(is_extra(name) for name in tensors):
        return dict(tensors)
    rows = {name: TensorEntry(NAMES.get(value.dtype, ""), tuple(value.shape), 0, 0) for name, value in tensors.items()}
    plain = {name: value for name, value in tensors.items() if not is_extra(name)}
    for name, scale_name in scales_of(Header(rows, {})).items():
        if name.startswith(prefixes):
            scale = tensors[scale_name].float()
            sides = [1] * (plain[name].ndim - 1)
            scale = scale.reshape(-1, *sides) if scale.numel() > 1 else scale.reshape(())
            plain[name] = (plain[name].float() * scale).to(dtype or DESCALED)
    return plain


@contextmanager
def opened_shards(paths: Sequence[Path]) -> Iterator[Weights]:
    """Open the files of one part as one. Raises: as `opened_weights`."""
    with ExitStack() as stack:
        yield JoinedWeights([stack.enter_context(opened_weights(path)) for path in paths])


def chunks(shape: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the ranges in which a tensor's values are worked on; none for an empty one."""
    whole = prod(shape)
    for begin in range(0, whole, CHUNK_VALUES):
        yield begin, min(begin + CHUNK_VALUES, whole)


def whole(weights: Weights, name: str) -> torch.Tensor:
    """Return a tensor in its shape."""
    shape = weights.header.tensors[name].shape
    return weights.values(name, 0, prod(shape)).reshape(shape)


def as_bytes(values: torch.Tensor) -> memoryview:
    """Return the bytes of a tensor, as safetensors stores them."""
    flat = values.detach().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data if flat.numel() else memoryview(b"")


def in_precision(entry: TensorEntry, precision: str) -> TensorPlan:
    """Return how a tensor is written: its floating point numbers in ``precision``."""
    wanted = {KEEP: "", "float32": "F32", "float16": "F16", "bfloat16": "BF16"}[precision]
    return TensorPlan(wanted if wanted and DTYPES[entry.dtype].is_floating_point else entry.dtype, entry.shape)


def cast(values: torch.Tensor, plan: TensorPlan, name: str) -> torch.Tensor:
    """Return values in the number format they are written in. Raises: InvalidNumbers when one does not fit it."""
    dtype = DTYPES[plan.dtype]
    if values.dtype == dtype:
        return values
    result = values.to(dtype)
    if dtype.is_floating_point and _is_too_large(values, result):
        largest = float(values.float().abs().max())
        raise InvalidNumbers(
            f"{name} holds {largest:,.0f}: {torch.finfo(dtype).max:,.0f} is the largest number of {plan.dtype}.",
            "Choose bfloat16 or float32.",
        )
    return result


def _is_too_large(values: torch.Tensor, cast_values: torch.Tensor) -> bool:
    """Whether a finite number did not fit into the format: infinity came of it, or in fp8 the largest number."""
    if cast_values.dtype.itemsize > 1:
        return not bool(cast_values.isfinite().all()) and bool(values.float().isfinite().all())
    sizes = values.float().abs()
    return bool((sizes.isfinite() & (sizes > torch.finfo(cast_values.dtype).max)).any())
