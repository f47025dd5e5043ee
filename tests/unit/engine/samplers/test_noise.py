from __future__ import annotations

import numpy as np
import pytest
import torch

from sdstudio.engine.samplers.noise import NVIDIA, NvidiaGenerator, generators, understood

# torch on CUDA with seed 0, as A1111 publishes them beside its emulation (modules/rng_philox.py).
PUBLISHED = [-0.92466259, -0.42534415, -2.6438457, 0.14518388, -0.12086647]


def pixels(image):
    return np.asarray(image.pixels, dtype=np.int16)


def test_the_first_numbers_are_those_a1111_publishes():
    torch.testing.assert_close(NvidiaGenerator(0).randn((5,)), torch.tensor(PUBLISHED), atol=1e-6, rtol=1e-6)


def test_every_draw_is_new_and_does_not_depend_on_the_shape():
    one, other = NvidiaGenerator(2**40 + 7), NvidiaGenerator(2**40 + 7)
    first, second = one.randn((4, 8, 8)), one.randn((4, 8, 8))
    assert (other.randn((256,)) == first.flatten()).all()
    assert (first != second).any()
    assert (NvidiaGenerator(7).randn((256,)) != first.flatten()).any()  # the upper half of the seed counts


def test_it_is_normal():
    noise = NvidiaGenerator(3).randn((100_000,))
    assert noise.isfinite().all()
    assert abs(float(noise.mean())) < 0.02
    assert abs(float(noise.std()) - 1) < 0.02


@pytest.mark.parametrize("scheduler", ["euler", "euler_a", "dpmpp_2m_sde", "lcm"])
@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_a_picture_starts_from_it_and_a_batch_draws_what_single_pictures_do(studio, family, scheduler):
    here = studio(family)
    values = {"scheduler": scheduler, "steps": 4, "rng": NVIDIA}
    both = here.make(seeds=(5, 6), batch_size=2, **values)
    alone = [here.make(seeds=(seed,), **values)[0] for seed in (5, 6)]
    for in_batch, single in zip(both, alone, strict=True):
        assert np.abs(pixels(in_batch) - pixels(single)).max() <= 1
    assert (pixels(alone[0]) == pixels(here.make(seeds=(5,), **values)[0])).all()
    assert (pixels(alone[0]) != pixels(here.make(seeds=(5,), scheduler=scheduler, steps=4)[0])).any()
    assert alone[0].recipe.made_with["rng"] == NVIDIA


def test_ancestral_steps_draw_the_next_numbers(studio):
    here = studio("sd1")
    drawn = []
    randn = NvidiaGenerator.randn

    def kept(self, shape):
        drawn.append(randn(self, shape))
        return drawn[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NvidiaGenerator, "randn", kept)
        here.make(seeds=(9,), scheduler="euler_a", steps=3, rng=NVIDIA)
    fresh = NvidiaGenerator(9)
    assert len(drawn) == 1 + 3
    assert all((noise == fresh.randn(noise.shape)).all() for noise in drawn)


def test_diffusers_draws_as_before_outside(studio):
    import diffusers.schedulers.scheduling_euler_ancestral_discrete as module

    own = module.randn_tensor
    scheduler = module.EulerAncestralDiscreteScheduler()
    with understood(NVIDIA, scheduler):
        assert module.randn_tensor is not own
        assert module.randn_tensor((2, 3), generator=generators(NVIDIA, (1, 2)), dtype=torch.float16).shape == (2, 3)
    assert module.randn_tensor is own
