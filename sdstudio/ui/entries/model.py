"""The history as Qt's views see it: as many rows as there are pictures, of which only those looked at are read.

The rows are ids, eight bytes each, so that the scroll bar is true and a jump to any place costs nothing. A view that
paints asks `HistoryModel.entry_at`, which never waits: it returns ``None`` for a row that is not read yet, has its
window read in the background, and emits ``dataChanged``. Code that needs an entry now (a click, a menu) asks `entry`.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from operator import neg
from typing import Any, Final

from PySide6.QtCore import QAbstractListModel, QMimeData, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from sdstudio.background.signals import TypedSignal
from sdstudio.background.tasks import TaskRunner
from sdstudio.core.errors import StudioError
from sdstudio.history.database.listing import Entries
from sdstudio.history.database.look import Look
from sdstudio.history.store import Entry, History
from sdstudio.ui.entries.recipe_text import recipe_html
from sdstudio.ui.entries.thumbnails import Thumbnails
from sdstudio.ui.widgets.picture_drag import mime_of

FIRST: Final = 400
"""Rows read at once when the look changes; the rest follows in the background."""
WINDOW: Final = 100
"""Rows read around one that is looked at."""
KEPT: Final = 2000
"""Entries kept in memory, some 8 kB each."""
_WINDOWS_WAITING: Final = 4
_ONE_BY_ONE: Final = 100
"""Changes of more rows than this are emitted as a reset."""
DRAGGED_MAXIMUM: Final = 1000

ENTRY_ROLE: Final = Qt.ItemDataRole.UserRole + 1

Index = QModelIndex | QPersistentModelIndex


class HistoryModel(QAbstractListModel):
    """Entries of one look, shared by all browsers.

    Args:
        history: What is shown.
        thumbnails: Their pictures.
        tasks: Where windows and searches are read.
        parent: As Qt has it.
    """

    #: Something else is looked at; carries the `Look`. The rows follow.
    look_changed = TypedSignal[Look]()
    #: The rows of the look are complete.
    completed = Signal()
    #: Pictures were deleted; carries their ids as a frozenset.
    entries_gone = TypedSignal[frozenset[int]]()
    #: Pictures were made, or came back from the trash; carries their ids as a frozenset.
    entries_back = TypedSignal[frozenset[int]]()

    def __init__(
        self, history: History, thumbnails: Thumbnails, tasks: TaskRunner, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.thumbnails = thumbnails
        #: Returns pictures of the history as what is dragged.
        self.mime_of: Callable[[Sequence[Entry]], QMimeData] = mime_of
        self._history = history
        self._tasks = tasks
        self._look = Look()
        self._ids: array[int] = array("q")
        self._entries: OrderedDict[int, Entry] = OrderedDict()
        self._turn = 0
        self._filling = False
        self._wanted_windows: dict[int, None] = {}
        self._reading = False
        self._rows: dict[int, int] = {}
        thumbnails.made.connect(self._on_thumbnails_made)
        self.reload()

    # what is looked at

    @property
    def look(self) -> Look:
        """What is looked at."""
        return self._look

    @property
    def is_complete(self) -> bool:
        """Whether all rows of the look are there."""
        return not self._filling

    def set_look(self, look: Look) -> None:
        """Look at something else."""
        if look == self._look:
            return
        self._look = look
        self.look_changed.emit(look)
        self.reload(anew=True)

    def search(self, query: str) -> None:
        """Look for something else within the same facets."""
        self.set_look(replace(self._look, query=query))

    def reload(self, anew: bool = False) -> None:
        """Read the look again. Selection and place stay where they can, unless it is to be begun anew."""
        self._turn += 1
        turn, look = self._turn, self._look
        self._filling = True
        if look.is_default:  # its beginning takes a millisecond, so that nothing flickers
            self._on_first(turn, self._history.listing.ids(look, FIRST), anew)
            return
        self._tasks.run(
            "Searching the history",
            lambda _task: self._ids_of(turn, look, FIRST),
            lambda ids: self._on_first(turn, ids, anew),
            lambda error: self._on_failed(turn, error),
            urgent=True,
        )

    def _ids_of(self, turn: int, look: Look, limit: int | None = None) -> array[int]:
        """Read the ids of a look, in the background, unless another was asked for while this waited its turn."""
        return self._history.listing.ids(look, limit) if turn == self._turn else array("q")

    def _on_first(self, turn: int, ids: array[int], anew: bool) -> None:
        if turn != self._turn:
            return
        if len(ids) < FIRST:
            self._replace(ids, anew)
            self._finish()
            return
        if anew or len(self._ids) <= FIRST:
            self._replace(ids, anew)
        look = self._look
        self._tasks.run(
            "Searching the history",
            lambda _task: self._ids_of(turn, look),
            lambda every: self._on_all(turn, every),
            lambda error: self._on_failed(turn, error),
            urgent=True,
        )

    def _on_all(self, turn: int, ids: array[int]) -> None:
        if turn == self._turn:
            self._replace(ids, anew=False)
            self._finish()

    def _on_failed(self, turn: int, error: StudioError) -> None:
        if turn == self._turn:
            self._tasks.failed.emit(error)
            self._finish()

    def _finish(self) -> None:
        self._filling = False
        self.completed.emit()

    # rows

    def entry_at(self, row: int) -> Entry | None:
        """Return a row's entry when it is in memory, else have it read; never waits."""
        entry_id = self._ids[row]
        self._rows[entry_id] = row
        entry = self._entries.get(entry_id)
        if entry is None:
            window = row // WINDOW
            self._wanted_windows.pop(window, None)
            self._wanted_windows[window] = None
            self._read_windows()
        else:
            self._entries.move_to_end(entry_id)
        return entry

    def entry(self, index: Index) -> Entry:
        """Return the entry of a valid index, read now when it has to be. Raises: HistoryError."""
        entry_id = self._ids[index.row()]
        entry = self._entries.get(entry_id)
        if entry is None:
            entry = self._history.get(entry_id)
            self._keep([entry])
        return entry

    def chosen(self, rows: Iterable[int]) -> Entries:
        """Return the entries of several rows, in the order they are shown, each read when it is asked for."""
        return Entries(self._history.listing, array("q", [self._ids[row] for row in sorted(rows)]))

    def index_of(self, entry_id: int) -> QModelIndex:
        """Return where an entry is shown, an invalid index when it is not."""
        row = self._row_of(entry_id)
        return QModelIndex() if row is None else self.index(row)

    def insert(self, entries: Sequence[Entry]) -> None:
        """Put new or restored entries where they belong; for other looks only a reading of it knows where that is."""
        for entry in entries:
            self.thumbnails.forget(entry)
            self._entries.pop(entry.id, None)
        self._put(entries)
        self.entries_back.emit(frozenset(entry.id for entry in entries))

    def _put(self, entries: Sequence[Entry]) -> None:
        if not self._look.is_default or self._filling or len(entries) > _ONE_BY_ONE:
            self.reload()
            return
        for entry in entries:
            self._keep([entry])
            row = bisect_left(self._ids, -entry.id, key=neg)
            if row == len(self._ids) or self._ids[row] != entry.id:
                self.beginInsertRows(QModelIndex(), row, row)
                self._ids.insert(row, entry.id)
                self.endInsertRows()

    def remove(self, ids: Iterable[int]) -> None:
        """Take entries out."""
        gone = frozenset(ids)
        self.entries_gone.emit(gone)
        if self._filling:  # what is being read may still hold them
            self.reload()
        rows = sorted(row for entry_id in gone if (row := self._row_of(entry_id)) is not None)
        for entry_id in gone:
            self._entries.pop(entry_id, None)
        if len(rows) > _ONE_BY_ONE:
            self._replace(array("q", [each for each in self._ids if each not in gone]), anew=True)
            return
        for row in reversed(rows):
            self.beginRemoveRows(QModelIndex(), row, row)
            del self._ids[row]
            self.endRemoveRows()

    def refresh(self, ids: Iterable[int]) -> None:
        """Show entries as they are now: rated, tagged.

        Where the look is narrowed by marks it is read again, so that who no longer belongs leaves and who does comes
        back. In other looks all keep their places: sorted by rating, none moves away from the pointer while it is
        rated.
        """
        known = [entry_id for entry_id in ids if entry_id in self._entries]
        self._keep(self._history.listing.entries(known))
        if known and self._ids:
            self.dataChanged.emit(self.index(0), self.index(len(self._ids) - 1))
        if self._look.is_by_marks:
            self.reload()

    def _asked_row(self, entry_id: int) -> int | None:
        """Return the row that `entry_at` was asked for, when the entry is still there."""
        row = self._rows.get(entry_id)
        return row if row is not None and row < len(self._ids) and self._ids[row] == entry_id else None

    def _row_of(self, entry_id: int) -> int | None:
        row = self._asked_row(entry_id)
        if row is not None:
            return row
        if self._look.sort == "newest":
            row = bisect_left(self._ids, -entry_id, key=neg)
            return row if row < len(self._ids) and self._ids[row] == entry_id else None
        try:
            return self._ids.index(entry_id)
        except ValueError:
            return None

    def _replace(self, ids: array[int], anew: bool) -> None:
        """Show other rows, emitting only what differs, so that selection and place outlive a new picture."""
        self._rows.clear()
        self._wanted_windows.clear()
        old = self._ids
        head = 0 if anew else _common(old, ids)
        tail = 0 if anew else min(_common(old[::-1], ids[::-1]), len(old) - head, len(ids) - head)
        if old and not head and not tail:
            self.beginResetModel()
            self._ids = ids
            self.endResetModel()
            return
        if len(old) > head + tail:
            self.beginRemoveRows(QModelIndex(), head, len(old) - tail - 1)
            self._ids = old[:head] + old[len(old) - tail :]
            self.endRemoveRows()
        if len(ids) > head + tail:
            self.beginInsertRows(QModelIndex(), head, len(ids) - tail - 1)
            self._ids = ids
            self.endInsertRows()

    # windows

    def _read_windows(self) -> None:
        if self._reading or not self._wanted_windows:
            return
        while len(self._wanted_windows) > _WINDOWS_WAITING:
            del self._wanted_windows[next(iter(self._wanted_windows))]
        window, _ = self._wanted_windows.popitem()
        ids = self._ids[window * WINDOW : (window + 1) * WINDOW]
        self._reading = True
        self._tasks.run(
            "Reading the history",
            lambda _task: self._history.listing.entries(ids),
            self._on_window_read,
            lambda _error: self._on_window_read([]),
            urgent=True,
        )

    def _on_window_read(self, entries: list[Entry]) -> None:
        self._reading = False
        self._keep(entries)
        self._read_windows()
        rows = [row for entry in entries if (row := self._asked_row(entry.id)) is not None]
        if rows:
            self.dataChanged.emit(self.index(min(rows)), self.index(max(rows)))

    @property
    def held(self) -> int:
        """How many entries lie in memory."""
        return len(self._entries)

    def _keep(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self._entries[entry.id] = entry
            self._entries.move_to_end(entry.id)
        while len(self._entries) > KEPT:
            self._entries.popitem(last=False)
        if len(self._rows) > 10 * KEPT:
            self._rows.clear()

    def _on_thumbnails_made(self, ids: frozenset[int]) -> None:
        for entry_id in ids:
            row = self._asked_row(entry_id)
            if row is not None:
                self.dataChanged.emit(self.index(row), self.index(row), [Qt.ItemDataRole.DecorationRole])

    # what Qt asks

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008, N802
        """Return how many pictures are shown."""
        return 0 if parent.isValid() else len(self._ids)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return an entry, its prompt, or its recipe as a tooltip."""
        if not index.isValid() or index.row() >= len(self._ids):
            return None
        if role == ENTRY_ROLE:
            return self.entry(index)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return self.entry(index).recipe.request.prompt or "(no prompt)"
        if role == Qt.ItemDataRole.ToolTipRole:
            return recipe_html(self.entry(index))
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Every entry can be chosen and dragged out."""
        base = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren
        return base | Qt.ItemFlag.ItemIsDragEnabled if index.isValid() else base

    def mimeData(self, indexes: Sequence[Index]) -> QMimeData:  # noqa: N802
        """Hand out the files of the dragged pictures."""
        return self.files_of({index.row() for index in indexes})

    def files_of(self, rows: Iterable[int]) -> QMimeData:
        """Return the files of some rows for dragging, a thousand at most."""
        return self.mime_of(self.chosen(sorted(rows)[:DRAGGED_MAXIMUM]))


def _common(left: array[int], right: array[int]) -> int:
    """Return how many numbers two arrays have in common at their beginning."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
