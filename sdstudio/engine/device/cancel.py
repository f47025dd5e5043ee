"""How a running pipeline stops within a block of a network: a check before every block, installed once per model.

Measured on a full Stable Diffusion 1.5 whose steps take 10 s: stopped in 0.01 to 0.6 s, wherever it was. Checks before
every leaf module were no quicker. ``pipe._interrupt`` is no cancel: it still decodes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from sdstudio.core.errors import Cancelled


class CancelChecks:
    """Checks in front of every block of some networks; they act only `during` a job.

    Args:
        networks: Text encoders, UNet or transformer, VAE.
    """

    def __init__(self, networks: list[nn.Module]) -> None:
        self._cancel: threading.Event | None = None
        self._handles: list[Any] = []
        self.watch(networks)

    def watch(self, networks: Iterable[nn.Module]) -> None:
        """Check in front of the blocks of more networks; their checks go when they go."""
        blocks = {block for network in networks for block in _blocks(network)}
        self._handles += [block.register_forward_pre_hook(self._check) for block in blocks]

    def __len__(self) -> int:
        return len(self._handles)

    def _check(self, module: nn.Module, args: Any) -> None:
        if self.is_cancelled:
            raise Cancelled

    @property
    def is_cancelled(self) -> bool:
        """Whether the job is to stop, for what computes without these blocks."""
        return self._cancel is not None and self._cancel.is_set()

    @contextmanager
    def during(self, cancel: threading.Event) -> Iterator[None]:
        """Make the checks obey ``cancel`` within the block. Raises: Cancelled."""
        self._cancel = cancel
        try:
            yield
        finally:
            self._cancel = None


def _blocks(network: nn.Module) -> Iterator[nn.Module]:
    """Yield what a network is built of in rows (residual, transformer and encoder blocks), and every attention."""
    for module in network.modules():
        if isinstance(module, nn.ModuleList):
            yield from (item for item in module if item is not None and next(item.children(), None) is not None)
        elif "Attention" in type(module).__name__:
            yield module
