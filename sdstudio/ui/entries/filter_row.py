"""What narrows and orders the history: a button for each facet, one for the order, the size of the thumbnails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from PySide6.QtCore import QItemSelectionModel, QPoint, Qt, Signal
from PySide6.QtGui import QActionGroup, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QPushButton, QSlider, QWidget

from sdstudio.background.tasks import TaskRunner
from sdstudio.history.database.look import FACETS, SORT_BY_KEY, SORTS, Facet, Look
from sdstudio.history.store import History
from sdstudio.ui.entries.chosen_chips import chip_button, short
from sdstudio.ui.entries.model import HistoryModel
from sdstudio.ui.theme import GRID, mark, set_icon
from sdstudio.ui.widgets.flow_layout import FlowLayout
from sdstudio.ui.widgets.menu_buttons import unlit_after

THUMBNAIL_PX: Final = (96, 384)
"""Least and largest side of a thumbnail's cell."""
_NONE: Final = {
    "tag": "No tags yet: press T on a picture",
    "collection": "No collections yet: press C on a picture",
    "folder": "No folders yet: import one, again where an older version did",
}


class FilterRow(QWidget):
    """A button for each facet and one for the order.

    Args:
        model: What is filtered.
        history: Knows which values there are.
        tasks: Where they are counted.
        parent: As Qt has it.
    """

    #: A collection is to be removed; carries its name.
    collection_unwanted = Signal(str)
    #: A collection is to get another name; carries the one it has.
    new_name_wanted = Signal(str)
    #: Thumbnails of another size are wanted; carries their least side in pixels.
    size_chosen = Signal(int)

    def __init__(self, model: HistoryModel, history: History, tasks: TaskRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("filterRow")
        self._model = model
        self._history = history
        self._tasks = tasks
        self._buttons: dict[str, QPushButton] = {}
        self.menu: QMenu | None = None
        flow_holder = QWidget(self)
        flow = FlowLayout(GRID // 2, flow_holder)
        self.places_button = chip_button("Days and folders", "placesButton", self)
        self.places_button.setText(f" {self.places_button.text()}")
        self.places_button.setCheckable(True)
        self.places_button.setToolTip("Show or hide the list of days, folders and collections")
        set_icon(self.places_button, "list-ordered", "muted", 12)
        flow.addWidget(self.places_button)
        for facet in FACETS:
            title = facet.title if _is_switch(facet) else f"{facet.title}  ▾"
            button = chip_button(title, f"filter_{facet.key}", self)
            button.setAccessibleName(f"Filter by {facet.title.lower()}")
            button.clicked.connect(lambda _checked=False, facet=facet: self._on_pressed(facet))
            mark(button, "picked", False)
            self._buttons[facet.key] = button
            flow.addWidget(button)
        self._sort = chip_button("", "sortButton", self)
        self._sort.setAccessibleName("Order of the pictures")
        set_icon(self._sort, "arrow-up-down", "muted", 12)
        self._sort.clicked.connect(self._open_sorts)
        #: How many pictures are shown, and selected; for the page to place.
        self.count = QLabel(self)
        self.count.setObjectName("historyCount")
        self.count.setProperty("role", "caption")
        self.size_slider = _size_slider(self)
        self.size_slider.valueChanged.connect(self.size_chosen)
        self.size_slider.setFixedHeight(GRID * 3)  # that of the buttons beside it
        for last in (self._sort, self.size_slider):
            flow.addWidget(last)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(flow_holder, 1)
        model.look_changed.connect(self._show)
        for changed in (model.modelReset, model.rowsInserted, model.rowsRemoved, model.completed):
            changed.connect(self._show_count)
        self._selection: QItemSelectionModel | None = None
        self._show(model.look)
        self._show_count()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Give the order the room of its longest name: another one moves nothing."""
        super().showEvent(event)
        self._sort.setMinimumWidth(0)
        widths = []
        for row in SORTS:
            self._sort.setText(f" {row.title}")
            widths.append(self._sort.sizeHint().width())
        self._sort.setMinimumWidth(max(widths))
        self._show(self._model.look)

    def follow(self, selection: QItemSelectionModel) -> None:
        """Show how many are selected of a view."""
        self._selection = selection
        selection.selectionChanged.connect(self._show_count)

    def _show(self, look: Look) -> None:
        for key, button in self._buttons.items():
            mark(button, "picked", bool(look.values(key)))
        self._sort.setText(f" {SORT_BY_KEY[look.sort].title}")

    def _show_count(self, *_: object) -> None:
        count = self._model.rowCount()
        selection = self._selection.selection() if self._selection is not None else None
        parts = [selection.at(at) for at in range(selection.count())] if selection is not None else []
        selected = sum(part.bottom() - part.top() + 1 for part in parts)
        more = "" if self._model.is_complete else "+"
        pictures = "1 picture" if count == 1 else f"{count:,}{more} pictures"
        self.count.setText(f"{selected:,} of {pictures}" if selected > 1 else pictures)

    def _on_pressed(self, facet: Facet) -> None:
        look = self._model.look
        if _is_switch(facet):
            [value] = facet.fixed
            self._model.set_look(look.with_value(facet.key, value, on=value not in look.values(facet.key)))
            return
        self._tasks.run(
            "Counting pictures",
            lambda _task: self._history.listing.facet(facet.key),
            lambda values: self._open_values(facet, values),
            urgent=True,
        )

    def _open_values(self, facet: Facet, values: Sequence[tuple[str, int | None]]) -> None:
        menu, look = self._new_menu(), self._model.look
        chosen = look.values(facet.key)
        gone = [(value, None) for value in chosen if value not in {value for value, _ in values}]
        for at, (value, number) in enumerate([*values, *gone]):
            if at == len(facet.fixed) and at:
                menu.addSeparator()
            name = short(facet.name(value)).replace("&", "&&")
            action = menu.addAction(name if number is None else f"{name}\t{number:,}")
            action.setCheckable(True)
            action.setChecked(value in chosen)
            action.triggered.connect(
                lambda on, value=value: self._model.set_look(self._model.look.with_value(facet.key, value, on))
            )
        if not values:
            menu.addAction(_NONE.get(facet.key, "Nothing to choose from")).setEnabled(False)
        elif facet.key == "collection":
            menu.addSeparator()
            for title, signal in (("Rename", self.new_name_wanted), ("Remove", self.collection_unwanted)):
                submenu = menu.addMenu(title)
                for value, _ in values:
                    submenu.addAction(short(value).replace("&", "&&")).triggered.connect(
                        lambda _checked=False, value=value, signal=signal: signal.emit(value)
                    )
        self._popup(menu, self._buttons[facet.key])

    def _open_sorts(self) -> None:
        menu = self._new_menu()
        group = QActionGroup(menu)
        for row in SORTS:
            action = menu.addAction(row.title)
            action.setCheckable(True)
            action.setChecked(row.key == self._model.look.sort)
            group.addAction(action)
            action.triggered.connect(
                lambda _checked=False, key=row.key: self._model.set_look(replace(self._model.look, sort=key))
            )
        self._popup(menu, self._sort)

    def _new_menu(self) -> QMenu:
        if self.menu is not None:
            self.menu.deleteLater()
        self.menu = QMenu(self)
        return self.menu

    def _popup(self, menu: QMenu, button: QPushButton) -> None:
        unlit_after(menu, button)
        menu.popup(button.mapToGlobal(QPoint(0, button.height() + 2)))


def _size_slider(parent: QWidget) -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal, parent)
    slider.setObjectName("thumbnailSizeSlider")
    slider.setAccessibleName("Size of the thumbnails")
    slider.setToolTip("Size of the thumbnails (Ctrl and the wheel)")
    slider.setRange(*THUMBNAIL_PX)
    slider.setSingleStep(GRID * 2)
    slider.setPageStep(GRID * 6)
    slider.setFixedWidth(GRID * 12)
    return slider


def _is_switch(facet: Facet) -> bool:
    """Return whether a facet has one value, which its button turns on and off."""
    return not facet.listing and len(facet.fixed) == 1
