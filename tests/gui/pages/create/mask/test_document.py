"""The pixels of a mask: each change is taken back and done again to the last bit, and costs little memory."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdstudio.core.settings import Settings
from sdstudio.ui.pages.create.mask import works
from sdstudio.ui.pages.create.mask.document import MaskDocument, difference
from sdstudio.ui.pages.create.mask.rows import COLOURS, COMMANDS, MASK_KEYS, TOOLS
from sdstudio.ui.pages.create.mask.strokes import BrushStroke, Touch


def nothing(_fraction: float) -> None:
    """Say nothing of how far it is."""


def painted(document: MaskDocument, chance: random.Random, radius: float = 12.0, hardness: float = 1.0) -> object:
    stroke = BrushStroke(document, chance.random() < 0.3, hardness)
    for _ in range(chance.randint(1, 6)):
        stroke.move(Touch(chance.uniform(-20, 320), chance.uniform(-20, 220), radius * chance.uniform(0.2, 1)))
    return document.commit()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.5, 90), st.floats(0, 1))
def test_strokes_are_taken_back_and_done_again_in_any_number(seed, radius, hardness):
    chance, document = random.Random(seed), MaskDocument(301, 203)
    states, patches = [document.pixels.copy()], []
    for _ in range(8):
        patch = painted(document, chance, radius, hardness)
        if patch is not None:
            patches.append(patch)
            states.append(document.pixels.copy())
    for at in range(len(patches) - 1, -1, -1):
        document.apply(patches[at])
        assert (document.pixels == states[at]).all()
    for at, patch in enumerate(patches):
        document.apply(patch)
        assert (document.pixels == states[at + 1]).all()


def test_a_stroke_that_is_broken_off_leaves_nothing():
    document = MaskDocument(300, 200)
    BrushStroke(document, False, 1.0).move(Touch(100, 100, 30))
    assert document.pixels.any()
    assert document.roll_back() == (0, 0, 256, 200), "the tiles it touched"
    assert not document.pixels.any()
    assert document.commit() is None


def test_slow_and_fast_hands_leave_the_same():
    slow, fast = MaskDocument(300, 200), MaskDocument(300, 200)
    strokes = BrushStroke(slow, False, 0.6), BrushStroke(fast, False, 0.6)
    for x in range(40, 261, 4):
        strokes[0].move(Touch(x, 40 + x / 2, 25))
    for x in (40, 260):
        strokes[1].move(Touch(x, 40 + x / 2, 25))
    assert np.abs(slow.pixels.astype(int) - fast.pixels).max() <= 1


def test_a_thousand_strokes_at_2048_keep_a_few_megabytes():
    chance, document, kept = random.Random(4), MaskDocument(2048, 2048), 0
    for _ in range(100):
        stroke = BrushStroke(document, chance.random() < 0.3, chance.choice((1.0, 0.5)))
        x, y = chance.uniform(0, 2048), chance.uniform(0, 2048)
        for _ in range(20):
            x, y = x + chance.uniform(-40, 40), y + chance.uniform(-40, 40)
            stroke.move(Touch(x, y, 32))
        patch = document.commit()
        kept += patch.size_bytes if patch is not None else 0
    assert 10 * kept < 30_000_000
    whole = difference(document.pixels, 255 - document.pixels)
    assert whole.size_bytes < 50_000, "all of it turned round is even ground"


@pytest.mark.parametrize("by_px", [1, 3, 8, 20])
def test_growing_a_disc_gives_a_larger_one_and_shrinking_gives_it_back(by_px):
    y, x = np.mgrid[0:200, 0:240]
    far = np.hypot(x - 120, y - 100)
    disc = np.where(far <= 40, 255, 0).astype(np.uint8)
    grown = works.grown(disc, by_px, nothing)
    assert (grown[far <= 40 + by_px * 0.9 - 1] == 255).all()
    assert (grown[far > 40 + by_px * 1.09 + 1] == 0).all()
    back = works.shrunk(grown, by_px, nothing)
    assert (back[far <= 40] == 255).all()
    assert (back[far > 43 + by_px * 0.1] == 0).all()
    edge = works.shrunk(np.full((50, 60), 255, np.uint8), 5, nothing)
    assert (edge == 255).all(), "the picture's edge is none of the mask's"


def test_feathering_a_straight_edge_is_symmetric_and_keeps_the_middle():
    half = np.zeros((60, 200), np.uint8)
    half[:, 100:] = 255
    line = works.feathered(half, 20, nothing)[30].astype(int)
    assert (np.diff(line) >= 0).all()
    assert abs(int(line[99]) + int(line[100]) - 255) <= 2
    assert line[75] < 4
    assert line[125] > 251


def test_filling_stays_within_what_is_painted_around():
    ring = np.zeros((100, 100), np.uint8)
    ring[20:80, 20:80] = 255
    ring[30:70, 30:70] = 0
    inside = works.filled(ring, 50, 50, False, nothing)
    assert inside.sum(dtype=np.int64) == 255 * 60 * 60
    outside = works.filled(ring, 5, 5, False, nothing)
    assert (outside[30:70, 30:70] == 0).all()
    assert (works.filled(ring, 25, 25, True, nothing) == 0).all()
    assert (works.filled(ring, 50, 50, True, nothing) == ring).all(), "nothing is painted there"


def test_rows_are_told_apart_and_every_colour_of_the_setting_is_one():
    assert len({row.letter for row in TOOLS}) == len(TOOLS)
    assert len({row.key for row in COMMANDS}) == len(COMMANDS)
    keys = [key for row, _title in MASK_KEYS for key in row]
    assert len(set(keys)) == len(keys)
    for name in COLOURS:
        assert Settings(mask_colour=name).mask_colour == name
