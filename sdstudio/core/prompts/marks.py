"""Where in a prompt its grammar stands: for colours in an editor, and to find which words a token came from.

The grammar itself is read by `prompt_grammar`, `extra_networks` and `templates`; this module keeps the places that they
drop. `pieces` joined are `prompt_grammar.parse`'s words, character by character.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from sdstudio.core.compatibility import A1111, NEWEST_COMPATIBILITY
from sdstudio.core.prompts.dialects import dialect_of
from sdstudio.core.prompts.extra_networks import ExtraNetwork, comments, cut_networks
from sdstudio.core.prompts.grammar import ROUND, SQUARE, TOKEN
from sdstudio.core.prompts.named_files import EMBEDDING_ENDING, Naming, split_at_embeddings
from sdstudio.core.prompts.steps import step_brackets
from sdstudio.core.prompts.templates import brace_problem, wildcard_names
from sdstudio.core.prompts.wildcards import Wildcards

_WORDS: Final = re.compile(r"(?<!\w)(?:BREAK|AND)(?!\w)")
_BRACES: Final = re.compile(r"\\[{}|]|\{(?:\s*[\d-]+\$\$(?:[^${}|]*\$\$)?)?|[}|]")
_EMBEDDING: Final = re.compile(r"\bembedding:\s*+(?P<name>[^\s,:()\[\]<>{}|]++)", re.IGNORECASE)
_ANGLED: Final = re.compile(r"<(?P<name>[A-Za-z0-9., _-]{1,200}+)>")
_SPELLED: Final = re.compile(r"embedding:\s*", re.IGNORECASE)
_ENDING: Final = re.compile(rf"{EMBEDDING_ENDING}(?![\w-])", re.IGNORECASE)
_BREAK: Final = re.compile(r"\s*\bBREAK\b\s*")


class MarkKind(Enum):
    """What a stretch of a prompt is."""

    HEAVIER = "heavier"
    LIGHTER = "lighter"
    SIGN = "sign"
    NETWORK = "network"
    EMBEDDING = "embedding"
    WILDCARD = "wildcard"
    CHOICE = "choice"
    KEYWORD = "keyword"
    STEPS = "steps"
    COMMENT = "comment"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Mark:
    """One stretch; ``message`` is what is wrong with it, "" when nothing is."""

    start: int
    end: int
    kind: MarkKind
    message: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What a prompt may name, ``None`` where that is not known yet, so that nothing is called wrong; how it is read.

    ``networks``: every name of every LoRA, case folded. ``embeddings``: their names.
    ``templates``: braces and wildcards stand for something. ``syntax`` and ``compatibility``: as `dialect_of` takes
    them; weights and steps are marked in A1111's syntax alone.
    """

    networks: Collection[str] | None = None
    embeddings: Collection[str] | None = None
    wildcards: Wildcards | None = None
    templates: bool = True
    syntax: str = A1111
    compatibility: str = NEWEST_COMPATIBILITY


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that goes to the encoder, where each of its characters stands in the prompt, and behind how many BREAKs."""

    text: str
    places: tuple[int, ...]
    part: int


def marks(text: str, known: Known) -> tuple[Mark, ...]:
    """Return the marks of a prompt; later ones lie over earlier ones.

    Args:
        text: As the user wrote it.
        known: What there is to be named.
    """
    dialect = dialect_of(known.syntax, known.compatibility)
    bare, places = _without_cuts(text, dialect.has_comments)
    marks = [*_grammar(bare)] if known.syntax == A1111 else []
    marks += _embeddings(bare, known, dialect.naming)
    if known.templates:
        marks += _choices(bare)
    marks = [replace(mark, start=places[mark.start], end=places[mark.end - 1] + 1) for mark in marks]
    if dialect.has_comments:
        marks += [Mark(start, end, MarkKind.COMMENT) for start, end in comments(text)]
    marks += _networks(text, known, dialect.has_comments)
    if known.templates:
        marks += _wildcards(text, known, dialect.has_comments)
    return tuple(marks)


def mend(text: str, wrong: Mark, known: Known) -> tuple[int, int, str] | None:
    """Return what closes a bracket that is never closed or takes away one that closes nothing, ``None`` if that fails.

    Returns:
        Where the text to be replaced begins and ends, and what stands there then.
    """
    sign = text[wrong.start : wrong.end]
    if sign in ("(", "[", "{"):
        end = len(text.rstrip().rstrip(","))
        change = (end, end, {"(": ")", "[": "]", "{": "}"}[sign])
    elif sign in (")", "]", "}"):
        change = (wrong.start, wrong.end, "")
    else:
        return None
    mended = text[: change[0]] + change[2] + text[change[1] :]
    return change if _errors(mended, known) < _errors(text, known) else None


def _errors(text: str, known: Known) -> int:
    return sum(mark.kind is MarkKind.ERROR for mark in marks(text, known))


def pieces(text: str) -> Iterator[Piece]:
    """Yield what of a prompt goes to the encoder, in order, with its places."""
    bare, places = _without_cuts(text)
    opened = {"(": 0, "[": 0}
    part = 0
    for match in TOKEN.finditer(bare):
        token, start = match.group(), match.start()
        if match.lastgroup == "escaped":
            if match["escaped"]:
                yield Piece(match["escaped"], (places[start + 1],), part)
            continue
        closes = "[" if token == "]" else "(" if token == ")" or match.lastgroup == "weight" else ""
        if token in opened:
            opened[token] += 1
            continue
        if closes and opened[closes]:
            opened[closes] -= 1
            continue
        at = 0
        for cut in _BREAK.finditer(token):
            if token[at : cut.start()]:
                yield Piece(token[at : cut.start()], tuple(places[start + at : start + cut.start()]), part)
            part += 1
            at = cut.end()
        if token[at:]:
            yield Piece(token[at:], tuple(places[start + at : match.end()]), part)


def _without_cuts(text: str, has_comments: bool = True) -> tuple[str, list[int]]:
    """Return a prompt without comments and networks, and where each character of the rest stood."""
    networks = cut_networks(text, has_comments)[1]
    cut = sorted([*(comments(text) if has_comments else ()), *((one.start, one.end) for one in networks)])
    kept: list[str] = []
    places: list[int] = []
    at = 0
    for start, end in [*cut, (len(text), len(text))]:
        kept.append(text[at:start])
        places += range(at, start)
        at = end
    return "".join(kept), places


def _grammar(text: str) -> Iterator[Mark]:
    """Yield weights, signs, and what changes from step to step."""
    stepped = list(step_brackets(text))
    yield from _weighed(text, {start for start, _, _ in stepped})
    yield from _signs(text)
    yield from _words(text)
    for start, end, marked in stepped:
        for place in (start, *marked, end - 1):
            yield Mark(place, place + 1, MarkKind.STEPS)


def _weighed(text: str, unweighed: Collection[int]) -> Iterator[Mark]:
    """Yield stretches that weigh more or less than 1, and brackets without a partner."""
    opened: dict[str, list[int]] = {"(": [], "[": []}
    edges: list[tuple[int, float]] = []
    for match in TOKEN.finditer(text):
        token = match.group()
        if token in opened:
            opened[token].append(match.start())
        elif token in (")", "]") or match.lastgroup == "weight":
            around = opened["[" if token == "]" else "("]
            if not around:
                yield Mark(match.end() - 1, match.end(), MarkKind.ERROR, f"This {token[-1]} closes nothing.")
                continue
            start = around.pop()
            if start in unweighed:
                continue
            factor = float(match["weight"]) if match.lastgroup == "weight" else SQUARE if token == "]" else ROUND
            edges += [(start + 1, factor), (match.start(), 1 / factor if factor else 0.0)]
    for kind, starts in opened.items():
        for start in starts:
            yield Mark(start, start + 1, MarkKind.ERROR, f"This {kind} is never closed: it weighs all that follows.")
    yield from _levels(edges)


def _levels(edges: list[tuple[int, float]]) -> Iterator[Mark]:
    """Yield stretches that are all heavier or all lighter, whatever brackets are in them."""
    weight, at = 1.0, 0
    begun, kind = 0, None
    for place, factor in sorted(edges, key=lambda edge: edge[0]):
        now = None if abs(weight - 1) <= 1e-3 else MarkKind.HEAVIER if weight > 1 else MarkKind.LIGHTER
        if place > at and now is not kind:
            if kind is not None:
                yield Mark(begun, at, kind)
            begun, kind = at, now
        weight, at = weight * factor if factor else weight, place
    if kind is not None:
        yield Mark(begun, at, kind)


def _signs(text: str) -> Iterator[Mark]:
    for match in TOKEN.finditer(text):
        if match.lastgroup == "weight" or match.group() in ("(", ")", "[", "]"):
            yield Mark(match.start(), match.end(), MarkKind.SIGN)


def _words(text: str) -> Iterator[Mark]:
    return (Mark(match.start(), match.end(), MarkKind.KEYWORD) for match in _WORDS.finditer(text))


def _networks(text: str, known: Known, has_comments: bool) -> Iterator[Mark]:
    for network in cut_networks(text, has_comments)[1]:
        message = ""
        if network.is_lora:
            named = network.name.casefold()
            if known.networks is not None and named not in known.networks and not _open(network.name):
                message = f"There is no LoRA of the name “{network.name[:60]}”."
            else:
                message = _weight_problem(network)
        yield Mark(network.start, network.end, MarkKind.ERROR if message else MarkKind.NETWORK, message)


def _weight_problem(network: ExtraNetwork) -> str:
    if any(map(_open, (*network.positional, *(value for _, value in network.named)))):
        return ""
    try:
        _ = network.text_weight, network.unet_weight
    except ValueError:
        return "Its weight is no number: <lora:name:0.8>."
    return ""


def _open(text: str) -> bool:
    """Whether a name or weight is still to be chosen by a template."""
    return "{" in text or "__" in text


def _embeddings(text: str, known: Known, naming: Naming) -> Iterator[Mark]:
    if known.embeddings is None:
        return
    missing = _ANGLED if naming is Naming.ANGLED else _EMBEDDING
    at = 0
    for piece, name in split_at_embeddings(text, sorted(known.embeddings), naming):
        if not name:
            for match in missing.finditer(text, at, at + len(piece)):
                message = f"There is no embedding of the name “{match['name'][:60]}”."
                yield Mark(match.start(), match.end(), MarkKind.ERROR, message)
            at += len(piece)
            continue
        end = at + len(naming.written(name)) if naming is Naming.ANGLED else _end_of_embedding(text, at, name)
        yield Mark(at, end, MarkKind.EMBEDDING)
        at = end


def _end_of_embedding(text: str, at: int, name: str) -> int:
    match = _SPELLED.match(text, at)
    end = (match.end() if match is not None else at) + len(name)
    ending = _ENDING.match(text, end) if match is not None else None
    return ending.end() if ending is not None else end


def _choices(text: str) -> Iterator[Mark]:
    """Yield braces and the bars between them; bars outside of braces are another grammar's."""
    problem = brace_problem(text)
    depth = 0
    for match in _BRACES.finditer(text):
        sign = match.group()
        if sign.startswith("\\"):
            continue
        depth += sign.startswith("{")
        if sign != "|" or depth > 0:
            yield Mark(match.start(), match.end(), MarkKind.CHOICE)
        depth -= sign == "}" and depth > 0
    if problem is not None:
        yield Mark(problem[0], problem[0] + 1, MarkKind.ERROR, problem[1].removeprefix("Prompt: ").capitalize())


def _wildcards(text: str, known: Known, has_comments: bool) -> Iterator[Mark]:
    said_nothing = list(comments(text)) if has_comments else []
    for start, end, name in wildcard_names(text):
        if any(first <= start < last for first, last in said_nothing):
            continue
        missing = known.wildcards is not None and not known.wildcards.has(name)
        message = f"There is no wildcard file {name[:60]}.txt." if missing else ""
        yield Mark(start, end, MarkKind.ERROR if missing else MarkKind.WILDCARD, message)
