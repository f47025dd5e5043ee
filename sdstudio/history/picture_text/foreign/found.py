"""What a picture of another program records, in A1111's words, and how names of models and samplers become ours."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import PurePosixPath
from typing import Any, Final

from sdstudio.catalog.kinds import WEIGHT_MAXIMUM
from sdstudio.catalog.names import Sampling, from_a1111, to_a1111
from sdstudio.catalog.schedules import AUTOMATIC
from sdstudio.core.json_text import json_of
from sdstudio.core.request.advanced_fields import LEFT_OUT
from sdstudio.core.request.request import PROMPT_MAXIMUM
from sdstudio.history.picture_text.pnginfo import NOT_THE_SAME

_MODEL_ENDING: Final = re.compile(r"\.(safetensors|ckpt|pt|pth|bin|gguf)$", re.IGNORECASE)
_OLD_MODEL: Final = re.compile(r"^(.*?)\s*\[([0-9a-f]{8,10})\]$")
REPORTED_MAXIMUM: Final = 2_000
"""So long what is reported under one name may be before the rest is left out, in characters."""
_WHOLE: Final = re.compile(r"[+-]?\d{1,30}")
_PAIR: Final = re.compile(r"(\d+)\s*[,x×]\s*(\d+)")


COMPEL: Final = "Compel"
"""What the studio calls compel's way to write prompts."""

NameReader = Callable[[str, str], Sampling | None]
"""Reads a program's names of sampler and schedule: one of `catalog.names`."""


