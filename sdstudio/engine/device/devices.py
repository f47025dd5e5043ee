"""Which device computes, in which number format, how much memory it has: CUDA, ROCm, MPS, XPU, CPU, OpenVINO's."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import psutil
import torch

from sdstudio.core.errors import StudioError
from sdstudio.core.settings import Settings
from sdstudio.engine.device import openvino_devices


@dataclass(frozen=True, slots=True)
class DeviceKind:
    """One kind of device.

    Attributes:
        key: As in ``Settings.device``.
        available: Whether this computer has one that this torch can use.
        title: What the user reads.
        memory: ``(used, total)`` in bytes; 0 when unknown.
        empty_cache: Gives memory that torch keeps for later back to the device.
        dtype: Number format that Automatic means.
        autocast_dtype: What autocast computes in.
        one_by_one: Pictures are never made several at a time.
        torch_name: As torch calls it; "" where that is the key.
        openvino: As OpenVINO calls the device that converted networks are computed on; "" where torch computes all.
        fused_attention: torch's own attention never holds the whole matrix of scores, so that slices save nothing.
    """

    key: str
    available: Callable[[], bool]
    title: Callable[[], str]
    memory: Callable[[], tuple[int, int]]
    empty_cache: Callable[[], None]
    dtype: torch.dtype
    autocast_dtype: torch.dtype
    one_by_one: bool = False
    fused_attention: bool = True
    torch_name: str = ""
    openvino: str = ""

    @property
    def on_cpu(self) -> bool:
        """Whether its memory is the computer's own, and what torch computes is computed by the processor."""
        return (self.torch_name or self.key) == "cpu"


def _cuda_memory() -> tuple[int, int]:
    free, total = torch.cuda.mem_get_info()
    return total - free, total


def _xpu_memory() -> tuple[int, int]:
    return int(torch.xpu.memory_reserved()), int(torch.xpu.get_device_properties().total_memory)


def _mps_memory() -> tuple[int, int]:
    return torch.mps.driver_allocated_memory(), torch.mps.recommended_max_memory()


def _cpu_memory() -> tuple[int, int]:
    return psutil.Process().memory_info().rss, psutil.virtual_memory().total


def _openvino(key: str, name: str) -> DeviceKind:
    return DeviceKind(
        key, lambda: openvino_devices.has(name), lambda: openvino_devices.title(name), _cpu_memory, lambda: None,
        torch.float32, torch.bfloat16, torch_name="cpu", openvino=name,
    )  # fmt: skip


# In the order of preference of "auto".
KINDS: Final = (
    DeviceKind(
        "cuda", torch.cuda.is_available, lambda: torch.cuda.get_device_name(), _cuda_memory, torch.cuda.empty_cache,
        torch.float16, torch.float16,
    ),
    DeviceKind(
        "xpu", torch.xpu.is_available, lambda: torch.xpu.get_device_name(), _xpu_memory, torch.xpu.empty_cache,
        torch.float16, torch.float16,
    ),
    DeviceKind(
        # Batches of several fail there, and slices of attention help (diffusers docs, optimization/mps).
        "mps", torch.backends.mps.is_available, lambda: f"Apple GPU ({platform.machine()})", _mps_memory,
        torch.mps.empty_cache, torch.float16, torch.float16, one_by_one=True,
        fused_attention=False,
    ),
    # float16 is emulated on most CPUs: a text encoder took 1.8 s against 0.44 s in float32.
    DeviceKind("cpu", lambda: True, lambda: "CPU", _cpu_memory, lambda: None, torch.float32, torch.bfloat16),
    _openvino("openvino", "CPU"),
    _openvino("openvino-gpu", "GPU"),
    _openvino("openvino-npu", "NPU"),
)  # fmt: skip

KIND_BY_KEY: Final[Mapping[str, DeviceKind]] = MappingProxyType({kind.key: kind for kind in KINDS})
DTYPES: Final[Mapping[str, torch.dtype]] = MappingProxyType(
    {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
)


@dataclass(frozen=True, slots=True)
class Device:
    """A device as a picture is made on it: its kind and the number format of the weights."""

    kind: DeviceKind
    dtype: torch.dtype

    @property
    def torch_device(self) -> torch.device:
        """As torch wants it."""
        return torch.device(self.kind.torch_name or self.kind.key)

    @property
    def is_accelerator(self) -> bool:
        """Whether its memory is not the computer's own, so that offloading to the CPU frees some."""
        return not self.kind.on_cpu

    @property
    def dtype_name(self) -> str:
        """``float16``, as in settings and recipes."""
        return str(self.dtype).removeprefix("torch.")


def choose_device(settings: Settings) -> Device:
    """Return the device and number format that the settings ask for.

    Raises:
        StudioError: The settings name a device that is not there.
    """
    if settings.device == "auto":
        return _device(next(kind for kind in KINDS if kind.available()), settings)
    kind = KIND_BY_KEY[settings.device]
    if not kind.available():
        here = ", ".join(["auto", *(other.key for other in KINDS if other.available())])
        lacks = kind.openvino and not openvino_devices.is_installed()
        hint = openvino_devices.NOT_INSTALLED_HINT if lacks else "Choose Automatic in the settings."
        raise StudioError(f"Device = {settings.device}: here there is {here}.", hint)
    return _device(kind, settings)


def _device(kind: DeviceKind, settings: Settings) -> Device:
    return Device(kind, DTYPES.get(settings.precision, kind.dtype))
