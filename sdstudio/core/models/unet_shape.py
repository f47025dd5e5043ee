"""How many blocks a UNet has, read from the names in a single file: SSD-1B, Vega, KOALA and BK-SDM have fewer.

They are cut out of Stable Diffusion 1 and XL and named as these name theirs, so that only the blocks that are there
show it. What differs from the family's configuration is returned in the words of diffusers' ``UNet2DConditionModel``.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sdstudio.core.paths import resources

_PART: Final = re.compile(r"model\.diffusion_model\.(input|output|middle)_blocks?\.(\d+)\.(.+)")
_TRANSFORMER: Final = re.compile(r"1\.transformer_blocks\.(\d+)\.")

Depths = tuple[tuple[int, ...], ...]
"""For each block of a side the transformer layers behind each of its residual layers."""


@dataclass(frozen=True, slots=True)
class UnetShape:
    """How a UNet is built.

    Attributes:
        down: Depths of the blocks that make smaller, in their order.
        up: Depths of the blocks that make larger, in their order.
        middle: Transformer layers in the middle; 0 when it is one residual layer, ``None`` when there is no middle.
    """

    down: Depths
    up: Depths
    middle: int | None


# Family, and what a known network's blocks that make smaller are; the cards of segmind/SSD-1B, segmind/Segmind-Vega and
# etri-vilab/koala-1b and -700m.
KNOWN: Final[Mapping[tuple[str, Depths], str]] = {
    ("sdxl", ((0, 0), (2, 2), (4, 4))): "ssd-1b",
    ("sdxl", ((0, 0), (1, 1), (2, 2))): "vega",
    ("sdxl", ((0,), (2,), (6,))): "koala",
    ("sdxl", ((0,), (2,), (5,))): "koala",
}


def unet_shape(names: Iterable[str]) -> UnetShape | None:
    """Return how the UNet of a single file is built, ``None`` when the names do not show a whole one."""
    inner: dict[str, dict[int, list[str]]] = {"input": {}, "output": {}, "middle": {}}
    for name in names:
        match = _PART.fullmatch(name)
        if match is not None:
            inner[match[1]].setdefault(int(match[2]), []).append(match[3])
    down = _side(inner["input"], range(1, len(inner["input"])), ("0.op.",))
    up = _side(inner["output"], range(len(inner["output"])), ("1.conv.", "2.conv."))
    if not down or not up:
        return None
    middle = inner["middle"]
    depth = len({match[1] for rest in middle.get(1, ()) if (match := re.match(r"transformer_blocks\.(\d+)\.", rest))})
    return UnetShape(down, up, (depth if 1 in middle else 0) if middle else None)


def unet_changes(key: str, names: Iterable[str]) -> Mapping[str, Any] | None:
    """Return what a UNet's configuration has that the shipped one has not; nothing when they are the same.

    Nothing either for a network of more or fewer levels, which is of no family that was cut: loading reports it.

    Args:
        key: The shipped configuration's folder below ``resources/configs``.
        names: Of the file's tensors.

    Returns:
        ``None`` for a network that no configuration describes.
    """
    shape, usual = unet_shape(names), _shipped(key)
    if shape is None or shape == usual or len(shape.down) != len(usual.down):
        return {}
    layers = len(shape.down[0])
    even = all(len(block) == layers for block in shape.down) and all(len(block) == layers + 1 for block in shape.up)
    if not even or len(shape.up) != len(usual.up):
        return None
    depths = [_depth(block) for block in shape.down]
    if shape.middle and depths[-1] == 1 and not any(shape.down[-1]):
        depths[-1] = shape.middle  # a block without attention takes no depth of its own
    last = depths[-1]
    if shape.middle and (last if isinstance(last, int) else last[0]) != shape.middle:
        return None
    changes: dict[str, Any] = {
        "layers_per_block": layers,
        "down_block_types": ["CrossAttnDownBlock2D" if any(block) else "DownBlock2D" for block in shape.down],
        "up_block_types": ["CrossAttnUpBlock2D" if any(block) else "UpBlock2D" for block in shape.up],
        "mid_block_type": _middle_type(shape.middle),
        "transformer_layers_per_block": depths,
    }
    back = [_depth(block) for block in shape.up]
    if any(isinstance(depth, list) for depth in (*depths, *back)) or _differ(back, depths[::-1], shape.up):
        changes["reverse_transformer_layers_per_block"] = back
    return changes


def _differ(back: Sequence[Any], mirrored: Sequence[Any], up: Depths) -> bool:
    return any(any(block) and ours != theirs for ours, theirs, block in zip(back, mirrored, up, strict=True))


def _middle_type(depth: int | None) -> str | None:
    return None if depth is None else "UNetMidBlock2DCrossAttn" if depth else "UNetMidBlock2D"


def _depth(block: Sequence[int]) -> int | list[int]:
    """Return a block's depth as diffusers writes it: one number where all its layers have the same."""
    if len(set(block)) == 1:
        return block[0] or 1
    return list(block)


def _side(blocks: Mapping[int, Sequence[str]], order: Iterable[int], ends: tuple[str, ...]) -> Depths:
    """Return one side's depths; nothing when a layer lacks."""
    side: list[tuple[int, ...]] = []
    depths: list[int] = []
    for number in order:
        rests = blocks.get(number)
        if rests is None:
            return ()
        closes = any(rest.startswith(ends) for rest in rests)
        if any(rest.startswith("0.in_layers.") for rest in rests):
            depths.append(len({match[1] for rest in rests if (match := _TRANSFORMER.match(rest))}))
        if closes:
            side.append(tuple(depths))
            depths = []
    return (*side, tuple(depths)) if depths else tuple(side)


@functools.cache
def _shipped(key: str) -> UnetShape:
    config = json.loads((resources() / "configs" / key / "unet" / "config.json").read_text(encoding="utf-8"))
    down_types, up_types = config["down_block_types"], config["up_block_types"]
    depth, layers = config["transformer_layers_per_block"], config["layers_per_block"]
    depths = [depth] * len(down_types) if isinstance(depth, int) else list(depth)
    down = tuple(
        ((each if "CrossAttn" in kind else 0),) * layers for each, kind in zip(depths, down_types, strict=True)
    )
    up = tuple(
        ((each if "CrossAttn" in kind else 0),) * (layers + 1)
        for each, kind in zip(depths[::-1], up_types, strict=True)
    )
    return UnetShape(down, up, depths[-1])
