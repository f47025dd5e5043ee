"""Under which conditions a picture is computed, beyond the request and the settings: kernels, processor, threads."""

from __future__ import annotations

from typing import Any

import torch

from sdstudio.engine.device.devices import Device


def conditions(network: Any, device: Device, scaled: bool = False, computed_by: str = "") -> dict[str, Any]:
    """Return what a recipe records of them; pixels may shift with each.

    Args:
        network: What was called at every step.
        device: Where.
        scaled: Whether weights were multiplied by the scales beside them; before 0.2 the scales were left out.
        computed_by: What computed the networks, where torch did not do it all; "" where it did.
    """
    processors = getattr(network, "attn_processors", None) or {}
    facts: dict[str, Any] = {"attention": ", ".join(sorted({type(one).__name__ for one in processors.values()}))}
    if scaled:
        facts["weights"] = "fp8 times its scales"
    if computed_by:
        facts["computed_by"] = computed_by
    if not device.is_accelerator:
        facts |= {"processor": torch.backends.cpu.get_cpu_capability(), "threads": torch.get_num_threads()}
    return facts
