"""A1111's soft inpainting: its formulas, at the right level of every sampler, and what it lays over the picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from sdstudio.catalog.families import FAMILY_BY_KEY
from sdstudio.catalog.schedulers import SCHEDULERS
from sdstudio.engine.pictures.soft_mask import changed_share, percentile_mean
from sdstudio.engine.samplers.schedulers import build_scheduler, draws_own_noise, seed_noise
from sdstudio.engine.samplers.soft_inpainting import Softness, blending_of
from tests.unit.engine.conftest import request

ID = "5a" * 32
TRAINED = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000}


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("spec", SCHEDULERS, ids=lambda spec: spec.key)
def test_what_is_black_in_the_mask_ends_as_the_picture_with_every_sampler(spec, kind):
    """Whatever the model says. A level that were taken wrongly would leave its noise in the result."""
    asked = request(scheduler=spec.key, steps=8, mask_blending="soft_inpainting", init_image=ID, mask=ID)
    scheduler = build_scheduler(asked, {**TRAINED, "prediction_type": kind}, FAMILY_BY_KEY["sd1"])
    clean = torch.randn((1, 4, 4, 4), generator=torch.Generator().manual_seed(1))
    if draws_own_noise(scheduler):
        seed_noise(scheduler, [3], clean, "cpu")
    scheduler.set_timesteps(getattr(scheduler, "steps_taken", 8))
    generator = torch.Generator().manual_seed(2)
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)
    blending = blending_of(asked, torch.zeros((1, 1, 4, 4)))
    blending.watch(scheduler)
    noise = torch.randn(clean.shape, generator=generator)
    latents = scheduler.add_noise(clean, noise, scheduler.timesteps[:1])
    total = len(scheduler.timesteps)
    for index, timestep in enumerate(scheduler.timesteps):
        output = torch.randn(clean.shape, generator=generator)
        scheduler.scale_model_input(latents, timestep)
        latents = scheduler.step(output, timestep, latents, return_dict=False)[0]
        assert torch.equal(blending.after(scheduler, index, total, latents), latents)
    assert (latents - clean).abs().max() < 0.12, "the lowest level of training is left"


def test_the_mixture_is_the_published_formula():
    softness = Softness(bias=1.5, preservation=0.7, contrast=3.0)
    rng = np.random.default_rng(5)
    old, new = rng.normal(size=(2, 2, 4, 3, 3))
    change, sigma = rng.uniform(0.1, 1, (1, 1, 3, 3)), 2.5
    t = change ** (sigma**1.5 * 0.7)
    mixture = (1 - t) * old + t * new
    lengths = [np.sqrt((one**2).sum(1, keepdims=True)) for one in (old, new, mixture)]
    wanted = mixture / lengths[2] * ((1 - t) * lengths[0] ** 3 + t * lengths[1] ** 3) ** (1 / 3)
    share = softness.share(torch.from_numpy(change), sigma)
    assert np.allclose(softness.mixed(torch.from_numpy(old), torch.from_numpy(new), share), wanted, rtol=1e-3)
    kept = softness.share(torch.zeros((1, 1, 3, 3)), 0.03)
    assert torch.equal(softness.mixed(torch.from_numpy(old), torch.from_numpy(new), kept), torch.from_numpy(old))


def test_what_has_changed_decides_what_is_laid_over():
    values = {"soft_threshold": 0.5, "soft_difference": 2.0, "soft_influence": 0.0}
    before, change = np.zeros((4, 8, 8)), np.ones((8, 8))
    for moved, wanted in ((0.0, 0), (0.5, 127), (50.0, 255)):
        after = before.copy()
        after[0] = moved
        share = changed_share(before, after, change, request(**values))
        assert share.shape == (64, 64)
        assert np.abs(share.astype(int) - wanted).max() <= 1
    after = before.copy()
    after[0] = 0.5
    firm = changed_share(before, after, change * 0.25, request(**{**values, "soft_influence": 1.0}))
    k = 1 - 0.25**0.25
    relation = (0.5 / (0.5 * k / (1.00001 - k))) ** 2
    old = 1 / (1 + relation)
    assert np.abs(firm.astype(int) - 255 * (1 - old**3 * (old * (old * 6 - 15) + 10))).max() <= 1.5


def test_the_mean_between_percentiles_is_that_of_each_window():
    rng = np.random.default_rng(7)
    values = rng.uniform(size=(6, 7))
    result = percentile_mean(values, 0.25, 0.75)
    for row, column in ((0, 0), (3, 3), (5, 6)):
        window = [
            (values[y, x], np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * 1.5**2)))
            for y in range(max(0, row - 2), min(6, row + 3))
            for x in range(max(0, column - 2), min(7, column + 3))
        ]
        whole, place, total, weight = sum(w for _, w in window), 0.0, 0.0, 0.0
        for value, w in sorted(window):
            overlap = max(0.0, min(place + w, 0.75 * whole) - max(place, 0.25 * whole))
            place, total, weight = place + w, total + value * overlap, weight + overlap
        assert result[row, column] == pytest.approx(total / weight)


@pytest.mark.parametrize("values", [{}, {"only_masked": 8}, {"scheduler": "dpm2_a"}], ids=str)
def test_what_is_black_stays_bit_by_bit_and_it_is_drawn_again(studio, tmp_path, values):
    rng = np.random.default_rng(3)
    picture, mask = tmp_path / "in.png", tmp_path / "mask.png"
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(picture)
    soft = np.zeros((64, 64), np.uint8)
    soft[16:56, 16:56] = 128
    soft[24:48, 24:48] = 255
    Image.fromarray(soft).save(mask)
    here = studio("sd1")
    here.picture, here.mask = picture, mask
    asked = {
        "init_image": ID, "mask": ID, "strength": 0.8, "steps": 5, "mask_blur": 2,
        "mask_blending": "soft_inpainting", **values,
    }  # fmt: skip
    try:
        batch = here.make((1, 2), 2, **asked)
        (again,) = here.make((2,), 1, **asked)
    finally:
        here.picture = here.mask = None
    old = np.asarray(Image.open(picture), np.int16)
    new = [np.asarray(image.pixels, np.int16) for image in batch]
    for one in new:
        assert np.array_equal(one[:10], old[:10])
        assert np.array_equal(one[:, :10], old[:, :10])
        assert np.abs(one - old)[28:44, 28:44].mean() > 5
    assert np.abs(new[1] - np.asarray(again.pixels, np.int16)).max() <= 2


def test_a_bias_holds_the_picture_in_the_first_steps_above_1_and_in_the_last_below():
    half = torch.full((1, 1, 1, 1), 0.5)
    early, late = 8.0, 0.1
    plain, above, below = (Softness(bias, 0.5, 4.0) for bias in (1.0, 2.0, 0.5))
    assert above.share(half, early) < plain.share(half, early) < below.share(half, early)
    assert below.share(half, late) < plain.share(half, late) < above.share(half, late)
