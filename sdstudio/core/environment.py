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
        # OpenMP's threads spin while they wait for one another: beside programs that keep every core busy, a starter
        # picture of 0.37 s takes 2.5 to 7 s. With so few turns before they sleep it takes 1.1 to 1.6 s, and alone no
        # longer than before; with none at all 0.95 s, but alone 0.75 s: waking them takes longer than its kernels.
        "GOMP_SPINCOUNT": "3000",
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
