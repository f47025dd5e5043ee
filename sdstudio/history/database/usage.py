"""How often each model, LoRA, embedding and VAE drew a picture that is still there, and when it last did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sdstudio.catalog.kinds import CHECKPOINT
from sdstudio.core.paths import StudioPaths
from sdstudio.history.database.rows import thumbnail_path
from sdstudio.history.database.schema import VISIBLE, Database


@dataclass(frozen=True, slots=True)
class Use:
    """How often something was used, and when last."""

    pictures: int
    last: datetime


_MODELS = (
    f"SELECT '{CHECKPOINT}' AS kind, request_model AS name, count(*) AS pictures, max(created) AS last"
    f" FROM entries WHERE {VISIBLE} GROUP BY request_model"
)
# Few recipes name an adapter, and looking for the words is much faster than parsing every recipe.
_ADAPTERS = (
    "SELECT json_extract(adapter.value, '$.kind') AS kind, json_extract(adapter.value, '$.name') AS name,"
    " count(DISTINCT entries.id) AS pictures, max(created) AS last"
    " FROM entries, json_each(recipe, '$.made_with.adapters') AS adapter"
    f" WHERE {VISIBLE} AND recipe LIKE '%\"adapters\":[{{%' GROUP BY 1, 2"
)


_NEWEST = (
    f"SELECT request_model AS name, max(id) AS id, max(created) AS last FROM entries WHERE {VISIBLE}"
    " GROUP BY request_model"
)


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest picture of a model: its thumbnail, and when it was made."""

    thumbnail: Path
    made: datetime


def newest(database: Database, paths: StudioPaths) -> Mapping[str, Newest]:
    """Return each model that drew a picture that is there, as requests call it -> its newest. Raises: HistoryError."""
    return {
        row["name"]: Newest(thumbnail_path(paths, row["id"]), datetime.fromisoformat(row["last"]))
        for row in database.read(_NEWEST)
        if row["name"]
    }


def uses(database: Database) -> Mapping[tuple[str, str], Use]:
    """Return kind and name, as requests call it, -> how often it was used. Raises: HistoryError."""
    rows = [*database.read(_MODELS), *database.read(_ADAPTERS)]
    return {
        (row["kind"], row["name"]): Use(row["pictures"], datetime.fromisoformat(row["last"]))
        for row in rows
        if row["kind"] and row["name"]
    }
