"""Which numbers each picture of a request draws: its seed's own, or what the request makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sdstudio.catalog.schedulers import SCHEDULER_BY_KEY
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.seed_fields import earlier_in, size_in
from sdstudio.engine.samplers.noise import ChangedGenerator, NoiseChanges, generators


def noise_of(request: GenerationRequest, counted: Sequence[int], cell_px: int) -> list[Any]:
    """Return a generator for each picture.

    Args:
        request: Whose noise, and what changes it.
        counted: One value for each picture, of the field that counts on (`GenerationRequest.counted`).
        cell_px: Pixels on a side of a latent cell.
    """
    changes = _changes(request, cell_px)
    seeds = seeds_of(request, counted)
    if not changes:
        return generators(request.rng, seeds)
    return [ChangedGenerator(request.rng, seed, second, changes) for seed, second in zip(seeds, counted, strict=True)]


def seeds_of(request: GenerationRequest, counted: Sequence[int]) -> tuple[int, ...]:
    """Return the seed of each picture: of variations all have the request's."""
    if request.counted == "seed":
        return tuple(counted)
    return (request.seed or 0,) * len(counted)


def _changes(request: GenerationRequest, cell_px: int) -> NoiseChanges:
    size = size_in(request.seed_resize_from)
    begin_size = None if size is None else (size[1] // cell_px, size[0] // cell_px)
    takes_offset = "ensd" in SCHEDULER_BY_KEY[request.scheduler].takes
    strength = request.variation_strength
    earlier = earlier_in(request.earlier_variations) if strength else ()
    return NoiseChanges(strength, earlier, begin_size, request.ensd if takes_offset else 0)
