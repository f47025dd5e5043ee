"""Whether a picture that was made again is the same one, and if not, what was different when it was made.

The pixels decide; the recipes, which hold all that the pixels are known to depend on, name the causes. A picture of
another program holds more: what the studio could not take over, and what the picture does not record it.
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
from sdstudio.core.params import parameters
from sdstudio.core.request.recipe import DETAIL, Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.picture_text.foreign.origin import origin_of

NEAR_MEAN: Final = 1.0
"""Mean difference in grey levels up to which two pictures are near.

Measured on the built-in model: another batch, attention slicing or memory layout shift single pixels by 1 (mean below
0.001), bfloat16 shifts most by up to 6 (mean 0.4); one word more makes 1.6, half a unit of guidance 2.1, another seed
8.3.
"""
NOT_DRAWN: Final = "not used"
NOT_TOLD: Final = "not recorded"
_CHANGES_NO_PIXEL: Final = frozenset({
    "version", "user", "template", "negative template", "raw prompt", "raw negative prompt", "hashes",
    "civitai resources", "civitai metadata", "created date", "date", "generation_time", "batch size", "batch pos",
    "batch", "index", "app", "backend", "operations", "options", "comment", "signed_hash", "swarm_version", "images",
    "model sha256", "vae sha256", "model hash (other kind)", "metadata_scheme", "created_by", "time", "job_id",
    "adetailer version",
})  # fmt: skip
"""What pictures of other programs record beside what they were drawn with, in lower case; all else may be a cause."""
_SAYS_NOTHING: Final = frozenset({"", "none", "false"})
AMPLIFIED: Final = 8
"""How many times a difference is made visible: single grey levels cannot be seen."""
_LOSSY: Final = frozenset({"JPEG", "MPO"})
"""Formats of Pillow's that do not keep the pixels that were drawn."""


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


_KEPT_AS_JPEG: Final = Cause("File format", "JPEG (it changes pixels)", "exact pixels")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of making a picture again.

    Attributes:
        outcome: Identical, near or different.
        largest: The largest difference of a pixel, 0 to 255.
        mean: The mean difference, in grey levels.
        share: The part of the pixels that differ, 0 to 1.
        causes: What was not the same, the likeliest first; also for identical pictures, but for what another program
            drew with and the studio does not: it made no difference.
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
        text = f"{self.outcome.value.capitalize()}: {self.share:.1%} of the pixels differ, by {self.largest} at most."
        if not self.causes:
            return f"{text} Nothing that is recorded differs: another processor or driver, or the file was edited."
        return f"{text} {self.causes[0]}."


def judged(file: Path, recorded: Recipe, again: Image.Image, now: Recipe) -> Verdict:
    """Compare a picture's file with the one made again.

    Raises:
        HistoryError: The file is gone or cannot be read.
    """
    try:
        with Image.open(file) as opened:
            lossy = opened.format in _LOSSY
            mode = "RGBA" if opened.has_transparency_data or again.mode == "RGBA" else "RGB"
            before = opened.convert(mode)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        message = f"Picture = {file}: it is gone or cannot be read."
        raise HistoryError(message, "Bring it back from the trash, or remove it.") from error
    again = again.convert(mode)
    causes = tuple(causes_of(recorded, now))
    kept = (_KEPT_AS_JPEG,) if lossy else ()
    all_causes = (*causes[: _leading(causes)], *kept, *not_drawn(recorded, now), *causes[_leading(causes) :])
    if before.size != again.size:
        return Verdict(Outcome.DIFFERENT, 255, 255.0, 1.0, all_causes, again)
    gap = np.abs(np.asarray(before, np.int16) - np.asarray(again, np.int16))
    largest, mean, share = int(gap.max()), float(gap.mean()), float((gap.max(axis=2) > 0).mean())
    if not largest:
        return Verdict(Outcome.IDENTICAL, 0, 0.0, 0.0, causes, again)
    outcome = Outcome.NEAR if mean <= NEAR_MEAN else Outcome.DIFFERENT
    seen = Image.fromarray(np.minimum(gap[..., :3] * AMPLIFIED, 255).astype(np.uint8))
    return Verdict(outcome, largest, mean, share, all_causes, again, seen)


