"""Which comments of a template end before its choices are made: those of wildcard lines, and those within braces.

A comment that came into the prompt with a choice would reach to the end of the line and take every word behind it
along. The package dynamicprompts has Python's comments (its guide, "Whitespace and comments"): ``#`` to the end of the
line. Where that would cut the brace that closes the choice, as in ``{red # warm|blue}``, a ``#`` with a blank before it
is a comment up to the next bar or brace, and any other is a letter: ``{#ff0000|blue}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_SIGN: Final = re.compile(r"\\[\s\S]?|<\w{1,40}:[^<>]{1,1000}>|[{}|#]")
_LINE_END: Final = re.compile(r"\n|\Z")


def without_comments(line: str) -> str:
    """Return a line of a wildcard without its comments, and without the blanks before one at its end."""
    kept: list[str] = []
    at = 0
    for start, end, _ in template_comments(line):
        kept.append(line[at:start])
        at = end
    return "".join([*kept, line[at:]]).strip() if at else line


def template_comments(text: str, has_others: bool = True) -> Iterator[tuple[int, int, bool]]:
    """Yield where each comment of a template begins and ends, and whether it stands within braces.

    Args:
        text: The template.
        has_others: There are comments outside of braces too; else a ``#`` is a letter there.
    """
    depth = at = said_from = 0
    while (match := _SIGN.search(text, at)) is not None:
        sign, at = match.group(), match.end()
        if sign == "{":
            depth += 1
        elif sign == "}":
            depth = max(depth - 1, 0)
        elif sign == "#" and (depth or has_others):
            start, end = _comment(text, match.start(), said_from, depth)
            if end > start:
                yield start, end, depth > 0
                at = end
            continue
        if sign in ("{", "|"):
            said_from = at


def _comment(text: str, hash_at: int, said_from: int, depth: int) -> tuple[int, int]:
    """Return where the comment at a ``#`` begins and ends; it has no length where the ``#`` is a letter."""
    line_end = _LINE_END.search(text, hash_at)
    end = line_end.start() if line_end is not None else len(text)
    if not depth:
        return hash_at, end
    ends = _ends_of_choice(text, hash_at, end)
    if ends is None:
        is_whole_line = not text[text.rfind("\n", 0, hash_at) + 1 : hash_at].strip()
        return hash_at, end + (is_whole_line and end < len(text))
    before = text[said_from:hash_at]
    if before.strip() and before[-1].isspace():
        return said_from + len(before.rstrip()), ends
    return hash_at, hash_at


def _ends_of_choice(text: str, start: int, end: int) -> int | None:
    """Return where the option ends in which a comment begins, ``None`` when its choice is not closed on this line."""
    depth, bar = 0, None
    for match in _SIGN.finditer(text, start, end):
        sign = match.group()
        if sign == "}" and not depth:
            return match.start() if bar is None else bar
        if sign == "|" and not depth and bar is None:
            bar = match.start()
        depth += (sign == "{") - (sign == "}")
    return None
