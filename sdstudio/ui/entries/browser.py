"""The history to look through: search while typing, click to see, double click to see it large, delete with undo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QModelIndex, QPoint, Qt, QTimer
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QStackedWidget, QVBoxLayout, QWidget

from sdstudio.background.signals import TypedSignal
from sdstudio.history.database.listing import Entries
from sdstudio.history.database.look import Look
from sdstudio.history.store import Entry
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.entries.chosen_chips import ChosenChips
from sdstudio.ui.entries.model import HistoryModel
from sdstudio.ui.entries.view import HistoryView
from sdstudio.ui.theme import GRID, leading_icon
from sdstudio.ui.widgets.empty_state import EmptyState
from sdstudio.ui.widgets.lies_over import LiesOver
from sdstudio.ui.widgets.message_bar import MessageBar

SEARCH_DELAY_MS = 60
UNDO_SHOWN_S = 20.0


class HistoryBrowser(QWidget):
    """Search field, thumbnails, and a line that offers undo.

    Args:
        model: Shared by all browsers, query included.
        actions: Does what is chosen.
        view_name: objectName of the view.
        search_name: objectName of the search field.
        least_side_px: Smallest side of a thumbnail's cell.
    """

    #: An entry was clicked or reached with the keys; carries it.
    entry_chosen = TypedSignal[Entry]()

    def __init__(
        self, model: HistoryModel, actions: EntryActions, view_name: str = "historyView",
        search_name: str = "historySearchEdit", least_side_px: int = 112, parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._model = model
        self._actions = actions
        self.search_edit = _search_edit(search_name, self)
        self._delay = QTimer(self)
        self._delay.setSingleShot(True)
        self._delay.setInterval(SEARCH_DELAY_MS)
        self._delay.timeout.connect(lambda: self._model.search(self.search_edit.text().strip()))
        self.search_edit.textChanged.connect(self._delay.start)
        self.search_edit.returnPressed.connect(self._delay.timeout)
        self.bar = MessageBar("historyMessage", self)
        self.view = HistoryView(model, least_side_px, self)
        self.view.setObjectName(view_name)
        self.view.setAccessibleName("History")
        self.view.clicked.connect(self._on_clicked)
        self.view.opened.connect(lambda index: self._actions.ask("look", [self._model.entry(index)]))
        self.view.customContextMenuRequested.connect(self._on_menu_requested)
        self.view.delete_pressed.connect(lambda: self._actions.ask("delete", self.selected()))
        self.view.walked_to.connect(self._on_clicked)
        self.view.key_pressed.connect(lambda key: self._actions.press(key, self.selected()))
        self._none_yet = EmptyState(
            "images",
            "No pictures yet",
            "Every picture you make is kept here with everything it was made with.",
            self,
            32,
        )
        self._no_match = EmptyState("search", "No match", "", self, 32)
        self._stack = QStackedWidget(self)
        for page in (self.view, self._none_yet, self._no_match):
            self._stack.addWidget(page)
        self._stack.setMinimumHeight(GRID * 8)  # in a low window with large text the filters need the room
        column = QVBoxLayout(self)
        column.setContentsMargins(0, GRID // 2, 0, 0)
        column.setSpacing(GRID)
        inset = QVBoxLayout()
        inset.setContentsMargins(GRID + GRID // 2, 0, GRID + GRID // 2, 0)
        inset.setSpacing(GRID)
        inset.addWidget(self.search_edit)
        self.chips = ChosenChips(model, self)
        inset.addWidget(self.chips)
        self._inset = inset
        LiesOver(self.bar, self._stack, "bottom")
        rest = self._rest = QHBoxLayout()
        rest.setContentsMargins(GRID, 0, 0, 0)
        rest.setSpacing(GRID)
        rest.addWidget(self._stack, 1)
        column.addLayout(inset)
        column.addLayout(rest, 1)
        self._no_match.chosen.connect(lambda _text: model.set_look(replace(model.look, query="", chosen=())))
        model.look_changed.connect(self._on_look_changed)
        for changed in (model.modelReset, model.rowsInserted, model.rowsRemoved, model.completed):
            changed.connect(self._on_rows_changed)
        self._on_rows_changed()

    def add_row(self, row: QWidget) -> None:
        """Put something below the search field."""
        self._inset.insertWidget(1, row)

    def add_beside(self, list_of_places: QWidget) -> None:
        """Put something at the left of the thumbnails, below the rows that narrow them."""
        self._rest.insertWidget(0, list_of_places)

    def selected(self) -> Entries:
        """Return the selected entries in the order shown."""
        return self._model.chosen(self.view.selected_rows())

    def show_current(self, entry_id: int) -> None:
        """Select an entry without choosing it."""
        index = self._model.index_of(entry_id)
        if index.isValid():
            self.view.setCurrentIndex(index)
            self.view.scrollTo(index)

    def offer_undo(self, text: str, undo: Callable[[], object]) -> None:
        """Show what was done to pictures and how to take it back."""
        self.bar.say(text, "info", [("Undo", undo)], UNDO_SHOWN_S)

    def focus_search(self) -> None:
        """Put the cursor into the search field."""
        self.search_edit.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search_edit.selectAll()

    def _on_look_changed(self, look: Look) -> None:
        if not self._delay.isActive() and self.search_edit.text().strip() != look.query:  # another browser searched
            self.search_edit.setText(look.query)
            self._delay.stop()

    def _on_rows_changed(self, *_: object) -> None:
        look = self._model.look
        if self._model.rowCount():
            self._stack.setCurrentWidget(self.view)
        elif not self._model.is_complete:
            return  # what is searched for may yet come
        elif look.is_whole:
            self._stack.setCurrentWidget(self._none_yet)
        else:
            what = f"matches “{look.query[:60]}”" if look.query else "has what was chosen"
            within = " within what was chosen" if look.query and look.chosen else ""
            self._no_match.say("No match", f"Nothing in the history {what}{within}.")
            self._no_match.suggest(["Show everything"])
            self._stack.setCurrentWidget(self._no_match)

    def _on_clicked(self, index: QModelIndex) -> None:
        self.entry_chosen.emit(self._model.entry(index))

    def _on_menu_requested(self, position: QPoint) -> None:
        chosen = self.selected()
        if chosen:
            self._actions.menu(chosen, self).popup(self.view.viewport().mapToGlobal(position))


def _search_edit(name: str, parent: QWidget) -> QLineEdit:
    edit = QLineEdit(parent)
    edit.setObjectName(name)
    edit.setAccessibleName("Search the history")
    edit.setPlaceholderText("Search prompts, models, seeds…")
    edit.setToolTip("Words of prompts, names of models, seeds; folder:name finds what was imported from such a folder")
    edit.setClearButtonEnabled(True)
    leading_icon(edit, "search")
    return edit