def _leading(causes: Sequence[Cause]) -> int:
    """Return how many causes are likelier than all else: another model file draws another picture."""
    return int(bool(causes) and causes[0].what == FACTS[0][0])


def not_drawn(recorded: Recipe, now: Recipe) -> Iterator[Cause]:
    """Yield what one of two pictures was drawn with by another program, and the other was not.

    First what that program records and the studio has no field for or not that value, then what it does not record.
    """
    before, after = _left_over(recorded), _left_over(now)
    for name in {**before, **after}:
        if before.get(name) != after.get(name):
            yield Cause(name, before.get(name, NOT_DRAWN), after.get(name, NOT_DRAWN))
    untold, untold_now = _untold(recorded), _untold(now)
    for row in parameters(GenerationRequest):
        if (row.title in untold) != (row.title in untold_now):
            values = [
                NOT_TOLD if row.title in titles else _short(getattr(recipe.request, row.name))
                for titles, recipe in ((untold, recorded), (untold_now, now))
            ]
            yield Cause(row.title, *values)


def _left_over(recipe: Recipe) -> dict[str, str]:
    origin = origin_of(recipe)
    left = origin.not_mapped if origin is not None else {}
    return {
        name: text
        for name, text in left.items()
        if name.casefold() not in _CHANGES_NO_PIXEL and text.strip().casefold() not in _SAYS_NOTHING
    }


def _untold(recipe: Recipe) -> tuple[str, ...]:
    origin = origin_of(recipe)
    return origin.assumed if origin is not None else ()


def causes_of(recorded: Recipe, now: Recipe) -> Iterator[Cause]:
    """Yield what two recipes of one request record differently; what one of them does not record is no cause."""
    for what, read in FACTS:
        before, after = read(recorded), read(now)
        if before is None or after is None or before == after:
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
            before, after = (_named(side, names) for side in (before, after))
        yield Cause(what, str(before), str(after))


_Fact = str | Mapping[str, Any] | None
"""What a recipe records: a word, or several things by name; ``None`` when it records nothing."""


_OLD_DIGITS: Final = 8
"""A1111's hash of before 2023: of a part of the file, and to be compared with no other."""
_HASH_DIGITS: Final = 10


def _model_hash(recipe: Recipe) -> _Fact:
    known = recipe.model_hash.casefold()
    return None if len(known) in (0, _OLD_DIGITS) else known[:_HASH_DIGITS]


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
    """Return how the model's weights were read; version 0.1 left scales out and did not record it."""
    weights = recipe.made_with.get("weights")
    if weights is None and recipe.app.startswith("sdstudio 0.1"):
        return "fp8 without its scales"
    return None if weights is None else str(weights)


def _batch(recipe: Recipe) -> _Fact:
    size = recipe.made_with.get("batch_size")
    return f"{size} at once" if isinstance(size, int) else None


def _adapters(recipe: Recipe) -> _Fact:
    rows = recipe.made_with.get("adapters")
    if not isinstance(rows, list):
        return None
    return {str(row.get("name")): row.get("hash") for row in rows if isinstance(row, Mapping)}


def _regions(recipe: Recipe) -> _Fact:
    detail = recipe.made_with.get(DETAIL)
    rows = detail.get("regions") if isinstance(detail, Mapping) else None
    boxes = [row.get("box") for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else None
    return None if boxes is None else "; ".join(map(str, boxes)) or "none found"


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
    ("Model file", _model_hash),
    ("Weights", _weights),
    ("LoRA, embeddings, VAE, upscaler, detector", _adapters),
    ("Regions", _regions),
    ("Sampler's configuration", _scheduler),
    ("Timesteps", _made("timesteps")),
    ("Noise", _made("rng")),
    ("Clip skip of the negative prompt", _made("negative_clip_skip")),
    ("Device", _made("device")),
    ("Computed by", _made("computed_by")),
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
