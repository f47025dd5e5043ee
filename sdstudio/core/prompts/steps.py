"""Which words of a prompt count at which step: A1111's prompt editing, alternation and AND, read in linear time.

``[from:to:when]`` reads *from* up to step *when* and *to* after it, ``[to:when]`` and ``[from::when]`` leave one side
empty; ``when`` is a step, or with a point in it a part of all steps. ``[a|b|c]`` takes turns from step to step. Both
nest. ``x AND y :0.5`` are two prompts whose directions are added, the second half as strongly. A bracket that is none
of these stays as it is, for ``prompt_grammar`` to weigh: so does one that is never closed, or closed by the wrong kind,
and with it every bracket around it (``modules/prompt_parser.py``). Unlike there, a ``|`` outside of square brackets is
a character, and a weight behind a prompt without AND is text.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sdstudio.core.prompts.grammar import HEAVIEST

_TOKEN: Final = re.compile(r"\\[\s\S]?|[^\\()\[\]:|]++|[()\[\]:|]")
_WHEN: Final = re.compile(r"\s*+[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)\s*+")
_ENDS: Final = {"[": "]", "(": ")"}
_MARKS: Final = frozenset(":|")
_AND: Final = re.compile(r"\bAND\b")
_WEIGHT: Final = re.compile(r"\s*:\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))\s*\Z")
_WEIGHT_MAXIMUM: Final = 60
"""Characters at the end of a prompt in which its weight is looked for."""


@dataclass(frozen=True, slots=True)
class Run:
    """Parts one after the other."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Edit:
    """``[before:after:when]``; ``before`` is ``None`` in ``[after:when]``, and ``when`` as it was written."""

    before: Run | None
    after: Run
    when: str

    def last_step(self, steps: int, first_pass: int = 0) -> int:
        """Return the last step at which ``before`` counts; 0 or less when it never does."""
        when = min(max(float(self.when), -1e9), 1e9)
        when = (when - bool(first_pass)) * steps if "." in self.when else when - first_pass
        return min(steps, int(when))


@dataclass(frozen=True, slots=True)
class Alternation:
    """``[a|b|c]``."""

    options: tuple[Run, ...]


Part = str | Run | Edit | Alternation


@dataclass(frozen=True, slots=True)
class SteppedPrompt:
    """A prompt whose words may change on the way.

    Attributes:
        run: All of it.
        is_static: It is the same at every step.
    """

    run: Run
    is_static: bool

    @classmethod
    def of_text(cls, text: str) -> SteppedPrompt:
        """Return a prompt that is this text at every step, whatever stands in it."""
        return cls(Run((text,) if text else ()), is_static=True)

    def at(self, step: int, steps: int, first_pass: int = 0) -> str:
        """Return the words that count at a step.

        Args:
            step: From 1 on.
            steps: How many there are.
            first_pass: Steps of the pass before this one, where this is the second (hires); its fractions are then
                counted from 1.0 and its steps from these.
        """
        out: list[str] = []
        open_runs = [iter(self.run.parts)]
        while open_runs:
            for part in open_runs[-1]:
                if isinstance(part, str):
                    out.append(part)
                else:
                    open_runs.append(iter(_chosen(part, step, steps, first_pass)))
                    break
            else:
                open_runs.pop()
        return "".join(out)

    def schedule(self, steps: int, first_pass: int = 0) -> list[tuple[int, str]]:
        """Return the stretches between which the words change: last step, words."""
        if self.is_static:
            return [(steps, self.at(steps, steps))]
        stretches: list[tuple[int, str]] = []
        for step in range(1, steps + 1):
            text = self.at(step, steps, first_pass)
            if stretches and stretches[-1][1] == text:
                stretches.pop()
            stretches.append((step, text))
        return stretches


@dataclass(frozen=True, slots=True)
class Term:
    """One prompt of those joined by AND, and how strongly it counts."""

    prompt: SteppedPrompt
    weight: float


def read_terms(text: str) -> tuple[Term, ...]:
    """Return the prompts joined by AND; at least one, and a single one has weight 1.

    Args:
        text: Any text; there is no wrong one.
    """
    texts = _AND.split(text)
    if len(texts) == 1:
        return (Term(read_steps(text), 1.0),)
    return tuple(_term(part) for part in texts)


def read_steps(text: str) -> SteppedPrompt:
    """Return the text of a prompt at each step; AND is a word in it."""
    tokens = _TOKEN.findall(text)
    divided = _divided(tokens)
    if not divided:
        return SteppedPrompt.of_text(text)
    run, has_steps = _built(tokens, divided)
    return SteppedPrompt(run, not has_steps)


