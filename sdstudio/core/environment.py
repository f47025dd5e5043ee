"""What other libraries read from the environment when they are imported: settled here, before any of them is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_WANTED: Final[Mapping[str, str]] = MappingProxyType(
    {
        # Without it huggingface_hub sends its server, unasked, which tools and which torch are installed here.
        "HF_HUB_DISABLE_TELEMETRY": "1",
        # Its other transport can neither be stopped nor go on with half a file (`library.getting.fetch` can).
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        # Weights are read in the thread that asked for them: waiting for transformers' pool, it could not be stopped.
        "HF_DEACTIVATE_ASYNC_LOAD": "1",
        # OpenMP's threads spin while they wait for one another: beside a program that keeps every core busy, a picture
        # of 2 s takes 8 s or more, and no less alone. Threads that sleep instead cost nothing that can be measured.
        "GOMP_SPINCOUNT": "0",
    }
)
# Some installers of other programs set it for good; it would make torch.load run code that a model file carries.
_UNWANTED: Final = ("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD",)


def settle_environment() -> None:
    """Set what the user has not set; ``HF_HUB_OFFLINE`` and ``HF_ENDPOINT`` are the user's own."""
    for name, value in _WANTED.items():
        os.environ.setdefault(name, value)
    for name in _UNWANTED:
        os.environ.pop(name, None)
