"""A picture and its mask before and after drawing, without a model: edges, sizes, contents, setting back."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sdstudio.core.pictures.masked_content import filled
from sdstudio.engine.pictures.input_picture import fitted
from sdstudio.engine.pictures.masked import cells, masked_picture, softened
from tests.unit.engine.conftest import request


@pytest.fixture
def files(tmp_path):
    """A picture of 96 x 80 and its mask, white from 30 to 60 and from 20 to 50."""
    pixels = np.random.default_rng(4).integers(0, 256, (80, 96, 3), np.uint8)
    mask = np.zeros((80, 96), np.uint8)
    mask[20:50, 30:60] = 255
    Image.fromarray(pixels).save(tmp_path / "in.png")
    Image.fromarray(mask).save(tmp_path / "mask.png")
    return tmp_path / "in.png", tmp_path / "mask.png"


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_picture_and_mask_are_fitted_alike_and_the_fitted_picture_is_what_stays(files, fit):
    asked = request(width=64, height=128, init_fit=fit, mask_blur=2)
    masked = masked_picture(*files, asked)
    whole = fitted(Image.open(files[0]), 64, 128, fit)
    assert masked.original.size == (64, 128)
    assert np.array_equal(masked.original, whole)
    assert masked.change.shape == masked.alpha.shape == (128, 64)
    done = np.asarray(masked.finished(Image.new("RGB", (64, 128), "red")))
    assert np.array_equal(done[masked.alpha == 0], np.asarray(whole)[masked.alpha == 0])
    marked = np.zeros((80, 96, 3), np.uint8)
    marked[20:50, 30:60] = 100  # no white, which is what "pad" leaves
    there = np.asarray(fitted(Image.fromarray(marked), 64, 128, fit))[..., 0]
    assert (masked.alpha[there == 100] == 255).mean() > 0.95


def test_the_edge_is_the_published_gaussian(files):
    step = np.where(np.arange(64) < 32, 0, 255).astype(np.uint8)[None, :].repeat(8, 0)
    for blur in (1, 4, 9):
        radius = int(2.5 * blur + 0.5)
        kernel = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * blur**2))
        wanted = np.convolve(np.pad(step[0].astype(np.float64), radius, mode="reflect"), kernel / kernel.sum(), "valid")
        assert np.abs(softened(step, blur)[4] - wanted).max() <= 0.51
        assert not softened(step, blur)[:, : 32 - radius].any()


def test_a_cell_is_drawn_anew_when_one_of_its_pixels_is():
    mask = np.zeros((16, 24), np.uint8)
    mask[7, 8] = 51
    mask[15, 23] = 255
    assert np.allclose(cells(mask, 8), [[0, 0.2, 0], [0, 0, 1]])
    assert np.allclose(cells(mask, 8, is_mean=True), np.array([[0, 51, 0], [0, 0, 255]]) / 255 / 64)


def test_filling_takes_the_colours_around_and_leaves_the_rest():
    picture = Image.new("RGB", (64, 64), (40, 160, 90))
    picture.paste((255, 0, 0), (24, 24, 40, 40))
    share = np.zeros((64, 64), np.uint8)
    share[24:40, 24:40] = 255
    whole = np.asarray(filled(picture, share), np.int16)
    assert np.abs(whole - np.array([40, 160, 90])).max() <= 3
    assert np.array_equal(whole[share == 0], np.asarray(picture)[share == 0])


def test_only_the_part_is_seen_and_set_back_where_it_was(files):
    masked = masked_picture(*files, request(mask_blur=0, only_masked=5))
    assert masked.box == (25, 15, 65, 55)
    assert masked.seen.size == (64, 64)
    new = np.asarray(masked.finished(masked.seen), np.int16)
    old = np.asarray(masked.original, np.int16)
    assert new.shape == (80, 96, 3)
    outside = np.ones((80, 96), bool)
    outside[20:50, 30:60] = False
    assert np.array_equal(new[outside], old[outside])
    near_the_border = masked_picture(*files, request(width=256, height=64, mask_blur=0, only_masked=40))
    assert near_the_border.box == (0, 0, 96, 80)
    assert near_the_border.place.size == (77, 64)
    assert near_the_border.finished(near_the_border.seen).size == (96, 80)


def test_a_share_of_its_own_fades_out_at_the_edge_of_the_mask(files):
    masked = masked_picture(*files, request(width=96, height=80, mask_blur=4, mask_blending="soft_inpainting"))
    share = masked.within(np.full((80, 96), 255, np.uint8))
    assert not share[masked.alpha == 0].any()
    assert (share[masked.alpha > 32] == 255).all()
    row = share[35, 15:32].astype(int)
    assert (np.diff(row) >= 0).all()
    assert np.diff(row).max() < 100, "no step"
