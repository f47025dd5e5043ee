"""How the user sets what new pictures are called: ``{date}/{number}-{prompt}-{seed}``, its fields and what may not be.

A field that is empty, such as the prompt of emoji alone, goes with the sign beside it; names never depend on
where they are written: no letter that a disk or another system refuses is in one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from sdstudio.core.errors import InvalidRequest

if TYPE_CHECKING:  # the settings are declared with it, and need no request
    from sdstudio.core.request.recipe import Recipe

DEFAULT_PATTERN: Final = "{date}/{number}-{prompt}-{seed}"
PATTERN_MAXIMUM: Final = 200
"""Longest pattern in characters."""
NAME_MAXIMUM: Final = 200
"""Longest name of a file or folder in bytes: disks hold 255, and an ending, and a number where one is taken, follow."""
SLUG_LENGTH: Final = 60

_SETTING: Final = "name_pattern"
_FIELD: Final = re.compile(r"\{([^{}]*)\}")
_NOT_IN_NAMES: Final = '<>:"\\|?*'
"""What Windows, and a disk that is made for it, refuses beside control characters."""
_DEVICES: Final = re.compile(r"(?i)(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)")
"""Names that are devices to Windows."""
_EMPTY: Final = "\0"
_EMPTY_ONES: Final = re.compile(rf"[-_ .,+]+{_EMPTY}|{_EMPTY}[-_ .,+]*")


@dataclass(frozen=True, slots=True)
class Named:
    """A picture that is to be named: its number in the history, what it was made with, and when it was saved."""

    number: int
    recipe: Recipe
    created: datetime


@dataclass(frozen=True, slots=True)
class NameField:
    """One field: how it is written, what it stands for, its longest value, one to show, and how it is read."""

    name: str
    longest: int
    example: str
    value: Callable[[Named], str]


def slug(text: str) -> str:
    """Return text as small plain ASCII letters and digits with ``-`` between words; "" when nothing is left of it."""
    plain = unicodedata.normalize("NFKD", text[:1000]).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:SLUG_LENGTH].strip("-")


def _model(named: Named) -> str:
    return slug(named.recipe.model_name or PurePath(named.recipe.request.model).stem)


NAME_FIELDS: Final = (
    NameField("number", 15, "000123", lambda named: f"{named.number:06d}"),
    NameField("date", 10, "2026-05-01", lambda named: named.created.date().isoformat()),
    NameField("time", 6, "184502", lambda named: f"{named.created:%H%M%S}"),
    NameField("prompt", SLUG_LENGTH, "a-red-fox-in-the-snow", lambda named: slug(named.recipe.request.prompt)),
    NameField("seed", 20, "421337", lambda named: _known(named.recipe.request.seed)),
    NameField("model", SLUG_LENGTH, "dreamshaper-8", _model),
    NameField("sampler", SLUG_LENGTH, "dpmpp-2m", lambda named: slug(named.recipe.request.scheduler)),
    NameField("steps", 5, "25", lambda named: str(named.recipe.request.steps)),
    NameField("guidance", 8, "7.5", lambda named: f"{named.recipe.request.guidance_scale:g}"),
    NameField("width", 5, "512", lambda named: str(named.recipe.request.made_size[0])),
    NameField("height", 5, "768", lambda named: str(named.recipe.request.made_size[1])),
)  # fmt: skip
FIELD_BY_NAME: Final = {field.name: field for field in NAME_FIELDS}
ALLOWED_FIELDS: Final = ", ".join(f"{{{field.name}}}" for field in NAME_FIELDS)


def _known(seed: int | None) -> str:
    return "" if seed is None else str(seed)


def check_pattern(pattern: str) -> None:
    """Refuse a pattern that gives no name, or one that some disk does not hold. Raises: InvalidRequest."""
    if not pattern.strip(" ./"):
        raise _refused(pattern, "a name with at least one letter or field is wanted", f"Use {DEFAULT_PATTERN}")
    if len(pattern) > PATTERN_MAXIMUM:
        raise _refused(pattern, f"at most {PATTERN_MAXIMUM} characters are allowed", "Shorten it.")
    for name in _FIELD.findall(pattern):
        if name not in FIELD_BY_NAME:
            near = get_close_matches(name.lower(), FIELD_BY_NAME, n=1)
            hint = f"Did you mean {{{near[0]}}}?" if near else ""
            raise _refused(pattern, f"there is no field {{{name}}}, allowed are {ALLOWED_FIELDS}", hint)
    literal = _FIELD.sub("", pattern)
    if "{" in literal or "}" in literal:
        raise _refused(pattern, "a field begins with { and ends with }", f"Allowed are {ALLOWED_FIELDS}.")
    bad = next((sign for sign in literal if sign in _NOT_IN_NAMES or not _is_text(sign)), "")
    if bad:
        reason = f"{bad} cannot be in a name" if bad.isprintable() else "a sign that cannot be seen cannot be in a name"
        raise _refused(pattern, reason, "Use letters, digits, spaces, - _ . , and / for a folder.")
    _check_parts(pattern)


def _check_parts(pattern: str) -> None:
    if pattern.startswith("/"):
        raise _refused(pattern, "it begins within the output folder, not with /", f"Use {pattern.strip('/')}")
    *_, last = pattern.split("/")
    if not last.strip(" ."):
        hint = f"Use {pattern.strip('/ ')}/{{number}}"
        raise _refused(pattern, "behind the last / the picture's name is wanted", hint)
    for part in pattern.split("/"):
        if part.strip() in (".", ".."):
            raise _refused(pattern, f"{part.strip()} is no folder of its own", "Leave it out.")
        longest = len(_FIELD.sub("", part).encode()) + sum(FIELD_BY_NAME[name].longest for name in _FIELD.findall(part))
        if longest > NAME_MAXIMUM:
            reason = f"{part[:60]} can become {longest} characters long, at most {NAME_MAXIMUM} are allowed"
            raise _refused(pattern, reason, "Leave a field out, or put / between two.")


def _is_text(sign: str) -> bool:
    return sign.isprintable() and unicodedata.category(sign) != "Cs"


def _refused(pattern: str, reason: str, hint: str) -> InvalidRequest:
    shown = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in pattern[:80])
    return InvalidRequest(_SETTING, f"Name pattern = {shown!r}: {reason}.", hint)


def relative_name(pattern: str, named: Named) -> PurePath:
    """Return what a pattern that was checked calls a picture, folders before it, without an ending."""
    return _filled(pattern, lambda field: field.value(named), FIELD_BY_NAME["number"].value(named))


def example_name(pattern: str) -> PurePath:
    """Return what a pattern that was checked would call some picture."""
    return _filled(pattern, lambda field: field.example, FIELD_BY_NAME["number"].example)


def _filled(pattern: str, value: Callable[[NameField], str], otherwise: str) -> PurePath:
    parts = [
        _plain(_FIELD.sub(lambda found: value(FIELD_BY_NAME[found[1]]) or _EMPTY, part)) for part in pattern.split("/")
    ]
    return PurePath(*(part for part in parts[:-1] if part), parts[-1] or otherwise)


def _plain(part: str) -> str:
    """Return a name without its empty fields, and without what no name begins or ends with."""
    bare = _EMPTY_ONES.sub("", part).strip(" .")
    return f"_{bare}" if _DEVICES.match(bare) else bare
