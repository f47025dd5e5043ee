"""How well letters that were typed fit a title: all of them in their order, best at the beginnings of words."""

from __future__ import annotations

from typing import Final

from sdstudio.core.folding import folded

_BEGINS: Final = 8
_FOLLOWS: Final = 4
_WITHIN: Final = 1


def fit(typed: str, title: str) -> int:
    """Return a number that is higher the better a title fits, 0 when it does not; every title fits no letters."""
    letters, words = "".join(folded(typed).split()), folded(title)
    if not letters:
        return 1
    best = {-1: 0}  # where the last letter was found -> the best score of all ways there
    for letter in letters:
        reached: dict[int, int] = {}
        for at, word in enumerate(words):
            if word != letter:
                continue
            worth = _BEGINS if at == 0 or not words[at - 1].isalnum() else _WITHIN
            ways = [score + _FOLLOWS * (0 <= last == at - 1) for last, score in best.items() if last < at]
            if ways:
                reached[at] = max(ways) + worth
        best = reached
        if not best:
            return 0
    return max(best.values()) * 100 - len(words)
