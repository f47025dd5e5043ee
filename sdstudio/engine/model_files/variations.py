"""In what a checkpoint differs from the shipped configuration it is read by: fewer blocks, other noise levels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, Final

from sdstudio.catalog.checkpoints import CHECKPOINT_BY_KEY
from sdstudio.core.errors import ModelDamaged, ModelUnsupported
from sdstudio.core.models.checkpoint import (
    EDM_DEVIATION,
    EDM_MEAN,
    EDM_SIGMA_MAX,
    EDM_SIGMA_MIN,
    is_edm,
    is_edm_v,
    lacks_edm_part,
)
from sdstudio.core.models.safetensors_header import Header
from sdstudio.core.models.unet_shape import unet_changes
from sdstudio.engine.weight_files.weights import opened_weights, whole

Changes = Mapping[str, Mapping[str, Any]]
"""Part -> entries of its configuration."""

SIGMA_MIN: Final = 0.002
"""Of EDM models, where a file does not record it (Karras et al. 2022, table 1; ComfyUI's too)."""
PLAYGROUND_SIGMA_MAX: Final = 80.0
PLAYGROUND_DEVIATION: Final = 0.5
CHANNELS: Final = 4
"""Of latents of Stable Diffusion XL."""
PLAYGROUND_SCALE: Final = 0.5
"""Playground 2.5's (its card's scheduler and VAE configurations on huggingface.co)."""


def variations(path: Path, header: Header, key: str = "") -> Changes:
    """Return what is to be changed in the configuration that a file is read by; nothing for most files.

    Args:
        path: The file.
        header: Its header.
        key: The shipped configuration that it is read by, "" for one that it carries.

    Raises:
        ModelUnsupported: Its UNet is one that no configuration describes.
        ModelDamaged: Its noise levels are none.
    """
    unet = unet_changes(key, header.tensors) if key else {}
    if unet is None:
        message = f"{path.name} is another network than {CHECKPOINT_BY_KEY[key].title}, with other blocks."
        raise ModelUnsupported(message, "Choose another model.")
    changes: dict[str, Mapping[str, Any]] = {"unet": unet} if unet else {}
    if is_edm_v(header):
        low = _numbers(path, EDM_SIGMA_MIN, 1)[0] if EDM_SIGMA_MIN in header.tensors else SIGMA_MIN
        high = _numbers(path, EDM_SIGMA_MAX, 1)[0]
        if not 0 < low < high < 1e6:
            message = f"{path.name} is damaged: its noise levels go from {low:g} to {high:g}."
            raise ModelDamaged(message, "Get the file again from where it came from.")
        # The deviation and the schedule as in diffusers' example for CosXL.
        changes["scheduler"] = {
            "_class_name": "EDMEulerScheduler", "sigma_min": low, "sigma_max": high, "sigma_data": 1.0,
            "prediction_type": "v_prediction", "sigma_schedule": "exponential",
        }  # fmt: skip
    elif is_edm(header):
        if lacks_edm_part(header):
            message = f"{path.name} is a Playground 2.5 checkpoint that lacks {lacks_edm_part(header)}."
            raise ModelDamaged(message, "Get the file again from where it came from.")
        changes["scheduler"] = {
            "_class_name": "EDMDPMSolverMultistepScheduler", "sigma_min": SIGMA_MIN, "sigma_max": PLAYGROUND_SIGMA_MAX,
            "sigma_data": PLAYGROUND_DEVIATION, "prediction_type": "epsilon",
        }  # fmt: skip
        mean, deviation = _numbers(path, EDM_MEAN, CHANNELS), _numbers(path, EDM_DEVIATION, CHANNELS)
        changes["vae"] = {"latents_mean": mean, "latents_std": deviation, "scaling_factor": PLAYGROUND_SCALE}
    return changes


def changed_index(index: Mapping[str, Any], changes: Changes) -> dict[str, Any]:
    """Return a ``model_index.json`` with the classes that the changes ask for."""
    classes = {part: entries["_class_name"] for part, entries in changes.items() if "_class_name" in entries}
    return {**index, **{part: ["diffusers", name] for part, name in classes.items()}}


def change(folder: Path, changes: Changes) -> None:
    """Change the configurations in a folder that diffusers reads."""
    for part, entries in changes.items():
        file = folder / part / ("scheduler_config.json" if part == "scheduler" else "config.json")
        own = {} if "_class_name" in entries else json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps({**own, **entries}, indent=1), encoding="utf-8")
    index = folder / "model_index.json"
    changed = changed_index(json.loads(index.read_text(encoding="utf-8")), changes)
    index.write_text(json.dumps(changed, indent=1), encoding="utf-8")


def _numbers(path: Path, name: str, count: int) -> list[float]:
    """Return the numbers of a small tensor. Raises: ModelDamaged."""
    with opened_weights(path) as weights:
        shape = weights.header.tensors[name].shape
        if prod(shape) != count:
            message = f"{path.name} is damaged: its {name} is {list(shape)}: allowed are {count} numbers."
            raise ModelDamaged(message, "Get the file again from where it came from.")
        return [float(value) for value in whole(weights, name).double().reshape(-1)]
