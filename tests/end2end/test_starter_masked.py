"""What only a trained model can show of masks: the colours at the seam, and that a part becomes what is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sdstudio.engine.pictures import masked
from tests.end2end.starter import drawer

pytestmark = pytest.mark.slow

ID = "5a" * 32
PROMPTS = ("red heart on a green background", "blue frog", "slice of pizza")
FAR = np.hypot(*np.mgrid[-64:64, -64:64])
WITHIN = (FAR < 36) & (FAR > 28)


@pytest.fixture(scope="module")
def drawn_under_a_mask(tmp_path_factory):
    """Draw over a picture of the starter in a circle, and return both: before and after."""
    folder = tmp_path_factory.mktemp("home")
    draw = drawer(folder, folder / "in.png", folder / "mask.png")
    Image.fromarray(((FAR < 36) * 255).astype(np.uint8)).save(folder / "mask.png")
    before = {prompt: draw(prompt, (7,), steps=12)[0] for prompt in PROMPTS}

    def drawn(over, prompt, **values):
        Image.fromarray(before[over].astype(np.uint8)).save(folder / "in.png")
        (after,) = draw(prompt, (3,), init_image=ID, mask=ID, mask_blur=0, **values)
        return before[over], after

    return drawn


def at_the_edge(pairs):
    """The mean shift of a channel in the eight pixels within the edge, in levels of 255."""
    return np.mean([np.abs((after - before)[WITHIN].mean(0)).mean() for before, after in pairs])


def test_colours_shift_less_at_the_edge_than_the_vae_shifts_them(drawn_under_a_mask, monkeypatch):
    matched = [drawn_under_a_mask(prompt, prompt, strength=0.05) for prompt in PROMPTS]
    monkeypatch.setattr(masked, "matched", lambda drawn, *_others: drawn)
    plain = [drawn_under_a_mask(prompt, prompt, strength=0.05) for prompt in PROMPTS]
    assert at_the_edge(matched) < 0.7 * at_the_edge(plain)
    assert at_the_edge(matched) < 0.8


def test_a_masked_part_becomes_what_is_asked_for_and_the_rest_stays(drawn_under_a_mask):
    for values in ({}, {"masked_content": "fill"}, {"mask_blending": "differential"}, {"only_masked": 8}):
        before, after = drawn_under_a_mask(
            "red heart on a green background", "blue frog", strength=0.9, steps=12, **values
        )
        assert np.array_equal(after[FAR >= 36], before[FAR >= 36])
        red, _green, blue = after[FAR < 20].mean(0) - before[FAR < 20].mean(0)
        assert red < -20, values
        assert blue > 8, values


def test_colours_at_the_edge_of_new_ground_shift_no_more_than_under_a_mask(tmp_path_factory):
    """In the eight pixels of the overlap beside the ground, where the picture before is known and hardly drawn over."""
    folder = tmp_path_factory.mktemp("home")
    draw = drawer(folder, folder / "in.png")
    for fill in ("edge", "blur"):
        shifts = []
        for prompt in PROMPTS:
            (before,) = draw(prompt, (7,), steps=12)
            Image.fromarray(before.astype(np.uint8)).save(folder / "in.png")
            ground = {"init_image": ID, "outpaint": "left=64", "outpaint_fill": fill}
            (after,) = draw(prompt, (3,), strength=0.05, **ground)
            assert np.array_equal(after[:, 64 + 16 :], before[:, 16:])
            shifts.append(np.abs((after[:, 64:72] - before[:, :8]).mean((0, 1))).mean())
        assert np.mean(shifts) < 0.8, fill
