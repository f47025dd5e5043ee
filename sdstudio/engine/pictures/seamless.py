"""Pictures whose edges meet: convolutions that look past one edge see what stands at the opposite one."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Iterator
from math import ceil, gcd
from typing import Any, Final

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from sdstudio.engine.pictures.input_picture import Enlarge

_SIDES: Final = {"x": (True, False), "y": (False, True), "both": (True, True)}
"""Value of `GenerationRequest.seamless` -> whether left and right meet, and top and bottom."""


def joined_sides(seamless: str) -> tuple[bool, bool]:
    """Return whether left and right edge meet, and top and bottom one."""
    return _SIDES.get(seamless, (False, False))


def without_sides(seamless: str, sides: tuple[bool, bool]) -> str:
    """Return which edges of a picture meet but for those of these sides."""
    left = tuple(meets and not other for meets, other in zip(joined_sides(seamless), sides, strict=True))
    return next((name for name, joined in _SIDES.items() if joined == left), "off")


@contextlib.contextmanager
def edges_joined(seamless: str, *networks: nn.Module) -> Iterator[None]:
    """Within the block, every convolution of these networks pads with the opposite edge instead of zeros.

    What a layer does is as A1111's "Tiling", which sets ``padding_mode`` to "circular" for both axes; here one of them
    may stay as it was.

    Args:
        seamless: "off", "x", "y" or "both".
        networks: A UNet, a VAE; nothing else of them is changed.
    """
    sides = _SIDES.get(seamless)
    joined: list[nn.Conv2d] = []
    if sides is not None:
        layers = (layer for network in networks for layer in network.modules() if isinstance(layer, nn.Conv2d))
        for layer in layers:
            if any(layer.padding):
                layer._conv_forward = types.MethodType(_forward(*sides), layer)  # type: ignore[method-assign]
                joined.append(layer)
    try:
        yield
    finally:
        for layer in joined:
            del layer._conv_forward


MARGIN: Final = 8
"""Latent cells from the opposite edge that a VAE which works in tiles sees beside an edge."""


def with_margin(latents: torch.Tensor, seamless: str) -> torch.Tensor:
    """Return latents (B, C, h, w) that go on past the edges that meet, as the picture's copies would."""
    wide, high = _margins(latents, seamless)
    return functional.pad(latents, (wide, wide, high, high), mode="circular")


def without_margin(pixels: torch.Tensor, latents: torch.Tensor, seamless: str) -> torch.Tensor:
    """Return the pixels (B, C, H, W) that belong to the latents that a margin was laid around."""
    wide, high = _margins(latents, seamless)
    cell = pixels.shape[-1] // (latents.shape[-1] + 2 * wide)
    height, width = pixels.shape[-2:]
    return pixels[..., high * cell : height - high * cell, wide * cell : width - wide * cell]


_MARGIN_PX: Final = 32
"""Pixels from the opposite edge that are enlarged beside an edge: as many as beside a tile (`upscaling.OVERLAP`)."""


def enlarged_going_on(enlarge: Enlarge, seamless: str) -> Enlarge:
    """Return what enlarges a picture such that the edges that meet still do: it sees past them as in an endless one."""
    sides = joined_sides(seamless)
    if not any(sides):
        return enlarge

    def going_on(picture: Image.Image, width: int, height: int) -> Image.Image:
        across, down = (
            _margin_px(length, wanted) if meets else (0, 0)
            for length, wanted, meets in zip(picture.size, (width, height), sides, strict=True)
        )
        bands = ((down[0], down[0]), (across[0], across[0]), (0, 0))
        canvas = Image.fromarray(np.pad(np.asarray(picture.convert("RGB")), bands, mode="wrap"))
        larger = enlarge(canvas, width + 2 * across[1], height + 2 * down[1])
        return larger.crop((across[1], down[1], across[1] + width, down[1] + height))

    return going_on


def _margin_px(length: int, wanted: int) -> tuple[int, int]:
    """Return a margin of about `_MARGIN_PX`, whole pixels before and after, and how wide it is afterwards."""
    step = length // gcd(length, wanted)
    before = step * ceil(_MARGIN_PX / step)
    return before, before * wanted // length


def _margins(latents: torch.Tensor, seamless: str) -> tuple[int, int]:
    """Return the cells left and right, and those above and below."""
    left_right, top_bottom = _SIDES[seamless]
    high, wide = (min(MARGIN, side) for side in latents.shape[-2:])
    return wide * left_right, high * top_bottom


def _forward(left_right: bool, top_bottom: bool) -> Any:
    def forward(self: nn.Conv2d, given: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        high, wide = (int(side) for side in self.padding)
        given = functional.pad(given, (wide, wide, 0, 0), mode="circular" if left_right else "constant")
        given = functional.pad(given, (0, 0, high, high), mode="circular" if top_bottom else "constant")
        return functional.conv2d(given, weight, bias, self.stride, 0, self.dilation, self.groups)

    return forward
