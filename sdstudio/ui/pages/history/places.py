"""The list beside the grid of the history: all pictures, collections, folders, months and days; a click shows one.

What it offers is counted in the background, again when pictures came or went. Choosing a place takes that of another:
a day and a collection are not chosen together here, though the filters above the grid can do it. Folders are those that
pictures were imported from, each below the one it lies in.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QWidget

from sdstudio.background.tasks import TaskContext, TaskRunner
from sdstudio.core.folding import natural
from sdstudio.history.database.look import FACET_BY_KEY, Look
from sdstudio.history.store import History
from sdstudio.ui.entries.model import HistoryModel
from sdstudio.ui.theme import GRID

_WIDTH_PX: Final = GRID * 23
_DELAY_MS: Final = 400
_PLACES: Final = ("date", "collection", "folder")
"""Facets of which a place of the list is a value."""
_PLACE: Final = Qt.ItemDataRole.UserRole + 1
_WITHIN: Final = "     "

Counted = Sequence[tuple[str, int]]


class HistoryPlaces(QListWidget):
    """Days, folders and collections to choose from.

    Args:
        model: What is narrowed.
        history: Knows what there is.
        tasks: Where they are counted.
        parent: As Qt has it.
    """

    def __init__(self, model: HistoryModel, history: History, tasks: TaskRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("historyPlaces")
        self.setAccessibleName("Days, folders and collections")
        self.setFixedWidth(_WIDTH_PX)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self._model = model
        self._history = history
        self._tasks = tasks
        self._count_soon = QTimer(self)
        self._count_soon.setSingleShot(True)
        self._count_soon.setInterval(_DELAY_MS)
        self._count_soon.timeout.connect(self._count)
        self._is_showing = False
        for changed in (model.entries_gone, model.entries_back, model.completed):
            changed.connect(self._count_soon.start)
        model.look_changed.connect(self._show_chosen)
        self.currentItemChanged.connect(self._on_chosen)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802
        """Count what came while it was hidden."""
        super().showEvent(event)
        self._count()

    def _count(self) -> None:
        if not self.isVisible():
            return
        listing = self._history.listing

        def counts(_task: TaskContext) -> tuple[int, Counted, Counted, Counted]:
            collections, folders = (_counted(listing.facet(key)) for key in ("collection", "folder"))
            return listing.count(Look()), listing.days(), collections, folders

        self._tasks.run(
            "Counting pictures",
            counts,
            lambda counted: self._fill(*counted),
            urgent=True,
        )

    def _fill(self, count: int, days: Counted, collections: Counted, folders: Counted) -> None:
        """Offer what there is; the list keeps its place."""
        rows: list[tuple[str, int, tuple[str, str]]] = [("All pictures", count, ("", ""))]
        rows += [(name, number, ("collection", name)) for name, number in collections]
        rows += [(_WITHIN * depth + name, number, ("folder", path)) for path, name, depth, number in tree_of(folders)]
        month = ""
        for day, number in days:
            if day[:7] != month:
                month = day[:7]
                within = sum(each for other, each in days if other.startswith(month))
                rows.append((_month_name(month), within, ("date", month)))
            rows.append((_WITHIN + _day_name(day), number, ("date", day)))
        scrolled = self.verticalScrollBar().value()
        self._is_showing = True
        self.clear()
        for name, number, place in rows:
            item = QListWidgetItem(f"{name}  ({number:,})", self)
            item.setToolTip(place[1] if place[0] == "folder" else item.text().strip())
            item.setData(_PLACE, place)
        self._is_showing = False
        self._show_chosen()
        self.verticalScrollBar().setValue(scrolled)

    def _show_chosen(self, *_: object) -> None:
        """Mark the place that is looked at, as it may have been chosen elsewhere."""
        chosen = [pair for pair in self._model.look.chosen if pair[0] in _PLACES]
        wanted = chosen[0] if chosen else ("", "")
        rows = [row for row in range(self.count()) if self.item(row).data(_PLACE) == wanted]
        self._is_showing = True
        if rows and len(chosen) < 2:
            self.setCurrentRow(rows[0])
        else:
            self.clearSelection()
        self._is_showing = False

    def _on_chosen(self, item: QListWidgetItem | None, _before: QListWidgetItem | None) -> None:
        if item is None or self._is_showing:
            return
        facet, value = item.data(_PLACE)
        look = self._model.look
        for each in _PLACES:
            for old in look.values(each):
                look = look.with_value(each, old, on=False)
        self._model.set_look(look.with_value(facet, value) if facet else look)


def _counted(facet: Sequence[tuple[str, int | None]]) -> Counted:
    """Return the values of a facet that are counted."""
    return [(value, number) for value, number in facet if number is not None]


def tree_of(folders: Counted) -> list[tuple[str, str, int, int]]:
    """Return path, name, depth and number of pictures of each folder, each below the one it lies in."""
    rows: list[tuple[str, str, int, int]] = []
    above: list[str] = []
    for path, number in sorted(folders, key=_in_tree):
        while above and not path.startswith(above[-1].rstrip("/") + "/"):
            above.pop()
        name = path[len(above[-1].rstrip("/")) + 1 :] if above else FACET_BY_KEY["folder"].name(path)
        rows.append((path, name, len(above), number))
        above.append(path)
    return rows


def _in_tree(folder: tuple[str, int]) -> list[tuple[object, str]]:
    return [(natural(part), part) for part in folder[0].split("/")]


def _month_name(month: str) -> str:
    try:
        return f"{date.fromisoformat(month + '-01'):%B %Y}"
    except ValueError:
        return month


def _day_name(day: str) -> str:
    try:
        date_of = date.fromisoformat(day)
    except ValueError:
        return day
    if date_of == date.today():
        return "Today"
    if date_of == date.today() - timedelta(days=1):
        return "Yesterday"
    return f"{date_of:%A} {date_of.day}"
