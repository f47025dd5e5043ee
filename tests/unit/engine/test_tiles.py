"""A canvas in tiles: what each keeps adds up to the whole, wherever its tiles lie."""

from __future__ import annotations

import pytest
import torch

from sdstudio.engine.tiles import predicted_in_tiles, tiles_of


@pytest.mark.parametrize("size", [(16, 16), (17, 40), (64, 16), (33, 65)])
@pytest.mark.parametrize("overlap", [0, 3, 8, 15])
@pytest.mark.parametrize("seamless", [(False, False), (True, True)])
def test_tiles_that_change_nothing_join_to_the_same_canvas(size, overlap, seamless):
    canvas = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    tiles = tiles_of(size, 16, overlap, seamless)
    seen = torch.zeros(size)

    def same(part, top, left):
        assert part.shape[-2:] == (16, 16)
        rows, columns = (
            torch.arange(start, start + 16) % length for start, length in zip((top, left), size, strict=True)
        )
        seen[rows[:, None], columns] += 1
        assert (part == canvas[..., rows[:, None], columns]).all()
        return part

    assert (tiles.joined(canvas, same) - canvas).abs().max() < 1e-4
    assert seen.min() >= 1
    if seamless == (False, False):
        strips = dict(tiles.strips(canvas, 2, lambda part: part.repeat_interleave(2, -1).repeat_interleave(2, -2)))
        whole = torch.cat(list(strips.values()), dim=-2)
        assert list(strips) == [
            0,
            *torch.tensor([strip.shape[-2] for strip in strips.values()]).cumsum(0).tolist()[:-1],
        ]
        assert (whole - canvas.repeat_interleave(2, -1).repeat_interleave(2, -2)).abs().max() < 1e-4


def test_at_a_tiles_border_its_neighbour_decides():
    tiles = tiles_of((16, 28), 16, 4)
    assert len(tiles) == 2
    joined = tiles.joined(torch.zeros(16, 28), lambda part, top, left: torch.full_like(part, float(left > 0)))
    assert joined[0].tolist() == pytest.approx([0.0] * 12 + [0.125, 0.375, 0.625, 0.875] + [1.0] * 12)


class Network(torch.nn.Module):
    def forward(self, sample, timestep, added_cond_kwargs=None, return_dict=True):
        ids = added_cond_kwargs["time_ids"]
        return (sample * 0 + ids[:, 2].view(-1, 1, 1, 1) * 1000 + ids[:, 3].view(-1, 1, 1, 1),)


def test_a_network_is_told_where_its_tile_lies_and_hooks_see_the_whole():
    network, shapes, done = Network(), [], []
    network.register_forward_hook(lambda _network, args, output: shapes.append((args[0].shape, output[0].shape)))
    ids = torch.tensor([[48.0, 32, 0, 0, 48, 32]] * 2)
    with predicted_in_tiles(network, tiles_of((6, 4), 4, 2), 8, lambda *tile: done.append(tile)):
        (output,) = network(torch.zeros(2, 4, 6, 4), 1, added_cond_kwargs={"time_ids": ids}, return_dict=False)
    assert output[0, 0, :, 0].tolist() == [0, 0, 4000, 12000, 16000, 16000]
    assert done == [(1, 2), (2, 2)]
    assert shapes == [(torch.Size([2, 4, 6, 4]),) * 2]
    assert ids[0].tolist() == [48, 32, 0, 0, 48, 32]
    assert "forward" not in vars(network)
