"""How A1111's text is parted: prompt, negative prompt, and its keys with their texts, as each of its writers spells it.

A1111 and Forge put the keys on a last line that begins with ``Steps:``; the prompts stand above it, whatever they hold.
Around that line others have written: sd-dynamic-prompts its templates and A1111 of 2022 its embeddings and warnings
behind it; a public model site, and tools that show EXIF, everything on one line, with a dot or nothing where a line
ended. Savers of ComfyUI and SD.Next spell the keys in other cases.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from sdstudio.catalog.names import from_a1111
from sdstudio.catalog.schedulers import SCHEDULER_BY_KEY
from sdstudio.catalog.schedules import AUTOMATIC
from sdstudio.core.json_text import json_of
from sdstudio.core.pictures.opening import shown

NEGATIVE: Final = "Negative prompt:"
LINE_MAXIMUM: Final = 200_000
"""Longest line of parameters that is read, in characters: looking for keys in a line of words takes a while."""
FURTHER_LINES: Final = "Further lines"
"""Key of what stands behind the parameters and is none of the known additions."""

# A1111's own expression, but keys are at most 80 characters (without a bound a long hostile line takes quadratic time),
# and a value in brackets ends with them: before it quoted, A1111 wrote "(512, 100, 200)" as it was.
_PARAMETER = re.compile(
    r"""(\w[\w\ \-/]{1,80}):\s*
    ("(?:\\.|[^\\"])+" | \([^()]*\)(?=\s*(?:,|$)) | \[[^\[\]]*\](?=\s*(?:,|$)) | [^,]*)(?:,|$)""",
    re.VERBOSE,
)
_PAIRS_LEAST: Final = 3
"""Fewest keys of a line of parameters; A1111's number."""
_JSON_EXTRA = re.compile(r"(?:^|,)\s*(Hashes|Civitai resources|Civitai metadata):\s*(?=[\[{])")
_STEPS = re.compile(r"\s*Steps:\s*\d")
_STEPS_INSIDE = re.compile(r"Steps:\s*\d{1,9}\s*,\s*(?:Sampler|Schedule|CFG|Seed|Size|Model|Clip)", re.IGNORECASE)
_FIRST_KEY = re.compile(r"\s*(\w[\w \-/]{1,80}):")
# To the end of the line, past the line ends in a value that is quoted.
_LINE = re.compile(r'(?:(?<=: )"(?:\\.|[^"\\])*"(?=\s*(?:,|\n|\Z))|[^\n])*+')
_EXIF_TOOL = re.compile(r"(?:Parameters|User Comment)\s{2,}:\s?", re.IGNORECASE)
_BYTE_ORDER_MARKS: Final = ("\ufeff", "\ufffe", "ï»¿")
_BEHIND: Final = ("Negative Template:", "Template:", "Used embeddings:")
"""Lines that stand behind the parameters under a name of their own; what follows belongs to them."""

_KEYS: Final = (
    "Steps", "Sampler", "Schedule type", "CFG scale", "Seed", "Size", "Model", "Model hash", "Clip skip", "VAE",
    "VAE hash", "Denoising strength", "RNG", "Version", "Emphasis", "Eta", "Width", "Height",
)  # fmt: skip
"""Keys that are known in any case of their letters."""
_OTHER_NAMES: Final = {
    "scheduler": "Schedule type", "sampler sigma": "Schedule type", "cfg": "CFG scale", "guidance scale": "CFG scale",
    "denoise": "Denoising strength",
}  # fmt: skip
"""Other programs' names of keys, in lower case: Fooocus, SD.Next, savers of ComfyUI."""
_KEY_BY_NAME: Final = {key.casefold(): key for key in _KEYS} | _OTHER_NAMES
_VERSION: Final = re.compile(r"(?:^|v)(\d{1,3})\.(\d{1,3})")
_NAMED_SCHEDULES: Final = (1, 9)
"""The first version of A1111 that names the schedule apart; before, a sampler's plain name meant even levels."""
_PLAIN: Final = ("", "uniform", "lcm_uniform")
"""What "Automatic" means for a sampler whose plain name means the same."""


def parse_pairs(text: str) -> tuple[str, str, dict[str, str]]:
    """Part A1111 text of any version into prompt, negative prompt and its keys with their texts."""
    text = _plain(text)
    if _is_json(text):  # of SwarmUI or Fooocus under the same key
        return "", "", {}
    begin, is_inside = _begin(text)
    if begin is None:
        return *_prompts(text), {}
    end = begin + len(_LINE.match(text, begin)[0])  # type: ignore[index]
    line, extras = _without_json(text[begin:end])
    found = {match[1].strip(): _unquoted(match[2].strip()) for match in _PARAMETER.finditer(line)}
    pairs = {**_behind(text[end:]), **extras, **found}
    pairs = {key: value for key, value in pairs.items() if value}
    before = text[:begin]
    return *(_prompts_of_one_line(before) if is_inside else _prompts(before)), _as_a1111_spells(pairs)


def _plain(text: str) -> str:
    for mark in _BYTE_ORDER_MARKS:
        text = text.removeprefix(mark)
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip("\0").strip()
    return _EXIF_TOOL.sub("", text, count=1) if _EXIF_TOOL.match(text) else text


def _is_json(text: str) -> bool:
    if not text.startswith("{"):
        return False
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
    except RecursionError:  # no prompt is nested like that
        return True


