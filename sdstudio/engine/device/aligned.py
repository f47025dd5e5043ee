"""Where weights lie in main memory, as far as pixels depend on it.

A file that is mapped puts weights at addresses that depend on the length of its header; what torch allocates lies at
multiples of 64 bytes. One kind of kernel adds in an order that depends on the address: the product of a matrix with a
single vector (MKL's ``gemv``), which reads the matrix where it lies. A linear layer that is given one row uses it, and
a convolution that has one position to compute. Nothing else does: of every layer of tiny and of full-size networks,
each with its weights at fifteen places, only these changed a bit of their result (AMD EPYC, torch 2.13, one thread and
two). Products with several rows and other convolutions pack the weights first; norms and embeddings go value by value.
``tests/unit/engine/device/test_aligned.py`` holds that on the machine it runs on.

So a weight is moved before it meets its first single vector, and all others stay where the file is mapped. Moving all
was tried: 4 GB of memory that the system has to hand out, loading Stable Diffusion 1.5 took 3.1 s instead of 1.7 s.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import nn

ALIGNED_TO: Final = 64
"""Bytes; what torch's allocator on the CPU keeps (c10/core/alignment.h, ``gAlignment``)."""

_CONVOLUTION: Final = nn.modules.conv._ConvNd
_READ_ANYWHERE: Final = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.Embedding)
"""Layers whose results do not depend on where their weights lie."""


def is_aligned(tensor: torch.Tensor) -> bool:
    """Whether a tensor lies at a multiple of 64 bytes; always for one that the CPU does not compute with."""
    return tensor.device.type != "cpu" or tensor.data_ptr() % ALIGNED_TO == 0


def aligned(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor, copied when it does not lie at a multiple of 64 bytes."""
    return tensor if is_aligned(tensor) else tensor.clone()


def align(network: nn.Module) -> None:
    """See to it that a network's results do not depend on where its weights lie.

    Linear layers and convolutions move their weight before its first product with a single vector; layers that are
    not known to read their weights anywhere are moved at once.

    Args:
        network: Its weights are in main memory.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Linear | _CONVOLUTION):
            if not is_aligned(layer.weight):
                _AlignLater(layer)
        elif not isinstance(layer, _READ_ANYWHERE):
            for weight in layer.parameters(recurse=False):
                weight.data = aligned(weight.data)


class _AlignLater:
    """Moves a layer's weight before its first product with a single vector."""

    def __init__(self, layer: nn.Module) -> None:
        self._handle = layer.register_forward_pre_hook(self._before)

    def _before(self, layer: nn.Module, args: tuple[Any, ...]) -> None:
        weight = layer.weight
        if isinstance(weight, torch.Tensor) and is_single(layer, args[0]):
            weight.data = aligned(weight.data)
            self._handle.remove()


def is_single(layer: nn.Module, given: torch.Tensor) -> bool:
    """Whether a layer multiplies its weight with single vectors.

    Args:
        layer: Linear layer or convolution.
        given: Its input: (.., features), or (B, C, one to three sides).
    """
    if not isinstance(layer, _CONVOLUTION):
        return given.numel() == given.shape[-1]
    # One position comes out, floor((n + 2p - d(k - 1) - 1) / s) + 1 of them along each side.
    padding = layer.padding if not isinstance(layer.padding, str) else (0,) * len(layer.kernel_size)
    sides = given.shape[-len(layer.kernel_size) :]
    return all(
        side + 2 * around <= stride + reach * (kernel - 1)
        for side, around, stride, reach, kernel in zip(
            sides, padding, layer.stride, layer.dilation, layer.kernel_size, strict=True
        )
    )
