"""What a prompt means to compel: weights, quotes, ``.attend``, ``.blend`` and ``.and``, read in linear time.

Facts of compel 2.4 (MIT, ``src/compel/prompt_parser.py`` and ``doc/syntax.md``). A word or a stretch in brackets or
quotes is weighed by what stands right behind it: ``word++`` 1.1 x 1.1, ``word-`` 0.9, ``(two words)1.3``,
``"two words"1.3``, ``(two words).attend(1.3)``; nested weights multiply. ``("a", "b").blend(1, 0.8)`` mixes the vectors
of two prompts, ``("a", "b").and(1, 0.5)`` sets them one behind the other. A bracket or quote that is never closed, or
holds a sign that stands alone (``a - b``, ``=``), is text up to the next blank, and so is ``(`` within a word. Of
backslashes only those before a bracket or a quote vanish. ``word.swap(other)`` changes words under way (prompt to
prompt), which neither InvokeAI nor the studio does: *word* is drawn. ``withLora(name, 1)`` is cut, and does nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sdstudio.core.prompts.grammar import HEAVIEST, Chunk, Clause, Span, Wording

STRONGER: Final = 1.1
WEAKER: Final = 0.9
"""What compel's ``+`` and ``-`` multiply by (``PromptParser.__init__``)."""
DEEPEST: Final = 24
"""Brackets within brackets that are read; compel's own parser takes minutes for half as many."""

_BLANK: Final = r" \t\n\r\x0b\x0c"
_SIGNS: Final = r"()\",.+\-="
_BLANKS: Final = re.compile(rf"[{_BLANK}]*+")
_WORD: Final = re.compile(
    rf"(?:\\[{_SIGNS}] | [-+](?![{_BLANK}{_SIGNS}]|\Z) | [^{_BLANK}{_SIGNS}])++".replace(" | ", "|")
)
_FREE_WORD: Final = re.compile(rf"[^{_BLANK}]++")
_QUOTED: Final = re.compile(r'"((?:\\"|[^"\n\r])*)"')
_STEPS: Final = re.compile(r"\++|-+")
_NUMBER: Final = re.compile(r"[0-9]{1,30}+(?:\.[0-9]{0,30}+)?|\.[0-9]{1,30}+")
_SIGNED: Final = re.compile(rf"[+-]?(?:[0-9]{{1,30}}+\.[0-9]{{0,30}}+|\.[0-9]{{1,30}}+)|-?[{_BLANK}]*[0-9]{{1,30}}+")
_KEYWORD: Final = re.compile(r"[A-Za-z0-9_-]++")
_LORA: Final = re.compile(r"(?:useLora|withLora)")
_TIGHT_COMMA: Final = re.compile(r",(\S)")
_ESCAPED: Final = re.compile(r'\\([()"])')
_TYPED_BLANK: Final = re.compile(r"\\[tnfr]")
NOT_NORMALIZED: Final = "no_normalize"
LEAST_TOTAL: Final = 1e-9
"""Weights of a blend that add up to less have no share to be turned into."""


@dataclass(frozen=True, slots=True)
class _Fragment:
    """Words that weigh the same; ``apart``: never joined with their neighbours."""

    text: str
    weight: float = 1.0
    apart: bool = False


@dataclass(frozen=True, slots=True)
class _Note:
    """What was read and does nothing, for the user; it stands among the fragments."""

    text: str
    is_swap: bool = False


_Parts = list[_Fragment | _Note]
_Found = tuple[_Parts, int]
"""What was read, and the place behind it."""


