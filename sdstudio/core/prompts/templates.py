"""Prompts that stand for many: ``{a|b}``, ``{2$$a|b|c}`` and ``__colour__``, read by the package dynamicprompts.

That package takes ``%``, ``$``, ``//`` and a lone ``__`` for its own and refuses or cuts a prompt that has them as
text; they are put aside here while it reads, and so are comments outside of braces. A brace after a backslash is a
plain brace. What asks
the package is `sdstudio.core.prompts.template_reading`, imported when the first template is met: its parser takes
a tenth of a second.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from random import Random
from typing import TYPE_CHECKING, Final, TypeVar

from sdstudio.core.errors import InvalidRequest
from sdstudio.core.prompts.template_comments import template_comments
from sdstudio.core.prompts.wildcards import Wildcards

if TYPE_CHECKING:
    from sdstudio.core.prompts.template_reading import ReadTemplate

Made = TypeVar("Made")

DEPTH_MAXIMUM: Final = 12
"""Braces within braces; the parser tries every way to read them."""
CHOICES_MAXIMUM: Final = 200
"""The time to read a template grows with the square of its choices: 0.7 s for 200 on two cores of 2020."""
LENGTH_MAXIMUM: Final = 20_000
"""Longest text a template may become, as long as a prompt may be."""
LOOKED_AT_MAXIMUM: Final = 50_000
"""So many results of the package are looked at for new ones: the lines of a wildcard may hold endless choices."""

WILDCARD: Final = re.compile(r"__[~!@]?(?P<name>[\w./*-]*?[\w*])(?:\([^()\n]*\))?__(?!_)")
"""``__name__`` as people write it: no blanks, so that two words with underscores are none."""
_ENDLESS: Final = re.compile(r"(?:\{\s*|__)[~@]")
"""Choices that go on for ever: drawn anew, or in turn."""
_FINITE: Final = re.compile(r"(\{\s*|__)!")
"""What every choice is in the one mode and none can be in the other."""
_BRACE: Final = re.compile(r"\\[{}]|[{}]")
_EXTRA: Final = re.compile(r"<\w+:[^<>]+>")

# What the parser would not leave alone, and what stands for it meanwhile: characters that nobody types.
_ASIDE: Final = (
    ("\\{", "{", "\ue100"), ("\\}", "}", "\ue101"), ("//", "//", "\ue102"), ("/*", "/*", "\ue103"),
    ("#", "#", "\ue104"), ("__", "__", "\ue105"),
)  # fmt: skip
_PERCENT: Final = (re.compile(r"%(?!\{)"), "%", "\ue106")
_DOLLAR: Final = (re.compile(r"(?<!\$)\$(?![{$])"), "$", "\ue107")
_CUT: Final = "\ue108"
"""Stands for each character of a comment within braces, so that a message can name the place in the prompt."""
_BACK: Final = {stand_in: plain for _, plain, stand_in in (*_ASIDE, _PERCENT, _DOLLAR)} | {_CUT: ""}


def is_template(text: str, has_comments: bool = True) -> bool:
    """Whether a prompt stands for more than its own words: it has a pair of braces or a wildcard.

    Args:
        text: The prompt.
        has_comments: ``#`` begins a comment in it, in which nothing stands for more.
    """
    bare = _quiet(text, has_comments)
    return any(True for _ in wildcard_names(bare)) or ("{" in bare and "}" in bare)


def wildcard_names(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield where each wildcard of a prompt begins and ends, and its name.

    Within ``<lora:..>`` one stands alone between colons, braces or bars: <lora:__ink__:__weight__> has two, and
    <lora:my__own__style:1> is the name of a file.
    """
    extras = [match.span() for match in _EXTRA.finditer(text)]
    for match in WILDCARD.finditer(text):
        inside = any(start <= match.start() < end for start, end in extras)
        if not inside or (text[: match.start()].rstrip()[-1:] in ":{|$" and text[match.end() :].lstrip()[:1] in ":}|>"):
            yield match.start(), match.end(), match["name"]


def picked(text: str, wildcards: Wildcards, random: Random, field: str = "prompt", turn: int = 0) -> str:
    """Return one of the prompts that a template stands for, as `Picker` picks it. Raises as `Picker`."""
    return Picker(text, wildcards, field).pick(random, turn)


class Picker:
    """Picks, again and again, one of the prompts that a template stands for: the template is read once.

    Args:
        text: The template; one that is none is picked as it is.
        wildcards: Where the words of wildcards come from.
        field: Which field of the request it is, for the error.
        has_comments: ``#`` begins a comment in it.

    Raises:
        InvalidRequest: A brace has no partner, a wildcard is not there, or (from `pick`) it never ends.
    """

    def __init__(self, text: str, wildcards: Wildcards, field: str = "prompt", has_comments: bool = True) -> None:
        self._text = text
        self._field = field
        self._read: ReadTemplate | None = None
        if is_template(text, has_comments):
            bare = _quiet(text, has_comments)
            _check(bare, wildcards, field)
            self._read = _told(field, lambda: _read(bare, wildcards))

    def pick(self, random: Random, turn: int = 0) -> str:
        """Return one of the prompts, the same for the same random numbers and turn.

        Args:
            random: What choices are drawn by.
            turn: How many pictures come before, for choices that are made in turn: ``{@a|b}`` is b at turn 1.

        Raises:
            InvalidRequest: See the class.
        """
        read = self._read
        if read is None:
            return self._text
        return _bounded(self._field, _told(self._field, lambda: _put_back(read.pick(random, turn))))


