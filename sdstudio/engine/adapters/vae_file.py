"""A VAE of the user's own in place of the model's: a folder, or a file in the original layout or in diffusers'."""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import accelerate
import diffusers
import safetensors
import safetensors.torch
import torch
from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

from sdstudio.core.errors import ModelDamaged, ModelNotFound, ModelUnsupported
from sdstudio.core.models.adapter import Adapter
from sdstudio.core.models.safetensors_header import read_header
from sdstudio.engine.device.aligned import align
from sdstudio.engine.device.interrupt import interruptible
from sdstudio.engine.weight_files.part_config import check_config
from sdstudio.engine.weight_files.pickles import PICKLED, read_pickled
from sdstudio.engine.weight_files.weights import descaled

PREFIXES: Final = ("module.", "model.", "first_stage_model.", "vae.")
"""What files have before every name of a VAE's weights, the outermost first."""
FILE_MAXIMUM_BYTES: Final = 2 * 2**30
"""Largest VAE file; real ones have some 330 MB."""

UNFIT: Final = (
    RuntimeError, ValueError, OSError, LookupError, TypeError, AttributeError, ArithmeticError, EOFError,
    safetensors.SafetensorError,
)  # fmt: skip

# What diffusers called the parts of a VAE's attention before 0.18; stabilityai/sd-vae-ft-mse still does.
_ATTENTION: Final = ".mid_block.attentions.0."
_OLD_NAMES: Final = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def load_vae(adapter: Adapter, own: Any, cancel: threading.Event) -> Any:
    """Read a VAE in the number format of the model's own one, which it must fit.

    Args:
        adapter: Which.
        own: The model's: a file records neither its shapes nor its scale.
        cancel: Set by anyone to stop.

    Raises:
        ModelError: It is not there, not whole, no VAE, or of other shapes than the model's.
        Cancelled: ``cancel`` was set.
    """
    path = adapter.path
    if not path.exists():
        raise ModelNotFound(f"VAE = {adapter.name}: {path} is gone.", "Choose another VAE, or the model's own.")
    try:
        read = functools.partial(_from_folder if path.is_dir() else _from_file, path, own)
        vae = interruptible(cancel, read).to(own.dtype).eval()
        align(vae)
    except UNFIT as error:
        first = str(error).strip().split("\n")[0][:160]
        message = f"VAE = {adapter.name}: it does not fit this model ({first})."
        raise ModelUnsupported(message, "Choose a VAE made for this model's family.") from error
    return vae


def _from_folder(path: Path, own: Any) -> Any:
    weights = path / "diffusion_pytorch_model.safetensors"
    if not weights.is_file():
        raise ModelDamaged(f"{path} lacks {weights.name}.", "Get it again from where it came from.")
    read_header(weights)
    check_config(diffusers.AutoencoderKL, path, f"VAE = {path.name}: it")
    vae = diffusers.AutoencoderKL.from_pretrained(str(path), local_files_only=True, use_safetensors=True)
    if vae.config.latent_channels != own.config.latent_channels:
        raise ValueError(f"{vae.config.latent_channels} latent channels, not {own.config.latent_channels}")
    return vae


def _from_file(path: Path, own: Any) -> Any:
    if path.stat().st_size > FILE_MAXIMUM_BYTES:
        raise ValueError(f"larger than {FILE_MAXIMUM_BYTES // 2**30} GB")
    weights = descaled(_weights(path), ("",), None)
    for prefix in PREFIXES:
        inner = {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}
        if any("decoder." in key for key in inner):
            weights = inner
    if not any(key.startswith("decoder.up_blocks.") for key in weights):
        weights = convert_ldm_vae_checkpoint(weights, own.config)
    weights = {_renamed(key): value for key, value in weights.items()}
    with accelerate.init_empty_weights():
        vae = diffusers.AutoencoderKL.from_config(own.config)
    wanted = vae.state_dict()
    given = {key: _shaped(value, wanted[key]) for key, value in weights.items() if key in wanted}
    _check_fit(given, wanted)
    vae.load_state_dict(given, assign=True)
    return vae


def _check_fit(given: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]) -> None:
    """Raise `ValueError` with what is amiss: a half of it that is not there, weights that lack, or another shape."""
    for side, other in (("encoder", "decoder"), ("decoder", "encoder")):
        if not any(key.startswith(f"{side}.") for key in given) and any(key.startswith(f"{other}.") for key in given):
            raise ValueError(f"it holds a VAE's {other} only, and a picture takes both halves")
    for key, value in given.items():
        if value.shape != wanted[key].shape:
            theirs, ours = (" x ".join(map(str, tensor.shape)) for tensor in (value, wanted[key]))
            raise ValueError(f"{key} is {theirs}, not {ours}")
        if not value.is_floating_point():
            raise ValueError(f"{key} holds whole numbers, as quantised weights do")
    lacking = [key for key in wanted if key not in given]
    if lacking:
        raise ValueError(f"it lacks {len(lacking)} of {len(wanted)} weights, {lacking[0]} first")


def _renamed(key: str) -> str:
    """Return today's name of a weight."""
    before, separator, after = key.partition(_ATTENTION)
    part, dot, kind = after.rpartition(".")
    return f"{before}{separator}{_OLD_NAMES.get(part, part)}{dot}{kind}" if separator else key


def _weights(path: Path) -> dict[str, torch.Tensor]:
    if path.suffix.lower() in PICKLED:
        return read_pickled(path)
    read_header(path)
    plain: dict[str, torch.Tensor] = safetensors.torch.load_file(path)
    return plain


def _shaped(value: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return a weight; the original code's attention has 1 x 1 convolutions where diffusers has linear layers."""
    return value.reshape(wanted.shape) if value.numel() == wanted.numel() else value
