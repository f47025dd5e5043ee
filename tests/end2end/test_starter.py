"""What only a trained model can show: that words, guidance, negative prompts, seeds and samplers act on the picture."""

from __future__ import annotations

import numpy as np
import pytest

from tests.end2end.starter import FEW, Draw, drawer

pytestmark = pytest.mark.slow

BORDER = 6
RED, BLUE, WHITE = (230, 57, 70), (137, 196, 255), (255, 255, 255)


@pytest.fixture(scope="module")
def draw(tmp_path_factory: pytest.TempPathFactory) -> Draw:
    """See `drawer`."""
    return drawer(tmp_path_factory.mktemp("home"), steps=FEW)


def ground(picture: np.ndarray) -> np.ndarray:
    """The median colour of the border."""
    edges = [picture[:BORDER], picture[-BORDER:], picture[:, :BORDER], picture[:, -BORDER:]]
    return np.median(np.concatenate([edge.reshape(-1, 3) for edge in edges]), axis=0)


def near(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    """Pixels within 60 of a colour."""
    return int((np.linalg.norm(picture - colour, axis=2) < 60).sum())


def rms(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(np.square(one - other).mean()))


def test_the_background_that_the_prompt_names(draw):
    reds, blues = (draw(f"panda on a {colour} background", (1, 2, 3)) for colour in ("red", "blue"))
    for on_red, on_blue in zip(reds, blues, strict=True):
        assert near(on_red, RED) > 10 * near(on_blue, RED) + 2000
        assert near(on_blue, BLUE) > 10 * near(on_red, BLUE) + 2000


def test_the_subject_that_the_prompt_names(draw):
    red = draw("red heart", (1, 2))
    blue = draw("blue heart", (1, 2))
    for one, other in zip(red, blue, strict=True):
        middle = (slice(48, 72), slice(52, 76))
        assert one[middle][..., 0].mean() > one[middle][..., 2].mean() + 60
        assert other[middle][..., 2].mean() > other[middle][..., 0].mean() + 60


def test_guidance_above_1_makes_another_picture_on_a_cleaner_ground(draw):
    seeds = tuple(range(1, 7))
    plain = draw("cat face on a yellow background", seeds, guidance_scale=1.0)
    guided = draw("cat face on a yellow background", seeds)
    assert all(rms(one, other) > 5 for one, other in zip(plain, guided, strict=True))
    spread = [np.mean([rms(a, b) for a in made for b in made if a is not b]) for made in (plain, guided)]
    assert spread[1] < spread[0], "guidance draws the seeds of a prompt together"


def test_a_negative_prompt_drives_out_what_the_prompt_leaves_open(draw):
    seeds = tuple(range(6, 16))  # of these five are on white; of the first five seeds none is
    white = [seed for seed, made in zip(seeds, draw("cat face", seeds), strict=True) if is_white(made)]
    assert len(white) >= 4
    against = draw("cat face", tuple(white), negative_prompt="white background")
    assert sum(is_white(made) for made in against) <= len(white) / 3


def is_white(picture: np.ndarray) -> bool:
    return bool(np.linalg.norm(ground(picture) - WHITE) < 40)


def test_a_negative_prompt_does_nothing_at_guidance_1(draw):
    (without,) = draw("frog", guidance_scale=1.0)
    (with_it,) = draw("frog", guidance_scale=1.0, negative_prompt="green")
    assert np.array_equal(without, with_it)


def test_a_weight_acts(draw):
    (plain,) = draw("sunflower on a purple background")
    (weighed,) = draw("sunflower on a (purple:1.4) background")
    assert rms(plain, weighed) > 1


def test_seeds_differ_and_one_seed_does_not(draw):
    first, second, again = draw("penguin", (1, 2, 1))
    assert rms(first, second) > 5
    assert rms(first, again) <= 1


def test_samplers_end_at_one_picture(draw):
    keys = ("dpmpp_2m", "euler", "heun", "ddim")
    reference, *others = [draw("rocket on a black background", scheduler=key, steps=14)[0] for key in keys]
    (other_seed,) = draw("rocket on a black background", (2,), steps=14)
    for made in others:
        assert rms(reference, made) < rms(reference, other_seed) / 2
