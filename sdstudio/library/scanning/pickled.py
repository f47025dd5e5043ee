"""Which family a ``.ckpt`` is of, read from names that stand in it as plain bytes; nothing is unpickled to look."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

_LOOKED_AT_BYTES: Final = 8 * 2**20
"""Names of weights come before the weights: the pickle of SDXL's 2,500 tensors has half a megabyte."""

# First match wins: SDXL has both text encoders, SD 2 OpenCLIP's, SD 1 OpenAI's.
_FAMILIES: Final = (
    (b"conditioner.embedders.1.model.", "sdxl"),
    (b"cond_stage_model.model.", "sd2"),
    (b"cond_stage_model.transformer.", "sd1"),
)
_UNET: Final = b"model.diffusion_model.input_blocks."
_VAE: Final = b"first_stage_model."


def lacks_vae(path: Path) -> bool:
    """Whether no name of a VAE's weights stands in a checkpoint."""
    return _VAE not in _names_in(path)


def family_in_pickle(path: Path) -> str:
    """Return the family of a checkpoint, "" when the file does not show it or is none."""
    names = _names_in(path)
    if _UNET not in names:
        return ""
    return next((family for piece, family in _FAMILIES if piece in names), "")


def _names_in(path: Path) -> bytes:
    try:
        return _pickle_of(path)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, EOFError):
        return b""


def _pickle_of(path: Path) -> bytes:
    """Return the beginning of the pickle: of a member of the archive that torch writes since 1.6, else of the file."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            return file.read(_LOOKED_AT_BYTES)
    with zipfile.ZipFile(path) as archive:
        name = next((name for name in archive.namelist() if name.endswith("data.pkl")), None)
        if name is None:
            return b""
        with archive.open(name) as member:
            return member.read(_LOOKED_AT_BYTES)
