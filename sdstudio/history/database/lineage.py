"""Where a picture comes from and what came of it: its parent, its children, and what was changed between two."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sdstudio.core.params import parameters
from sdstudio.core.paths import StudioPaths
from sdstudio.core.request.detail_fields import is_only_detailed
from sdstudio.core.request.input_fields import INIT, MASK
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.database.rows import COLUMNS, Entry, entry_of, stored_path
from sdstudio.history.database.schema import Database

_THERE: Final = "state = 'done' AND deleted_at IS NULL"


@dataclass(frozen=True, slots=True)
class Kin:
    """A picture's family.

    Attributes:
        parent: What it was made from, ``None`` when from nothing, or when that is deleted.
        children: What was made from it, the newest first; at most as many as asked for.
        count: How many children there are in all.
    """

    parent: Entry | None = None
    children: tuple[Entry, ...] = ()
    count: int = 0


class Lineage:
    """Reads who comes from whom. Every method may be called from any thread, and raises HistoryError."""

    def __init__(self, database: Database, paths: StudioPaths) -> None:
        self._database = database
        self._paths = paths

    def of(self, entry: Entry, limit: int = 24) -> Kin:
        """Return a picture's parent and children; deleted ones are left out."""
        parents = self._read("id = ?", (entry.parent_id,), 1) if entry.parent_id is not None else ()
        children = self._read("parent_id = ?", (entry.id,), limit)
        count = len(children)
        if count == limit:
            sql = f"SELECT count(*) FROM entries WHERE parent_id = ? AND {_THERE}"
            count = int(self._database.read(sql, (entry.id,))[0][0])
        return Kin(parents[0] if parents else None, children, count)

    def entry_of(self, file: Path) -> int | None:
        """Return the entry whose file this is, ``None`` when it is none's."""
        sql = f"SELECT id FROM entries WHERE path = ? AND {_THERE} ORDER BY id DESC LIMIT 1"
        rows = self._database.read(sql, (stored_path(self._paths, file),))
        return int(rows[0][0]) if rows else None

    def _read(self, where: str, values: tuple[int | None, ...], limit: int) -> tuple[Entry, ...]:
        sql = f"SELECT {COLUMNS} FROM entries WHERE {where} AND {_THERE} ORDER BY id DESC LIMIT ?"
        return tuple(entry_of(row, self._paths) for row in self._database.read(sql, (*values, limit)))


def relation(parent: GenerationRequest, child: GenerationRequest) -> str:
    """Return in a word or two what a child is to its parent: "Re-run", "Upscaled", or what was changed."""
    changed = [row for row in parameters(GenerationRequest) if getattr(parent, row.name) != getattr(child, row.name)]
    names = [row.name for row in changed]
    if not names:
        return "Re-run"
    if set(names) <= {"seed", "variation_seed", "variation_strength", "earlier_variations"}:
        return "Variation"
    if set(names) <= {"width", "height"}:
        larger = child.width * child.height > parent.width * parent.height
        return "Larger" if larger else "Another size"
    if MASK.picture_in(child) and {INIT.field, MASK.field} & set(names):
        return "Inpainted"
    if INIT.field in names and INIT.picture_in(child):
        if is_only_detailed(child):
            return "Detailed"
        return "From a picture" if child.steps_run else "Upscaled"
    titles = [row.title for row in changed if row.name != "seed"]
    return f"{titles[0]} changed" if len(titles) == 1 else f"{titles[0]} and more changed"
