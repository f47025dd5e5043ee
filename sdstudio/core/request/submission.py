"""From what was written to what is drawn: styles set around the prompts, templates resolved, once for each picture.

A picture's recipe holds the words it was drawn from, so that it can be made again alone, and beside them, as `Written`,
what the user wrote.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from sdstudio.core.checks import check_bounds
from sdstudio.core.errors import InvalidRequest
from sdstudio.core.params import parameters
from sdstudio.core.prompts.dialects import dialect_of
from sdstudio.core.prompts.styles import Style, styled
from sdstudio.core.prompts.templates import Picker, combinations, is_template
from sdstudio.core.prompts.wildcards import Wildcards
from sdstudio.core.request.request import RANDOM_SEED_MAXIMUM, GenerationRequest, RunOptions, Written
from sdstudio.core.request.seed_fields import SEED_MAXIMUM, seed_list, with_further

LITTLE: Final = 0.15
"""Variation strength of pictures that are asked to be like another: the same subject, other details."""

LEAST: Final = 0.05
"""Variation strength below which pictures hardly differ any more."""

PICTURES_MAXIMUM: Final = 1000
"""Most pictures of one submission, as many as `RunOptions.count` allows."""


@dataclass(frozen=True, slots=True)
class Share:
    """The pictures of a submission that have the same words."""

    request: GenerationRequest
    seeds: tuple[int, ...]


def shares_of(
    request: GenerationRequest, options: RunOptions, styles: Sequence[Style], wildcards: Wildcards
) -> tuple[Share, ...]:
    """Return what to draw: one share for each text that the prompts become.

    Args:
        request: The prompts as they were written.
        options: How many pictures, and what a template stands for: a random pick for each picture, which depends on
            its seed alone (but what is chosen in turn, on its place), or every combination, each with all seeds.
        styles: In the order in which they are set around the prompt.
        wildcards: Where the words of wildcards come from.

    Raises:
        InvalidRequest: A template cannot be resolved, or stands for too many pictures.
    """
    request = request.with_base_seed()
    seeds = seeds_of_run(request, options)
    has_comments = dialect_of(request.prompt_syntax, request.compatibility).has_comments
    prompt, negative = styled(styles, request.prompt, request.negative_prompt, has_comments)
    is_open = options.wildcards != "off" and any(is_template(text, has_comments) for text in (prompt, negative))
    if not styles and not is_open:
        return (Share(request, seeds),)
    written = Written(request.prompt, request.negative_prompt, tuple(style.name for style in styles))
    texts: dict[tuple[str, str], list[int]] = {}
    if not is_open:
        texts[prompt, negative] = list(seeds)
    elif options.wildcards == "all":
        texts = {pair: list(seeds) for pair in _all(prompt, negative, wildcards, len(seeds), has_comments)}
    else:
        fields = ((prompt, "prompt"), (negative, "negative_prompt"))
        pickers = [Picker(text, wildcards, field, has_comments) for text, field in fields]
        for turn, seed in enumerate(seeds):
            random = Random(seed)
            pair = pickers[0].pick(random, turn), pickers[1].pick(random, turn)
            texts.setdefault(pair, []).append(seed)
    requests = _with_words(request, texts, written)
    return tuple(Share(one, tuple(group)) for one, group in zip(requests, texts.values(), strict=True))


def _all(prompt: str, negative: str, wildcards: Wildcards, each: int, has_comments: bool) -> list[tuple[str, str]]:
    most = PICTURES_MAXIMUM + 1
    prompts = combinations(prompt, wildcards, most, "prompt", has_comments)
    negatives = combinations(negative, wildcards, most, "negative_prompt", has_comments)
    count = len(prompts) * len(negatives) * each
    if count > PICTURES_MAXIMUM:
        more = "more than " if max(len(prompts), len(negatives)) > PICTURES_MAXIMUM else ""
        message = f"Prompt = {more}{min(count, 10**9):,} pictures in every combination: at most {PICTURES_MAXIMUM:,}."
        raise InvalidRequest("prompt", message, "Let each picture pick, or use fewer choices.")
    return [(one, other) for one in prompts for other in negatives]


def _with_words(
    request: GenerationRequest, pairs: Iterable[tuple[str, str]], written: Written
) -> Iterator[GenerationRequest]:
    """Yield the request with each pair of prompts; styles and wildcards may have made them too long."""
    rows = {row.name: row for row in parameters(GenerationRequest)}
    base = request.model_copy(update={"written": written})
    for prompt, negative_prompt in pairs:
        words = {"prompt": prompt, "negative_prompt": negative_prompt}
        for name, text in words.items():
            check_bounds(rows[name], text)
        yield base.model_copy(update=words)


def seeds_of_run(request: GenerationRequest, options: RunOptions) -> tuple[int, ...]:
    """Return the seeds of the pictures of one press of Generate: those it lists, else as `seeds_for`."""
    return seed_list(options.seeds) or seeds_for(request, options.count)


def seeds_for(request: GenerationRequest, count: int) -> tuple[int, ...]:
    """Return the seeds of ``count`` pictures: the request's `own_seed` and those after it, or random ones.

    Picture i has seed + i as in A1111; past 2^64-1 they start again at 0.
    """
    own = request.own_seed
    first = secrets.randbelow(RANDOM_SEED_MAXIMUM + 1) if own is None else own
    return tuple((first + i) % (SEED_MAXIMUM + 1) for i in range(count))


def varied_further(request: GenerationRequest) -> GenerationRequest:
    """Return the request of pictures that differ a little from the one that a recorded request makes.

    A variation becomes the last of the earlier ones, so that what comes of it begins from its own noise; each time the
    strength is two thirds of what it was, as who refines a picture wants it to change less and less.

    Raises:
        InvalidRequest: It is the variation of too many already.
    """
    strength, seed = request.variation_strength, request.variation_seed
    if not strength or seed is None:  # as another program may record it: no picture can be begun from
        return request.model_copy(update={"variation_strength": strength or LITTLE, "variation_seed": None})
    earlier = with_further(request.earlier_variations, seed, strength)
    further = max(LEAST, min(LITTLE, round(strength * 2 / 3, 2)))
    changed = {"earlier_variations": earlier, "variation_strength": further, "variation_seed": None}
    return request.model_copy(update=changed)
