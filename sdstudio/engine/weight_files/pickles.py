"""How the numbers come out of torch's pickles: by its safe unpickler, with empty stand-ins for what training left.

Nothing of any package is imported or run: what a file names besides tensors and plain containers is either of the
packages below, and something empty takes its place, or the file is refused.
"""

from __future__ import annotations

import pickle
import pickletools
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import torch

from sdstudio.core.errors import ModelDamaged, ModelNotFound, ModelUnsupported

PICKLED: Final = frozenset({".ckpt", ".pt", ".pth", ".bin"})

NESTS: Final = (
    "state_dict", "params_ema", "params-ema", "params", "model_state_dict", "model", "netG", "net_g", "generator", "G",
    "vae", "first_stage_model", "module", "net", "network", "weights",
)  # fmt: skip
"""Names under which files keep their weights, the best first: Lightning, BasicSR, BSRGAN, DataParallel.

Of what BasicSR's upscalers hold twice the averaged weights (EMA) are the better ones.
"""
_DEPTH_MAXIMUM: Final = 4
"""Nests inside nests; nobody's are deeper."""

# Packages whose objects training left beside the weights (A1111 knows the first ones too). None of them is imported.
_LEFT_BY_TRAINING: Final = frozenset({
    "pytorch_lightning", "lightning", "lightning_fabric", "lightning_utilities", "omegaconf", "numpy", "argparse",
    "typing", "collections", "pathlib", "datetime", "ldm", "sgm", "taming", "diffusers", "basicsr", "main", "__main__",
})  # fmt: skip
_LEGACY_PICKLES: Final = 4
"""A file of torch before 1.6 begins with four: a magic number, a version, facts about the machine, and the object."""


def read_pickled(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a ``.ckpt``, mapped where its format allows; nothing but numbers is ever unpickled.

    Raises:
        ModelNotFound: There is no such file.
        ModelDamaged: It is no whole file of torch.
        ModelUnsupported: It holds Python objects, or no weights.
    """
    if not path.is_file():
        raise ModelNotFound(f"{path}: there is no such file.", "Check the path.")
    try:
        content: Any = unpickled(path)
    except pickle.UnpicklingError:
        raise ModelUnsupported(
            f"{path.name} holds Python objects besides its weights and was not opened: they could be any program.",
            "Get the .safetensors of this model from where it came from.",
        ) from None
    except (OSError, RuntimeError, ValueError, EOFError, LookupError, TypeError, AttributeError) as error:
        reason = str(error).strip().split("\n")[0][:120]
        raise ModelDamaged(
            f"{path.name} is damaged: {reason}.", "Get the file again from where it came from."
        ) from error
    tensors = _tensors(_nested(content))
    if not tensors:
        raise ModelUnsupported(f"{path.name} holds no weights.", "Choose a checkpoint.")
    return tensors


def unpickled(path: Path, more: Sequence[Any] = ()) -> Any:
    """Return what a file of torch holds, mapped where its format allows.

    Args:
        path: The file.
        more: Classes that may be built besides tensors and plain containers.

    Raises:
        UnpicklingError: It holds an object of another kind.
        OSError, RuntimeError, ValueError, EOFError, LookupError, TypeError, AttributeError: It is not whole.
    """
    stand_ins = [_inert(name) for name in sorted(_globals_of(path)) if name.partition(".")[0] in _LEFT_BY_TRAINING]
    known = {"collections.OrderedDict", "collections.Counter"}
    with torch.serialization.safe_globals([*more, *(one for name, one in stand_ins if name not in known)]):
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError as error:
            if "mmap" not in str(error):
                raise
        return torch.load(path, map_location="cpu", weights_only=True)  # before torch 1.6 files were no archives


def _nested(content: Any) -> dict[Any, Any]:
    """Return the weights inside what a file holds: under a name that is known, else under the only one with tensors."""
    for _ in range(_DEPTH_MAXIMUM):
        if not isinstance(content, dict):
            return {}
        named = next((content[name] for name in NESTS if isinstance(content.get(name), dict)), None)
        if named is None and not _tensors(content):
            nests = [value for value in content.values() if isinstance(value, dict) and _tensors(value)]
            named = nests[0] if len(nests) == 1 else None
        if named is None:
            return content
        content = named
    return content if isinstance(content, dict) else {}


def _tensors(content: dict[Any, Any]) -> dict[str, torch.Tensor]:
    return {name: value for name, value in content.items() if isinstance(name, str) and torch.is_tensor(value)}


def _globals_of(path: Path) -> set[str]:
    """Return the names that a file asks the unpickler for; none where it is not whole, which loading it reports."""
    names: set[str] = set()
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                member = next((name for name in archive.namelist() if name.endswith("data.pkl")), None)
                if member is not None:
                    with archive.open(member) as file:
                        names.update(_asked_for(file, 1))
        else:
            with path.open("rb") as file:
                names.update(_asked_for(file, _LEGACY_PICKLES))
    except (OSError, ValueError, EOFError, LookupError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        pass
    return names


def _asked_for(file: BinaryIO | Any, pickles: int) -> Iterator[str]:
    for _ in range(pickles):
        for operation, argument, _place in pickletools.genops(file):
            if operation.name == "GLOBAL":
                yield str(argument).replace(" ", ".")


def _inert(name: str) -> tuple[str, Any]:
    """Return a name with what stands in for it: a class that takes anything and keeps nothing."""
    module, _, own = name.rpartition(".")

    def take(self: object, *_arguments: Any, **_options: Any) -> None:
        pass

    kept = dict.fromkeys(("__init__", "__setstate__", "__setitem__", "append", "extend"), take)
    stand_in = type(own, (), {"__module__": module, "__qualname__": own, **kept})
    return name, (stand_in, name)
