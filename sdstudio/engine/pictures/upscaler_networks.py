"""The networks of upscaler files: RRDBNet of ESRGAN and Real-ESRGAN, and Real-ESRGAN's compact one.

Written from the papers (ESRGAN, arXiv 1809.00219, figures 3 and 4; Real-ESRGAN, arXiv 2107.10833, figure 4) and the
shapes of the files; `core.models.upscaler_files` maps which weight goes where. Pixels are float (B, 3, H, W), 0..1,
in and out.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import torch
from torch import nn
from torch.nn import functional

from sdstudio.core.models.upscaler_files import CHANNELS, UpscalerLayout

_RESIDUAL: Final = 0.2
"""How strongly a block's change is added to what went in (ESRGAN, section 3.1)."""

_SLOPE: Final = 0.2
"""Of the leaky rectifiers."""


class _Dense(nn.ModuleList):
    """Five convolutions, each of which sees the results of all before it; the last one's is added to the input."""

    def __init__(self, features: int, growth: int) -> None:
        out = [growth] * 4 + [features]
        super().__init__(_convolution(features + place * growth, channels) for place, channels in enumerate(out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = [x]
        for layer in self:
            seen.append(_leaky(layer(torch.cat(seen, 1))) if len(seen) < len(self) else layer(torch.cat(seen, 1)))
        return x + _RESIDUAL * seen[-1]


class _Residual(nn.ModuleList):
    """Three dense blocks in a row, whose change is added to the input."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__(_Dense(features, growth) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x
        for dense in self:
            y = dense(y)
        return x + _RESIDUAL * y


class ResidualNetwork(nn.Module):
    """RRDBNet: residual blocks at the input's size, then doubled as often as its layout asks."""

    def __init__(self, layout: UpscalerLayout) -> None:
        super().__init__()
        features = layout.features
        self._unshuffle = layout.unshuffle
        self.first = _convolution(CHANNELS * layout.unshuffle**2, features)
        self.block = nn.ModuleList(_Residual(features, layout.growth) for _ in range(layout.blocks))
        self.after = _convolution(features, features)
        self.up = nn.ModuleList(_convolution(features, features) for _ in range(layout.ups))
        self.fine = _convolution(features, features)
        self.last = _convolution(features, CHANNELS)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the larger picture; height and width must be multiples of the layout's ``unshuffle``."""
        x = self.first(functional.pixel_unshuffle(pixels, self._unshuffle))
        y = x
        for block in self.block:
            y = block(y)
        x = x + self.after(y)
        for layer in self.up:
            x = _leaky(layer(functional.interpolate(x, scale_factor=2, mode="nearest")))
        return self.last(_leaky(self.fine(x)))  # type: ignore[no-any-return]


class CompactNetwork(nn.Module):
    """A row of convolutions that draws what is to be added to the picture with its pixels simply repeated."""

    def __init__(self, layout: UpscalerLayout) -> None:
        super().__init__()
        self._scale = layout.scale
        widths = [CHANNELS, *[layout.features] * (layout.blocks + 1)]
        pairs = (nn.Sequential(_convolution(channels, out), nn.PReLU(out)) for channels, out in pairwise(widths))
        self.row = nn.ModuleList(pairs)
        self.last = _convolution(layout.features, CHANNELS * layout.scale**2)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the larger picture."""
        x = pixels
        for pair in self.row:
            x = pair(x)
        repeated = functional.interpolate(pixels, scale_factor=self._scale, mode="nearest")
        return functional.pixel_shuffle(self.last(x), self._scale) + repeated


def network_of(layout: UpscalerLayout) -> nn.Module:
    """Return the network of a layout, on "meta": it takes its weights from a file and no memory before."""
    with torch.device("meta"):
        return CompactNetwork(layout) if layout.compact else ResidualNetwork(layout)


def _convolution(channels: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 3, padding=1)


def _leaky(x: torch.Tensor) -> torch.Tensor:
    return functional.leaky_relu(x, _SLOPE, inplace=True)
