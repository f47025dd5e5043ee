"""The History page: what narrows it, the thumbnails large, and beside them the chosen picture and all about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QWidget

from sdstudio.background.tasks import TaskRunner
from sdstudio.history.store import Entry, History
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.entries.browser import HistoryBrowser
from sdstudio.ui.entries.filter_row import FilterRow
from sdstudio.ui.entries.model import HistoryModel
from sdstudio.ui.pages.history.details import EntryDetails
from sdstudio.ui.pages.history.lineage_strip import LineageStrip
from sdstudio.ui.pages.history.places import HistoryPlaces
from sdstudio.ui.pages.history.selection_summary import SelectionSummary
from sdstudio.ui.theme import GRID

FIRST_PX: Final = 176
_SUMMARY_DELAY_MS: Final = 80


class HistoryPage(QWidget):
    """Grid and details.

    Args:
        model: Shared with the browser in the dock.
        actions: Does what is chosen.
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
        self.browser = HistoryBrowser(model, actions, "historyGrid", "historyGridSearchEdit", FIRST_PX, self)
        self.filters = FilterRow(model, history, tasks, self)
        self.filters.size_slider.setValue(FIRST_PX)
        self.filters.size_chosen.connect(self.browser.view.set_least_side)
        self.browser.view.resize_wished.connect(self._step_size)
        self.filters.follow(self.browser.view.selectionModel())
        self.browser.add_row(self.filters)
        self.browser.chips.keep_line(self.filters.count)
        #: Takes the keys when the page is opened.
        self.first: QWidget = self.browser.view
        self.details = EntryDetails(actions, history, tasks, self)
        self.family = LineageStrip(history.lineage, self)
        self.details.add_section(self.family)
        self.details.shown.connect(self.family.show_entry)
        self.family.entry_wanted.connect(self._go_to)
        self.places = HistoryPlaces(model, history, tasks, self)
        self.places.hide()
        self.browser.add_beside(self.places)  # below the button that shows it, which stays where it is
        self.filters.places_button.toggled.connect(self.places.setVisible)
        self.summary = SelectionSummary(actions, tasks, self)
        self._beside = QStackedWidget(self)
        self._beside.addWidget(self.details)
        self._beside.addWidget(self.summary)
        self._beside.setFixedWidth(self.details.width())
        self._count_soon = QTimer(self)
        self._count_soon.setSingleShot(True)
        self._count_soon.setInterval(_SUMMARY_DELAY_MS)
        self._count_soon.timeout.connect(self._show_summary)
        self.browser.view.selectionModel().selectionChanged.connect(self._follow_selection)
        self.browser.setContentsMargins(0, GRID, 0, 0)
        self.browser.entry_chosen.connect(self.details.show_entry)
        self._model = model
        model.entries_gone.connect(self._forget_deleted)
        model.completed.connect(self._follow_current)
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(self.browser, 1)
        row.addWidget(self._beside)

    def state(self) -> dict[str, int]:
        """Return what is to be remembered of it for the next start."""
        return {
            "thumbnail_px": self.filters.size_slider.value(), "places": int(self.filters.places_button.isChecked()),
        }  # fmt: skip

    def restore_state(self, state: Mapping[str, object]) -> None:
        """Take what was remembered, where it makes sense."""
        side_px = state.get("thumbnail_px")
        if isinstance(side_px, int) and side_px > 0:
            self.filters.size_slider.setValue(side_px)
        self.filters.places_button.setChecked(bool(state.get("places")))

    def _step_size(self, steps: int) -> None:
        slider = self.filters.size_slider
        slider.setValue(slider.value() + steps * slider.singleStep())

    def _follow_selection(self, *_: object) -> None:
        """Show the selected picture beside the grid, or a summary of several."""
        rows = self.browser.view.selected_rows()
        if len(rows) > 1:
            self._count_soon.start()
            return
        self._count_soon.stop()
        self.summary.stop()
        was_several = self._beside.currentWidget() is self.summary
        self._beside.setCurrentWidget(self.details)
        if rows:
            self.details.show_entry(self._model.entry(self._model.index(rows[0])))
        elif was_several:
            self.details.show_entry(None)

    def _show_summary(self) -> None:
        if self.browser.view.selected_count > 1:
            self.summary.show_entries(self.browser.selected())
            self._beside.setCurrentWidget(self.summary)

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
