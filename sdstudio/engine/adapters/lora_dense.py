"""Changes of a layer's weight that are computed whole: plain differences, LoHa, LoKr and GLoRA; and how far they go."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from sdstudio.core.models.lora_config import LayerScale

Parts = Mapping[str, torch.Tensor]


def scaled(parts: Parts, scale: LayerScale, rank: int) -> float:
    """Return what a change of this rank is multiplied by: alpha / rank, 1 where alpha is not given.

    A ``scale`` in the file goes before both (A1111), a ``scalar`` multiplies (LyCORIS' ``use_scalar``).
    """
    factor = float(parts["scalar"]) if "scalar" in parts else 1.0
    if "scale" in parts:
        return float(parts["scale"]) * factor
    if "alpha" in parts:
        return float(parts["alpha"]) / rank * factor
    alpha = float(rank) if scale.alpha is None else scale.alpha
    return alpha / (math.sqrt(rank) if scale.by_root and scale.alpha is not None else rank) * factor


def dense_change(parts: Parts, scale: LayerScale, weight: torch.Tensor) -> torch.Tensor | None:
    """Return the whole change of a layer's weight in float32; ``None`` where the parts are none of these.

    Raises:
        RuntimeError, KeyError: The tensors do not go together, or one is missing.
    """
    get = {name: tensor.float() for name, tensor in parts.items()}
    if "diff" in get:
        return get["diff"]
    if "hada_w1_a" in get:
        halves = [_hada(get, number) for number in "12"]
        return halves[0] * halves[1] * scaled(parts, scale, get["hada_w1_b"].shape[0])
    if "a1.weight" in get:
        return _glora(get, weight.to(get["a1.weight"])) * scaled(parts, scale, _glora_rank(get, weight))
    if not any(name.startswith("lokr_w") for name in get):
        return None
    first, rank_1 = _kron_side(get, "1")
    second, rank_2 = _kron_side(get, "2")
    while first.ndim < second.ndim:
        first = first.unsqueeze(-1)
    return torch.kron(first.contiguous(), second.contiguous()) * _kron_scale(parts, scale, rank_2 or rank_1)


def _kron_scale(parts: Parts, scale: LayerScale, rank: int) -> float:
    """Whole factors of LyCORIS have no rank and are not scaled; PEFT scales them by its configuration."""
    if rank:
        return scaled(parts, scale, rank)
    if scale.alpha is not None and scale.rank is not None and "alpha" not in parts:
        return scaled(parts, scale, scale.rank)
    return float(parts["scalar"]) if "scalar" in parts else 1.0


def _hada(parts: Parts, number: str) -> torch.Tensor:
    a, b, middle = parts[f"hada_w{number}_a"], parts[f"hada_w{number}_b"], parts.get(f"hada_t{number}")
    if middle is None:
        return a @ b
    return torch.einsum("ijkl,jr,ip->prkl", middle, b, a)  # LyCORIS rebuilds Tucker's form so


def _kron_side(parts: Parts, number: str) -> tuple[torch.Tensor, int]:
    """Return one factor of a LoKr and its rank, 0 when it is whole."""
    whole = parts.get(f"lokr_w{number}")
    if whole is not None:
        return whole, 0
    a, b, middle = parts[f"lokr_w{number}_a"], parts[f"lokr_w{number}_b"], parts.get("lokr_t2")
    if number == "2" and middle is not None:
        return torch.einsum("ijkl,jr,ip->prkl", middle, b, a), b.shape[0]
    return (a @ b.reshape(b.shape[0], -1)).reshape(a.shape[0], *b.shape[1:]), b.shape[0]


def _is_old_glora(parts: Parts, weight: torch.Tensor) -> bool:
    """Whether a GLoRA has 1 and 2 the other way round, as LyCORIS first wrote them."""
    outputs = weight.shape[0]
    return parts["b1.weight"].shape[0] != outputs and parts["b2.weight"].shape[0] == outputs


def _glora_rank(parts: Parts, weight: torch.Tensor) -> int:
    return parts["b1.weight" if _is_old_glora(parts, weight) else "b2.weight"].shape[0]


def _glora(parts: Parts, weight: torch.Tensor) -> torch.Tensor:
    """Return W A + B, with A and B of low rank."""
    ends = ("2", "1") if _is_old_glora(parts, weight) else ("1", "2")
    a_up, a_down, b_up, b_down = (parts[f"{side}{end}.weight"].flatten(1) for side in "ab" for end in ends)
    added = torch.einsum("oi...,ir,rj->oj...", weight, a_up, a_down)
    middle = parts.get("bm.weight")
    if middle is not None:
        return added + torch.einsum("rskl,or,si->oikl", middle, b_up, b_down)
    return added + (b_up @ b_down).reshape(weight.shape)
