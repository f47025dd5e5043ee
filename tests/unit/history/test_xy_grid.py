from __future__ import annotations

import numpy as np
import pytest
from PIL import ImageColor

from sdstudio.core.params import parameters
from sdstudio.core.pictures.opening import PIXELS_MAXIMUM
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.xy_grid import axes, drawn, label, laid_out

from .conftest import picture, recipe

ROWS = {row.name: row for row in parameters(GenerationRequest)}
COLORS = {10: "red", 20: "lime", 30: "blue"}


@pytest.fixture
def entries(history):
    """Steps 10, 20, 30 by guidance 5, 7; without 30 at 7."""
    return [
        history.save(picture(COLORS[steps]), recipe(steps=steps, guidance_scale=scale))
        for scale, steps in ((7.0, 20), (5.0, 30), (5.0, 10), (7.0, 10), (5.0, 20))
    ]


def test_only_what_differs_can_be_an_axis(entries):
    assert [row.name for row in axes(entries)] == ["steps", "guidance_scale"]
    assert axes(entries[:1]) == []


def test_pictures_lie_by_their_values_and_the_missing_one_is_a_request(entries):
    grid = laid_out(entries, ROWS["steps"], ROWS["guidance_scale"])
    assert (grid.columns, grid.rows) == ((10, 20, 30), (5.0, 7.0))
    assert [[cell.entry is not None for cell in row] for row in grid.cells] == [[True] * 3, [True, True, False]]
    [missing] = grid.missing()
    assert (missing.request.steps, missing.request.guidance_scale, missing.request.seed) == (30, 7.0, 42)
    assert missing.like.recipe.request.guidance_scale == 7.0


def test_of_several_at_one_place_the_newest_is_shown(history, entries):
    again = history.save(picture("white"), recipe(steps=10, guidance_scale=5.0))
    grid = laid_out([again, *entries], ROWS["steps"], ROWS["guidance_scale"])
    assert grid.cells[0][0].entry == again


def test_one_axis_is_a_single_row(entries):
    grid = laid_out(entries, ROWS["steps"], None)
    assert (grid.columns, grid.rows, len(grid.cells)) == ((10, 20, 30), (None,), 1)
    assert not grid.missing()


def test_choices_keep_their_tables_order_and_words_the_order_they_came_in(history):
    entries = [history.save(picture(), recipe(prompt, scheduler=key)) for prompt, key in
               (("zebra", "heun"), ("ant", "euler"), ("zebra", "euler"))]  # fmt: skip
    grid = laid_out(entries, ROWS["scheduler"], ROWS["prompt"])
    assert grid.columns == ("euler", "heun")
    assert grid.rows == ("zebra", "ant")


def test_labels_are_what_a_reader_knows(entries):
    assert label(ROWS["scheduler"], "euler") == "Euler"
    assert label(ROWS["guidance_scale"], 7.0) == "7"
    assert label(ROWS["loras"], (("ink", 0.8), ("soft", 1.0))) == "ink 0.8, soft 1"
    assert label(ROWS["prompt"], "x" * 500).endswith("…")
    assert label(ROWS["vae"], "") == "(none)"
    assert label(ROWS["rng"], "nvidia") == "NVIDIA"


def test_the_grid_is_drawn_with_every_picture_at_its_place(entries):
    pixels = np.asarray(drawn(laid_out(entries, ROWS["steps"], ROWS["guidance_scale"])))
    counts = {color: int((pixels == ImageColor.getrgb(color)).all(axis=2).sum()) for color in COLORS.values()}
    assert counts == {"red": 2 * 64 * 64, "lime": 2 * 64 * 64, "blue": 64 * 64}


def test_a_picture_that_is_gone_leaves_its_place_empty(entries):
    entries[0].path.unlink()
    assert drawn(laid_out(entries, ROWS["steps"], None)).size == drawn(laid_out(entries[1:], ROWS["steps"], None)).size


def test_many_large_pictures_become_smaller_and_not_a_bomb(history):
    large = [history.save(picture(size=(64, 64)), recipe(width=4096, height=4096, seed=seed)) for seed in range(3)]
    many = [entry for entry in large for _ in range(1)]
    grid = laid_out(many, ROWS["seed"], None)
    wide = type(grid)(grid.x, None, grid.columns * 400, (None,), (grid.cells[0] * 400,))
    sheet = drawn(wide)
    assert sheet.width * sheet.height <= PIXELS_MAXIMUM
