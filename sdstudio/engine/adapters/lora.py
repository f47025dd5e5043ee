"""What a LoRA file changes about one layer, as what is to be added to the layer's output while it runs.

Nothing of the network is touched. peft does the same by wrapping every layer; it was tried and left out, because
diffusers 0.42 cannot load the text encoder's part with transformers 5.24 ("Could not automatically infer state dict
type"), and neither reads all of LyCORIS.

Arithmetic: LoRA, LoCon, LoHa, LoKr, GLoRA, OFT, BOFT and (IA)3 as LyCORIS 4.1 defines them; DoRA, LoHa, LoKr and (IA)3
as PEFT 0.21 does where a file is PEFT's. A weight w stands for W + w (W' - W), as in A1111 and ComfyUI, whatever W' is;
for BOFT each of its factors is taken that far. Several LoRA add up, each with the model's own W for what depends on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import nn
from torch.nn import functional

from sdstudio.core.models.lora_config import LayerScale
from sdstudio.engine.adapters.lora_dense import dense_change, scaled
from sdstudio.engine.adapters.lora_file import LoraLayer
from sdstudio.engine.adapters.lora_layers import NORMS
from sdstudio.engine.adapters.lora_rotation import rotated

Parts = Mapping[str, torch.Tensor]
Added = Callable[[torch.Tensor], torch.Tensor]
"""From a layer's input to what a weight of 1 adds to its output."""

Term = Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]
"""From a layer's input, its own output and a weight to what is added to the output."""

_NEED_WEIGHT: Final = frozenset({"dora_scale", "magnitude", "a1.weight", "oft_blocks", "ia3", "ia3_l"})


class Misfit(Exception):
    """A layer of the file has another shape than the model's: ``theirs`` and ``ours`` are the sizes that differ."""

    def __init__(self, layer: str, theirs: int, ours: int) -> None:
        super().__init__(layer)
        self.layer = layer
        self.theirs = theirs
        self.ours = ours


def needs_weights(layer: LoraLayer) -> bool:
    """Whether what a file holds for a layer can only be computed with the layer's own weights."""
    return bool(_NEED_WEIGHT & layer.parts.keys())


def term(layer: nn.Module, name: str, parts: Parts, scale: LayerScale) -> Term | None:
    """Return what a file adds to a layer, in the layer's number format; ``None`` when it holds nothing for it.

    Args:
        layer: Linear, convolution or norm.
        name: Of the layer, for `Misfit`.
        parts: The file's tensors for it, on the layer's device.
        scale: Its alpha and rank where no tensor holds them.

    Raises:
        Misfit: The shapes are another model's.
        RuntimeError, KeyError: The tensors do not go together, or one is missing.
    """
    if isinstance(layer, NORMS):
        changed = _norm(layer, name, parts)
        return None if changed is None else _linear(changed)
    weight_term = _change(layer, name, parts, scale)
    if "diff_b" not in parts:
        return weight_term
    shift = _aligned(_fitting(parts["diff_b"], layer, name), layer)
    if weight_term is None:
        return lambda x, own, weight: weight * shift
    return lambda x, own, weight: weight_term(x, own, weight) + weight * shift


def _linear(added: Added) -> Term:
    return lambda x, own, weight: weight * added(x).to(own.dtype)


def _change(layer: nn.Module, name: str, parts: Parts, scale: LayerScale) -> Term | None:
    """Return what comes of a change of a layer's weight."""
    weight: torch.Tensor = layer.weight  # type: ignore[assignment]
    if "oft_blocks" in parts:
        return _rotation(layer, name, parts)
    if "ia3" in parts:
        return _rescaled(layer, name, parts["ia3"], bool(parts["on_input"]), with_bias=False)
    if "ia3_l" in parts:
        return _rescaled_by_peft(layer, name, parts["ia3_l"])
    magnitude = parts.get("magnitude", parts.get("dora_scale"))
    if "down" in parts and "up" in parts:
        ends = _ends(layer, weight, name, parts, scale)
        added = _low_rank(layer, weight, *ends)
        if magnitude is None:
            return _linear(added)
        change = _product(weight, *ends)
        if "magnitude" in parts or _is_on_output(magnitude, weight):
            return _grown(layer, added, _gain(layer, name, change, magnitude))
        return _dense(layer, _decomposed(layer, name, change, magnitude))
    dense = dense_change(parts, scale, weight.detach())
    if dense is None:
        return None
    if dense.numel() != weight.numel() or dense.shape[0] != weight.shape[0]:
        raise Misfit(name, dense[0].numel(), weight[0].numel())
    dense = dense.reshape(weight.shape)
    if magnitude is None:
        return _dense(layer, dense)
    if "magnitude" in parts or _is_on_output(magnitude, weight):
        change = dense.to(weight.dtype)
        return _grown(layer, _through(layer, change), _gain(layer, name, dense, magnitude))
    return _dense(layer, _decomposed(layer, name, dense, magnitude))


