"""Rotations of a layer's output: OFT turns blocks of it, BOFT turns blocks of it again and again in other orders."""

from __future__ import annotations

from collections.abc import Callable

import torch

Turn = Callable[[torch.Tensor, float], torch.Tensor]
"""From an output (.., channels) without its bias, in float32, and a weight to what is added to it."""


def rotated(blocks: torch.Tensor, limit: float, gains: torch.Tensor | None) -> Turn:
    """Return the rotation that a file's ``oft_blocks`` stand for.

    Args:
        blocks: (count, side, side) of OFT, (factors, count, side, side) of BOFT; float32.
        limit: Largest norm of what they are made of (LyCORIS: alpha times the outputs); 0 for none.
        gains: What each output is multiplied by behind it, ``None``: nothing.
    """
    turns = _cayley(blocks, limit)
    if blocks.ndim == 3:
        return _oft(turns, gains)
    return _boft(turns, gains)


def _cayley(blocks: torch.Tensor, limit: float) -> torch.Tensor:
    """Return (I + Q)(I - Q)^-1 with Q = B - B^T, a rotation whatever B is."""
    skew = blocks - blocks.transpose(-1, -2)
    norm = float(skew.norm())
    if 0 < limit < norm:
        skew = skew * (limit / norm)
    one = torch.eye(blocks.shape[-1], device=blocks.device)
    turns: torch.Tensor = (one + skew) @ torch.linalg.inv(one - skew)
    return turns


def _oft(turns: torch.Tensor, gains: torch.Tensor | None) -> Turn:
    count, side, _ = turns.shape

    def turn(values: torch.Tensor, weight: float) -> torch.Tensor:
        whole = torch.einsum("knm,...kn->...km", turns, values.reshape(*values.shape[:-1], count, side)).flatten(-2)
        return weight * ((whole if gains is None else whole * gains) - values)

    return turn


def _boft(turns: torch.Tensor, gains: torch.Tensor | None) -> Turn:
    factors, count, side, _ = turns.shape
    one = torch.eye(side, device=turns.device)
    places = torch.arange(count * side, device=turns.device)
    # Factor i joins channels that lie 2^i half blocks apart.
    orders = [places.reshape(-1, 2, 2**i * (side // 2)).transpose(1, 2).reshape(-1) for i in range(factors)]
    back = [order.argsort() for order in orders]

    def turn(values: torch.Tensor, weight: float) -> torch.Tensor:
        whole = values
        for matrices, order, undone in zip(turns, orders, back, strict=True):
            part = one + weight * (matrices - one)
            grouped = whole[..., order].reshape(*whole.shape[:-1], count, side)
            whole = torch.einsum("bij,...bj->...bi", part, grouped).flatten(-2)[..., undone]
        return (whole if gains is None else whole * (1 + weight * (gains - 1))) - values

    return turn
