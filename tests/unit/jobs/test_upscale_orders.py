"""Requests that make pictures larger: their own recipe, a new size, and the picture kept as what they begin from."""

from __future__ import annotations

import pytest
from PIL import ExifTags, Image

from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.store import History
from sdstudio.jobs.upscale_orders import Enlargement, orders_for, sizes_of


@pytest.fixture
def history(home):
    opened = History(home, lambda path: path)
    yield opened
    opened.close()


@pytest.fixture
def pictures(home):
    return InputPictures(home)


def save(history, size=(64, 96), seed=3, **values):
    request = GenerationRequest(width=size[0], height=size[1], prompt="frog", seed=seed, steps=12, **values)
    recipe = Recipe(app="test", request=request, model_family="sd1")
    return history.save(Image.new("RGB", size, (seed, 120, 60)), recipe)


def ordered(entries, how, pictures, stop=lambda: False):
    return orders_for(entries, sizes_of(entries), how, pictures, lambda *_told: None, stop)


def test_an_order_is_the_pictures_own_recipe_from_itself(history, pictures):
    entry = save(history, guidance_scale=4.0)
    [order] = ordered([entry], Enlargement(2.0, "4x-sharp", 0.3), pictures).orders
    changed = {"init_image", "width", "height", "upscaler", "strength"}
    before, after = entry.recipe.request.model_dump(), order.request.model_dump()
    assert {name for name in after if after[name] != before[name]} == changed
    assert (order.request.width, order.request.height) == (128, 192)
    assert (order.request.upscaler, order.request.strength) == ("4x-sharp", 0.3)
    assert pictures.path_of(order.request.init_image).read_bytes() == entry.path.read_bytes()
    assert pictures.parent_of(order.request.init_image) == entry.id


def test_the_size_is_that_of_the_file_as_it_is_seen(history, pictures):
    entry = save(history)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.new("RGB", (80, 40)).save(entry.path.with_suffix(".jpg"), exif=exif)
    entry.path.with_suffix(".jpg").rename(entry.path)
    assert sizes_of([entry]) == [(40, 80)]


def test_what_is_blocked_gone_or_becomes_too_large_is_left_out(history, pictures):
    good, gone, large = save(history), save(history, seed=4), save(history, (2048, 64), seed=5)
    recipe = Recipe(app="t", request=GenerationRequest(width=64, height=64, seed=6), model_family="sd1", blocked="no")
    blocked = history.save(Image.new("RGB", (64, 64)), recipe)
    gone.path.unlink()
    entries = [good, gone, large, blocked]
    assert sizes_of(entries) == [(64, 96), None, (2048, 64), None]
    assert [order.entry for order in ordered(entries, Enlargement(3.0), pictures).orders] == [good]


def test_one_that_goes_meanwhile_is_told_and_the_others_are_made(history, pictures):
    first, second = save(history), save(history, seed=4)
    sizes = sizes_of([first, second])
    first.path.unlink()
    made = orders_for([first, second], sizes, Enlargement(), pictures, lambda *_told: None, lambda: False)
    assert [order.entry.id for order in made.orders] == [second.id]
    [(entry, error)] = made.failed
    assert entry.id == first.id
    assert "cannot be read" in error.message


def test_it_can_be_stopped(history, pictures):
    made = ordered([save(history)], Enlargement(), pictures, stop=lambda: True)
    assert made.orders == []
    assert sizes_of([save(history)], lambda: True) == [None]