@dataclass
class Found:
    """What a picture records, in A1111's words.

    Attributes:
        program: Who made it: "InvokeAI 4.2.1".
        prompt: As the program had it.
        negative: The negative prompt.
        pairs: A1111's key, or the program's own where A1111 has none -> text.
        unmapped: What acted on the picture and has no key, for the list of what was not taken over: name -> text.
        tags: LoRA, as a prompt names them.
    """

    program: str
    prompt: str = ""
    negative: str = ""
    pairs: dict[str, str] = field(default_factory=dict)
    unmapped: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)

    def report(self, name: str, text: object) -> None:
        """Keep what cannot be taken over and is not empty; what is reported under one name stands side by side."""
        shown, before = short_text(text), self.unmapped.get(name, "")
        if shown and len(before) < REPORTED_MAXIMUM:
            self.unmapped[name] = f"{before}; {shown}" if before else shown

    def add(self, key: str, value: object) -> None:
        """Keep a value that is not empty."""
        text = short_text(value)
        if text:
            self.pairs[key] = text

    def add_all(self, values: Mapping[str, Any], names: Mapping[str, str]) -> None:
        """Keep every value, those in ``names`` under A1111's key; a name that becomes "" is left out."""
        for name, value in values.items():
            key = names.get(name, str(name))
            if key:
                self.add(key, value)

    def add_model(self, name: object, hash_: object = "") -> None:
        """Keep a model's name without folders and ending; old names carry their hash in brackets."""
        text, known = model_title(name) if isinstance(name, str) else "", hash_ if isinstance(hash_, str) else ""
        old = _OLD_MODEL.match(text)
        if old:
            text, known = old[1], known or old[2]
        self.add("Model", text)
        self.add("Model hash" if ":" not in known else "Model hash (other kind)", known)

    def add_size_in(self, text: object) -> None:
        """Keep the size that a text such as "(896, 1152)" or "512x768" holds."""
        size = _PAIR.search(str(text)[:40])
        if size:
            self.add_size(size[1], size[2])

    def add_size(self, width: object, height: object) -> None:
        """Keep the size when both are whole numbers, also those written as text; another one is reported."""
        wide, high = whole_in(width), whole_in(height)
        if wide and high and 0 < wide < 10**7 and 0 < high < 10**7:
            self.pairs["Size"] = f"{wide}x{high}"
        elif width is not None or height is not None:
            self.report("Size", f"{short_text(width)[:40]}x{short_text(height)[:40]}")

    def add_sampler(self, name: object, schedule: object = "", read: NameReader = from_a1111) -> None:
        """Keep sampler and noise schedule under A1111's names, or as they are where nobody knows them."""
        text, levels = text_of(name), text_of(schedule)
        if not text:
            return
        meant = read(text, levels)
        if meant is None:
            self.pairs["Sampler"] = text
            self.add("Schedule type", levels)
            return
        sampler, title = to_a1111(meant.scheduler, meant.schedule)
        self.pairs["Sampler"] = sampler if meant.same_sampler else text
        self.pairs["Schedule type"] = title if meant.same_schedule else levels
        if meant.last_level != AUTOMATIC:
            self.pairs["Discard penultimate sigma"] = str(meant.last_level == LEFT_OUT)
        if meant.near:
            self.pairs[NOT_THE_SAME] = meant.near

    def add_grammar(self, syntax: str, emphasis: str = "") -> None:
        """Report how weights are written in the prompt and what becomes of them, where that is not A1111's way."""
        self.pairs["Prompt syntax"] = syntax
        self.add("Emphasis", emphasis)

    @property
    def reads_compel(self) -> bool:
        """Whether the prompt is compel's."""
        return self.pairs.get("Prompt syntax") == COMPEL

    def add_lora(self, name: object, weight: object = 1.0, unet_weight: object = None) -> None:
        """Put a LoRA into the prompt, the one place where every program that reads A1111's text looks for it.

        Args:
            name: Its file, with or without folders and ending.
            weight: A number, or a text that is one; of the text encoders where the UNet has its own.
            unet_weight: On the UNet; ``None`` for the same.
        """
        title = model_title(name) if isinstance(name, str) else ""
        if not title:
            return
        weights = [number_in(value) for value in (weight, weight if unet_weight is None else unet_weight)]
        numbers = [f"{number:g}" for number in weights if number is not None and abs(number) <= WEIGHT_MAXIMUM]
        if len(numbers) < 2 or any(mark in title for mark in ":<>\n"):
            shown = [short_text(value)[:20] for value in (weight, unet_weight) if value is not None]
            self.report("LoRA", f"{title[:80]}, weight {' and '.join(shown)}")
        else:
            self.tags.append(f"<lora:{title}:{':'.join(dict.fromkeys(numbers))}>")

    def tagged_prompt(self) -> str:
        """Return the prompt with the LoRA behind it, and report those that it has no room for."""
        room = max(0, PROMPT_MAXIMUM - len(self.prompt))
        ends = accumulate(len(tag) + 1 for tag in self.tags)
        kept = [tag for tag, end in zip(self.tags, ends, strict=True) if end <= room]
        if len(kept) < len(self.tags):
            self.report("LoRA", f"{len(self.tags) - len(kept):,} more than the prompt has room for")
        return " ".join(part for part in (self.prompt, *kept) if part)


def short_text(value: object) -> str:
    """Return a value as a short text, "" when it is empty."""
    if value is None or value == "" or value == [] or value == {}:
        return ""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    if isinstance(value, str | int):
        text = str(value)
    else:
        try:
            text = json.dumps(value, ensure_ascii=False)
        except (TypeError, ValueError, RecursionError):
            return ""
    return text.strip()


def model_title(name: str) -> str:
    """Return a model's name without the folders and the ending of its file."""
    return _MODEL_ENDING.sub("", PurePosixPath(name.replace("\\", "/")).name)


def object_in(text: str) -> dict[str, Any]:
    """Return the JSON object that a text is, an empty one when it is none."""
    if not text.lstrip().startswith("{"):
        return {}
    try:
        value = json_of(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def text_of(value: object) -> str:
    """Return a text without blanks at its ends, "" for anything else."""
    return value.strip() if isinstance(value, str) else ""


def listed(value: object) -> list[Any]:
    """Return a list, also one written with commas."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value if isinstance(value, list) else []


def number_in(value: object) -> float | None:
    """Return a number, also one written as text; ``None`` for anything else, and for what is not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def whole_in(value: object) -> int | None:
    """Return a whole number, also one written as text or as ``20.0``; ``None`` for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(value)
    number = number_in(value)
    return int(number) if number is not None and number.is_integer() and abs(number) < 2**53 else None
