"""What the brackets of a prompt mean to ComfyUI, and which stretches of it are tokenised by themselves.

Facts of ``comfy/sd1_clip.py`` (``parse_parentheses``, ``token_weights``, ``escape_important``): round brackets alone
mean something, and nothing else does, not ``#``, ``[x]`` or BREAK. ``(x)`` weighs 1.1 times what is around it;
``(x:1.3)`` weighs 1.3, whatever brackets are around. A bracket behind a backslash is a character, and so is every other
backslash. A ``)`` that closes nothing is text, and takes the next ``(`` with it. A bracket that is never closed is text
to the end of the prompt, with all that is in it; but when the prompt ends in ``)``, that one closes it, and what it had
closed stays open. Words on both sides of a bracket are never joined: ``(red)(heart)`` are two.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Sequence
from typing import Final

from sdstudio.core.prompts.grammar import DECIMALS, HEAVIEST, ROUND, Chunk, Span

DIGITS_MAXIMUM: Final = 30
"""Longest number that is read as a weight, so that looking for one stays cheap."""
_TOKEN: Final = re.compile(r"\\[()]|[^\\()]++|\\|[()]")


def parse_comfyui(text: str) -> tuple[Chunk, ...]:
    """Return the weighed words of a prompt as ComfyUI reads it, in one chunk; neighbours may weigh the same.

    Args:
        text: Any text; there is no wrong one.
    """
    return (tuple(_Brackets(_TOKEN.findall(text)).spans()),)


class _Brackets:
    """The brackets of one prompt, and the words between them."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._closes: dict[int, int] = {}  # place of a "(" -> place of its ")"
        self._spans: list[Span] = []
        self._unclosed: deque[int] = deque()
        stray = 0
        opened: list[int] = []
        for place, token in enumerate(tokens):
            if token == "(":
                if stray:
                    stray -= 1
                else:
                    opened.append(place)
            elif token == ")":
                if opened:
                    self._closes[opened.pop()] = place
                else:
                    stray += 1
        self._unclosed.extend(opened)

    def spans(self) -> list[Span]:
        """Return the weighed words, stretch by stretch."""
        opens = {close: start for start, close in self._closes.items()}
        at, end, weight = 0, len(self._tokens), 1.0
        while self._unclosed:
            start = self._unclosed.popleft()
            self._balanced(at, start, weight)
            if end - start < 2 or self._tokens[end - 1] != ")":
                self._add(self._tokens[start:end], weight)
                return self._spans
            end -= 1  # closes the bracket at start; the one it had closed is open now, inside of all others that are
            inner = opens[end]
            del self._closes[inner]
            self._unclosed.append(inner)
            weight = self._own_weight(start, end, weight)
            end -= not self._tokens[end - 1]  # its number was all of it
            at = start + 1
        self._balanced(at, end, weight)
        return self._spans

    def _balanced(self, start: int, end: int, weight: float) -> None:
        """Add the words of a stretch without open brackets."""
        weights = [weight]
        closing: list[int] = []
        kept: list[str] = []
        for place in range(start, end):
            close = self._closes.get(place)
            if close is not None:
                self._add(kept, weights[-1])
                kept = []
                closing.append(close)
                weights.append(self._own_weight(place, close, weights[-1]))
            elif closing and closing[-1] == place:
                self._add(kept, weights.pop())
                kept = []
                closing.pop()
            else:
                kept.append(self._tokens[place])
        self._add(kept, weight)

    def _own_weight(self, start: int, close: int, around: float) -> float:
        """Return how much what is in a bracket weighs; a number at its end is cut off."""
        last = self._tokens[close - 1]
        _, colon, number = last[-DIGITS_MAXIMUM:].rpartition(":")
        before = last[: len(last) - len(number) - 1] if colon else last
        if close - 1 > start and colon and (before or close - 2 > start):
            try:
                weight = float(number)
            except ValueError:
                weight = math.nan
            if math.isfinite(weight):
                self._tokens[close - 1] = before
                return weight
        return around * ROUND

    def _add(self, tokens: Sequence[str], weight: float) -> None:
        text = "".join(token[1:] if token in ("\\(", "\\)") else token for token in tokens)
        if text:
            self._spans.append(Span(text, round(min(max(weight, -HEAVIEST), HEAVIEST), DECIMALS)))
