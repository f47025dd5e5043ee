"""A1111's weight syntax as an edit: where Ctrl+Up and Ctrl+Down find what they work on, and what it becomes.

``(red heart:1.2)`` weighs its words; at 1 the brackets go. A bracket after a backslash is a plain bracket. Pure text,
no Qt: positions count Python characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

STEP: Final = 0.1
"""As A1111's ``keyedit_precision_attention``."""
LOWEST: Final = 0.1
HIGHEST: Final = 2.0

_TAIL: Final = r":\s*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*\)"
_AFTER: Final = re.compile(_TAIL)
_WEIGHED: Final = re.compile(r"(?<!\\)\(((?:[^()\\]|\\.)*)" + _TAIL)
_WORD: Final = re.compile(r"(?:[^\s.,/\\!?%^*;:{}=`~()\[\]<>|\"]|\\[()])+")


@dataclass(frozen=True, slots=True)
class WeightEdit:
    """Replace ``text[start:end]`` by ``replacement`` and select ``select_start`` to ``select_end`` of the result."""

    start: int
    end: int
    replacement: str
    select_start: int
    select_end: int


def reweighted(text: str, start: int, end: int, steps: int) -> WeightEdit | None:
    """Return the edit that moves the weight of the selection, or of what the cursor stands in, by ``steps`` notches.

    Args:
        text: The whole prompt.
        start: Where the selection begins; the cursor when it is empty.
        end: Where it ends.
        steps: Positive for more weight.

    Returns:
        The edit, ``None`` when there is no word at the cursor.
    """
    weighed = _weighed(text, start, end)
    if weighed is not None:
        first, last, inner, weight = weighed
        return _edit(first, last, inner, _moved(weight, steps))
    if start == end:
        word = next((m for m in _WORD.finditer(text) if m.start() <= start <= m.end()), None)
        if word is None:
            return None
        start, end = word.span()
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start == end:
        return None
    while start > 0 and text[start - 1] == "\\":  # else it would make a plain bracket of ours
        start -= 1
    return _edit(start, end, text[start:end], _moved(1.0, steps))


def _weighed(text: str, start: int, end: int) -> tuple[int, int, str, float] | None:
    """Return start, end, words and weight of the weighed bracket around a selection, which may hold brackets itself."""
    tail = _AFTER.match(text, end)
    if tail and start < end and text[:start].endswith("(") and not text[:start].endswith("\\("):
        return start - 1, tail.end(), text[start:end], float(tail.group(1))
    group = next((m for m in _WEIGHED.finditer(text) if m.start() <= start and end <= m.end()), None)
    return (group.start(), group.end(), group.group(1), float(group.group(2))) if group else None


def _moved(weight: float, steps: int) -> float:
    return round(min(max(weight + steps * STEP, LOWEST), HIGHEST), 2)


def _edit(start: int, end: int, inner: str, weight: float) -> WeightEdit:
    if weight == 1:
        return WeightEdit(start, end, inner, start, start + len(inner))
    return WeightEdit(start, end, f"({inner}:{weight:g})", start + 1, start + 1 + len(inner))
