"""Where a seed's noise comes from: torch's generator on the CPU, or the numbers an NVIDIA card would draw.

A1111 draws its noise on the graphics card unless set otherwise, so that most pictures that people share begin with the
numbers of torch's CUDA generator. These are Philox4x32-10 (Salmon et al. 2011), turned into normal ones by Box and
Muller's way, computed here for any device; A1111's own emulation of them (its option "NV") has the same order: one draw
for the starting noise and one for every step that adds noise, each picture of a batch on its own.
"""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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


class CpuGenerator:
    """One picture's noise as torch draws it on the CPU, in float32 whatever the latents' number format is."""

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator("cpu").manual_seed(seed)

    def randn(self, shape: Sequence[int]) -> torch.Tensor:
        """Return normal numbers, float32, on the CPU."""
        return torch.randn(tuple(shape), generator=self._generator)


_KINDS: Final[Mapping[str, type[CpuGenerator | NvidiaGenerator]]] = {CPU: CpuGenerator, NVIDIA: NvidiaGenerator}


@dataclass(frozen=True, slots=True)
class NoiseChanges:
    """What of a request changes the noise of its seeds, as A1111 does (``modules/rng.py``).

    Attributes:
        strength: How far the first noise of each picture is turned towards that of its variation seed, 0..1.
        earlier: Other variation seeds and strengths that turn it before, in this order.
        begin_size: Height and width in latent cells of the noise that is laid into the middle of the picture's;
            ``None`` for the picture's own.
        offset: Added to the seed for all noise after the first; 0 goes on where the first ended.
    """

    strength: float = 0.0
    earlier: tuple[tuple[int, float], ...] = ()
    begin_size: tuple[int, int] | None = None
    offset: int = 0

    def __bool__(self) -> bool:
        return self != NoiseChanges()


class ChangedGenerator:
    """One picture's noise, changed: the first draw is what the picture begins from, all others are for its steps.

    Args:
        source: Whose numbers: "cpu" or "nvidia".
        seed: The picture's.
        variation_seed: Of the noise that the first is turned towards.
        changes: What is otherwise than the seed's own noise.
    """

    def __init__(self, source: str, seed: int, variation_seed: int, changes: NoiseChanges) -> None:
        self._new = _KINDS[source]
        self._seeds = seed, variation_seed
        self._changes = changes
        self._steps: CpuGenerator | NvidiaGenerator | None = None

    def randn(self, shape: Sequence[int]) -> torch.Tensor:
        """Return normal numbers of one picture, (C, h, w), float32, on the CPU."""
        if self._steps is not None:
            return self._steps.randn(shape)
        seed, variation_seed = self._seeds
        changes = self._changes
        self._steps = self._new(seed)
        own = self._steps.randn(shape)
        first = own
        if changes.begin_size is not None and changes.begin_size != tuple(shape[-2:]):
            first = self._new(seed).randn((*shape[:-2], *changes.begin_size))
        for other, strength in (*changes.earlier, (variation_seed, changes.strength)):
            if strength:
                first = turned(strength, first, self._new(other).randn(first.shape))
        if changes.offset:
            self._steps = self._new((seed + changes.offset) % 2**64)
        return first if first.shape == own.shape else _laid_in(own, first)


def turned(strength: float, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return noise between two, (C, h, w): along the arc between their columns, as A1111's ``slerp`` computes it.

    Its norms and products run over the height, not over all values, and where the two are nearly the same it swaps
    their shares; both is kept, so that its pictures come out the same.
    """
    lengths = one.norm(dim=1, keepdim=True), other.norm(dim=1, keepdim=True)
    cosine = (one / lengths[0] * (other / lengths[1])).sum(1)
    if cosine.mean() > 0.9995:
        return one * strength + other * (1 - strength)
    angle = cosine.acos()
    shares = ((1 - strength) * angle).sin() / angle.sin(), (strength * angle).sin() / angle.sin()
    return shares[0].unsqueeze(1) * one + shares[1].unsqueeze(1) * other  # type: ignore[no-any-return]


def _laid_in(whole: torch.Tensor, part: torch.Tensor) -> torch.Tensor:
    """Return noise (C, h, w) with another in its middle, of which what is larger is cut off on both sides alike.

    Where sizes differ by an odd number it rounds as A1111 does: of a larger one a row more is cut off than needed.
    """
    places = []
    for side, given in zip(whole.shape[-2:], part.shape[-2:], strict=True):
        at = (side - given) // 2
        count = given + 2 * min(at, 0)
        places.append((slice(max(at, 0), max(at, 0) + count), slice(max(-at, 0), max(-at, 0) + count)))
    (rows, part_rows), (columns, part_columns) = places
    result = whole.clone()
    result[..., rows, columns] = part[..., part_rows, part_columns]
    return result


def generators(source: str, seeds: Sequence[int]) -> list[Any]:
    """Return a generator for each picture."""
    if source == NVIDIA:
        return [NvidiaGenerator(seed) for seed in seeds]
    return [torch.Generator("cpu").manual_seed(seed) for seed in seeds]


@contextlib.contextmanager
def understood(drawn_from: Sequence[Any], *users: Any) -> Iterator[None]:
    """Within the block, the code of these objects (a pipeline, its scheduler) also draws from these generators.

    WORKAROUND(diffusers 0.42): its ``randn_tensor`` takes torch's own generators only, which cannot be derived from.
    """
    is_own = all(isinstance(one, torch.Generator) for one in drawn_from)
    modules = set() if is_own else {sys.modules[type(user).__module__] for user in users}
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
