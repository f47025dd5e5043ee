"""OpenVINO, where it is installed: what it computes on, and its version. An extra: imported when it is asked for.

Its devices stand in the settings like torch's; torch then works on the processor, and what has been converted for
OpenVINO (`engine.openvino`) is computed there.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any, Final

NOT_INSTALLED_HINT: Final = "OpenVINO is an extra: pip install 'sdstudio[openvino]'."


def is_installed() -> bool:
    """Whether the package is there."""
    return find_spec("openvino") is not None


@cache
def core() -> Any:
    """Return the one ``openvino.Core`` of this process. Raises: ImportError."""
    import openvino  # noqa: PLC0415 (an extra)

    return openvino.Core()


def version() -> str:
    """Return the version in force, such as "2026.4.1". Raises: ImportError."""
    import openvino  # noqa: PLC0415 (an extra)

    return str(openvino.__version__).split("-")[0]


def has(name: str) -> bool:
    """Whether OpenVINO lists a device of this name: "CPU", "GPU" (also as "GPU.0") or "NPU"."""
    return is_installed() and any(device.split(".")[0] == name for device in core().available_devices)


def title(name: str) -> str:
    """Return what the user reads: "OpenVINO, CPU"."""
    return f"OpenVINO, {name}"
