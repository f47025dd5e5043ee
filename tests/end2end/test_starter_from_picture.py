"""What only a trained model can show of pictures from pictures: how far the strength leaves the input behind."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sdstudio.catalog.schedulers import SCHEDULERS
from tests.end2end.starter import FEW, Draw, drawer

pytestmark = pytest.mark.slow

ID = "5a" * 32


@pytest.fixture(scope="module")
def draw(tmp_path_factory: pytest.TempPathFactory) -> Draw:
    """A function that draws over a picture, a red heart of the starter; see `drawer`."""
    folder = tmp_path_factory.mktemp("home")
    drawn = drawer(folder, folder / "in.png", steps=FEW)
    (heart,) = drawn("red heart", (7,))
    Image.fromarray(heart.astype(np.uint8)).save(folder / "in.png")
    drawn.heart = heart  # type: ignore[attr-defined]
    return drawn


def rms(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(np.square(one - other).mean()))


def test_the_stronger_the_further_from_the_input_and_at_0_it_is_the_input(draw: Draw) -> None:
    over = {strength: draw("blue frog", init_image=ID, strength=strength)[0] for strength in (0, 0.3, 0.6, 1)}
    distances = [rms(draw.heart, picture) for picture in over.values()]
    assert distances[0] == 0
    assert distances == sorted(distances)
    assert distances[1] < 0.6 * distances[3]


def test_a_batch_is_what_each_picture_is_alone_and_again(draw: Draw) -> None:
    values = {"init_image": ID, "strength": 0.6}
    batch = draw("blue frog", (1, 2, 3), **values)
    for seed, picture in zip((1, 2, 3), batch, strict=True):
        (alone,), (again,) = (draw("blue frog", (seed,), **values) for _ in range(2))
        assert np.abs(alone - picture).max() <= 2
        assert np.array_equal(alone, again)
    assert rms(batch[0], batch[1]) > 2


def test_every_sampler_ends_near_the_others(draw: Draw) -> None:
    """One that were handed wrong noise levels behind its beginning would leave noise, or a washed out picture."""
    ends = {}
    for spec in SCHEDULERS:
        (ends[spec.key],) = draw(
            "red heart", init_image=ID, strength=0.5, steps=12, scheduler=spec.key, guidance_scale=1.0
        )
    middle = np.median(list(ends.values()), axis=0)
    far = {key: round(rms(picture, middle), 1) for key, picture in ends.items()}
    assert max(far.values()) < 14, far  # measured: 8 at most, of those that draw fresh noise