def _through(layer: nn.Module, change: torch.Tensor) -> Added:
    """Return what a change of a layer's weight, of its shape and number format, makes of an input."""
    if isinstance(layer, nn.Conv2d):
        return lambda x: _convolved(x, change, layer)
    return lambda x: functional.linear(x, change)


def _dense(layer: nn.Module, change: torch.Tensor) -> Term:
    weight: torch.Tensor = layer.weight  # type: ignore[assignment]
    return _linear(_through(layer, change.reshape(weight.shape).to(weight.dtype)))


def _norm(layer: nn.GroupNorm | nn.LayerNorm, name: str, parts: Parts) -> Added | None:
    """Return what is added to a norm's scale and shift; LyCORIS and ComfyUI have names of their own for them."""
    scale, shift = parts.get("w_norm", parts.get("diff")), parts.get("b_norm", parts.get("diff_b"))
    if scale is None and shift is None:
        return None
    gain, bias = (None if values is None else _fitting(values, layer, name) for values in (scale, shift))
    if gain is None:
        gain = torch.zeros_like(bias)  # type: ignore[arg-type]
    if isinstance(layer, nn.GroupNorm):
        return lambda x: functional.group_norm(x, layer.num_groups, gain, bias, layer.eps)
    return lambda x: functional.layer_norm(x, layer.normalized_shape, gain, bias, layer.eps)


def _fitting(values: torch.Tensor, layer: nn.Module, name: str) -> torch.Tensor:
    """Return one number for each output of a layer, in its number format. Raises: Misfit."""
    weight: torch.Tensor = layer.weight  # type: ignore[assignment]
    if values.numel() != weight.shape[0]:
        raise Misfit(name, values.numel(), weight.shape[0])
    return values.reshape(-1).to(weight.dtype)


def _aligned(values: torch.Tensor, layer: nn.Module) -> torch.Tensor:
    """Return one number for each output so that it spreads over the output."""
    return values.reshape(-1, 1, 1) if isinstance(layer, nn.Conv2d) else values


def _own_weight(layer: nn.Module, device: torch.device) -> torch.Tensor:
    """Return a layer's own weight, float32, on the device of what is added."""
    weight: torch.Tensor = layer.weight  # type: ignore[assignment]
    return weight.detach().to(device, torch.float32)


def _own_bias(layer: nn.Module, device: torch.device) -> torch.Tensor | float:
    """Return what of a layer's output does not come of its weight; a copy, for the layer's own may be moved away."""
    bias = layer.bias
    return _aligned(bias.detach().to(device, copy=True), layer) if isinstance(bias, torch.Tensor) else 0.0


# low rank


