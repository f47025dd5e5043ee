"""Where a long prompt is cut into chunks, which a text encoder reads one at a time: A1111, ComfyUI and compel."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Final

COMMA_REACH: Final = 20
"""A chunk that fills up ends at its last comma, when that is within so many tokens (A1111's default)."""
LONG_WORD: Final = 8
"""ComfyUI's ``max_word_length``: a word of fewer tokens is never cut."""
_WORD_END: Final = "</w>"
_ENDS: Final = (frozenset({".</w>"}), frozenset({".</w>", ",</w>", ";</w>", ":</w>"}))
"""Tokens that end a sentence, and a phrase (compel ``_find_next_best_split_point``)."""


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


def word_places(sizes: Sequence[int], length: int) -> Iterator[tuple[int, int]]:
    """Yield where ComfyUI's chunks begin and end: a word that a full one would cut begins the next, unless it is long.

    Source: ``comfy/sd1_clip.py tokenize_with_weights``.

    Args:
        sizes: How many tokens each word has.
        length: Tokens of a chunk.
    """
    start = end = 0
    for size in sizes:
        is_long = size >= min(LONG_WORD, length + 1)
        while size > start + length - end:
            taken = start + length - end if is_long else 0
            size -= taken
            end += taken
            yield start, end
            start = end
        end += size
    yield start, end


def sentence_places(tokens: Sequence[str], length: int) -> Iterator[tuple[int, int]]:
    """Yield where compel's chunks begin and end: a full one behind its last sentence, else phrase, else word.

    Args:
        tokens: What each token is called in the vocabulary.
        length: Tokens of a chunk.
    """
    start = 0
    while len(tokens) - start > length:
        window = range(start + length - 1, start - 1, -1)
        places = [next((place for place in window if tokens[place] in ends), None) for ends in _ENDS]
        places.append(next((place for place in window if tokens[place].endswith(_WORD_END)), None))
        end = next((place + 1 for place in places if place is not None), start + length)
        yield start, end
        start = end
    yield start, len(tokens)


def words_of(text: str) -> list[str]:
    """Return what of a text ComfyUI tokenises by itself: what stands between blanks and ends of lines.

    That is how it was up to the winter of 2025, when most pictures were made with the families that the studio draws.
    Later versions tokenise each weighed stretch whole, and take the stretch for the word in `word_places`.
    """
    return [word for word in text.replace("\n", " ").split(" ") if word]
