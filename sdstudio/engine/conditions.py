"""Under which conditions a picture is computed, beyond the request and the settings: kernels, processor, threads."""

from __future__ import annotations

from typing import Any

import torch

from sdstudio.engine.devices import Device


def conditions(pipe: Any, device: Device) -> dict[str, Any]:
    """Return what a recipe says of them; pixels may shift with each."""
    network = getattr(pipe, "unet", None) or getattr(pipe, "transformer", None)
    processors = getattr(network, "attn_processors", None) or {}
    said: dict[str, Any] = {"attention": ", ".join(sorted({type(one).__name__ for one in processors.values()}))}
    if not device.is_accelerator:
        said |= {"processor": torch.backends.cpu.get_cpu_capability(), "threads": torch.get_num_threads()}
    return said