def combinations(
    text: str, wildcards: Wildcards, limit: int, field: str = "prompt", has_comments: bool = True
) -> list[str]:
    """Return all prompts that a template stands for, each once, in order; at most ``limit``. Raises as `picked`."""
    if not is_template(text, has_comments):
        return [text]
    text = _quiet(text, has_comments)
    _check(text, wildcards, field)
    if _ENDLESS.search(text):
        message = "Prompt: a choice with ~ or @ has no end, so that there is no such thing as every combination."
        raise InvalidRequest(field, message, "Take the sign away, or let each picture pick.")
    prompts = _told(field, lambda: list(itertools.islice(_all(text, wildcards), limit)))
    return [_bounded(field, prompt) for prompt in prompts]


def _read(text: str, wildcards: Wildcards) -> ReadTemplate:
    from sdstudio.core.prompts.template_reading import ReadTemplate  # noqa: PLC0415 (pyparsing: seldom needed)

    return ReadTemplate(_put_aside(text), wildcards.files, lambda name: tuple(map(_put_aside, wildcards.values(name))))


def _all(text: str, wildcards: Wildcards) -> Iterator[str]:
    seen: set[str] = set()
    for hidden in itertools.islice(_read(text, wildcards).all(), LOOKED_AT_MAXIMUM):
        prompt = _put_back(hidden)
        if prompt not in seen:
            seen.add(prompt)
            yield prompt


def _quiet(text: str, has_comments: bool = True) -> str:
    """Return a template whose comments stand for nothing: those within braces go, the others stay in the prompt."""
    kept: list[str] = []
    at = 0
    for start, end, is_within in template_comments(text, has_comments):
        kept += [text[at:start], _CUT * (end - start) if is_within else _hidden(text[start:end])]
        at = end
    return "".join([*kept, text[at:]])


def _hidden(comment: str) -> str:
    for stand_in, plain in _BACK.items():
        comment = comment.replace(plain, stand_in) if plain else comment
    return comment


def _put_aside(text: str) -> str:
    kept: list[str] = []
    at = 0
    for start, end, _ in wildcard_names(text):
        kept += [_aside(text[at:start]), text[start:end]]
        at = end
    return _FINITE.sub(r"\1", "".join([*kept, _aside(text[at:])]))


def _aside(text: str) -> str:
    for typed, _, stand_in in _ASIDE:
        text = text.replace(typed, stand_in)
    for pattern, _, stand_in in (_PERCENT, _DOLLAR):
        text = pattern.sub(stand_in, text)
    return text


def _put_back(text: str) -> str:
    for stand_in, plain in _BACK.items():
        text = text.replace(stand_in, plain)
    return text


def _check(text: str, wildcards: Wildcards, field: str) -> None:
    """Refuse what the parser would leave as it is, or refuse in its own words."""
    problem = brace_problem(text)
    if problem is not None:
        raise InvalidRequest(field, problem[1], "Write \\{ or \\} for a plain brace.")
    choices = text.count("{") + text.count("__") // 2
    if choices > CHOICES_MAXIMUM:
        raise InvalidRequest(field, f"Prompt = {choices:,} choices: at most {CHOICES_MAXIMUM}.", "Use fewer of them.")
    for _, _, name in wildcard_names(text):
        if not wildcards.has(name):
            near = get_close_matches(name, wildcards.files, n=1, cutoff=0.5)
            hint = f"Did you mean __{near[0]}__?" if near else f"Put {name}.txt into {wildcards.folder}."
            raise InvalidRequest(field, f"Wildcard = __{name}__: there is no such file.", hint)


def brace_problem(text: str) -> tuple[int, str] | None:
    """Return where a brace stands that has no partner or lies too deep, and the message; ``None`` when all are well."""
    opened: list[int] = []
    for match in _BRACE.finditer(text):
        if match.group() == "{":
            opened.append(match.start())
            if len(opened) > DEPTH_MAXIMUM:
                return match.start(), f"Prompt: braces stand within braces, at most {DEPTH_MAXIMUM} deep."
        elif match.group() == "}":
            if not opened:
                return match.start(), f"Prompt: the brace }} at character {match.start() + 1} closes nothing."
            opened.pop()
    return (opened[-1], f"Prompt: the brace {{ at character {opened[-1] + 1} is never closed.") if opened else None


def _told(field: str, work: Callable[[], Made]) -> Made:
    from pyparsing import ParseBaseException  # noqa: PLC0415 (as there)

    try:
        result = work()
    except RecursionError:
        message = "Prompt: a wildcard or variable leads back to itself."
        raise InvalidRequest(field, message, "Look at the lines of its file.") from None
    except ParseBaseException as error:
        message = f"Prompt: the choice cannot be read at “{str(error.pstr)[error.loc :][:20]}”."
        raise InvalidRequest(field, _put_back(message), "A choice reads {red|blue} or {2$$red|blue|green}.") from None
    except (ValueError, KeyError, StopIteration, RuntimeError) as error:  # the package's own words for odd templates
        message = f"Prompt: the choice cannot be made ({_put_back(' '.join(str(error).split()))[:120]})."
        raise InvalidRequest(field, message, "A choice reads {red|blue} or {2$$red|blue|green}.") from None
    return result


def _bounded(field: str, text: str) -> str:
    if len(text) > LENGTH_MAXIMUM:
        message = f"Prompt = {len(text):,} characters once its choices are made: at most {LENGTH_MAXIMUM:,}."
        raise InvalidRequest(field, message, "Shorten the lines of its wildcards.")
    return text
