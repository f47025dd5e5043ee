"""How the package dynamicprompts is asked: a template is read once and picked from as often as there are pictures.

Left to itself the package reads a line of a wildcard again each time it is drawn, a millisecond for one that has a
blank in it, and builds its samplers anew for each picture.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

from dynamicprompts.commands import Command
from dynamicprompts.enums import SamplingMethod
from dynamicprompts.parser.parse import parse
from dynamicprompts.sampling_context import SamplingContext
from dynamicprompts.sampling_result import SamplingResult
from dynamicprompts.wildcards import WildcardManager

_READ_KEPT: Final = 4096
"""Lines of wildcards, and templates, that are kept as they were read: a few hundred bytes each."""


class ReadTemplate:
    """A template as the package understood it.

    Args:
        text: The template, with what the package would take for its own put aside.
        names: All wildcards.
        values: Returns the lines of a wildcard; asked once for each that is met: a folder may hold thousands.

    Raises:
        ParseBaseException: It cannot be read.
    """

    def __init__(self, text: str, names: Iterable[str], values: Callable[[str], tuple[str, ...]]) -> None:
        files: dict[str, Any] = {name: _Lines(name, values) for name in names}
        manager = WildcardManager(root_map={"": [files]})
        self._command = _parsed(text)
        self._context = _Context(SamplingMethod.RANDOM, manager, rand=Random(0), unknown_variable_value="")

    def pick(self, random: Random) -> str:
        """Return one of the prompts."""
        context = replace(self._context, rand=random)
        return next(iter(context.sample_prompts(self._command, 1))).text

    def all(self) -> Iterator[str]:
        """Yield every prompt, some more than once."""
        context = self._context.with_sampling_method(SamplingMethod.COMBINATORIAL)
        return (result.text for result in context.sample_prompts(self._command))


class _Lines:
    """One wildcard, opened when it is asked for. The package's ``WildcardCollection``."""

    def __init__(self, name: str, values: Callable[[str], tuple[str, ...]]) -> None:
        self._name = name
        self._values = values

    def get_values(self) -> list[str]:
        """Return its lines."""
        return list(self._values(self._name))


@dataclass(frozen=True)
class _Context(SamplingContext):
    """The package's, but what was read once is not read again."""

    def sample_prompts(self, prompt: str | Command, num_prompts: int | None = None) -> Iterable[SamplingResult]:
        """See the package."""
        read = _parsed(prompt) if prompt and isinstance(prompt, str) else prompt
        return super().sample_prompts(read, num_prompts)


@functools.lru_cache(maxsize=_READ_KEPT)
def _parsed(text: str) -> Command:
    return parse(text)
