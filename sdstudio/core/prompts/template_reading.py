"""How the package dynamicprompts is asked: a template is read once and picked from as often as there are pictures.

Left to itself the package reads a line of a wildcard again each time it is drawn, a millisecond for one that has a
blank in it, and builds its samplers anew for each picture. What is chosen in turn (``{@a|b|c}``) it knows from pictures
drawn before by the same generator; here each picture passes its turn, so that it depends on nothing else.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

from dynamicprompts.commands import Command, VariantCommand, WildcardCommand
from dynamicprompts.enums import SamplingMethod
from dynamicprompts.parser.parse import parse
from dynamicprompts.samplers import CombinatorialSampler, RandomSampler, Sampler
from dynamicprompts.samplers.utils import get_wildcard_not_found_fallback, wildcard_to_variant
from dynamicprompts.sampling_context import SamplingContext
from dynamicprompts.sampling_result import SamplingResult
from dynamicprompts.types import ResultGen
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
        self._command = parsed(text)
        samplers: dict[SamplingMethod, Sampler] = {
            SamplingMethod.RANDOM: RandomSampler(),
            SamplingMethod.COMBINATORIAL: CombinatorialSampler(),
            SamplingMethod.CYCLICAL: _InTurn(),
        }
        self._context = _Context(SamplingMethod.RANDOM, manager, samplers, rand=Random(0), unknown_variable_value="")

    def pick(self, random: Random, turn: int) -> str:
        """Return one of the prompts, of what is chosen in turn the one of this turn."""
        context = replace(self._context, rand=random, turn=turn)
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
    """The package's, but what was read once is not read again.

    Attributes:
        turn: How often the choices of this place have been made before.
    """

    turn: int = 0

    def sample_prompts(self, prompt: str | Command, num_prompts: int | None = None) -> Iterable[SamplingResult]:
        """See the package."""
        read = parsed(prompt) if prompt and isinstance(prompt, str) else prompt
        return super().sample_prompts(read, num_prompts)


class _InTurn(Sampler):
    """Chooses in the order in which the package's ``CyclicalSampler`` does, from the context's turn on.

    Each time round, what lies within goes on by one.
    """

    def _get_variant(self, command: VariantCommand, context: SamplingContext) -> ResultGen:
        assert isinstance(context, _Context)
        if len(command.values) == 1 and isinstance(command.values[0], WildcardCommand):
            command = wildcard_to_variant(
                command.values[0], context=context,
                min_bound=command.min_bound, max_bound=command.max_bound, separator=command.separator,
            )  # fmt: skip
        command = command.adjust_range()
        for turn in itertools.count(context.turn):
            bounds = range(command.min_bound, command.max_bound + 1)
            combinations = (chosen for bound in bounds for chosen in command.get_value_combinations(bound))
            chosen, rounds = _at_turn(combinations, turn)
            within = replace(context, turn=rounds)
            parts = [next(iter(within.generator_from_command(each))) for each in chosen]
            yield SamplingResult.joined(parts, separator=command.separator)

    def _get_wildcard(self, command: WildcardCommand, context: SamplingContext) -> ResultGen:
        assert isinstance(context, _Context)
        name = next(iter(context.sample_prompts(command.wildcard, 1))).text
        within = replace(context, variables=context.variables | command.variables)
        lines = list(context.wildcard_manager.get_values(name).iterate_string_values_weighted())
        if not lines:
            yield from get_wildcard_not_found_fallback(command, within)
        for turn in itertools.count(context.turn):
            rounds, place = divmod(turn, len(lines))
            yield next(iter(replace(within, turn=rounds).sample_prompts(lines[place], 1)))


def _at_turn(choices: Iterator[list[Command]], turn: int) -> tuple[list[Command], int]:
    """Return which choice it is at a turn, where they begin again at their end, and how often they have."""
    first = list(itertools.islice(choices, turn + 1))
    if not first:
        return [], turn
    return first[turn % len(first)], turn // len(first) if len(first) <= turn else 0


@functools.lru_cache(maxsize=_READ_KEPT)
def parsed(text: str) -> Command:
    """Return a template, read once for as long as it is among the last used."""
    return parse(text)