def _begin(text: str) -> tuple[int | None, bool]:
    """Return where the parameters begin, ``None`` for nowhere, and whether that is inside a line."""
    lines = list(_lines(text))
    for at, line in reversed(lines):
        if _STEPS.match(line) and _has_pairs(line):
            return at, False
    for at, line in reversed(lines):
        if _begins_with_a_key(line) and _has_pairs(line) and len(_known_keys(line)) > 1:
            return at, False
    for at, line in reversed(lines):
        inside = [match.start() for match in _STEPS_INSIDE.finditer(line)]
        if inside and _has_pairs(line[inside[-1] :]):
            return at + inside[-1], True
    return None, False


def _lines(text: str) -> Iterator[tuple[int, str]]:
    at = 0
    for line in text.split("\n"):
        if len(line) <= LINE_MAXIMUM:
            yield at, line
        at += len(line) + 1


def _has_pairs(line: str) -> bool:
    return len(list(islice(_PARAMETER.finditer(line), _PAIRS_LEAST))) == _PAIRS_LEAST


def _begins_with_a_key(line: str) -> bool:
    first = _FIRST_KEY.match(line)
    return first is not None and first[1] in _KEYS


def _known_keys(line: str) -> set[str]:
    return {match[1].strip() for match in _PARAMETER.finditer(line)}.intersection(_KEYS)


def _prompts(text: str) -> tuple[str, str]:
    prompt: list[str] = []
    negative: list[str] = []
    current = prompt
    for line in text.split("\n"):
        line = line.strip()
        if line.startswith(NEGATIVE):
            current, line = negative, line.removeprefix(NEGATIVE).strip()
        current.append(line)
    return "\n".join(prompt).strip(), "\n".join(negative).strip()


def _prompts_of_one_line(text: str) -> tuple[str, str]:
    """Part prompts whose line ends became dots, blanks or nothing."""
    prompt, mark, negative = text.rpartition(NEGATIVE)
    return (_ended(prompt), _ended(negative)) if mark else (_ended(negative), "")


def _ended(text: str) -> str:
    """Return words without what stands for the end of their line."""
    return text.strip() if text[-1:].isspace() else text.removesuffix(".").strip()


def _behind(text: str) -> dict[str, str]:
    """Return what stands behind the parameters: templates, embeddings, and anything else under one key."""
    found: dict[str, list[str]] = {}
    key = FURTHER_LINES
    for line in text.split("\n"):
        begun = next((name for name in _BEHIND if line.startswith(name)), None)
        if begun is not None:
            key, line = begun.removesuffix(":"), line.removeprefix(begun)
        found.setdefault(key, []).append(line.strip())
    return {key: "\n".join(lines).strip() for key, lines in found.items()}


def _without_json(line: str) -> tuple[str, dict[str, str]]:
    """Cut Civitai's unquoted JSON, whose commas and colons are none of A1111's, out of the parameter line."""
    extras: dict[str, str] = {}
    decoder = json.JSONDecoder()
    while match := _JSON_EXTRA.search(line):
        try:
            _, end = decoder.raw_decode(line, match.end())
        except (ValueError, RecursionError):
            break
        extras[match[1]] = line[match.end() : end]
        line = line[: match.start()] + line[end:]
    return line, extras


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        try:
            return shown(str(json.loads(value, strict=False)))
        except ValueError:
            return value
    return value


def _as_a1111_spells(pairs: dict[str, str]) -> dict[str, str]:
    """Return pairs under A1111's keys, with the model that Civitai lists, and with the schedule named apart."""
    if "Sampler" not in pairs and from_a1111(pairs.get("Scheduler", "")) is not None:  # as diffusers calls it
        pairs["Sampler"] = pairs.pop("Scheduler")
    for key in list(pairs):
        known = _KEY_BY_NAME.get(key.casefold())
        if known is not None and known not in pairs and key[0].isupper():
            pairs[known] = pairs.pop(key)
    if "Size" not in pairs and {"Width", "Height"} <= pairs.keys():
        pairs["Size"] = f"{pairs.pop('Width')}x{pairs.pop('Height')}"
    _add_what_civitai_lists(pairs)
    if "Schedule type" not in pairs and _named_none(pairs.get("Version", "")):
        sampling = from_a1111(pairs.get("Sampler", ""))
        if sampling and sampling.schedule == AUTOMATIC and SCHEDULER_BY_KEY[sampling.scheduler].automatic not in _PLAIN:
            pairs["Schedule type"] = "Uniform"
    return pairs


def _named_none(version: str) -> bool:
    """Return whether a version that names no schedule means even levels: all but the studio and A1111 since 1.9."""
    return not version.startswith("sdstudio") and a1111_version(version) < _NAMED_SCHEDULES


def a1111_version(version: str) -> tuple[int, int]:
    """Return which A1111 a text's ``Version`` is, or that of Forge began from; zeros for any other program's."""
    numbers = _VERSION.findall(version)  # of Forge the last: f0.0.17v1.8.0
    is_a1111 = version[:1] in ("v", "f") or version[:1].isdigit()
    return (int(numbers[-1][0]), int(numbers[-1][1])) if numbers and is_a1111 else (0, 0)


def _add_what_civitai_lists(pairs: dict[str, str]) -> None:
    """Add the model that Civitai lists where none is named, and in words what else it lists."""
    others = []
    for item in _listed(pairs.get("Civitai resources", "")):
        kind, name = str(item.get("type", "")), str(item.get("modelName") or item.get("modelVersionId") or "")
        if not name:
            continue
        if kind.casefold() == "checkpoint":
            pairs.setdefault("Model", name)
        else:
            weight = item.get("weight")
            others.append(f"{kind} {name}".strip() + (f" ({weight})" if isinstance(weight, int | float) else ""))
    if others:
        pairs["Listed by Civitai"] = ", ".join(others)


def _listed(text: str) -> list[Mapping[str, Any]]:
    try:
        items = json_of(text) if text else []
    except ValueError:
        return []
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
