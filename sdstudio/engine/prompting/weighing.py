"""What weights do to a text encoder's vectors: A1111's, ComfyUI's and compel's published formulas, in float64.

All work on one text, (1, L, W) with L = 77 for each of its chunks; the vectors of tokens that weigh 1 stay bit for bit
the encoder's output.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import torch

from sdstudio.engine.prompting.tokens import TokenChunk, TokenText

NO_MEAN: Final = 1e-4
"""Vectors whose mean is below this part of their mean size have none to keep: the quotient would be rounding noise."""
MILDEST: Final = 2.0
"""The vectors are scaled by at most the strongest weight, up or down, and always by as much as this."""
FAINTEST: Final = 1e-5
"""Compel's ``epsilon``: a word that weighs 0 weighs as much, for the tangent of a right angle is infinite."""

Encode = Callable[[TokenChunk, frozenset[int]], torch.Tensor]
"""Returns a chunk's bare vectors (1, 77, W) as if nothing could look at the tokens in these places of 0 to 76."""


def multiplied(vectors: torch.Tensor, weights: tuple[float, ...], keep_mean: bool) -> torch.Tensor:
    """Return each token's vector times its weight, and on demand all scaled to the mean they had (A1111's "Original").

    Where the mean lies near zero, as in many SDXL models, A1111's quotient blows the vectors up or turns their sign,
    and spoils the picture (its issue 14867). A scale that the weights cannot account for is left out here.
    """
    if all(weight == 1 for weight in weights):
        return vectors
    plain = vectors.to("cpu", torch.float64)  # a few thousand numbers; the mean of float32 would lose its last digits
    heavy = plain * _row(weights, plain.shape[1])
    if not keep_mean:
        return heavy.to(vectors)
    before, after = float(plain.mean()), float(heavy.mean())
    sizes = [abs(weight) for weight in weights if weight]
    most = max([MILDEST, *sizes, *(1 / size for size in sizes)])
    if abs(before) > NO_MEAN * float(plain.abs().mean()) and after and 1 / most <= before / after <= most:
        heavy *= before / after
    return heavy.to(vectors)


def moved(vectors: torch.Tensor, empty: torch.Tensor, weights: tuple[float, ...]) -> torch.Tensor:
    """Return ``(z - empty) * weight + empty`` for each token that weighs anything but 1.

    Args:
        vectors: A chunk's, (1, 77, W).
        empty: The empty prompt's, of the same shape.
        weights: One for each of the tokens, without the mark for the beginning.
    """
    if all(weight == 1 for weight in weights):
        return vectors
    plain, base = (each.to("cpu", torch.float64) for each in (vectors, empty))
    row = _row(weights, plain.shape[1])
    return torch.where(row == 1, plain, (plain - base) * row + base).to(vectors)


def mixed(text: TokenText, empty: torch.Tensor, encode: Encode) -> torch.Tensor:
    """Return a text's vectors as compel weighs them (``get_embeddings_for_weighted_prompt_fragments``).

    Every token is moved away from the empty prompt, by weights below 1 towards it. Then for each stretch with a weight
    w below 1 the same is done with that stretch masked, and the weighted mean of all is taken: 1 for the first,
    tan((1 - w) * pi / 2) for each other. A chunk that the stretch does not reach into is the same in both.

    Args:
        text: The tokens.
        empty: The empty prompt's vectors, (1, 77, W).
        encode: Asked for each chunk, plain and masked.
    """
    length = empty.shape[1]
    parts = [moved(encode(chunk, frozenset()), empty, chunk.weights) for chunk in text.chunks]
    changes: dict[int, torch.Tensor] = {}  # number of a chunk -> what masking adds to it
    share = 1.0
    for start, end, weight in text.spans:
        if weight >= 1:
            continue
        own = math.tan((1 - max(weight, FAINTEST)) * math.pi / 2)
        share += own
        for number, masked in _masked(text.chunks, start, end, length).items():
            chunk = text.chunks[number]
            without = moved(encode(chunk, masked), empty, chunk.weights).to("cpu", torch.float64)
            change = own * (without - parts[number].to("cpu", torch.float64))
            changes[number] = changes[number] + change if number in changes else change
    for number, change in changes.items():
        parts[number] = (parts[number].to("cpu", torch.float64) + change / share).to(parts[number])
    return torch.cat(parts, dim=1)


def blended(texts: Sequence[torch.Tensor], shares: Sequence[float]) -> torch.Tensor:
    """Return the sum of vectors (1, L, W) of one length, each times its share."""
    if len(texts) == 1 and shares[0] == 1:
        return texts[0]
    total = sum(text.to("cpu", torch.float64) * share for text, share in zip(texts, shares, strict=True))
    return torch.as_tensor(total).to(texts[0])


def _masked(chunks: Sequence[TokenChunk], start: int, end: int, length: int) -> dict[int, frozenset[int]]:
    """Return, by chunk, the places of tokens and of what lies between them, but for the chunks' own first and last."""
    first, last = (_place(chunks, token, length) for token in (start, end - 1))
    masked_places: dict[int, frozenset[int]] = {}
    for number in range(first // length, last // length + 1):
        begins, ends = (min(max(place - number * length, 0), length) for place in (first, last + 1))
        masked_places[number] = frozenset(range(max(begins, 1), min(ends, length - 1)))
    return masked_places


def _place(chunks: Sequence[TokenChunk], token: int, length: int) -> int:
    """Return where a token stands among all vectors of its text."""
    for number, chunk in enumerate(chunks):
        if token < len(chunk.ids):
            return number * length + 1 + token
        token -= len(chunk.ids)
    raise IndexError(token)


def _row(weights: tuple[float, ...], length: int) -> torch.Tensor:
    """Return weights as a column (1, length, 1), 1 for the marks of beginning and end and what fills up."""
    row = torch.ones(length, dtype=torch.float64)
    row[1 : 1 + len(weights)] = torch.tensor(weights, dtype=torch.float64)
    return row[None, :, None]
