"""What a sampler begins from: an empty latent, whose size is the picture's, another picture, or latents made over."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from sdstudio.history.picture_text.foreign.comfy.account import Account
from sdstudio.history.picture_text.foreign.comfy.graph import LATENT, Graph, Link, Node
from sdstudio.history.picture_text.foreign.comfy.model_nodes import is_sampler
from sdstudio.history.picture_text.foreign.comfy.values import Values

INPUT_PICTURE: Final = "made from another picture, which is not inside"
_SIZES: Final = (("width", "height"), ("empty_latent_width", "empty_latent_height"))
_PICTURES: Final = ("pixels", "image", "images")
_RESOLUTION: Final = re.compile(r"^\s*(\d{1,5}) x (\d{1,5})\b")
_HARMLESS: Final = frozenset({"EmptyLatentImage", "EmptySD3LatentImage", "SDXL Empty Latent Image (rgthree)"})
"""Nodes that make empty latents of a size, and nothing else."""


@dataclass
class Latents:
    """What a sampler begins from.

    Attributes:
        size: Width and height of an empty latent, ``None`` where none was met.
        from_picture: It begins from another picture.
        batch: How many are drawn at once.
        passed: Ids of the samplers on the way.
    """

    size: tuple[object, object] | None = None
    from_picture: bool = False
    batch: int = 1
    passed: set[str] = field(default_factory=set)


def follow_latents(graph: Graph, account: Account, values: Values, link: Link | None) -> Latents:
    """Follow latents to where they begin; what changes them on the way is reported."""
    latents = Latents()
    for node, _ in graph.chain(link, LATENT):
        batch = values.plain(node.inputs.get("batch_size", node.inputs.get("amount", 1)), "batch_size")
        if isinstance(batch, int) and batch > 1:
            latents.batch = batch
        loads = node.kind.startswith("LoadImage")
        if loads or any(graph.linked(node.inputs.get(name)) is not None for name in _PICTURES):
            latents.from_picture = True
            if node.kind == "VAEEncode":
                account.take(node)
            elif not loads:
                account.report_node(node, ("vae",))
            return latents
        if node.passes or is_sampler(node):
            account.take(node)
            continue
        size = None if graph.brings(node, LATENT) else _size(values, node)
        if size is not None:
            latents.size = size
            if node.kind in _HARMLESS or "ckpt_name" in node.inputs or "base_ckpt_name" in node.inputs:
                account.take(node)
            else:
                account.report_node(node, ("width", "height", "batch_size"))
            return latents
        account.report_node(node, ("samples",))
    return latents


def _size(values: Values, node: Node) -> tuple[object, object] | None:
    resolution = node.inputs.get("resolution", node.inputs.get("dimensions"))
    match = _RESOLUTION.match(resolution) if isinstance(resolution, str) else None
    if match:
        return int(match[1]), int(match[2])
    for wide, high in _SIZES:
        if wide in node.inputs and high in node.inputs:
            return values.plain(node.inputs[wide], "width"), values.plain(node.inputs[high], "height")
    return None
