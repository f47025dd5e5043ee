"""The noise that a picture begins from and steps with, against A1111's formulas in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sdstudio.core.request.request import GenerationRequest
from sdstudio.engine.samplers.noise import NVIDIA, ChangedGenerator, NvidiaGenerator, generators
from sdstudio.engine.samplers.picture_noise import noise_of, seeds_of

SHAPE = (4, 8, 10)


def noise(seed: int, shape=SHAPE, source: str = "cpu") -> np.ndarray:
    if source == NVIDIA:
        return NvidiaGenerator(seed).randn(shape).numpy()
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).numpy()


def first(counted: int = 6, cell_px: int = 8, shape=SHAPE, **values) -> np.ndarray:
    (generator,) = noise_of(GenerationRequest(**{"seed": 5, **values}), (counted,), cell_px)
    return generator.randn(shape).numpy()


def on_the_arc(strength: float, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Spherical interpolation of columns, sin((1-t)w)/sin w a + sin(tw)/sin w b, over the height (A1111)."""
    one, other = one.astype(np.float64), other.astype(np.float64)
    unit = [side / np.sqrt((side**2).sum(1, keepdims=True)) for side in (one, other)]
    angle = np.arccos((unit[0] * unit[1]).sum(1, keepdims=True))
    return (np.sin((1 - strength) * angle) * one + np.sin(strength * angle) * other) / np.sin(angle)


@pytest.mark.parametrize("source", ["cpu", NVIDIA])
def test_a_variation_begins_between_two_seeds_and_steps_with_the_first_ones_numbers(source):
    for strength in (0.05, 0.4, 1.0):
        values = {"variation_strength": strength, "rng": source}
        right = on_the_arc(strength, noise(5, source=source), noise(6, source=source))
        np.testing.assert_allclose(first(**values), right, atol=2e-6)
    (generator,) = noise_of(GenerationRequest(seed=5, variation_strength=0.4, rng=source), (6,), 8)
    (own,) = generators(source, (5,))
    plain = own if source == NVIDIA else ChangedGenerator(source, 5, 0, noise_of.__globals__["NoiseChanges"](0.0))
    drawn = [generator.randn(SHAPE), generator.randn(SHAPE)]
    assert (drawn[0] != plain.randn(SHAPE)).any()
    assert (drawn[1] == plain.randn(SHAPE)).all()


def test_a_variation_of_a_variation_begins_between_the_variation_and_a_further_seed():
    chosen = first(counted=6, variation_strength=0.2)
    further = first(counted=7, variation_strength=0.1, earlier_variations="6:0.2")
    np.testing.assert_allclose(further, on_the_arc(0.1, chosen, noise(7)), atol=2e-6)
    third = first(counted=9, variation_strength=0.05, earlier_variations="6:0.2, 7:0.1")
    np.testing.assert_allclose(third, on_the_arc(0.05, further, noise(9)), atol=2e-6)
    (plain,) = noise_of(GenerationRequest(seed=5, earlier_variations="6:0.2"), (5,), 8)
    assert isinstance(plain, torch.Generator)  # nothing is varied


def test_without_changes_the_generators_are_the_plain_ones():
    (generator,) = noise_of(GenerationRequest(seed=5, variation_seed=9, ensd=7, scheduler="euler"), (6,), 8)
    assert isinstance(generator, torch.Generator)
    assert seeds_of(GenerationRequest(seed=5), (6, 7)) == (6, 7)
    assert seeds_of(GenerationRequest(seed=5, variation_strength=0.1), (6, 7)) == (5, 5)


def test_noise_that_is_nearly_the_same_is_mixed_the_wrong_way_round_as_in_a1111():
    assert (first(counted=5, variation_strength=0.3) == noise(5) * np.float32(0.3) + noise(5) * np.float32(0.7)).all()


def test_noise_of_another_size_lies_in_the_middle():
    # A1111: offset (side - given) // 2; of a larger noise, given + 2 * offset cells are taken.
    small = first(counted=5, seed_resize_from="48x32")  # 6 x 4 cells into 10 x 8
    right = noise(5)
    right[:, 2:6, 2:8] = noise(5, (4, 4, 6))
    assert (small == right).all()
    odd = first(counted=5, seed_resize_from="104x88")  # 13 x 11 cells: 10 - 13 = -3, half of it rounded down is -2
    right = noise(5)
    right[:, :7, :9] = noise(5, (4, 11, 13))[:, 2:9, 2:11]
    assert (odd == right).all()
    assert (first(counted=5, seed_resize_from="80x64") == noise(5)).all()


def test_an_offset_counts_for_the_noise_of_the_steps_alone():
    (generator,) = noise_of(GenerationRequest(seed=5, ensd=31337, scheduler="euler_a"), (5,), 8)
    assert (generator.randn(SHAPE).numpy() == noise(5)).all()
    after = torch.Generator().manual_seed(5 + 31337)
    for _ in range(2):
        assert (generator.randn(SHAPE) == torch.randn(SHAPE, generator=after)).all()
    (wrapped,) = noise_of(GenerationRequest(seed=2, ensd=-3, scheduler="euler_a"), (2,), 8)
    wrapped.randn(SHAPE)
    assert (wrapped.randn(SHAPE).numpy() == noise(2**64 - 1)).all()


def pixels(image) -> np.ndarray:
    return np.asarray(image.pixels, dtype=np.int16)


@pytest.mark.parametrize(("family", "scheduler"), [("sd1", "euler"), ("sdxl", "dpmpp_2m_sde")])
def test_variations_share_the_seed_count_on_and_are_made_alone_from_their_recipes(studio, family, scheduler):
    here = studio(family)
    values = {"scheduler": scheduler, "steps": 2, "seed": 11, "variation_strength": 0.3}
    both = here.make(seeds=(6, 7), batch_size=2, **values)
    assert [(made.recipe.request.seed, made.recipe.request.variation_seed) for made in both] == [(11, 6), (11, 7)]
    plain = here.make(seeds=(11,), scheduler=scheduler, steps=2)[0]
    for made in both:
        own = made.recipe.request
        (alone,) = here.make(seeds=(own.own_seed,), **own.model_dump())
        assert np.abs(pixels(alone) - pixels(made)).max() <= 1
        assert (pixels(alone) != pixels(plain)).any()
    (whole,) = here.make(seeds=(6,), **values | {"variation_strength": 1.0})
    is_stepped_with_the_first = scheduler != "euler"
    (other,) = here.make(seeds=(6,), scheduler=scheduler, steps=2)
    assert (pixels(whole) != pixels(other)).any() == is_stepped_with_the_first
