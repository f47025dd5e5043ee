"""The parts a prompt can be built of, read from ``resources/catalog/prompt_builder.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from sdstudio.core.paths import resources


@dataclass(frozen=True, slots=True)
class PromptPart:
    """One part: subject, style, quality ..

    Attributes:
        key: Stable name.
        title: What the user reads.
        about: One sentence about it.
        choices: Words to choose from.
        many: Whether several can be chosen.
    """

    key: str
    title: str
    about: str
    choices: tuple[str, ...]
    many: bool = False


@cache
def prompt_parts() -> tuple[PromptPart, ...]:
    """Return all parts in the order in which a prompt names them."""
    text = (resources() / "catalog" / "prompt_builder.toml").read_text(encoding="utf-8")
    return tuple(PromptPart(**{**row, "choices": tuple(row["choices"])}) for row in tomllib.loads(text)["part"])


def built(choices: Mapping[str, Sequence[str]]) -> str:
    """Return the prompt that choices and own words make: by part key, joined in the parts' order."""
    words = (word.strip(" ,") for part in prompt_parts() for word in choices.get(part.key, ()))
    return ", ".join(dict.fromkeys(word for word in words if word))
