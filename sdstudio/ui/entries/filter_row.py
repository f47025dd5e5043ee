"""What narrows and orders the history: a button for each facet, one for the order, and what is chosen as chips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from PySide6.QtCore import QItemSelectionModel, QPoint, Qt, Signal
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QPushButton, QSizePolicy, QSlider, QWidget

from sdstudio.background.tasks import TaskRunner
from sdstudio.history.database.look import FACET_BY_KEY, FACETS, SORT_BY_KEY, SORTS, Facet, Look
from sdstudio.history.store import History
from sdstudio.ui.entries.model import HistoryModel
from sdstudio.ui.theme import GRID, mark, set_icon
from sdstudio.ui.widgets.flow_layout import FlowLayout
from sdstudio.ui.widgets.menu_buttons import unlit_after

THUMBNAIL_PX: Final = (96, 384)
"""Least and largest side of a thumbnail's cell."""
_CHIP_CHARACTERS: Final = 40
_NONE: Final = {"tag": "No tags yet: press T on a picture", "collection": "No collections yet: press C on a picture"}


class ChosenChips(QWidget):
    """What was chosen, each a chip that a click takes away; hidden while everything is shown."""

    def __init__(self, model: HistoryModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("chosenChips")
        self._model = model
        self._chips: list[QPushButton] = []
        self._flow = FlowLayout(GRID // 2, self)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        model.look_changed.connect(self._show)
        self._show(model.look)

    def _show(self, look: Look) -> None:
        for chip in self._chips:
            self._flow.removeWidget(chip)
            chip.hide()
            chip.deleteLater()
        self._chips = [self._chip(key, value) for key, value in look.chosen]
        if len(look.chosen) > 1:
            clear = _chip_button("Clear all", "clearFilters", self)
            clear.clicked.connect(lambda: self._model.set_look(self._model.look.cleared()))
            self._chips.append(clear)
        for chip in self._chips:
            self._flow.addWidget(chip)
            chip.show()
        self.setVisible(bool(self._chips))
        self.updateGeometry()

    def _chip(self, key: str, value: str) -> QPushButton:
        facet = FACET_BY_KEY[key]
        name = facet.name(value)
        said = name if name == facet.title else f"{facet.title}: {name}"
        chip = _chip_button(f"{_short(said)}  ×", f"chosen_{key}", self)
        chip.setAccessibleName(f"No longer {said}")
        chip.setToolTip("Take this filter away")
        chip.clicked.connect(lambda: self._model.set_look(self._model.look.with_value(key, value, on=False)))
        return chip


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
    new_name_wished = Signal(str)
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
        self.places_button = _chip_button("Days and collections", "placesButton", self)
        self.places_button.setText(f" {self.places_button.text()}")
        self.places_button.setCheckable(True)
        self.places_button.setToolTip("Show or hide the list of days and collections")
        set_icon(self.places_button, "list-ordered", "muted", 12)
        flow.addWidget(self.places_button)
        for facet in FACETS:
            title = facet.title if _is_switch(facet) else f"{facet.title}  ▾"
            button = _chip_button(title, f"filter_{facet.key}", self)
            button.setAccessibleName(f"Filter by {facet.title.lower()}")
            button.clicked.connect(lambda _checked=False, facet=facet: self._on_pressed(facet))
            mark(button, "picked", False)
            self._buttons[facet.key] = button
            flow.addWidget(button)
        self._sort = _chip_button("", "sortButton", self)
        self._sort.setAccessibleName("Order of the pictures")
        set_icon(self._sort, "arrow-up-down", "muted", 12)
        self._sort.clicked.connect(self._open_sorts)
        self._count = QLabel(self)
        self._count.setObjectName("historyCount")
        self._count.setProperty("role", "caption")
        self.size_slider = _size_slider(self)
        self.size_slider.valueChanged.connect(self.size_chosen)
        for low in (self._count, self.size_slider):
            low.setFixedHeight(GRID * 3)  # that of the buttons beside them
        for last in (self._sort, self.size_slider, self._count):
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

    def follow(self, selection: QItemSelectionModel) -> None:
        """Say how many are selected of a view."""
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
        said = "1 picture" if count == 1 else f"{count:,}{more} pictures"
        self._count.setText(f"{selected:,} of {said}" if selected > 1 else said)

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
            name = _short(facet.name(value)).replace("&", "&&")
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
            for title, wish in (("Rename", self.new_name_wished), ("Remove", self.collection_unwanted)):
                submenu = menu.addMenu(title)
                for value, _ in values:
                    submenu.addAction(_short(value).replace("&", "&&")).triggered.connect(
                        lambda _checked=False, value=value, wish=wish: wish.emit(value)
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
    """Say whether a facet has one value, which its button turns on and off."""
    return not facet.listing and len(facet.fixed) == 1


def _chip_button(text: str, name: str, parent: QWidget) -> QPushButton:
    button = QPushButton(text, parent)
    button.setObjectName(name)
    button.setAccessibleName(text)
    mark(button, "chip", True)
    return button


def _short(text: str) -> str:
    return text if len(text) <= _CHIP_CHARACTERS else text[: _CHIP_CHARACTERS - 1] + "…"
