"""A history of any length, written fast: prompts whose words are as unevenly common as people's, one thumbnail for all.

The rows are written by the tables' own statements, without the pictures: what is measured never opens one. Word k is
used about 1/k as often as the first (Zipf), so that there are searches that find half of everything and nearly nothing.
"""

from __future__ import annotations

import itertools
import json
import os
import random
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from PIL import Image

from sdstudio.catalog.schedulers import SCHEDULERS
from sdstudio.core.paths import StudioPaths
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.database.rows import thumbnail_path
from sdstudio.history.database.schema import connect, transaction
from sdstudio.history.thumbnails import SIDE, write_thumbnail

COMMON: Final = (
    "a", "of", "the", "red", "blue", "green", "heart", "frog", "landscape", "portrait", "castle", "mountain", "river",
    "sunset", "detailed", "masterpiece", "cinematic", "lighting", "oil", "painting", "watercolor", "photo", "35mm",
    "bokeh", "forest", "girl", "man", "cat", "dog", "city", "street", "neon", "night", "rain", "snow", "desert",
    "ocean", "ship", "dragon", "knight", "armor",
)  # fmt: skip
_SYLLABLES: Final = (
    "ka", "mo", "ri", "ta", "lu", "ne", "so", "vi", "da", "pe", "gor", "an", "el", "is", "ur", "thal", "mer", "bo",
    "cen", "dra", "fi",
)  # fmt: skip
_RARE_WORDS: Final = 4000
_AT_ONCE: Final = 5000
_SIZES: Final = ((512, 512), (512, 768), (768, 512), (640, 640))
_BEGIN: Final = datetime(2020, 1, 1, tzinfo=UTC)


def fill(paths: StudioPaths, count: int, thumbnails: bool) -> None:
    """Write ``count`` entries into an empty data folder, with a thumbnail for each if asked for."""
    paths.create()
    chance = random.Random(1)
    with closing(connect(paths.database)) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA cache_size = -200000")
        rows = _rows(count, chance)
        while batch := list(itertools.islice(rows, _AT_ONCE)):
            with transaction(db):
                db.executemany(
                    "INSERT INTO entries (id, state, path, created, recipe, rating, favourite)"
                    " VALUES (?, 'done', ?, ?, ?, ?, ?)",
                    [row[:6] for row in batch],
                )
                db.executemany(
                    "INSERT INTO entries_text (rowid, prompt, negative_prompt, model_name)"
                    " VALUES (?, ? || char(10, 10), ? || char(10, 10), ? || char(10, 10))",
                    [(row[0], *row[6:]) for row in batch],
                )
        db.execute("PRAGMA wal_checkpoint (TRUNCATE)")
    if thumbnails:
        _link_thumbnails(paths, count, chance)


def _rows(count: int, chance: random.Random) -> Iterator[tuple[int, str, str, str, int, int, str, str, str]]:
    rare = ["".join(chance.choices(_SYLLABLES, k=chance.choice((2, 3, 3, 4)))) for _ in range(_RARE_WORDS)]
    words = [*COMMON, *rare]
    weights = list(itertools.accumulate(1 / (rank + 3) for rank in range(len(words))))
    template = Recipe(app="bench", request=GenerationRequest(seed=1), model_hash="a" * 64, duration_s=3.2).model_dump()
    models = [f"Model {letter}" for letter in "ABCDEFGHIJKL"]
    for number in range(1, count + 1):
        prompt = " ".join(chance.choices(words, cum_weights=weights, k=chance.randint(6, 22)))
        negative = "blurry, low quality, bad hands" if number % 3 else ""
        width, height = chance.choice(_SIZES)
        model = chance.choice(models)
        request = {
            **template["request"], "prompt": prompt, "negative_prompt": negative, "width": width, "height": height,
            "seed": chance.randrange(2**32), "scheduler": chance.choice(SCHEDULERS).key, "steps": chance.randint(8, 50),
        }  # fmt: skip
        recipe = json.dumps({**template, "request": request, "model_name": model})
        created = (_BEGIN + timedelta(minutes=number)).isoformat()
        path = f"images/{created[:10]}/{number:06d}-bench.png"
        rating, favourite = (number % 6 if number % 5 == 0 else 0), int(number % 50 == 0)
        yield number, path, created, recipe, rating, favourite, prompt, negative, model


def _link_thumbnails(paths: StudioPaths, count: int, chance: random.Random) -> None:
    """Give each entry a file of its own name; links, as the content does not matter and a disk has better to do."""
    kinds = []
    for number in range(64):
        file = paths.thumbnails / f"kind-{number}.jpg"
        noise = Image.frombytes("RGB", (16, 16), chance.randbytes(16 * 16 * 3))
        write_thumbnail(file, noise.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
        kinds.append(file)
    for number in range(1, count + 1):
        to = thumbnail_path(paths, number)
        if number % 1000 in (0, 1):
            to.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.link(kinds[number % 64], to)
