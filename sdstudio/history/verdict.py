"""Whether a picture that was made again is the same one, and if not, what was different when it was made.

The pixels decide; the recipes, which hold all that the pixels are known to depend on, name the causes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from sdstudio.core.errors import HistoryError
from sdstudio.core.request import Recipe

NEAR_MEAN: Final = 1.0
"""Mean difference in grey levels up to which two pictures are near.

Measured on the built-in model: another batch, attention slicing or memory layout shift single pixels by 1 (mean below
0.001), bfloat16 shifts most by up to 6 (mean 0.4); one word more makes 1.6, half a unit of guidance 2.1, another seed
8.3.
"""
AMPLIFIED: Final = 8
"""How many times a difference is made visible: single grey levels cannot be seen."""


class Outcome(Enum):
    """How alike two pictures are."""

    IDENTICAL = "identical"
    NEAR = "near"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that was not the same: what, then and now."""

    what: str
    recorded: str
    now: str

    def __str__(self) -> str:
        return f"{self.what}: {self.recorded} then, {self.now} now"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of making a picture again.

    Attributes:
        outcome: Identical, near or different.
        largest: The largest difference of a pixel, 0 to 255.
        mean: The mean difference, in grey levels.
        share: The part of the pixels that differ, 0 to 1.
        causes: What was not the same, the likeliest first; also for identical pictures.
        again: The picture made now.
        difference: The difference of each pixel, `AMPLIFIED`; ``None`` for identical pictures or other sizes.
    """

    outcome: Outcome
    largest: int
    mean: float
    share: float
    causes: tuple[Cause, ...]
    again: Image.Image
    difference: Image.Image | None = None

    def __str__(self) -> str:
        if self.outcome is Outcome.IDENTICAL:
            return "Identical: every pixel is the same."
        said = f"{self.outcome.value.capitalize()}: {self.share:.1%} of the pixels differ, by {self.largest} at most."
        if not self.causes:
            return f"{said} Nothing that is recorded differs: another processor or driver, or the file was edited."
        return f"{said} {self.causes[0]}."


def judged(file: Path, recorded: Recipe, again: Image.Image, now: Recipe) -> Verdict:
    """Compare a picture's file with the one made again.

    Raises:
        HistoryError: The file is gone or cannot be read.
    """
    try:
        with Image.open(file) as opened:
            before = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        said = f"Picture = {file}: it is gone or cannot be read."
        raise HistoryError(said, "Bring it back from the trash, or remove it.") from error
    causes = tuple(causes_of(recorded, now))
    again = again.convert("RGB")
    if before.size != again.size:
        return Verdict(Outcome.DIFFERENT, 255, 255.0, 1.0, causes, again)
    gap = np.abs(np.asarray(before, np.int16) - np.asarray(again, np.int16))
    largest, mean, share = int(gap.max()), float(gap.mean()), float((gap.max(axis=2) > 0).mean())
    if not largest:
        return Verdict(Outcome.IDENTICAL, 0, 0.0, 0.0, causes, again)
    outcome = Outcome.NEAR if mean <= NEAR_MEAN else Outcome.DIFFERENT
    seen = Image.fromarray(np.minimum(gap * AMPLIFIED, 255).astype(np.uint8))
    return Verdict(outcome, largest, mean, share, causes, again, seen)


def causes_of(recorded: Recipe, now: Recipe) -> Iterator[Cause]:
    """Yield what two recipes of one request say differently; what one of them does not say is no cause."""
    for what, read in FACTS:
        before, after = read(recorded), read(now)
        if before is None or after is None or before == after:
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
            before, after = (_named(side, names) for side in (before, after))
        yield Cause(what, str(before), str(after))


_Fact = str | Mapping[str, Any] | None
"""What a recipe says: a word, or several things by name; ``None`` when it says nothing."""


def _made(name: str) -> Callable[[Recipe], _Fact]:
    def read(recipe: Recipe) -> _Fact:
        value = recipe.made_with.get(name)
        return None if value is None else str(value)

    return read


def _version(library: str) -> Callable[[Recipe], _Fact]:
    def read(recipe: Recipe) -> _Fact:
        versions = recipe.made_with.get("versions")
        return str(versions[library]) if isinstance(versions, Mapping) and library in versions else None

    return read


def _mapping(name: str) -> Callable[[Recipe], _Fact]:
    def read(recipe: Recipe) -> _Fact:
        value = recipe.made_with.get(name)
        return value if isinstance(value, Mapping) else None

    return read


def _weights(recipe: Recipe) -> _Fact:
    """Return how the model's weights were read; version 0.1 left scales out and did not say so."""
    said = recipe.made_with.get("weights")
    if said is None and recipe.app.startswith("sdstudio 0.1"):
        return "fp8 without its scales"
    return None if said is None else str(said)


def _batch(recipe: Recipe) -> _Fact:
    size = recipe.made_with.get("batch_size")
    return f"{size} at once" if isinstance(size, int) else None


def _adapters(recipe: Recipe) -> _Fact:
    rows = recipe.made_with.get("adapters")
    if not isinstance(rows, list):
        return None
    return {str(row.get("name")): row.get("hash") for row in rows if isinstance(row, Mapping)}


def _scheduler(recipe: Recipe) -> _Fact:
    scheduler = recipe.made_with.get("scheduler")
    if not isinstance(scheduler, Mapping):
        return None
    config = scheduler.get("config")
    return {"class": scheduler.get("class"), **(config if isinstance(config, Mapping) else {})}


def _named(side: Mapping[str, Any], names: Sequence[str]) -> str:
    return ", ".join(f"{name} {_short(side.get(name))}" for name in names)


def _short(value: Any) -> str:
    return "not set" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


# The likeliest cause first.
FACTS: Final[tuple[tuple[str, Callable[[Recipe], _Fact]], ...]] = (
    ("Model file", lambda recipe: recipe.model_hash or None),
    ("Weights", _weights),
    ("LoRA, embeddings, VAE, upscaler", _adapters),
    ("Sampler's configuration", _scheduler),
    ("Timesteps", _made("timesteps")),
    ("Noise", _made("rng")),
    ("Device", _made("device")),
    ("Number format", _made("dtype")),
    ("Attention", _made("attention")),
    ("Memory switches", _mapping("memory")),
    ("Batch", _batch),
    ("Decoded again in float32", _made("vae_retry")),
    ("torch", _version("torch")),
    ("diffusers", _version("diffusers")),
    ("transformers", _version("transformers")),
    ("Processor", _made("processor")),
    ("Threads", _made("threads")),
    ("Studio", lambda recipe: recipe.app or None),
)