def read_compel(text: str) -> Wording:
    """Return what a prompt means, as compel reads it.

    Args:
        text: Any text. What compel refuses has a problem, and is read as if it stood for its words.
    """
    text = _TIGHT_COMMA.sub(r", \1", text)
    reader = _Reader(text)
    listed = reader.listed(0, (".and", ".add"))
    if listed is not None:
        prompts, options, end = listed
        rest = text[end:].strip()
        return _joined(prompts, options, [_Note(f"“{rest[:40]}” behind .and(..)")] if rest else [])
    leading, start = reader.loras(0)
    listed = reader.listed(start, (".blend",))
    if listed is not None:
        prompts, options, end = listed
        trailing, end = reader.loras(end)
        rest = text[end:].strip()
        problem = f"“{rest[:40]}” stands behind .blend(..), which ends a prompt" if rest else ""
        return _mixed(prompts, options, [*leading, *trailing], problem)
    parts, _ = reader.prompt(start)
    return Wording((Clause((_chunk(parts),)),), _unread([[*leading, *parts]]))


def _unread(prompts: Sequence[_Parts]) -> tuple[str, ...]:
    return tuple(part.text for parts in prompts for part in parts if isinstance(part, _Note))


def _said(prompts: Sequence[_Parts]) -> list[_Parts]:
    """Return the prompts that have a text, if only an empty one."""
    return [parts for parts in prompts if any(isinstance(part, _Fragment) for part in parts)]


def _joined(prompts: list[_Parts], options: list[str], notes: _Parts) -> Wording:
    weights, problem = _weights(options, len(prompts), ".and")
    with_text = [(parts, weight) for parts, weight in zip(prompts, weights, strict=True) if _said([parts])]
    clauses = tuple(Clause((_chunk(parts),), weight=weight) for parts, weight in with_text)
    return Wording(clauses or (Clause(((),)),), _unread([*prompts, notes]), problem)


def _mixed(prompts: list[_Parts], options: list[str], notes: _Parts, problem: str) -> Wording:
    normalize = not (options and options[-1] == NOT_NORMALIZED)
    unread = _unread([*prompts, notes])
    has_swaps = any(isinstance(part, _Note) and part.is_swap for parts in prompts for part in parts)
    prompts = _said(prompts)
    weights, wrong = _weights(options if normalize else options[:-1], len(prompts), ".blend")
    problem = problem or wrong or (".swap(..) cannot stand in .blend(..)" if has_swaps else "")
    total = sum(weights) if normalize else 1.0
    if not problem and abs(total) < LEAST_TOTAL:
        problem = ".blend(..) has weights that add up to 0"
    if problem or not prompts:
        return Wording((Clause((_chunk([part for parts in prompts for part in parts]),)),), unread, problem)
    shares = tuple(weight / total for weight in weights)
    return Wording((Clause(tuple(_chunk(parts) for parts in prompts), shares),), unread)


def _weights(options: list[str], count: int, operator: str) -> tuple[list[float], str]:
    """Return a weight for each of so many prompts, and what is wrong with those that were written."""
    if not options:
        return [1.0] * count, ""
    try:
        weights = [min(max(float(option), -HEAVIEST), HEAVIEST) for option in options]
    except ValueError:
        return [1.0] * count, f"{operator}({', '.join(options)[:40]}) holds more than numbers"
    if len(weights) != count:
        return [1.0] * count, f"{operator}(..) has {len(weights)} weights for {count} prompts"
    return weights, ""


def _chunk(parts: _Parts) -> Chunk:
    """Return fragments, neighbours of one weight joined by a blank, as compel joins them before it counts tokens."""
    spans: list[Span] = []
    apart = True
    for one in parts:
        if isinstance(one, _Note):
            continue
        if spans and not apart and not one.apart and spans[-1].weight == one.weight:
            spans[-1] = Span(f"{spans[-1].text} {one.text}", one.weight)
        else:
            spans.append(Span(one.text, one.weight))
        apart = one.apart
    return tuple(span for span in spans if span.text)


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


