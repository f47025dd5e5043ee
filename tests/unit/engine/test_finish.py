"""Finished pictures are enlarged: as by hand, by the built-in network or another; never a picture that was masked."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch.nn import functional

from sdstudio.catalog.built_in import DRAWINGS, UPSCALER_FOLDER
from sdstudio.catalog.kinds import UPSCALER
from sdstudio.core.errors import Cancelled
from sdstudio.core.events import Decoding, Enlarging, ImageMade
from sdstudio.core.models.adapter import Adapter
from sdstudio.core.paths import resources
from sdstudio.core.settings import Settings

FILE = resources() / UPSCALER_FOLDER / f"{DRAWINGS}.safetensors"
BUILT_IN = Adapter(UPSCALER, DRAWINGS, FILE)
ID = "5a" * 32


def pixels(image: ImageMade) -> np.ndarray:
    return np.asarray(image.pixels, dtype=np.int16)


@pytest.fixture
def here(studio):
    """A tiny model whose pictures the built-in network finishes."""
    made = studio("sd1")
    made.finisher = BUILT_IN
    yield made
    made.finisher = made.picture = made.mask = None
    made.adapters = ()


def written(weights: dict[str, torch.Tensor], values: torch.Tensor) -> torch.Tensor:
    """What the file's weights make of values (1, 3, h, w), written down plainly."""
    last = max(int(name.split(".")[1]) for name in weights)
    inside = values
    for place in range(0, last, 2):
        inside = functional.conv2d(inside, weights[f"body.{place}.weight"], weights[f"body.{place}.bias"], padding=1)
        inside = functional.prelu(inside, weights[f"body.{place + 1}.weight"])
    inside = functional.conv2d(inside, weights[f"body.{last}.weight"], weights[f"body.{last}.bias"], padding=1)
    return functional.pixel_shuffle(inside, 4) + functional.interpolate(values, scale_factor=4, mode="nearest")


def test_the_built_in_network_draws_what_its_file_says(here):
    (small,) = here.make()
    (large,) = here.make(finish=4)
    assert FILE.stat().st_size < 5_000_000
    weights = {name: value.float() for name, value in load_file(FILE).items()}
    values = torch.from_numpy(pixels(small)).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        right = written(weights, values)[0].clamp(0, 1).mul(255).permute(1, 2, 0).numpy()
    assert large.pixels.size == (256, 256)
    assert np.abs(pixels(large) - right).max() <= 0.51, "half a level of rounding, and float32's"


@pytest.mark.parametrize(("seamless", "repeats"), [("both", (3, 3, 1)), ("x", (1, 3, 1))])
@pytest.mark.parametrize(("factor", "finisher"), [(4, BUILT_IN), (1.5, None)])
def test_edges_that_meet_do_so_afterwards_too(here, seamless, repeats, factor, finisher):
    here.finisher = finisher
    (small,) = here.make(seamless=seamless)
    (large,) = here.make(seamless=seamless, finish=factor)
    endless = np.tile(pixels(small), repeats)
    if finisher is None:
        size = (round(endless.shape[1] * factor), round(endless.shape[0] * factor))
        right = np.asarray(Image.fromarray(endless.astype(np.uint8)).resize(size, Image.Resampling.LANCZOS), np.int16)
    else:
        weights = {name: value.float() for name, value in load_file(FILE).items()}
        values = torch.from_numpy(endless).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            right = written(weights, values)[0].clamp(0, 1).mul(255).permute(1, 2, 0).numpy()
    side = round(64 * factor)
    down, across = ((side if repeat > 1 else 0) for repeat in repeats[:2])
    difference = np.abs(pixels(large) - right[down : down + side, across : across + side])
    assert difference.max() <= 1


