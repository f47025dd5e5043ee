"""How version 0.1 read ComfyUI's and compel's prompts: what was drawn then is drawn again by these rules.

Round brackets alone mean something to ComfyUI, and a number in them is the weight itself, whatever brackets are around:
``((a:1.2) b:1.5)`` weighs *a* 1.2 times. A bracket that is never closed is a character. Compel weighs a word or a
bracket by what stands right behind it: ``word++`` 1.1 x 1.1, ``word-`` 0.9, ``(two words)1.3``; quotes, ``blend``
and ``and`` were not read.
"""

from __future__ import annotations

import math
import re
from typing import Final

from sdstudio.core.prompts.grammar import HEAVIEST, ROUND, Chunk, Range, merged, weights_of

STRONGER: Final = 1.1
WEAKER: Final = 0.9
"""What compel's ``+`` and ``-`` multiply by."""
DIGITS_MAXIMUM: Final = 30
"""Longest number that is read as a weight, so that looking for one stays cheap."""

_COMFYUI: Final = re.compile(r"\\[()]|[^\\()]++|\\|[()]")
_COMPEL: Final = re.compile(
    r"""\\(?P<escaped>[\s\S]?)
    | \)(?P<signs>\++|-+)(?![\w.])
    | \)(?P<number>[0-9]{1,9}+(?:\.[0-9]{1,9}+)?|\.[0-9]{1,9}+)(?!\w|\.[0-9])
    | (?P<word>[^\s\\()+\-,]++)(?P<word_signs>\++|-+)(?=[\s,.;:!?)]|\Z)
    | [^\s\\()+\-,]++ | [()] | [\s,]++ | [+\-]""",
    re.VERBOSE,
)


def first_comfyui(text: str) -> tuple[Chunk, ...]:
    """Return the weighed words of a prompt as 0.1 read ComfyUI's, in one chunk."""
    pieces: list[tuple[str, int]] = []  # text, and the bracket that it stands in
    around, own_weights, closed = [-1], [1.0], [True]  # of each bracket; the first is the whole prompt
    opened = [0]
    for match in _COMFYUI.finditer(text):
        token = match.group()
        if token == "(":
            pieces.append((token, len(around)))  # stands for itself should it never be closed
            around.append(opened[-1])
            own_weights.append(math.nan)
            closed.append(False)
            opened.append(len(around) - 1)
        elif token == ")" and len(opened) > 1:
            bracket = opened.pop()
            closed[bracket] = True
            own_weights[bracket] = _comfyui_weight(pieces, bracket)
        else:
            pieces.append((token[1:] if len(token) == 2 and token[0] == "\\" else token, opened[-1]))
    weights = [1.0]
    for bracket in range(1, len(around)):
        outer = weights[around[bracket]]
        own = outer * ROUND if math.isnan(own_weights[bracket]) else own_weights[bracket]
        weights.append(min(max(own, -HEAVIEST), HEAVIEST) if closed[bracket] else outer)
    kept = [(word, weights[place]) for word, place in pieces if word and not (word == "(" and place and closed[place])]
    return (merged([word for word, _ in kept], [round(weight, 6) for _, weight in kept], 0, len(kept)),)


def _comfyui_weight(pieces: list[tuple[str, int]], bracket: int) -> float:
    """Cut ``:1.2`` from the end of a bracket's own words and return it; NaN when there is none."""
    word, place = pieces[-1]
    _, colon, number = word[-DIGITS_MAXIMUM:].rpartition(":")
    if place != bracket or not colon or word == "(":
        return math.nan
    try:
        weight = float(number)
    except ValueError:
        return math.nan
    if not math.isfinite(weight):
        return math.nan
    pieces[-1] = (word[: len(word) - len(number) - 1], place)
    return weight


def first_compel(text: str) -> tuple[Chunk, ...]:
    """Return the weighed words of a prompt as 0.1 read compel's, in one chunk."""
    pieces: list[str] = []
    ranges: list[Range] = []
    opened: list[int] = []
    for match in _COMPEL.finditer(text):
        token, kind = match.group(), match.lastgroup
        if kind == "escaped":
            pieces += [match["escaped"]] if match["escaped"] else []
        elif kind == "word_signs":
            pieces.append(match["word"])
            ranges.append((len(pieces) - 1, len(pieces), _signs(match["word_signs"]), False))
        elif token == "(":
            opened.append(len(pieces))
        elif token[0] == ")" and opened:
            start = opened.pop()
            factor = _signs(match["signs"]) if kind == "signs" else float(match["number"]) if kind == "number" else 1.0
            if start < len(pieces):
                ranges.append((start, len(pieces), factor, False))
        else:
            pieces.append(token)
    return (merged(pieces, weights_of(len(pieces), ranges), 0, len(pieces)),)


def _signs(signs: str) -> float:
    return float((STRONGER if signs[0] == "+" else WEAKER) ** min(len(signs), 100))
