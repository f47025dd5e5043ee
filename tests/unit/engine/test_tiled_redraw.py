"""A second pass in tiles: the same as in one piece where one tile covers the picture, and one picture elsewhere."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from PIL import Image

from sdstudio.core.errors import Cancelled, InvalidRequest, OutOfMemory
from sdstudio.core.events import Decoding, Encoding, ImageMade, StepDone
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.core.request.input_fields import INIT
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.settings import Settings
from sdstudio.engine import within_memory
from sdstudio.jobs.redrawing import Redrawer

SECOND = {"hires_strength": 0.5, "hires_steps": 2, "tile_size": 96, "tile_overlap": 32}


def pixels(image) -> np.ndarray:
    return np.asarray(image.pixels, dtype=np.int16)


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_one_tile_that_covers_all_is_the_plain_second_pass(studio, family):
    here = studio(family)
    values = {"width": 64, "height": 80, "hires_strength": 0.5}
    (plain,) = here.make(hires=2, **values)
    (tiled,) = here.make(tile_redraw="2", tile_size=160, **values)
    assert (pixels(tiled) == pixels(plain)).all()
    assert not any(step.tiles for step in here.steps)
    assert here.notices[0].message == "Tiled redraw = 2: one tile of 160 px covers all, so it is drawn in one piece."


@pytest.mark.parametrize("scheduler", ["dpmpp_2m_sde", "heun", "euler_a"])
def test_from_text_every_tile_of_every_step_is_counted(studio, scheduler):
    here = studio("sd1")
    (image,) = here.make(tile_redraw="192x256", scheduler=scheduler, **SECOND)
    assert image.pixels.size == (192, 256)
    tiled = [step for step in here.steps if step.tiles]
    assert {step.tiles for step in tiled} == {3 * 4}
    assert [step.tile for step in tiled] == list(range(1, 12)) * len({step.step for step in tiled})
    assert [step.done for step in here.steps] == sorted(step.done for step in here.steps)
    left = [step.work[0] * step.seconds_per_step for step in here.steps]
    assert left[-1] == 0
    request = image.recipe.request
    (again,) = here.make(**request.model_dump())
    assert (pixels(again) == pixels(image)).all()


def test_an_input_picture_takes_the_place_of_the_first_pass(studio, tmp_path):
    here = studio("sd1")
    (first,) = here.make()
    (from_text,) = here.make(tile_redraw="2", **SECOND)
    first.pixels.save(tmp_path / "first.png")
    here.picture = tmp_path / "first.png"
    over = {"init_image": "5a" * 32, "strength": 0.9, **SECOND}
    (image,) = here.make(tile_redraw="128x", **over)
    assert [step.total for step in here.steps if not step.tiles] == [2, 2]
    assert np.abs(pixels(image) - pixels(from_text)).max() <= 2
    resolve = lambda request, model, cancel: ResolvedRequest.of(request, model, (), {INIT: here.picture})  # noqa: E731
    redrawer = Redrawer(here.engine, Settings(), lambda key: here.model, resolve, lambda model, cancel: "0" * 64)
    again = redrawer.draw(image.recipe, lambda event: None, threading.Event())
    assert (pixels(again) == pixels(image)).all()
    (enlarged,) = here.make(tile_redraw="128x", **{**over, "hires_strength": 0})
    here.picture = None
    assert (pixels(enlarged) == np.asarray(first.pixels.resize((128, 128), 1), np.int16)).all()
    assert not here.notices


def test_large_pictures_are_encoded_and_decoded_in_tiles(studio, tmp_path):
    here = studio("sd1")
    values = {"width": 64, "height": 64, "hires_strength": 0.3, "hires_steps": 1, "hires_upscaler": "Latent"}
    (whole,) = here.make(tile_redraw="64x640", tile_size=640, **values)
    for seamless in ("off", "both"):
        (image,) = here.make(tile_redraw="64x640", tile_size=320, seamless=seamless, **values)
        tiles = [event.tile for event in here.of(Decoding) if event.tiles]
        assert tiles == list(range(1, len(tiles) + 1))
        assert image.pixels.size == (64, 640)
    assert whole.pixels.size == (64, 640)
    here.make(tile_redraw="64x640", tile_size=320, **{**values, "hires_upscaler": ""})
    assert [(event.tile, event.total) for event in here.of(Encoding)] == [(1, 2), (2, 2)]


@pytest.mark.parametrize("over", [False, True])
def test_it_is_cancelled_between_two_tiles_and_what_it_has_come_to_is_kept(studio, tmp_path, over):
    here = studio("sd1")
    first = 0 if over else 3
    values = SECOND | ({"init_image": "5a" * 32} if over else {})
    Image.new("RGB", (70, 70), "red").save(tmp_path / "red.png")
    here.picture = tmp_path / "red.png" if over else None

    def stop(event):
        if isinstance(event, StepDone) and event.step == first + 1 and event.tile == 1:
            here.cancel.set()

    with pytest.raises(Cancelled):
        here.make(tile_redraw="3", on_event=stop, **values)
    here.picture = None
    assert here.steps[-1].tile == 1
    left = here.engine.take_unfinished()
    assert (left.step, left.total) == (first + 1, first + 2)
    made = []
    here.engine.keep(left, made.append, threading.Event())
    (image,) = [event for event in made if isinstance(event, ImageMade)]
    assert image.pixels.size == (192, 192)
    assert image.recipe.unfinished == (first + 1, first + 2)


def test_one_that_does_not_fit_says_what_to_do(studio, monkeypatch):
    here = studio("sd1")

    def short(loaded, request, *args):
        raise MemoryError

    monkeypatch.setattr(within_memory, "lower_plan", lambda *_: None)
    monkeypatch.setattr(within_memory, "sample", short)
    with pytest.raises(OutOfMemory, match="Second pass = 128 x 128 in tiles of 96") as caught:
        here.make(tile_redraw="2", **SECOND)
    assert caught.value.hint == "Try smaller tiles, or close other programs."


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        ({"tile_redraw": "much"}, "tile_redraw", "Tiled redraw = 'much': allowed are a size as 4096x4096"),
        ({"tile_redraw": "1000x1001"}, "tile_redraw", "each a multiple of 8 from 64"),
        ({"tile_redraw": "20000x512"}, "tile_redraw", "20000 x 512 is too large: at most 16,384 on a side"),
        ({"tile_redraw": "16384x8192"}, "tile_redraw", "at most 64,000,000 pixels in all"),
        ({"tile_redraw": "2", "tile_size": 128, "tile_overlap": 128}, "tile_overlap", "less than the tile size, 128"),
        ({"tile_redraw": "2", "tile_size": 100}, "tile_size", "64 to 2048 in multiples of 8"),
        ({"tile_redraw": "2", "init_image": "5a" * 32, "mask": "5a" * 32}, "tile_redraw", "there is a mask"),
        ({"tile_redraw": "2", "init_image": "5a" * 32, "hires_upscaler": "Latent"}, "hires_upscaler", "as it is seen"),
        ({"tile_redraw": "2", "init_image": "5a" * 32, "outpaint": "left=64"}, "tile_redraw", "ground is to be added"),
        ({"hires": 2, "hires_scheduler": "ddim", "hires_schedule": "karras"}, "hires_schedule", "levels of its own"),
        ({"hires_resize": "1024"}, "hires_resize", "allowed is a size as 1024x1536"),
        ({"hires_resize": "8192x512"}, "hires_resize", "8192 x 512 is too large: at most 4,096 on a side"),
    ],
)
def test_what_cannot_be_drawn_is_refused_at_its_field(values, field, message):
    with pytest.raises(InvalidRequest, match=message) as caught:
        GenerationRequest.checked(values)
    assert caught.value.field == field
