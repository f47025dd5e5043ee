"""What the history is narrowed to, each a chip that a click takes away; one line, so that no picture moves."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import QSize
from PySide6.QtGui import QHideEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QWidget

from sdstudio.history.database.look import FACET_BY_KEY, Look
from sdstudio.ui.entries.model import HistoryModel
from sdstudio.ui.theme import GRID, mark
from sdstudio.ui.widgets.menu_buttons import unlit_after

CHIP_CHARACTERS = 40


class ChosenChips(QWidget):
    """Those that do not fit are behind the last; the line stays where pictures could move under the pointer.

    Args:
        model: What is narrowed.
        parent: As Qt has it.
    """

    def __init__(self, model: HistoryModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("chosenChips")
        self._model = model
        self._chips: list[QPushButton] = []
        self._beside: QWidget | None = None
        self._more = chip_button("", "moreFilters", self)
        self._more.clicked.connect(self._open_more)
        self._clear = chip_button("Clear all", "clearFilters", self)
        self._clear.clicked.connect(lambda: self._model.set_look(self._model.look.cleared()))
        self._menu = QMenu(self)
        unlit_after(self._menu, self._more)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(GRID // 2)
        self._row.addWidget(self._more)
        self._row.addWidget(self._clear)
        self._row.addStretch(1)
        model.look_changed.connect(self._show)
        self._show(model.look)

    def keep_line(self, beside: QWidget) -> None:
        """Be there without chips too, with something at the other end of the line."""
        self._beside = beside
        self._row.addWidget(beside)
        self._show(self._model.look)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """As narrow as wanted."""
        return QSize(0, self._clear.sizeHint().height())

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """As high with chips as without."""
        return QSize(super().sizeHint().width(), self._clear.sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 (Qt's name)
        """Show as many as fit."""
        super().resizeEvent(event)
        self._fit()

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802 (Qt's name)
        """Give up an empty line, now that nobody sees what moves."""
        super().hideEvent(event)
        self.setVisible(bool(self._chips) or self._beside is not None)

    def _show(self, look: Look) -> None:
        for chip in self._chips:
            self._row.removeWidget(chip)
            chip.hide()
            chip.deleteLater()
        self._chips = [self._chip(key, value) for key, value in look.chosen]
        for at, chip in enumerate(self._chips):
            self._row.insertWidget(at, chip)
        for before, after in pairwise((*self._chips, self._more, self._clear)):
            self.setTabOrder(before, after)
        self.setVisible(bool(self._chips) or self._beside is not None or self.isVisible())
        self._fit()

    def _fit(self) -> None:
        room = self.width() - (self._beside.sizeHint().width() + GRID if self._beside is not None else 0)
        widths = [chip.sizeHint().width() + GRID // 2 for chip in self._chips]
        if len(widths) > 1:
            room -= self._clear.sizeHint().width()
        shown = len(widths)
        if sum(widths) > room:
            self._more.setText(f"+{len(widths)}")  # as wide as it can become
            room -= self._more.sizeHint().width() + GRID // 2
            shown = next((count for count in range(len(widths), 0, -1) if sum(widths[:count]) <= room), 0)
        for at, chip in enumerate(self._chips):
            chip.setVisible(at < shown)
        hidden = len(widths) - shown
        self._more.setText(f"+{hidden}")
        self._more.setAccessibleName(f"{hidden} more filters")
        self._more.setVisible(hidden > 0)
        self._clear.setVisible(len(widths) > 1)

    def _open_more(self) -> None:
        self._menu.clear()
        for chip in self._chips:
            if chip.isHidden():
                self._menu.addAction(chip.accessibleName().replace("&", "&&")).triggered.connect(chip.click)
        self._menu.popup(self._more.mapToGlobal(self._more.rect().bottomLeft()))

    def _chip(self, key: str, value: str) -> QPushButton:
        facet = FACET_BY_KEY[key]
        name = facet.name(value)
        title = name if name == facet.title else f"{facet.title}: {name}"
        chip = chip_button(f"{short(title)}  ×", f"chosen_{key}", self)
        chip.setAccessibleName(f"No longer {title}")
        chip.setToolTip("Take this filter away")
        chip.clicked.connect(lambda: self._model.set_look(self._model.look.with_value(key, value, on=False)))
        return chip


def chip_button(text: str, name: str, parent: QWidget) -> QPushButton:
    """Return a button that looks like a chip."""
    button = QPushButton(text, parent)
    button.setObjectName(name)
    button.setAccessibleName(text)
    mark(button, "chip", True)
    return button


def short(text: str) -> str:
    """Return a text that is no longer than a chip may be."""
    return text if len(text) <= CHIP_CHARACTERS else text[: CHIP_CHARACTERS - 1] + "…"
