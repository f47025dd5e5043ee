"""How much of a new picture is laid over the old one by A1111's soft inpainting: what has changed decides.

The formulas are those of its extension (``extensions-builtin/soft-inpainting``): the distance between the latents
before and after is smoothed by percentiles, put into relation to a threshold, and made a share between 0 and 1.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from sdstudio.core.request.request import GenerationRequest

Numbers = npt.NDArray[np.float64]

_REACH: Final = 2
_DEVIATION: Final = 1.5
_SMOOTHED: Final = ((0.9, 1.0), (0.25, 0.75))
"""Which part of the values around is averaged: first the largest, then those in the middle."""
_EDGE_PX: Final = 4
"""Deviation of the Gaussian that takes the steps of the cells away."""


def changed_share(
    before: Numbers, after: Numbers, change: Numbers, request: GenerationRequest
) -> npt.NDArray[np.uint8]:
    """Return the share (H, W) of the new picture, up to 255, at the request's size.

    Args:
        before: Latents (C, h, w) of the picture.
        after: Latents of what was drawn over it.
        change: The mask (h, w), 0 to 1.
        request: How what has changed is weighed.
    """
    distance = np.sqrt(np.square(after - before).sum(0))
    for low, high in _SMOOTHED:
        distance = percentile_mean(distance, low, high)
    kept = 1 - np.clip(change, 0, 1) ** (request.soft_preservation / 2)
    scalar = 0.5 * (1 - request.soft_influence) + request.soft_influence * kept
    half = request.soft_threshold * scalar / (1.00001 - scalar)
    relation = np.divide(distance, half, out=np.full_like(distance, np.inf), where=half > 0)
    with np.errstate(over="ignore"):
        old = 1 / (1 + relation**request.soft_difference)
    share = Image.fromarray(((1 - smootherstep(old)) * 255).astype(np.uint8))
    whole = np.asarray(share.resize((request.width, request.height), Image.Resampling.LANCZOS), np.float32)
    result: npt.NDArray[np.uint8] = np.rint(ndimage.gaussian_filter(whole, _EDGE_PX, mode="nearest")).astype(np.uint8)
    return result


def percentile_mean(values: Numbers, low: float, high: float) -> Numbers:
    """Return for each place of (h, w) the mean of those values around that lie between two percentiles.

    Values count by a Gaussian of their distance; where the border cuts some off, the rest counts.
    """
    side = 2 * _REACH + 1
    away = np.square(np.arange(side) - _REACH)
    weights = np.exp(-(away[:, None] + away[None, :]) / (2 * _DEVIATION**2)).reshape(-1)
    padded = np.pad(values, _REACH, constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, (side, side)).reshape(*values.shape, -1)
    order = np.argsort(around, axis=-1)  # what lies outside comes last
    sorted_values = np.take_along_axis(around, order, -1)
    counted = np.where(np.isnan(sorted_values), 0.0, weights[order])
    ends = counted.cumsum(-1)
    whole = ends[..., -1:]
    overlap = np.clip(np.minimum(ends, high * whole) - np.maximum(ends - counted, low * whole), 0, None)
    result: Numbers = (np.nan_to_num(sorted_values) * overlap).sum(-1) / overlap.sum(-1)
    return result


def smootherstep(share: Numbers) -> Numbers:
    """Return a share bent to begin and end without a kink (Perlin 2002)."""
    result: Numbers = share**3 * (share * (share * 6 - 15) + 10)
    return result
