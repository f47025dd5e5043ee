"""The library as Qt's views see it: what is there, narrowed by kind, family and words, in the order asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from sdstudio.catalog.families import FAMILY_BY_KEY
from sdstudio.core.folding import folded, natural
from sdstudio.core.models.asset import Asset
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.readable import readable_size
from sdstudio.history.database.usage import Use

ASSET_ROLE: Final = Qt.ItemDataRole.UserRole + 1

UNKNOWN_FAMILY: Final = "unknown"
"""In the place of a family's key: what is of none, or does not record it."""

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class ShownAsset:
    """One thing of the library with all that is known about it.

    Attributes:
        asset: What it is.
        model: The checkpoint as the engine knows it, ``None`` for other kinds.
        use: How often it drew, ``None`` for never.
        cover: A picture of it.
        in_use: Whether the next picture is drawn with it.
        other_title: What it is called where its name would not do: the built-in model, models of one name.
    """

    asset: Asset
    model: ModelInfo | None = None
    use: Use | None = None
    cover: Path | None = None
    in_use: bool = False
    other_title: str = ""

    @property
    def title(self) -> str:
        """What it is called."""
        return self.other_title or self.asset.name

    @property
    def facts(self) -> str:
        """Kind, family, variant and size in one line."""
        asset = self.asset
        count = self.use.pictures if self.use is not None else 0
        used = f"{count:,} {'picture' if count == 1 else 'pictures'}" if count else ""
        parts = (
            asset.kind_row.title, asset.family_title, asset.variant_title, asset.network,
            "diffusers folder" if self.model is not None and asset.path.suffix == "" else "",
            readable_size(asset.size_bytes), used,
        )  # fmt: skip
        return "  ·  ".join(part for part in parts if part)


_NEVER: Final = datetime.fromtimestamp(0, UTC)

SORTS: Mapping[str, tuple[str, Callable[[ShownAsset], Any]]] = {
    "name": ("Name", lambda row: (natural(row.title), str(row.asset.path))),
    "size": ("Largest first", lambda row: (-row.asset.size_bytes, natural(row.asset.name))),
    "date": ("Newest first", lambda row: (-row.asset.modified_s, natural(row.asset.name))),
    "use": ("Most used first", lambda row: (-(row.use.pictures if row.use else 0), natural(row.asset.name))),
    "last": (
        "Last used first",
        lambda row: (-(row.use.last if row.use else _NEVER).timestamp(), natural(row.asset.name)),
    ),
}
"""Key -> title and order; the chosen model's place is by its values, as everyone's."""


class AssetModel(QAbstractListModel):
    """What is shown of the library."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: tuple[ShownAsset, ...] = ()
        self._rows: list[ShownAsset] = []
        self._kind = ""
        self._family = ""
        self._words: tuple[str, ...] = ()
        self._sort = "name"

    def show_assets(self, rows: Sequence[ShownAsset]) -> None:
        """Show these, narrowed as before."""
        self._all = tuple(rows)
        self._renew()

    def narrow(self, kind: str = "", family: str = "", text: str = "", sort: str = "name") -> None:
        """Show only one kind and family, and only what all the words occur in; "" for any."""
        wanted = (kind, family, tuple(folded(text).split()), sort)
        if wanted != (self._kind, self._family, self._words, self._sort):
            self._kind, self._family, self._words, self._sort = wanted
            self._renew()

    @property
    def everything(self) -> tuple[ShownAsset, ...]:
        """All there is, whatever is shown of it."""
        return self._all

    def row_of(self, index: Index) -> ShownAsset | None:
        """Return what an index shows."""
        return self._rows[index.row()] if index.isValid() and index.row() < len(self._rows) else None

    def index_of(self, path: Path) -> QModelIndex:
        """Return where an asset is shown, an invalid index when it is not."""
        for at, row in enumerate(self._rows):
            if row.asset.path == path:
                return self.index(at)
        return QModelIndex()

    def change(self, row: ShownAsset) -> None:
        """Show something new about one asset, in its place."""
        self._all = tuple(row if other.asset.path == row.asset.path else other for other in self._all)
        index = self.index_of(row.asset.path)
        if index.isValid():
            self._rows[index.row()] = row
            self.dataChanged.emit(index, index)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008, N802
        """Return how many are shown."""
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return an asset, or its words for readers."""
        row = self.row_of(index)
        if row is None:
            return None
        if role == ASSET_ROLE:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return row.title
        if role == Qt.ItemDataRole.AccessibleTextRole:
            used = "in use, " if row.in_use else ""
            return f"{row.title}, {used}{row.facts.replace('  ·  ', ', ')} {row.asset.problem}".strip()
        if role == Qt.ItemDataRole.ToolTipRole:
            return str(row.asset.path)
        return None

    def _renew(self) -> None:
        self.beginResetModel()
        self._rows = sorted(filter(self._is_wanted, self._all), key=SORTS[self._sort][1])
        self.endResetModel()

    def _is_wanted(self, row: ShownAsset) -> bool:
        asset = row.asset
        if self._kind and asset.kind != self._kind:
            return False
        family = asset.family if asset.family in FAMILY_BY_KEY and asset.family != "other" else UNKNOWN_FAMILY
        if self._family and family != self._family:
            return False
        if not self._words:
            return True
        text = " ".join((asset.name, str(asset.path), asset.alias, asset.base, *asset.triggers, asset.short_hash))
        text = folded(text)
        return all(word in text for word in self._words)
