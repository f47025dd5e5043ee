"""Which pictures follow one another in the loupe: those of a history's list, be it long, or of another.

A list is known by ids and places. The loupe holds the id it shows, so that a picture that comes in front moves
nothing; where that id has left the list, what stands in its place is next.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from PySide6.QtCore import QObject, Qt, Signal, SignalInstance

from sdstudio.history.store import Entry
from sdstudio.ui.entries.browser import HistoryBrowser
from sdstudio.ui.entries.model import HistoryModel


class LoupeList(Protocol):
    """Pictures in an order, and where one comes back to from them."""

    @property
    def changed(self) -> SignalInstance:
        """Emitted when pictures came or went."""

    def __len__(self) -> int:
        """Return how many there are."""

    def entry(self, row: int) -> Entry:
        """Return one of them. Raises: HistoryError."""

    def row_of(self, entry_id: int) -> int | None:
        """Return where a picture stands, ``None`` when it is not there."""

    def selected(self) -> Sequence[Entry]:
        """Return what was selected where the loupe was opened, two pictures at most."""

    def come_back(self, entry: Entry | None) -> None:
        """Show the place it was opened from, with this picture selected."""


class HistoryList(QObject):
    """The list that a browser of the history shows."""

    changed = Signal()

    def __init__(self, browser: HistoryBrowser, model: HistoryModel) -> None:
        super().__init__()
        self._browser = browser
        self._model = model
        chosen = browser.view.selected_rows()
        self._selected = list(model.chosen(chosen)) if len(chosen) <= 2 else []
        for signal in (model.modelReset, model.rowsInserted, model.rowsRemoved, model.completed):
            signal.connect(self.changed)

    def __len__(self) -> int:
        """Return how many rows there are."""
        return self._model.rowCount()

    def entry(self, row: int) -> Entry:
        """Return a row's entry; its neighbours are read in the background. Raises: HistoryError."""
        self._model.entry_at(row)
        return self._model.entry(self._model.index(row))

    def row_of(self, entry_id: int) -> int | None:
        """Return an entry's row."""
        index = self._model.index_of(entry_id)
        return index.row() if index.isValid() else None

    def selected(self) -> Sequence[Entry]:
        """Return the selected pair."""
        return self._selected

    def come_back(self, entry: Entry | None) -> None:
        """Select the picture, scroll to it, and let it be shown beside the list."""
        self._browser.view.setFocus(Qt.FocusReason.OtherFocusReason)
        if entry is not None and self.row_of(entry.id) is not None:
            self._browser.show_current(entry.id)
            self._browser.entry_chosen.emit(entry)
