"""How latents become a small picture without the VAE: one linear map per latent space.

A preview pixel is ``clamp(latent @ factors + bias)`` with latents in the UNet's (scaled) space and the result in -1..1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

Rgb = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class PreviewSpec:
    """Linear latent-to-RGB factors.

    Attributes:
        key: Stable name, named by a family's row.
        factors: One (R, G, B) row per latent channel.
        bias: Added to the product.
    """

    key: str
    factors: tuple[Rgb, ...]
    bias: Rgb = (0.0, 0.0, 0.0)


PREVIEWS: tuple[PreviewSpec, ...] = (
    # ComfyUI comfy/latent_formats.py SD15 and SDXL, fitted by their authors on the scaled latents of those VAEs.
    PreviewSpec(
        "sd1",
        ((0.3512, 0.2297, 0.3227), (0.3250, 0.4974, 0.2350), (-0.2829, 0.1762, 0.2721), (-0.2120, -0.2616, -0.7177)),
    ),
    PreviewSpec(
        "sdxl",
        ((0.3651, 0.4232, 0.4341), (-0.2533, -0.0042, 0.1068), (0.1076, 0.1111, -0.0362), (-0.3165, -0.2492, -0.2188)),
        (0.1084, -0.0175, -0.0011),
    ),
)

PREVIEW_BY_KEY: Mapping[str, PreviewSpec] = MappingProxyType({spec.key: spec for spec in PREVIEWS})
