"""How much memory a model needs to draw: its weights, and what its networks hold while they work; an estimate.

It counts the numbers that are alive at once. Torch is not asked: the need of a thousand models is computed when their
list is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sdstudio.catalog.memory import MEMORY_BY_FAMILY
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.request.larger_size import second_size
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.request.second_pass_fields import idle_without_second_pass
from sdstudio.core.settings import Settings

_BYTES: Final = {"float32": 4}
_HALF_BYTES: Final = 2
_NARROW: Final = 0.25
"""A network with fewer of its family's weights than this is narrower: distilled ones keep their width and more."""
_LIBRARY_BYTES: Final = 300_000_000
"""What torch takes beside the numbers, at the most: buffers, weights laid out anew. Measured on a CPU in float32: the
decoder takes 363 MB where 201 are alive at 256 pixels, 1,092 where 805 are at 512, the UNet of SD 1 584 for 273."""
_TILE_PX: Final = 512
"""Side of a tile of the decoder where the picture is drawn in tiles (`engine.vae`)."""
_SEQUENTIAL_SHARE: Final = 0.05
"""Of the weights that lie on the device at once, where each layer is brought there when it is needed."""


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """What one model needs.

    Attributes:
        weights_bytes: For the weights that lie there at once.
        drawing_bytes: For what lies beside them at the most.
        size: Of the picture, in pixels; of the second, larger pass where there is one.
        count: Pictures at once.
    """

    weights_bytes: int
    drawing_bytes: int
    size: tuple[int, int]
    count: int = 1

    @property
    def total_bytes(self) -> int:
        """Both together."""
        return self.weights_bytes + self.drawing_bytes


def memory_need(
    model: ModelInfo, dtype: str, settings: Settings, values: Mapping[str, Any], is_accelerator: bool
) -> MemoryNeed | None:
    """Return what drawing with a model needs, ``None`` where its files do not record how many weights it has.

    Args:
        model: Which.
        dtype: Number format of the weights: "float16".
        settings: Their memory switches.
        values: Parameters that differ from the model's own: its size, the batch size.
        is_accelerator: Whether the memory is a graphics card's, so that parts can wait in main memory.
    """
    if not model.weights:
        return None
    row = MEMORY_BY_FAMILY[model.family]
    width, height, guidance = (_value(model, values, name) for name in ("width", "height", "guidance_scale"))
    size = int(width), int(height)
    tile_px = 0
    if "hires_strength" not in idle_without_second_pass(values):
        size = second_size(*size, values)
        tile_px = int(_value(model, values, "tile_size")) if values.get("tile_redraw") else 0
    count = max(1, int(values.get("batch_size") or 1))
    number, pixels = _BYTES.get(dtype, _HALF_BYTES), size[0] * size[1]
    at_once = min(size[0], tile_px) * min(size[1], tile_px) if tile_px else pixels
    share = model.weights / row.weights
    narrower = share ** (1 / 3) if share < _NARROW else 1.0
    sampling = int(row.sampling * count * (2 if guidance > 1 else 1) * at_once * number * narrower)
    tile = _TILE_PX**2 if tile_px else model.family_row.native_size**2
    decoded = min(pixels, tile) if settings.vae_tiling or tile_px else pixels
    decoded *= 1 if settings.vae_slicing or tile_px else count
    decoding = int(row.decoding * decoded * (4 if row.decodes_wide else number) * narrower)
    weights = model.weights * number
    offload = settings.offload if is_accelerator else "none"
    if offload != "none":  # the denoiser is there while it samples, and gone when the VAE decodes
        weights = int(weights * (row.denoiser_share if offload == "model" else _SEQUENTIAL_SHARE))
        decoding -= weights
    alive = max(sampling, decoding)
    return MemoryNeed(weights, alive + min(alive, _LIBRARY_BYTES), size, count)


def _value(model: ModelInfo, values: Mapping[str, Any], name: str) -> float:
    """Return what is set, else what the model or its family begins with."""
    override = model.family_row.overrides.get(name)
    family = override.default if override is not None else None
    for value in (values.get(name), model.defaults.get(name), family):
        if isinstance(value, int | float) and value > 0:
            return value
    return float(GenerationRequest.model_fields[name].default)
