"""Pictures whose edges meet: what a picture shows does not depend on where it is cut."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sdstudio.core.settings import Settings
from sdstudio.engine import batch
from sdstudio.engine.pictures.seamless import edges_joined


def difference(network, given, shift, scale=1):
    """Largest difference between a shifted result and the result of what was shifted."""
    with torch.no_grad():
        return float(
            (network(given).roll([scale * by for by in shift], (2, 3)) - network(given.roll(shift, (2, 3)))).abs().max()
        )


@pytest.mark.parametrize(
    ("seamless", "shift", "seam"), [("x", (0, 4), (4, 0)), ("y", (4, 0), (0, 4)), ("both", (4, 4), None)]
)
def test_networks_give_the_same_wherever_the_picture_is_cut(studio, seamless, shift, seam):
    here = studio("sd1")
    here.make(steps=1)
    pipe = here.pipe
    latents = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(3))
    text = torch.zeros((1, 77, pipe.unet.config.cross_attention_dim))
    networks = {
        "unet": (lambda x: pipe.unet(x, 500, text, return_dict=False)[0], 1),
        "vae": (lambda x: pipe.vae.decode(x, return_dict=False)[0], pipe.vae_scale_factor),
    }
    for network, scale in networks.values():
        before = network(latents)
        assert difference(network, latents, shift, scale) > 1e-2
        with edges_joined(seamless, pipe.unet, pipe.vae):
            assert difference(network, latents, shift, scale) < 1e-4
            if seam is not None:
                assert difference(network, latents, seam, scale) > 1e-2  # the other edges are as they were
        assert (network(latents) == before).all()


class Rolled:
    """Noise that begins elsewhere in the picture."""

    def __init__(self, seed: int, by: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._by = by

    def randn(self, shape):
        return torch.randn(tuple(shape), generator=self._generator).roll((self._by, self._by), (1, 2))


def test_a_picture_goes_on_at_its_other_edge(studio, monkeypatch):
    here = studio("sd1")
    values = {"steps": 2, "seamless": "both", "scheduler": "euler_a"}
    drawn = []
    for by in (0, 4):
        monkeypatch.setattr(batch, "noise_of", lambda request, seeds, cell_px, by=by: [Rolled(seeds[0], by)])
        drawn.append(here.make(**values)[0])
    assert drawn[0].recipe.request.seamless == "both"
    shift = 4 * here.pipe.vae_scale_factor
    moved = np.roll(np.asarray(drawn[0].pixels, dtype=np.int16), (shift, shift), (0, 1))
    assert np.abs(moved - np.asarray(drawn[1].pixels)).max() <= 1


def test_where_the_vae_works_in_tiles_it_sees_past_the_edges_too(studio):
    pictures = {}
    for tiled in (False, True):
        here = studio("sd1", Settings(previews=False, vae_tiling=tiled))
        values = {"steps": 1, "width": 128, "height": 128}
        for seamless in ("off", "x"):
            (made,) = here.make(**values, seamless=seamless)
            assert made.pixels.size == (128, 128)
            pictures[tiled, seamless] = np.asarray(made.pixels, dtype=np.float64)[:, [0, 1, -2, -1]]
    right = pictures[False, "x"]
    assert np.abs(pictures[True, "x"] - right).mean() < np.abs(pictures[True, "off"] - right).mean()
