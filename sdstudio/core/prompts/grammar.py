"""What the brackets of a prompt mean: A1111's attention grammar, read once, from left to right, in linear time.

``(x)`` weighs its words 1.1 times, ``[x]`` 1/1.1 times, ``(x:1.3)`` 1.3 times; nested weights multiply. A bracket or a
backslash after a backslash is a plain character, any other backslash is dropped. A bracket that is never closed reaches
to the end; a ``)``, ``]`` or ``:`` that closes or weighs nothing is text. ``BREAK`` begins a new chunk, in brackets too
(A1111 reads the word itself there, with weight -1.1).

What changes from step to step (``[from:to:when]``, ``[a|b]``) and ``AND`` is read before, by ``prompt_steps``, and
``<lora:..>`` by ``extra_networks``. What stands in square brackets here is de-emphasised text, colons, bars and numbers
with it, and the others are plain text.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Final

ROUND: Final = 1.1
SQUARE: Final = 1 / 1.1
HEAVIEST: Final = 1000.0
"""Weights stay within plus and minus this, so that a thousand brackets are no infinity."""
DECIMALS: Final = 6
"""Weights are rounded to this, so that ``[(x)]`` weighs exactly 1."""

# Each alternative ends where it fails: no character is looked at more than twice, however the prompt is built.
TOKEN: Final = re.compile(
    r"""\\(?P<escaped>[()\[\]\\]?)
    | :\s*+(?P<weight>[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++))\s*+\)
    | [^\\()\[\]:]++
    | [()\[\]:]""",
    re.VERBOSE,
)
_BREAK: Final = re.compile(r"\bBREAK\b")


@dataclass(frozen=True, slots=True)
class Span:
    """Words that weigh the same."""

    text: str
    weight: float


Chunk = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a prompt that is encoded by itself; the vectors of all clauses stand one after the other.

    Attributes:
        texts: One text, or several whose vectors are mixed.
        shares: How much of each.
        weight: How far its vectors are moved away from those of the empty prompt; 1 leaves them where they are.
    """

    texts: tuple[Chunk, ...]
    shares: tuple[float, ...] = (1.0,)
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Wording:
    """A prompt as one way to write reads it.

    Attributes:
        clauses: What is encoded; at least one, maybe with an empty text.
        unread: What stands in it and does nothing, for the user.
        problem: Why the prompt cannot be drawn, "" when it can.
    """

    clauses: tuple[Clause, ...]
    unread: tuple[str, ...] = ()
    problem: str = ""


def parse(text: str) -> tuple[Chunk, ...]:
    """Return the weighed words of a prompt, one chunk for each stretch between BREAKs; at least one, maybe empty.

    Args:
        text: Any text; there is no wrong one.
    """
    pieces, breaks, ranges = _read(text)
    weights = weights_of(len(pieces), ranges)
    return tuple(merged(pieces, weights, *bounds) for bounds in itertools.pairwise([0, *breaks, len(pieces)]))


Range = tuple[int, int, float, bool]
"""First piece that a bracket weighs, the piece after the last, by how much, and whether it is a square one.

A bare tuple, of which a million cost the garbage collector nothing."""


def _read(text: str) -> tuple[list[str], list[int], list[Range]]:
    """Return the pieces of text, the pieces that a BREAK stands before, and the ranges of weighed pieces, inner first.

    No range ends before the one in front of it.
    """
    pieces: list[str] = []
    breaks: list[int] = []
    ranges: list[Range] = []
    opened: dict[str, list[int]] = {"(": [], "[": []}

    def close(kind: str, factor: float) -> None:
        start = opened[kind].pop()
        if start < len(pieces):
            ranges.append((start, len(pieces), factor, kind == "["))

    for match in TOKEN.finditer(text):
        token = match.group()
        if token in opened:
            opened[token].append(len(pieces))
        elif token == ")" and opened["("]:
            close("(", ROUND)
        elif token == "]" and opened["["]:
            close("[", SQUARE)
        elif match.lastgroup == "weight" and opened["("]:
            close("(", float(match["weight"]))
        elif match.lastgroup == "escaped":
            if match["escaped"]:
                pieces.append(match["escaped"])
        elif "BREAK" in token:
            _break_up(token, pieces, breaks)
        else:
            pieces.append(token)
    for kind, factor in (("(", ROUND), ("[", SQUARE)):
        while opened[kind]:
            close(kind, factor)
    return pieces, breaks, ranges


def _break_up(text: str, pieces: list[str], breaks: list[int]) -> None:
    """Append a text's parts between BREAKs, which take the blanks around them along."""
    parts = _BREAK.split(text)
    for place, part in enumerate(parts):
        if place:
            breaks.append(len(pieces))
            part = part.lstrip()
        if place < len(parts) - 1:
            part = part.rstrip()
        if part:
            pieces.append(part)


def weights_of(count: int, ranges: list[Range]) -> list[float]:
    """Return the product of the factors of the ranges around each piece; no range ends before the one in front of it.

    Ranges of one kind of bracket never cross, so that, from the last piece back, those of each kind lie on a stack:
    the outermost is entered first and left last.
    """
    weights = [1.0] * count
    round_, square = [(-1, 1.0)], [(-1, 1.0)]  # where each range around this piece begins, and the product so far
    waiting, weight = len(ranges) - 1, 1.0
    for place in range(count - 1, -1, -1):
        changed = False
        while round_[-1][0] > place:
            round_.pop()
            changed = True
        while square[-1][0] > place:
            square.pop()
            changed = True
        while waiting >= 0 and ranges[waiting][1] > place:
            start, _, factor, is_square = ranges[waiting]
            stack = square if is_square else round_
            stack.append((start, _bounded(stack[-1][1] * factor)))
            waiting -= 1
            changed = True
        if changed:
            weight = round(_bounded(round_[-1][1] * square[-1][1]), DECIMALS)
        weights[place] = weight
    return weights


def merged(pieces: list[str], weights: list[float], start: int, end: int) -> Chunk:
    """Return the pieces from ``start`` to before ``end``, neighbours of one weight joined."""
    spans: list[Span] = []
    while start < end:
        begun, weight = start, weights[start]
        while start < end and weights[start] == weight:
            start += 1
        spans.append(Span("".join(pieces[begun:start]), weight))
    return tuple(spans)


def _bounded(weight: float) -> float:
    return min(max(weight, -HEAVIEST), HEAVIEST)
