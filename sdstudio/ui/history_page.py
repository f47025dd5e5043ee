"""The History page: what narrows it, the thumbnails large, and beside them the chosen picture and all about it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QWidget

from sdstudio.history.store import Entry, History
from sdstudio.jobs.tasks import TaskRunner
from sdstudio.ui.entry_actions import EntryActions
from sdstudio.ui.entry_details import EntryDetails
from sdstudio.ui.filter_row import FilterRow
from sdstudio.ui.history_browser import HistoryBrowser
from sdstudio.ui.history_model import HistoryModel
from sdstudio.ui.lineage_strip import LineageStrip
from sdstudio.ui.theme import GRID


class HistoryPage(QWidget):
    """Grid and details.

    Args:
        model: Shared with the browser in the dock.
        actions: Where wishes go.
        history: Knows tags, collections and what there is to filter by.
        tasks: Where that is read.
        parent: As Qt has it.
    """

    def __init__(
        self, model: HistoryModel, actions: EntryActions, history: History, tasks: TaskRunner,
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self.setObjectName("historyPage")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.browser = HistoryBrowser(model, actions, "historyGrid", "historyGridSearchEdit", 176, self)
        self.filters = FilterRow(model, history, tasks, self)
        self.filters.follow(self.browser.view.selectionModel())
        self.browser.add_row(self.filters)
        self.setFocusProxy(self.browser.view)
        self.details = EntryDetails(actions, history, self)
        self.family = LineageStrip(history.lineage, self)
        self.details.add_section(self.family)
        self.details.shown.connect(self.family.show_entry)
        self.family.entry_wanted.connect(self._go_to)
        self.browser.setContentsMargins(0, GRID, 0, 0)
        self.browser.entry_chosen.connect(self.details.show_entry)
        self._model = model
        model.entries_gone.connect(self._forget_deleted)
        model.completed.connect(self._follow_current)
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(self.browser, 1)
        row.addWidget(self.details)

    def _go_to(self, entry: Entry) -> None:
        self.browser.show_current(entry.id)  # where the list does not hold it, the details show it all the same
        self.details.show_entry(entry)

    def _forget_deleted(self, ids: frozenset[int]) -> None:
        if self.details.entry is not None and self.details.entry.id in ids:
            self.details.show_entry(None)

    def _follow_current(self) -> None:
        """Show what took the place of a picture that left by a key pressed on it; who works in the details keeps it."""
        shown, view = self.details.entry, self.browser.view
        current = view.currentIndex()
        if shown is None or not view.hasFocus() or not current.isValid() or self._model.index_of(shown.id).isValid():
            return
        self.details.show_entry(self._model.entry(current))