@dataclass
class _Reader:
    """Reads one text by compel's rules, each bracket once; what follows a stretch decides what it is."""

    text: str
    _known: dict[int, _Found | None] = field(default_factory=dict)

    def _skip(self, place: int) -> int:
        match = _BLANKS.match(self.text, place)
        return match.end() if match is not None else place

    def _sign(self, place: int, sign: str) -> int | None:
        """Return the place behind a sign that comes next, ``None`` when another does."""
        place = self._skip(place)
        return place + len(sign) if self.text.startswith(sign, place) else None

    def prompt(self, place: int) -> _Found:
        """Read a whole prompt: what is no stretch is a word, whatever is in it."""
        parts: _Parts = []
        while (place := self._skip(place)) < len(self.text):
            part = self._lora(place) or self._stretch(place, 0, free=True)
            if part is None:
                word = _FREE_WORD.match(self.text, place)
                assert word is not None  # blanks were skipped, and the text goes on
                part = [_Fragment(_plain(word.group()))], word.end()
            parts += part[0]
            place = part[1]
        return parts, place

    def _inside(self, place: int, depth: int, commas: bool = True) -> _Found:
        """Read what may stand in brackets or quotes, as far as it goes."""
        parts: _Parts = []
        while True:
            at = self._skip(place)
            part = self._lora(at) or self._stretch(at, depth, free=False)
            if part is None and commas and self.text[at : at + 1] in (",", "."):
                part = [_Fragment(self.text[at])], at + 1
            if part is None:
                return parts, place
            parts += part[0]
            place = part[1]

    def _stretch(self, place: int, depth: int, free: bool) -> _Found | None:
        """Read a word, brackets or quotes with what weighs or changes them; ``free``: no word that is bare."""
        target = self._target(place, depth)
        if target is None:
            return None
        parts, end = target
        is_word = self.text[place] not in '("'
        weighed = self._attended(end) or self._weighed(end, is_word)
        if weighed is not None:
            weight, end = weighed
            return [_times(part, weight) for part in parts], end
        swapped = self._swapped(end, depth)
        if swapped is not None:
            note = _Note(f"{self.text[place:swapped][:60]} (drawn without the exchange)", is_swap=True)
            return [note, *map(_apart, parts)], swapped
        return None if free and is_word else target

    def _target(self, place: int, depth: int) -> _Found | None:
        """Read what can be weighed."""
        sign = self.text[place : place + 1]
        if sign in ("(", '"') and sign:
            if place not in self._known:
                self._known[place] = self._bracketed(place, depth) if sign == "(" else self._quoted(place)
            return self._known[place]
        word = _WORD.match(self.text, place)
        return ([_Fragment(_plain(word.group()))], word.end()) if word is not None else None

    def _bracketed(self, place: int, depth: int) -> _Found | None:
        if depth >= DEEPEST:
            return None
        parts, end = self._inside(place + 1, depth + 1)
        close = self._sign(end, ")")
        return (parts, close) if close is not None else None

    def _quoted(self, place: int, whole: bool = False) -> _Found | None:
        """Read quotes; ``whole``: with all that a prompt may hold, not only what can stand in brackets."""
        match = _QUOTED.match(self.text, place)
        if match is None:
            return None
        text = _TYPED_BLANK.sub(" ", match[1]).replace('\\"', '"').replace('"', '\\"')
        if not text.strip():
            return [_Fragment("")], match.end()
        inner = _Reader(text)
        parts, end = inner.prompt(0) if whole else inner._inside(0, 0)
        if inner._skip(end) < len(text):
            return None
        return parts, match.end()

    def _attended(self, place: int) -> tuple[float, int] | None:
        """Read ``.attend(1.2)`` or ``.attend(++)``."""
        inner = self._called(place, ".attend")
        if inner is None:
            return None
        inner = self._skip(inner)
        steps = _STEPS.match(self.text, inner)
        number = steps or _NUMBER.match(self.text, inner)
        close = self._sign(number.end(), ")") if number is not None else None
        if number is None or close is None:
            return None
        return (_steps(number.group()) if steps is not None else float(number.group())), close

    def _weighed(self, place: int, is_word: bool) -> tuple[float, int] | None:
        """Read the weight right behind a stretch; words take signs alone."""
        steps = _STEPS.match(self.text, place)
        if steps is not None:
            return _steps(steps.group()), steps.end()
        number = None if is_word else _NUMBER.match(self.text, place)
        return (float(number.group()), number.end()) if number is not None else None

    def _swapped(self, place: int, depth: int) -> int | None:
        """Return the place behind ``.swap(other, option=1)``."""
        inner = self._called(place, ".swap")
        if inner is None or depth >= DEEPEST:
            return None
        _, end = self._inside(inner, depth + 1, commas=False)
        comma = self._sign(end, ",")
        if comma is not None:
            _, end = self._options(comma)
        return self._sign(end, ")")

    def _called(self, place: int, operator: str) -> int | None:
        """Return the place behind an operator and the bracket that opens its options."""
        behind = self._sign(place, operator)
        return self._sign(behind, "(") if behind is not None else None

    def _lora(self, place: int) -> _Found | None:
        """Read ``withLora(name, 1)``, which leaves no words."""
        word = _LORA.match(self.text, place)
        inner = self._sign(word.end(), "(") if word is not None else None
        if word is None or inner is None:
            return None
        name = _KEYWORD.match(self.text, self._skip(inner))
        if name is None:
            return None
        end = name.end()
        comma = self._sign(end, ",")
        number = _SIGNED.match(self.text, self._skip(comma)) if comma is not None else None
        close = self._sign(number.end() if number is not None else end, ")")
        if close is None:
            return None
        return [_Note(f"{self.text[place:close][:60]} (write <lora:{name.group()[:40]}:1>)")], close

    def loras(self, place: int) -> _Found:
        """Read ``withLora(..)``, however many, where there are any."""
        parts: _Parts = []
        while (lora := self._lora(self._skip(place))) is not None:
            parts += lora[0]
            place = lora[1]
        return parts, place

    def listed(self, place: int, operators: tuple[str, ...]) -> tuple[list[_Parts], list[str], int] | None:
        """Read ``("a", "b").operator(1, 0.5)``: the prompts, the options, the place behind."""
        at = self._sign(place, "(")
        prompts: list[_Parts] = []
        while at is not None:
            at = self._skip(at)
            part = self._target(at, 1)
            if part is None and self.text.startswith('"', at):
                part = self._quoted(at, whole=True)
            if part is None:
                break
            prompts.append(part[0])
            at = self._sign(part[1], ",")
            if at is not None:
                continue
            close = self._sign(part[1], ")")
            for operator in operators if close is not None else ():
                inner = self._called(close or 0, operator)
                if inner is not None:
                    options, end = self._options(inner)
                    behind = self._sign(end, ")")
                    if behind is not None:
                        return prompts, options, behind
        return None

    def _options(self, place: int) -> tuple[list[str], int]:
        """Read options as far as they go: numbers, words, ``word=number``; of the last the word."""
        options: list[str] = []
        end = place
        at: int | None = place
        while at is not None:
            at = self._skip(at)
            word = _KEYWORD.match(self.text, at)
            equals = self._sign(word.end(), "=") if word is not None else None
            value = None
            if equals is not None:
                equals = self._skip(equals)
                value = _SIGNED.match(self.text, equals) or _KEYWORD.match(self.text, equals)
            number = _SIGNED.match(self.text, at)
            if word is not None and value is not None:
                options.append(word.group())
                end = value.end()
            elif number is not None:
                options.append(number.group())
                end = number.end()
            elif word is not None:
                options.append(word.group())
                end = word.end()
            else:
                break
            at = self._sign(end, ",")
        return options, end


def _steps(signs: str) -> float:
    return float((STRONGER if signs[0] == "+" else WEAKER) ** min(len(signs), 100))


def _apart(part: _Fragment | _Note) -> _Fragment | _Note:
    return replace(part, apart=True) if isinstance(part, _Fragment) else part


def _times(part: _Fragment | _Note, weight: float) -> _Fragment | _Note:
    return replace(part, weight=min(part.weight * weight, HEAVIEST)) if isinstance(part, _Fragment) else part
