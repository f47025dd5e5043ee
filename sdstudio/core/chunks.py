"""Where a long prompt is cut: A1111's chunks, which a text encoder reads one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

COMMA_REACH: Final = 20
"""A chunk that fills up ends at its last comma, when that is within so many tokens (A1111's default)."""


def cut_places(ids: Sequence[int], length: int, comma: int | None) -> Iterator[tuple[int, int]]:
    """Yield where chunks of at most ``length`` tokens begin and end, a full one after a comma near its end.

    Args:
        ids: The tokens, without marks for beginning and end.
        length: Tokens of a chunk.
        comma: The comma's token, ``None`` when the vocabulary has none.
    """
    start = 0
    while len(ids) - start > length:
        end = start + length
        if ids[end] != comma:
            near = range(end - 1, end - 1 - COMMA_REACH, -1)
            end = next((place + 1 for place in near if place >= start and ids[place] == comma), end)
        yield start, end
        start = end
    yield start, len(ids)
