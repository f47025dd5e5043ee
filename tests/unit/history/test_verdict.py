from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from sdstudio.core.errors import HistoryError
from sdstudio.core.request.recipe import IMPORTED, Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.picture_text.foreign.reading import read_picture
from sdstudio.history.verdict import AMPLIFIED, FACTS, Outcome, causes_of, judged
from tests.unit.history.foreign.pictures import png

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
        ("computed_by", "torch", "OpenVINO 2026.4.1: unet", "Computed by: torch then, OpenVINO 2026.4.1: unet now"),
        ("negative_clip_skip", "none", "so", "Clip skip of the negative prompt: none then, so now"),
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
            "LoRA, embeddings, VAE, upscaler, detector: ink aa then, ink bb now",
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
    assert len(FACTS) == 21


def test_a_picture_that_is_gone_is_said(tmp_path):
    with pytest.raises(HistoryError, match="gone or cannot be read"):
        judged(tmp_path / "gone.png", recipe(), Image.fromarray(PIXELS), recipe())


OLD = (
    "a cat\nNegative prompt: blurry\nSteps: 20, Sampler: Restart, CFG scale: 7, Seed: 5, Size: 64x64, Model hash: "
    "{}, Model: foo, Face restoration: CodeFormer, NGMS: 2, Refiner: ink, Token merging ratio: 0.5, "
    "Tiling: False, Hires checkpoint: paint, Created Date: 2031, User: me, Version: v1.6.0\nTemplate: a {{cat}}"
)


def imported(text):
    found = read_picture(io.BytesIO(png({"parameters": text})))
    assert found is not None
    return found.recipe


def named(verdict):
    return {cause.what: (cause.recorded, cause.now) for cause in verdict.causes}


def test_what_was_not_taken_over_is_named_where_the_pictures_differ(tmp_path):
    recorded = imported(OLD.format("6ce0161689"))
    slightly = PIXELS.copy()
    slightly[3, 5] += 2
    for changed, outcome in ((slightly, Outcome.NEAR), (255 - PIXELS, Outcome.DIFFERENT), (PIXELS[:32], None)):
        said = verdict(tmp_path, changed, recorded, recipe(model_hash="6ce0161689"))
        assert outcome in (said.outcome, None)
        causes = named(said)
        for name, value in (
            ("NGMS", "2"), ("Face restoration", "CodeFormer"), ("Refiner", "ink"), ("Hires checkpoint", "paint"),
            ("Token merging ratio", "0.5"), ("Sampler", "Restart"),
        ):  # fmt: skip
            assert causes[name] == (value, "not used")
        assert not {"Tiling", "Created Date", "User", "Template", "Model file"} & causes.keys()
        assert "Nothing that is recorded" not in str(said)
    same = verdict(tmp_path, PIXELS, recorded, recipe(model_hash="6ce0161689"))
    assert [cause.what for cause in same.causes] == ["Studio"], "it made no difference"


def test_another_model_file_goes_before_what_was_not_taken_over(tmp_path):
    for hash_, leads in (("6CE0161689", False), ("925997e9", False), ("ffffffffff", True)):
        said = verdict(tmp_path, 255 - PIXELS, imported(OLD.format(hash_)), recipe(model_hash="6ce0161689"))
        assert (said.causes[0].what == "Model file") == leads, hash_
        assert ("Model file" in named(said)) == leads, hash_


def test_what_a_picture_does_not_tell_is_named_with_what_was_taken_for_it(tmp_path):
    recorded = imported("a cat\nSteps: 20, Seed: 5, Size: 64x64, Wonder: 9")
    causes = named(verdict(tmp_path, 255 - PIXELS, recorded, recipe()))
    assert causes["Wonder"] == ("9", "not used")
    assert causes["Guidance scale"] == ("not recorded", "7")
    assert causes["Sampler"] == ("not recorded", "dpmpp_2m")


def test_between_two_pictures_of_one_program_only_what_differs_is_named(tmp_path):
    one, other = (imported(f"a cat\nSteps: 20, Sampler: Euler, Seed: 5, ENSD: 31337, Eta: {eta}") for eta in (7, 8))
    assert list(named(verdict(tmp_path, 255 - PIXELS, one, other))) == ["Eta"]
    rest = named(verdict(tmp_path, 255 - PIXELS, recipe(), other))
    assert rest["ENSD"] == ("not used", "31337")


def test_a_recipe_whose_origin_is_nonsense_names_nothing(tmp_path):
    for kept in (3, {"not_mapped": [1], "assumed": 5}, {"not_mapped": {"a": 1}}):
        said = verdict(tmp_path, 255 - PIXELS, recipe(**{IMPORTED: kept}))
        assert len(said.causes) <= 1
