"""What the loupe walks along when it is opened from the canvas: the pictures of one job, or the history around one."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Qt, Signal

from sdstudio.history.store import Entry
from sdstudio.ui.entries.browser import HistoryBrowser
from sdstudio.ui.entries.model import HistoryModel
from sdstudio.ui.entry_tools.loupe.list import HistoryList
from sdstudio.ui.pages.create.canvas import Canvas


class StripList(QObject):
    """The pictures of the job on the canvas; one that is brought back from the trash stands where it stood."""

    changed = Signal()

    def __init__(self, canvas: Canvas, model: HistoryModel) -> None:
        super().__init__()
        self._canvas = canvas
        self._entries = list(canvas.strip.entries)
        self._gone: set[int] = set()
        canvas.strip.added.connect(self._on_added)
        model.entries_gone.connect(self._on_gone)
        model.entries_back.connect(self._on_back)

    def __len__(self) -> int:
        """Return how many were made so far."""
        return len(self._there())

    def entry(self, row: int) -> Entry:
        """Return one of them."""
        return self._there()[row]

    def row_of(self, entry_id: int) -> int | None:
        """Return where a picture stands."""
        return next((row for row, entry in enumerate(self._there()) if entry.id == entry_id), None)

    def selected(self) -> Sequence[Entry]:
        """Return nothing: one of a strip is chosen at a time."""
        return ()

    def come_back(self, entry: Entry | None) -> None:
        """Choose the picture in the strip, which shows it on the canvas."""
        places = {each.id: at for at, each in enumerate(self._canvas.strip.entries)}
        if entry is not None and entry.id in places:
            self._canvas.strip.choose(places[entry.id])
        elif entry is not None:
            self._canvas.show_entry(entry)
        self._canvas.view.setFocus(Qt.FocusReason.OtherFocusReason)

    def _there(self) -> list[Entry]:
        return [entry for entry in self._entries if entry.id not in self._gone]

    def _on_added(self, entry: Entry) -> None:
        if {each.id for each in self._entries} & {each.id for each in self._canvas.strip.entries}:
            self._entries.append(entry)
            self.changed.emit()

    def _on_gone(self, ids: frozenset[int]) -> None:
        self._gone |= ids
        self.changed.emit()

    def _on_back(self, ids: frozenset[int]) -> None:
        self._gone -= ids
        self.changed.emit()


class CanvasList(HistoryList):
    """The list of the history around the one picture on the canvas."""

    def __init__(self, browser: HistoryBrowser, model: HistoryModel, canvas: Canvas) -> None:
        super().__init__(browser, model)
        self._canvas = canvas

    def come_back(self, entry: Entry | None) -> None:
        """Show the picture on the canvas, and select it in the history beside it."""
        super().come_back(entry)
        if entry is not None and self._canvas.entry != entry:
            self._canvas.show_entry(entry)
        self._canvas.view.setFocus(Qt.FocusReason.OtherFocusReason)
