"""How often each model, LoRA, embedding and VAE drew a picture that is still there, and when it last did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sdstudio.catalog.kinds import CHECKPOINT
from sdstudio.history.schema import VISIBLE, Database


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


def uses(database: Database) -> Mapping[tuple[str, str], Use]:
    """Return kind and name, as requests call it, -> how often it was used. Raises: HistoryError."""
    rows = [*database.read(_MODELS), *database.read(_ADAPTERS)]
    return {
        (row["kind"], row["name"]): Use(row["pictures"], datetime.fromisoformat(row["last"]))
        for row in rows
        if row["kind"] and row["name"]
    }
