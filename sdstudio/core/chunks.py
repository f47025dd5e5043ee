"""Where a long prompt is cut: A1111's chunks, which a text encoder reads one at a time."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Final

COMMA_REACH: Final = 20
"""A chunk that fills up ends at its last comma, when that is within so many tokens (A1111's default)."""


def cut_places(
    ids: Sequence[int], length: int, comma: int | None, inner: Container[int] = ()
) -> Iterator[tuple[int, int]]:
    """Yield where chunks of at most ``length`` tokens begin and end, a full one after a comma near its end.

    An embedding that a full chunk would cut begins the next one, whole, unless it is longer than a chunk.

    Args:
        ids: The tokens, without marks for beginning and end.
        length: Tokens of a chunk.
        comma: The comma's token, ``None`` when the vocabulary has none.
        inner: The tokens that go on with an embedding.
    """
    start = 0
    while len(ids) - start > length:
        end = start + length
        first = end
        while first > start and ids[first] in inner:
            first -= 1
        if start < first < end:
            end = first
        elif ids[end] != comma:
            near = range(end - 1, end - 1 - COMMA_REACH, -1)
            end = next((place + 1 for place in near if place >= start and ids[place] == comma), end)
        yield start, end
        start = end
    yield start, len(ids)