def step_brackets(text: str) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """Yield where each bracket whose words change from step to step begins and ends, and where its marks stand."""
    tokens = _TOKEN.findall(text)
    starts = [0, *itertools.accumulate(map(len, tokens))]
    for first, (last, marks) in _divided(tokens).items():
        signs = [tokens[mark] for mark in marks]
        colons = signs.count(":")
        when = tokens[marks[-1] + 1 : last]
        is_edit = 1 <= colons <= 2 and signs[-1] == ":" and len(when) == 1 and _WHEN.fullmatch(when[0]) is not None
        if is_edit or "|" in signs:
            shown = [mark for mark in marks if is_edit or tokens[mark] == "|"]
            yield starts[first], starts[last + 1], tuple(starts[mark] for mark in shown)


def _term(text: str) -> Term:
    tail = text[-_WEIGHT_MAXIMUM:]
    match = _WEIGHT.search(tail)
    if match is None:
        return Term(read_steps(text), 1.0)
    weight = min(max(float(match[1]), -HEAVIEST), HEAVIEST)
    return Term(read_steps(text[: len(text) - len(tail) + match.start()]), weight)


def _chosen(part: Run | Edit | Alternation, step: int, steps: int, first_pass: int) -> Sequence[Part]:
    match part:
        case Run(parts):
            return parts
        case Edit(before, after, _):
            if step > part.last_step(steps, first_pass):
                return after.parts
            return before.parts if before is not None else ()
        case Alternation(options):
            return options[(step - 1) % len(options)].parts


def _divided(tokens: Sequence[str]) -> dict[int, tuple[int, list[int]]]:
    """Return the square brackets that are closed and divided: place -> place of its end, places of its marks."""
    divided: dict[int, tuple[int, list[int]]] = {}
    marks: dict[int, list[int]] = {}
    opened: list[int] = []
    for place, token in enumerate(tokens):
        if token in _ENDS:
            opened.append(place)
        elif token in _ENDS.values():
            if opened and _ENDS[tokens[opened[-1]]] == token:
                start = opened.pop()
                if start in marks:
                    divided[start] = place, marks.pop(start)
            else:  # as the grammar has it, what is around a stray end is text
                opened.clear()
                marks.clear()
        elif token in _MARKS and opened and tokens[opened[-1]] == "[":
            marks.setdefault(opened[-1], []).append(place)
    return divided


def _built(tokens: Sequence[str], divided: Mapping[int, tuple[int, list[int]]]) -> tuple[Run, bool]:
    """Return all parts, and whether any of them depends on the step."""
    top: list[Part] = []
    opened: list[_Bracket] = []
    has_steps, here = False, top
    for place, token in enumerate(tokens):
        if place in divided:
            end, marks = divided[place]
            opened.append(_Bracket(end, marks[::-1], here))
            here = opened[-1].segments[-1]
        elif opened and opened[-1].waiting and opened[-1].waiting[-1] == place:
            here = opened[-1].divide(token)
        elif opened and opened[-1].end == place:
            part, here = opened[-1].closed(), opened.pop().around
            has_steps = has_steps or not isinstance(part, Run)
            here.append(part)
        else:
            here.append(token)
    return Run(tuple(top)), has_steps


class _Bracket:
    """A divided one: where it ends, marks to come (the next one last), and what it divides."""

    __slots__ = ("around", "end", "marks", "segments", "waiting")

    def __init__(self, end: int, waiting: list[int], around: list[Part]) -> None:
        self.end = end
        self.waiting = waiting
        self.around = around
        self.segments: list[list[Part]] = [[]]
        self.marks: list[str] = []

    def divide(self, mark: str) -> list[Part]:
        """Begin the next segment and return it."""
        self.waiting.pop()
        self.marks.append(mark)
        self.segments.append([])
        return self.segments[-1]

    def closed(self) -> Run | Edit | Alternation:
        """Return what it means."""
        whole = len(self.segments)
        return self._edit() or self._alternation() or Run(("[", *self._joined(0, whole), "]"))

    def _edit(self) -> Edit | None:
        colons = [place for place, mark in enumerate(self.marks) if mark == ":"]
        last = self.segments[-1]
        if not 1 <= len(colons) <= 2 or self.marks[-1] != ":" or len(last) != 1:
            return None
        if not isinstance(last[0], str) or not _WHEN.fullmatch(last[0]):
            return None
        end = len(self.segments) - 1
        if len(colons) == 1:
            return Edit(None, Run(tuple(self._joined(0, end))), last[0])
        middle = colons[0] + 1
        return Edit(Run(tuple(self._joined(0, middle))), Run(tuple(self._joined(middle, end))), last[0])

    def _alternation(self) -> Alternation | None:
        bars = [place + 1 for place, mark in enumerate(self.marks) if mark == "|"]
        if not bars:
            return None
        bounds = zip([0, *bars], [*bars, len(self.segments)], strict=True)
        return Alternation(tuple(Run(tuple(self._joined(*pair))) for pair in bounds))

    def _joined(self, start: int, end: int) -> Iterator[Part]:
        for place in range(start, end):
            if place > start:
                yield self.marks[place - 1]
            yield from self.segments[place]
