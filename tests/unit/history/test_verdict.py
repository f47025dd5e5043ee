from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sdstudio.core.errors import HistoryError
from sdstudio.core.request import GenerationRequest, Recipe
from sdstudio.history.verdict import AMPLIFIED, FACTS, Outcome, causes_of, judged

SHADES = np.tile(np.arange(64, dtype=np.uint8) * 3, (64, 1))
PIXELS = np.stack([SHADES, SHADES.T, SHADES], axis=2)


def recipe(app="sdstudio 1", model_hash="aaaa", **made_with):
    return Recipe(app=app, request=GenerationRequest(seed=1), model_hash=model_hash, made_with=made_with)


def verdict(tmp_path, changed, recorded=None, now=None):
    file = tmp_path / "before.png"
    Image.fromarray(PIXELS).save(file)
    return judged(file, recorded or recipe(), Image.fromarray(changed), now or recipe())


def test_the_same_pixels_are_identical_whatever_else_differs(tmp_path):
    said = verdict(tmp_path, PIXELS, recipe(device="CPU"), recipe(device="NVIDIA"))
    assert (said.outcome, said.largest, said.share, said.difference) == (Outcome.IDENTICAL, 0, 0.0, None)
    assert [cause.what for cause in said.causes] == ["Device"]
    assert str(said) == "Identical: every pixel is the same."


def test_a_rounding_here_and_there_is_near_and_shown_amplified(tmp_path):
    changed = PIXELS.copy()
    changed[3, 5] = changed[3, 5] + 2
    said = verdict(tmp_path, changed)
    assert (said.outcome, said.largest, said.share) == (Outcome.NEAR, 2, 1 / 64 / 64)
    assert said.difference.getpixel((5, 3)) == (2 * AMPLIFIED,) * 3
    assert said.difference.getpixel((6, 3)) == (0, 0, 0)
    assert "Nothing that is recorded differs" in str(said)


def test_another_picture_is_different_and_the_likeliest_cause_is_named(tmp_path):
    said = verdict(tmp_path, 255 - PIXELS, recipe(dtype="float16"), recipe(model_hash="bbbb", dtype="float32"))
    assert said.outcome is Outcome.DIFFERENT
    assert [cause.what for cause in said.causes] == ["Model file", "Number format"]
    assert "Model file: aaaa then, bbbb now" in str(said)


def test_another_size_is_different(tmp_path):
    said = verdict(tmp_path, PIXELS[:32])
    assert (said.outcome, said.difference) == (Outcome.DIFFERENT, None)


@pytest.mark.parametrize(
    ("name", "before", "after", "said"),
    [
        ("versions", {"torch": "2.6"}, {"torch": "2.7"}, "torch: 2.6 then, 2.7 now"),
        ("versions", {"diffusers": "0.41"}, {"diffusers": "0.42"}, "diffusers: 0.41 then, 0.42 now"),
        ("device", "CPU", "Apple GPU", "Device: CPU then, Apple GPU now"),
        ("dtype", "float16", "float32", "Number format: float16 then, float32 now"),
        ("batch_size", 4, 1, "Batch: 4 at once then, 1 at once now"),
        ("attention", "AttnProcessor", "AttnProcessor2_0", "Attention: AttnProcessor then, AttnProcessor2_0 now"),
        ("memory", {"vae_tiling": True}, {}, "Memory switches: vae_tiling True then, vae_tiling not set now"),
        (
            "scheduler", {"class": "Euler", "config": {"rho": 7.0, "sigma": 1}},
            {"class": "Euler", "config": {"rho": 6.5, "sigma": 1}},
            "Sampler's configuration: rho 7 then, rho 6.5 now",
        ),
        (
            "adapters", [{"name": "ink", "hash": "aa"}], [{"name": "ink", "hash": "bb"}],
            "LoRA, embeddings, VAE, upscaler: ink aa then, ink bb now",
        ),
    ],
)  # fmt: skip
def test_every_recorded_condition_is_a_cause_that_is_named(name, before, after, said):
    assert [str(cause) for cause in causes_of(recipe(**{name: before}), recipe(**{name: after}))] == [said]


def test_scales_that_the_first_version_left_out_are_a_cause_where_there_are_scales():
    old, now = recipe(app="sdstudio 0.1.0"), recipe(app="sdstudio 0.2.0", weights="fp8 times its scales")
    said = "Weights: fp8 without its scales then, fp8 times its scales now"
    assert next(iter(causes_of(old, now))).what == "Weights"
    assert str(next(iter(causes_of(old, now)))) == said
    assert "Weights" not in [cause.what for cause in causes_of(old, recipe(app="sdstudio 0.2.0"))]
    assert "Weights" not in [cause.what for cause in causes_of(now, now)]


def test_what_another_version_did_not_record_or_recorded_oddly_is_no_cause():
    odd = {"versions": 3, "scheduler": "x", "memory": [], "adapters": "x", "batch_size": "many"}
    full = {"versions": {"torch": "2"}, "scheduler": {"class": "E"}, "memory": {}, "adapters": [], "batch_size": 1}
    assert list(causes_of(recipe(), recipe(**full, device="CPU"))) == []
    assert list(causes_of(recipe(**odd), recipe(**full))) == []
    assert len(FACTS) == 18


def test_a_picture_that_is_gone_is_said(tmp_path):
    with pytest.raises(HistoryError, match="gone or cannot be read"):
        judged(tmp_path / "gone.png", recipe(), Image.fromarray(PIXELS), recipe())