def _ends(
    layer: nn.Module, weight: torch.Tensor, name: str, parts: Parts, scale: LayerScale
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Return down, up with the scale in it, and mid, in the layer's number format. Raises: Misfit."""
    down, up, mid = parts["down"], parts["up"], parts.get("mid")
    rank = down.shape[0]
    width = weight.shape[1]
    if down[0].numel() not in (width, weight[0].numel()) or up.shape[0] != weight.shape[0] or up.shape[1] != rank:
        theirs = (down.shape[1], up.shape[0])
        ours = (width, weight.shape[0])
        differing = 0 if theirs[0] != ours[0] else 1
        raise Misfit(name, theirs[differing], ours[differing])
    up = (up.float() * scaled(parts, scale, rank)).to(weight.dtype)
    down = down.to(weight.dtype)
    if not isinstance(layer, nn.Conv2d):
        return down.reshape(rank, -1), up.reshape(-1, rank), None
    up = up.reshape(-1, rank, 1, 1)
    if mid is not None:
        return down.reshape(rank, width, 1, 1), up, mid.to(weight.dtype)
    if down[0].numel() == weight[0].numel():
        return down.reshape(rank, *weight.shape[1:]), up, None
    # a 1 x 1 kernel sees the middle of the layer's own
    sides = [weight.shape[3] // 2] * 2 + [weight.shape[2] // 2] * 2
    return functional.pad(down.reshape(rank, width, 1, 1), sides), up, None


def _low_rank(
    layer: nn.Module, weight: torch.Tensor, down: torch.Tensor, up: torch.Tensor, mid: torch.Tensor | None
) -> Added:
    if not isinstance(layer, nn.Conv2d):
        return lambda x: functional.linear(functional.linear(x, down), up)
    if mid is not None:
        return lambda x: functional.conv2d(_convolved(functional.conv2d(x, down), mid, layer), up)
    return lambda x: functional.conv2d(_convolved(x, down, layer), up)


def _product(weight: torch.Tensor, down: torch.Tensor, up: torch.Tensor, mid: torch.Tensor | None) -> torch.Tensor:
    """Return the whole change of a layer's weight that comes of its ends, in float32."""
    up, down = up.float().flatten(1), down.float().flatten(1)
    if mid is None:
        return (up @ down).reshape(weight.shape)
    return torch.einsum("rskl,or,si->oikl", mid.float(), up, down)


def _convolved(x: torch.Tensor, weight: torch.Tensor, layer: nn.Conv2d) -> torch.Tensor:
    """Convolve as the layer does, also where `engine.pictures.seamless` joins its edges."""
    return layer._conv_forward(x, weight, None)  # type: ignore[no-any-return]


# DoRA


def _is_on_output(magnitude: torch.Tensor, weight: torch.Tensor) -> bool:
    """Whether LyCORIS' magnitudes are one for each output: (out, 1, ..); else they are (1, in, ..)."""
    return magnitude.shape[0] == weight.shape[0] and magnitude.numel() == weight.shape[0]


def _gain(layer: nn.Module, name: str, change: torch.Tensor, magnitude: torch.Tensor) -> torch.Tensor:
    """Return by how much each output grows, float32: the magnitude over the norm of the changed weight."""
    weight: torch.Tensor = layer.weight  # type: ignore[assignment]
    if magnitude.numel() != weight.shape[0]:
        raise Misfit(name, magnitude.numel(), weight.shape[0])
    changed = _own_weight(layer, change.device) + change.reshape(weight.shape)
    return _aligned(magnitude.float().reshape(-1) / changed.flatten(1).norm(dim=1), layer)


def _grown(layer: nn.Module, added: Added, gain: torch.Tensor) -> Term:
    """Return what DoRA adds: gain times the changed output, less the layer's own."""
    bias = _own_bias(layer, gain.device)
    return lambda x, own, by: (by * (gain * added(x) + (gain - 1) * (own - bias))).to(own.dtype)


def _decomposed(layer: nn.Module, name: str, change: torch.Tensor, magnitude: torch.Tensor) -> torch.Tensor:
    """Return the change of a weight whose magnitudes are one for each input. Raises: Misfit."""
    own = _own_weight(layer, change.device)
    if magnitude.numel() != own.shape[1]:
        raise Misfit(name, magnitude.numel(), own.shape[1])
    changed = own + change.reshape(own.shape)
    norms: torch.Tensor = changed.transpose(0, 1).flatten(1).norm(dim=1)
    sides = (1, -1, *[1] * (own.ndim - 2))
    return changed * (magnitude.float().reshape(-1) / norms).reshape(sides) - own


# rotations and rescalings of the output


def _rotation(layer: nn.Module, name: str, parts: Parts) -> Term:
    weight: torch.Tensor = layer.weight  # type: ignore[assignment]
    blocks, rescale = parts["oft_blocks"].float(), parts.get("rescale")
    outputs = math.prod(blocks.shape[-3:-1])
    if outputs != weight.shape[0]:
        raise Misfit(name, outputs, weight.shape[0])
    limit = float(parts["alpha"]) * outputs if "alpha" in parts else 0.0
    gains = None if rescale is None else _fitting(rescale, layer, name).float()
    turn = rotated(blocks, limit, gains)
    bias, axis = _own_bias(layer, blocks.device), 1 if isinstance(layer, nn.Conv2d) else -1

    def added(_x: torch.Tensor, own: torch.Tensor, by: float) -> torch.Tensor:
        values: torch.Tensor = (own - bias).float().movedim(axis, -1)
        turned: torch.Tensor = turn(values, by).movedim(-1, axis)
        return turned.to(own.dtype)

    return added


def _rescaled(layer: nn.Module, name: str, factors: torch.Tensor, on_input: bool, with_bias: bool) -> Term:
    """Return what (IA)3 adds: ``factors`` times each input or output, beside the layer's own."""
    weight: torch.Tensor = layer.weight  # type: ignore[assignment]
    if not on_input:
        gains = _aligned(_fitting(factors, layer, name), layer)
        bias = 0.0 if with_bias else _own_bias(layer, factors.device)
        return lambda x, own, by: by * (gains * (own - bias))
    if factors.numel() != weight.shape[1]:
        raise Misfit(name, factors.numel(), weight.shape[1])
    sides = (1, -1, *[1] * (weight.ndim - 2))
    return _dense(layer, _own_weight(layer, factors.device) * factors.float().reshape(sides))


def _rescaled_by_peft(layer: nn.Module, name: str, factors: torch.Tensor) -> Term | None:
    """PEFT multiplies by the factors themselves; (1, in) are the inputs', (out, 1) the whole output's."""
    if isinstance(layer, nn.Conv2d):
        return None  # its shape does not show which of both they are
    return _rescaled(layer, name, factors.float() - 1, factors.shape[0] == 1, with_bias=True)
