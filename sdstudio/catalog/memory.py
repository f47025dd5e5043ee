"""What drawing takes of memory beside the weights, by family: numbers that are alive at once, as measured.

The figures are peaks of all tensors alive in diffusers' networks of the families' configurations (resources/configs,
for others those of Stable Diffusion 3), counted while they run without computing (torch's FakeTensorMode). Between 256
and 1024 pixels they differ by less than 1 %. Torch's own attention keeps no table of all places against all; attention
slicing does, and is not counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class DrawingMemory:
    """What one family takes.

    Attributes:
        weights: Numbers that its networks are made of.
        denoiser_share: How much of the weights the denoiser is; it is the largest part.
        sampling: Numbers alive at once in the denoiser, for each pixel of a picture and each pass; guidance needs two.
        decoding: Numbers alive at once in the VAE's decoder, for each pixel of the picture.
        decodes_wide: The VAE works in float32 whatever the weights are kept in.
    """

    weights: int
    denoiser_share: float
    sampling: float
    decoding: float
    decodes_wide: bool = False


_DECODING: Final = 768.0
"""Three times 256 channels in the last block, at the picture's own size: the VAE is the same in all families."""

MEMORY_BY_FAMILY: Final[Mapping[str, DrawingMemory]] = {
    "sd1": DrawingMemory(1_066_000_000, 0.81, 130.1, _DECODING),
    "sd2": DrawingMemory(1_290_000_000, 0.67, 130.1, _DECODING),
    "sdxl": DrawingMemory(3_470_000_000, 0.74, 79.0, _DECODING, decodes_wide=True),
    "other": DrawingMemory(2_870_000_000, 0.71, 108.0, _DECODING),
}