@pytest.mark.parametrize(("factor", "finisher"), [(4, BUILT_IN), (2, BUILT_IN), (1.5, None)])
def test_it_equals_upscaling_by_hand_bit_by_bit(here, tmp_path, factor, finisher):
    here.finisher = finisher
    (first, second) = here.make(seeds=(5, 6), batch_size=2, finish=factor)
    (small, _) = here.make(seeds=(5, 6), batch_size=2)
    small.pixels.save(tmp_path / "small.png")
    here.picture, here.adapters = tmp_path / "small.png", (finisher,) if finisher else ()
    side = round(64 * factor)
    (by_hand,) = here.make(init_image=ID, strength=0, width=side, height=side)
    assert first.pixels.size == second.pixels.size == (side, side)
    assert (pixels(first) == pixels(by_hand)).all()
    recipe = first.recipe
    assert (recipe.request.finish, recipe.request.width, recipe.request.made_size) == (factor, 64, (side, side))
    assert [row["name"] for row in recipe.made_with["adapters"]] == ([DRAWINGS] if finisher else [])
    here.picture, here.adapters = None, ()
    (again, _) = here.make(seeds=(5, 6), batch_size=2, **recipe.request.model_dump(exclude={"seed"}))
    assert (pixels(again) == pixels(first)).all()


def test_it_follows_the_second_pass_and_a_picture_drawn_over_as_a_whole(here, tmp_path):
    (plain,) = here.make(hires=2)
    plain.pixels.save(tmp_path / "plain.png")
    (both,) = here.make(hires=2, finish=2)
    assert both.pixels.size == (256, 256)
    here.picture = tmp_path / "plain.png"
    (only,) = here.make(init_image=ID, strength=0, width=128, height=128, finish=2)
    assert (pixels(only) == pixels(both)).all()
    assert here.make(init_image=ID, strength=0.7, finish=2)[0].pixels.size == (128, 128)


def test_a_masked_picture_keeps_its_size_and_what_is_not_masked(here, tmp_path):
    (picture,) = here.make()
    picture.pixels.save(tmp_path / "picture.png")
    mask = np.zeros((64, 64), np.uint8)
    mask[:32] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    here.picture, here.mask = tmp_path / "picture.png", tmp_path / "mask.png"
    (edited,) = here.make(init_image=ID, mask=ID, mask_blur=0, finish=4)
    assert edited.pixels.size == (64, 64)
    assert (pixels(edited)[32:] == pixels(picture)[32:]).all()
    assert not here.of(Enlarging)


def test_a_finish_that_is_cancelled_can_be_kept_with_those_after_it(here):
    wanted = here.make(seeds=(1, 2, 3), batch_size=3, finish=4)

    def stop(event):
        if isinstance(event, ImageMade):
            here.cancel.set()

    with pytest.raises(Cancelled):
        here.make(seeds=(1, 2, 3), batch_size=3, finish=4, on_event=stop)
    left = here.engine.take_unfinished()
    assert (left.seeds, left.step, left.total) == ((2, 3), 3, 3)
    made = []
    here.engine.keep(left, made.append, threading.Event())
    kept = [event for event in made if isinstance(event, ImageMade)]
    assert [(pixels(a) == pixels(b)).all() for a, b in zip(kept, wanted[1:], strict=True)] == [True, True]
    assert [image.recipe.unfinished for image in kept] == [None, None]


def test_what_was_drawn_so_far_is_finished_too_when_it_is_kept(here):
    def stop(event):
        if not isinstance(event, Decoding):
            here.cancel.set()

    with pytest.raises(Cancelled):
        here.make(finish=4, on_event=stop)
    made = []
    here.engine.keep(here.engine.take_unfinished(), made.append, threading.Event())
    (image,) = [event for event in made if isinstance(event, ImageMade)]
    assert image.pixels.size == (256, 256)
    assert image.recipe.unfinished == (1, 3)


def test_the_filter_judges_what_will_be_seen(studio):
    seen = []

    def refuse(picture):
        seen.append(picture.size)
        return "not today"

    here = studio("sd1", Settings(previews=False, safety_filter="own"), own=refuse)
    here.finisher = BUILT_IN
    (blocked,) = here.make(finish=4)
    assert seen == [blocked.pixels.size] == [(256, 256)]
    assert blocked.recipe.blocked == "not today"
