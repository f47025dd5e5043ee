"""How two texts differ, word by word: what both have, what only the left has, what only the right has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, Literal

Side = Literal["both", "left", "right"]

_WORDS: Final = re.compile(r"\s+|\w+(?:[.'’-]\w+)*|[^\w\s]")
WORDS_MAXIMUM: Final = 1000
"""Beyond so many words the rest of a text is one word: comparing takes time in their square."""
_CAREFUL_MAXIMUM: Final = 300
"""Longer texts are not aligned by what stands in them all the time, blanks and commas: that takes minutes."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of words, and who has it."""

    text: str
    side: Side


def word_diff(left: str, right: str) -> list[Piece]:
    """Return the pieces of both texts in order; those of the left before those of the right where they differ."""
    one, other = _words(left), _words(right)
    pieces: list[Piece] = []
    careful = max(len(one), len(other)) <= _CAREFUL_MAXIMUM
    for change, start, end, begin, until in SequenceMatcher(None, one, other, autojunk=not careful).get_opcodes():
        if change == "equal":
            pieces.append(Piece("".join(one[start:end]), "both"))
            continue
        if end > start:
            pieces.append(Piece("".join(one[start:end]), "left"))
        if until > begin:
            pieces.append(Piece("".join(other[begin:until]), "right"))
    return pieces


def of_side(pieces: Sequence[Piece], side: Side) -> Iterator[Piece]:
    """Yield the pieces that one of the texts is made of."""
    return (piece for piece in pieces if piece.side in ("both", side))


def _words(text: str) -> list[str]:
    words = _WORDS.findall(text)
    if len(words) > WORDS_MAXIMUM:
        return [*words[:WORDS_MAXIMUM], "".join(words[WORDS_MAXIMUM:])]
    return words
