"""How to work in less memory: every switch and how it is thrown, and their order when memory runs out."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import torch

from sdstudio.core.settings import Settings
from sdstudio.engine.device.devices import Device

# torch on the CPU; CUDA and MPS; cuBLAS; Level Zero (XPU).
OUT_OF_MEMORY_WORDS: Final = (
    "DefaultCPUAllocator", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "OUT_OF_DEVICE_MEMORY", "OUT_OF_RESOURCES"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """How thriftily to work. The switches of the settings, and how many pictures at once.

    Attributes:
        batch_size: Pictures at once.
        offload: "none", "model" or "sequential".
    """

    batch_size: int = 1
    attention_slicing: bool = False
    vae_slicing: bool = False
    vae_tiling: bool = False
    channels_last: bool = False
    cudnn_benchmark: bool = False
    autocast: bool = False
    offload: str = "none"

    @classmethod
    def of(cls, settings: Settings, device: Device, batch_size: int) -> MemoryPlan:
        """Return the plan that the settings ask for; offloading from the CPU to the CPU would save nothing."""
        switches = {switch.name: getattr(settings, switch.name) for switch in SWITCHES}
        if not device.is_accelerator:
            switches["offload"] = "none"
        return cls(batch_size=batch_size, autocast=settings.autocast, **switches)

    def switches(self) -> dict[str, Any]:
        """Return every switch that is on, for the recipe."""
        names = [*(switch.name for switch in SWITCHES), "autocast"]
        return {name: getattr(self, name) for name in names if getattr(self, name) not in (False, "none")}


@dataclass(frozen=True, slots=True)
class MemorySwitch:
    """One switch: its name in the settings, and what throws it, on or off, on a loaded pipeline."""

    name: str
    throw: Callable[[Any, Any, torch.device], None]


def _attention_slicing(pipe: Any, on: Any, device: torch.device) -> None:
    if on:
        pipe.enable_attention_slicing("auto")
    else:
        pipe.disable_attention_slicing()


def _vae(method: str) -> Callable[[Any, Any, torch.device], None]:
    def throw(pipe: Any, on: Any, device: torch.device) -> None:
        vae = getattr(pipe, "vae", None)
        if hasattr(vae, f"enable_{method}"):
            getattr(vae, f"{'enable' if on else 'disable'}_{method}")()

    return throw


def _channels_last(pipe: Any, on: Any, device: torch.device) -> None:
    layout = torch.channels_last if on else torch.contiguous_format
    for name in ("unet", "vae"):
        network = getattr(pipe, name, None)
        if network is not None and (on or not all(weight.is_contiguous() for weight in network.parameters())):
            network.to(memory_format=layout)


def _cudnn_benchmark(pipe: Any, on: Any, device: torch.device) -> None:
    torch.backends.cudnn.benchmark = bool(on)


def _offload(pipe: Any, mode: Any, device: torch.device) -> None:
    pipe.remove_all_hooks()
    if mode == "model":
        pipe.enable_model_cpu_offload(device=device)
    elif mode == "sequential":
        pipe.to("cpu", silence_dtype_warnings=True)
        pipe.enable_sequential_cpu_offload(device=device)
    elif any(tensor.device != device for tensor in _tensors(pipe)):  # `to` takes four times as long to move nothing
        pipe.to(device)


def _tensors(pipe: Any) -> Iterator[torch.Tensor]:
    """Give the weights and buffers of all networks of a pipeline."""
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            yield from part.parameters()
            yield from part.buffers()


# In the order in which they are thrown: weights get their layout before they are moved. A family may have others.
SWITCHES: Final = (
    MemorySwitch("channels_last", _channels_last),
    MemorySwitch("attention_slicing", _attention_slicing),
    MemorySwitch("vae_slicing", _vae("slicing")),
    MemorySwitch("vae_tiling", _vae("tiling")),
    MemorySwitch("cudnn_benchmark", _cudnn_benchmark),
    MemorySwitch("offload", _offload),
)


def apply(
    plan: MemoryPlan, before: MemoryPlan | None, pipe: Any, device: torch.device,
    switches: Sequence[MemorySwitch] = SWITCHES,
) -> None:  # fmt: skip
    """Throw every switch in which ``plan`` differs from ``before``, all of them when nothing was applied yet."""
    changed = [s for s in switches if before is None or getattr(plan, s.name) != getattr(before, s.name)]
    if changed and (before is None or before.offload != "none"):
        pipe.remove_all_hooks()  # weights that are hooked away on "meta" cannot be changed
        changed = [s for s in changed if s.name != "offload"] + [s for s in switches if s.name == "offload"]
    for switch in changed:
        switch.throw(pipe, getattr(plan, switch.name), device)


@dataclass(frozen=True, slots=True)
class Rung:
    """One rung of the ladder that is climbed down when memory runs out.

    Attributes:
        stages: Where it helps: "encoding", "sampling", "decoding", "loading".
        change: The thriftier plan's fields, ``None`` when there is nothing left to change.
        message: What the user reads about it.
    """

    stages: tuple[str, ...]
    change: Callable[[MemoryPlan, Device, int], Mapping[str, Any] | None]
    message: str


def _smaller_batch(plan: MemoryPlan, device: Device, count: int) -> Mapping[str, Any] | None:
    return {"batch_size": max(1, count // 2)} if count > 1 else None


def _on(name: str, several: bool = False) -> Callable[[MemoryPlan, Device, int], Mapping[str, Any] | None]:
    def change(plan: MemoryPlan, device: Device, count: int) -> Mapping[str, Any] | None:
        return None if getattr(plan, name) or (several and count < 2) else {name: True}

    return change


def _sliced_attention(plan: MemoryPlan, device: Device, count: int) -> Mapping[str, Any] | None:
    # Where torch's attention is fused, slices take more: SD 1's UNet at 512 px 666 MB instead of 273 MB.
    return None if plan.attention_slicing or device.kind.fused_attention else {"attention_slicing": True}


def _offloaded(mode: str) -> Callable[[MemoryPlan, Device, int], Mapping[str, Any] | None]:
    def change(plan: MemoryPlan, device: Device, count: int) -> Mapping[str, Any] | None:
        modes = ("none", "model", "sequential")
        return {"offload": mode} if device.is_accelerator and modes.index(plan.offload) < modes.index(mode) else None

    return change


# Cheapest first: what changes neither pixels nor speed much, then what slows down.
LADDER: Final = (
    Rung(("sampling",), _smaller_batch, "fewer pictures at once"),
    Rung(("decoding",), _on("vae_slicing", several=True), "VAE slicing"),
    Rung(("encoding", "decoding"), _on("vae_tiling"), "VAE tiling"),
    Rung(("sampling",), _sliced_attention, "attention slicing"),
    Rung(("loading", "encoding", "sampling", "decoding"), _offloaded("model"), "CPU offload of whole models"),
    Rung(("loading", "encoding", "sampling", "decoding"), _offloaded("sequential"), "sequential CPU offload"),
)


def thriftier(plan: MemoryPlan, stage: str, device: Device, count: int) -> tuple[MemoryPlan, str] | None:
    """Return the next plan down the ladder and what it changes, ``None`` at its foot.

    Args:
        plan: The plan that ran out of memory.
        stage: Where: "loading", "encoding", "sampling" or "decoding".
        device: On which device.
        count: Pictures in the batch that failed.
    """
    for rung in LADDER:
        change = rung.change(plan, device, count) if stage in rung.stages else None
        if change is not None:
            return replace(plan, **change), rung.message
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out: torch's own class on accelerators, a text elsewhere."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and any(words in text for words in OUT_OF_MEMORY_WORDS)


def give_back(device: Device) -> None:
    """Free what nobody uses: Python's garbage first, then what torch keeps for later."""
    gc.collect()
    device.kind.empty_cache()
