"""Which picture that no row names is the one that a row has lost: renamed, moved or saved anew by another program.

The recipe inside decides, and its name or number where several rows have the same one. Where the file records less than
the row knows (another program has saved it, or this one reads more of it than it once did), the row's thumbnail
decides.
"""

from __future__ import annotations

import io
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageChops, ImageStat

from sdstudio.core.errors import PictureUnreadable
from sdstudio.core.paths import StudioPaths
from sdstudio.core.pictures.opening import UNREADABLE, opened_picture
from sdstudio.core.request.recipe import IMPORTED, Recipe
from sdstudio.history.database.rows import stored_path, stored_recipe, thumbnail_path
from sdstudio.history.database.schema import Database
from sdstudio.history.names import number_of
from sdstudio.history.thumbnails import thumbnail_bytes

ALIKE: Final = 8.0
"""Mean difference of two thumbnails, in grey levels, up to which pictures of one prompt and seed are the same.
Measured: the same pixels 0; saved as JPEG of quality 75, 0.3 to 1.1 at full size, up to 6.3 at 128 pixels a side."""
SAME: Final = 2.0
"""The same where nothing is known but the pixels: the nearest two of eight hearts of the built-in model are 3.4 apart,
those of 80 round faces 4.4, and pictures of noise 39 and more."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """A picture that may be that of a row without a file.

    Attributes:
        id: The row's.
        lost: Where the row's file was.
        file: The picture.
        same_recipe: Whether it records exactly what the row knows.
    """

    id: int
    lost: Path
    file: Path
    same_recipe: bool


def moved_pictures(database: Database, paths: StudioPaths, recipes: Mapping[Path, Recipe]) -> dict[int, Path]:
    """Return which rows without a file these pictures belong to: id of the row -> picture.

    A picture is looked for among the rows of its seed and prompt, those that were taken out of the list with their file
    among them. A row gets one picture and a picture one row. A copy of a picture that
    is in its place, and one whose own record shows that it is another, are nobody's.

    Args:
        database: The history's.
        paths: The data folder.
        recipes: The pictures that no row names, and what they record.

    Raises:
        HistoryError: The database cannot be read.
    """
    pairs = [pair for file, recipe in recipes.items() for pair in _pairs(database, paths, file, recipe)]
    return _settled(pairs, paths)


def pictures_like(ids: Sequence[int], paths: StudioPaths, files: Sequence[Path]) -> dict[int, Path]:
    """Return which of these rows each of these pictures, which record nothing, looks like: id of the row -> picture.

    One that looks like two rows, or of which there are two, belongs to none: that would be a guess.
    """
    alike: list[tuple[int, Path]] = []
    for file in files if ids else ():
        small = _small(file)
        found = [entry_id for entry_id in ids if _difference(small, paths, entry_id) <= SAME]
        alike += [(found[0], file)] if len(found) == 1 else []
    claims = Counter(entry_id for entry_id, _ in alike)
    return {entry_id: file for entry_id, file in alike if claims[entry_id] == 1}


def reunite(database: Database, paths: StudioPaths, moved: Mapping[int, Path]) -> None:
    """Record in the rows where their pictures are now, and list them. Raises: HistoryError."""
    with database.transaction() as db:
        db.executemany(
            "UPDATE entries SET path = ?, deleted_at = NULL, trashed_to = NULL WHERE id = ?",
            [(stored_path(paths, file), entry_id) for entry_id, file in moved.items()],
        )


def _pairs(database: Database, paths: StudioPaths, file: Path, recipe: Recipe) -> Iterator[_Pair]:
    seed = recipe.request.seed
    rows = database.read(
        "SELECT id, path, recipe, trashed_to FROM entries WHERE state = 'done' AND request_seed IS ?"
        " AND json_extract(recipe, '$.request.prompt') = ?",
        (None if seed is None else str(seed), recipe.request.prompt.partition("\0")[0]),
    )
    lost, is_copy = list[_Pair](), False
    for row in rows:
        trashed_to = row["trashed_to"] and Path(os.fsdecode(row["trashed_to"]))
        known = stored_recipe(row["recipe"])
        if is_there(paths.home / row["path"]) or (trashed_to and is_there(trashed_to)):
            is_copy = is_copy or known == recipe
        elif not _contradicts(recipe, known):
            lost.append(_Pair(row["id"], paths.home / row["path"], file, known == recipe))
    yield from (pair for pair in lost if pair.same_recipe or not is_copy)


def _contradicts(found: Recipe, known: Recipe) -> bool:
    """Whether a file records of another picture than the row's, and not only less: of studio's own alone it is sure."""
    whole = (recipe.made_with and IMPORTED not in recipe.made_with for recipe in (found, known))
    if not all(whole):
        return False
    differs = any(
        getattr(found.request, name) != getattr(known.request, name) for name in found.request.model_fields_set
    )  # what was stripped from a copy is not set
    return differs or bool(found.created and known.created and found.created != known.created)


def is_there(file: Path) -> bool:
    """Whether there is a file of this name; what cannot be asked for counts as there, so that nothing is taken away."""
    try:
        return file.is_file()
    except OSError:
        return True


def _settled(pairs: list[_Pair], paths: StudioPaths) -> dict[int, Path]:
    """Give each row the picture that is its own most surely; pixels are read only where nothing else decides."""
    by_number: dict[int, Path] = {}
    taken: set[Path] = set()

    def take(sure: Iterable[_Pair]) -> None:
        for pair in sure:
            if pair.id not in by_number and pair.file not in taken:
                by_number[pair.id] = pair.file
                taken.add(pair.file)

    exact = [pair for pair in pairs if pair.same_recipe]
    take(pair for pair in exact if pair.file.name == pair.lost.name)
    take(pair for pair in exact if number_of(pair.file) == number_of(pair.lost) is not None)
    left = [pair for pair in pairs if pair.id not in by_number and pair.file not in taken]
    files, rows = Counter(pair.file for pair in left), Counter(pair.id for pair in left)
    take(pair for pair in left if pair.same_recipe and files[pair.file] == rows[pair.id] == 1)
    left = [pair for pair in left if pair.id not in by_number and pair.file not in taken]
    small = {file: _small(file) for file in {pair.file for pair in left}}
    measured = [(_difference(small[pair.file], paths, pair.id), pair) for pair in left]
    likely = [(off, pair) for off, pair in measured if pair.same_recipe or off <= ALIKE]
    take(pair for _, pair in sorted(likely, key=lambda each: (not each[1].same_recipe, each[0], each[1].id)))
    return by_number


def _small(file: Path) -> Image.Image | None:
    """Return a picture as its thumbnail would be, ``None`` when it cannot be read."""
    with suppress(PictureUnreadable), opened_picture(file) as image:
        return Image.open(io.BytesIO(thumbnail_bytes(image)))
    return None


def _difference(small: Image.Image | None, paths: StudioPaths, entry_id: int) -> float:
    """Return the mean difference of a picture from a row's thumbnail in grey levels; infinite where there is none."""
    try:
        with Image.open(thumbnail_path(paths, entry_id)) as thumbnail:
            if small is None or small.size != thumbnail.size:
                return math.inf
            means = ImageStat.Stat(ImageChops.difference(small, thumbnail.convert("RGB"))).mean
    except UNREADABLE:
        return math.inf
    return sum(means) / len(means)
