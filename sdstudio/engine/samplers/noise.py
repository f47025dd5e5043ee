"""Where a seed's noise comes from: torch's generator on the CPU, or the numbers an NVIDIA card would draw.

A1111 draws its noise on the graphics card unless set otherwise, so that most pictures of the world begin with the
numbers of torch's CUDA generator. These are Philox4x32-10 (Salmon et al. 2011), turned into normal ones by Box and
Muller's way, computed here for any device; A1111's own emulation of them (its option "NV") has the same order: one draw
for the starting noise and one for every step that adds noise, each picture of a batch on its own.
"""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

CPU: Final = "cpu"
NVIDIA: Final = "nvidia"

_Words = npt.NDArray[np.uint64]
_ROUNDS: Final = 10
# Philox4x32's constants: the multipliers, and what the key grows by from round to round.
_MULTIPLIERS: Final = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_BUMPS: Final = (np.uint64(0x9E3779B9), np.uint64(0xBB67AE85))
_LOW: Final = np.uint64(0xFFFFFFFF)
_HIGH: Final = np.uint64(32)


class NvidiaGenerator:
    """One picture's noise as an NVIDIA card draws it; every draw goes on where the last one ended."""

    def __init__(self, seed: int) -> None:
        self._key = (np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32))
        self._draws = 0

    def randn(self, shape: Sequence[int]) -> torch.Tensor:
        """Return normal numbers, float32, on the CPU."""
        count = math.prod(shape)
        first, second = self._words(count)
        u = (first.astype(np.float32) + np.float32(0.5)) * np.float32(2.0**-32)
        v = (second.astype(np.float32) + np.float32(0.5)) * np.float32(2.0**-32 * 2 * math.pi)
        self._draws += 1
        return torch.from_numpy(np.sqrt(-2.0 * np.log(u)) * np.sin(v)).reshape(tuple(shape))

    def _words(self, count: int) -> tuple[_Words, _Words]:
        """Return the first two of the four words that Philox makes of each element's place."""
        c0 = np.full(count, self._draws, np.uint64)
        c1, c3 = np.zeros(count, np.uint64), np.zeros(count, np.uint64)
        c2 = np.arange(count, dtype=np.uint64)
        k0, k1 = self._key
        for round_ in range(_ROUNDS):
            if round_:
                k0, k1 = (k0 + _BUMPS[0]) & _LOW, (k1 + _BUMPS[1]) & _LOW
            left, right = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
            c0, c1, c2, c3 = (right >> _HIGH) ^ c1 ^ k0, right & _LOW, (left >> _HIGH) ^ c3 ^ k1, left & _LOW
        return c0, c1


def generators(source: str, seeds: Sequence[int]) -> list[Any]:
    """Return a generator for each picture."""
    if source == NVIDIA:
        return [NvidiaGenerator(seed) for seed in seeds]
    return [torch.Generator("cpu").manual_seed(seed) for seed in seeds]


@contextlib.contextmanager
def understood(source: str, *users: Any) -> Iterator[None]:
    """Within the block, the code of these objects (a pipeline, its scheduler) also draws from `NvidiaGenerator`.

    WORKAROUND(diffusers 0.42): its ``randn_tensor`` takes torch's own generators only, which cannot be derived from.
    """
    modules = {sys.modules[type(user).__module__] for user in users} if source == NVIDIA else set()
    before = {module: module.randn_tensor for module in modules if hasattr(module, "randn_tensor")}
    for module in before:
        module.randn_tensor = _drawn  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for module, own in before.items():
            module.randn_tensor = own  # type: ignore[attr-defined]


def _drawn(
    shape: Sequence[int], generator: Any = None, device: Any = None, dtype: Any = None, layout: Any = None
) -> torch.Tensor:
    """Stand in for diffusers' ``randn_tensor``, whose arguments these are."""
    each = generator if isinstance(generator, list) else [generator]
    noise = torch.stack([one.randn(tuple(shape)[1:]) for one in each])
    return noise.to(device=device, dtype=dtype)
