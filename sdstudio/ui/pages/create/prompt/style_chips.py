"""The styles that are chosen, as chips in one line below the prompt; those that do not fit are behind the last."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QPushButton, QSizePolicy, QWidget

from sdstudio.ui.theme import GRID, NARROW_PX, mark, set_icon
from sdstudio.ui.widgets.menu_buttons import unlit_after


class StyleChips(QWidget):
    """The chosen styles; a click on one takes it away. Hidden while there is none."""

    #: A style was taken away, or styles were chosen: all names.
    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("styleChips")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._names: tuple[str, ...] = ()
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(GRID // 2)
        self._lead = QLabel("Styles")
        mark(self._lead, "role", "caption")
        self._lead.setContentsMargins(GRID // 2, 0, GRID // 2, 0)
        self.more_button = QPushButton()
        self.more_button.setObjectName("moreStylesButton")
        self.more_button.setAccessibleName("More styles")
        mark(self.more_button, "chip", True)
        self.more_button.clicked.connect(self._open_more)
        self._row.addWidget(self._lead)
        self._row.addWidget(self.more_button)
        self._row.addStretch(1)
        self._chips: list[QPushButton] = []
        self._menu = QMenu(self)
        unlit_after(self._menu, self.more_button)
        self.hide()

    @property
    def names(self) -> tuple[str, ...]:
        """The chosen styles, in the order in which they were chosen."""
        return self._names

    def set_names(self, names: Sequence[str]) -> None:
        """Choose these."""
        if tuple(names) == self._names:
            return
        self._names = tuple(dict.fromkeys(names))
        for chip in self._chips:
            self._row.removeWidget(chip)
            chip.hide()
            chip.deleteLater()
        self._chips = [self._chip(at, name) for at, name in enumerate(self._names)]
        self.setVisible(bool(self._names))
        self._fit()
        self.changed.emit()

    def toggle(self, name: str) -> None:
        """Choose a style, or take it away."""
        others = tuple(each for each in self._names if each != name)
        self.set_names(others if name in self._names else (*self._names, name))

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 (Qt's name)
        """Show as many as fit."""
        super().resizeEvent(event)
        self._fit()

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """As narrow as the chip behind which the others are."""
        return QSize(self.more_button.sizeHint().width(), super().minimumSizeHint().height())

    def _fit(self) -> None:
        widths = [chip.sizeHint().width() + GRID // 2 for chip in self._chips]
        has_lead = self.width() >= NARROW_PX // 2
        self._lead.setVisible(has_lead)
        room = self.width() - (self._lead.sizeHint().width() + GRID // 2 if has_lead else 0)
        shown = len(widths)
        if sum(widths) > room:
            self._say_more(len(widths))  # as wide as it can become
            room -= self.more_button.sizeHint().width()
            shown = next((count for count in range(len(widths), 0, -1) if sum(widths[:count]) <= room), 0)
        for at, chip in enumerate(self._chips):
            chip.setVisible(at < shown)
        self._say_more(len(widths) - shown)

    def _say_more(self, count: int) -> None:
        self.more_button.setVisible(count > 0)
        self.more_button.setText(f"+{count}")
        hidden = self._names[len(self._names) - count :]
        self.more_button.setAccessibleName(f"{count} more styles")
        self.more_button.setToolTip(", ".join(hidden))

    def _open_more(self) -> None:
        self._menu.clear()
        for chip, name in zip(self._chips, self._names, strict=True):
            if chip.isHidden():
                action = self._menu.addAction(f"Take {name.replace('&', '&&')} away")
                action.triggered.connect(lambda _checked=False, name=name: self.toggle(name))
        self._menu.popup(self.more_button.mapToGlobal(self.more_button.rect().bottomLeft()))

    def _chip(self, at: int, name: str) -> QPushButton:
        chip = QPushButton(name)
        chip.setAccessibleName(f"Style {name}: take it away")
        chip.setToolTip("Click to take the style away")
        chip.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        set_icon(chip, "x", "muted", 12)
        mark(chip, "chip", True)
        chip.clicked.connect(lambda: self.toggle(name))
        self._row.insertWidget(at + 1, chip)
        return chip


class BelowPrompt(QWidget):
    """The line below the prompt: chips, counter, tools; where it is narrow, chips go behind the last sooner."""

    def __init__(self, chips: StyleChips, counter: QWidget, tools: QWidget) -> None:
        super().__init__()
        mark(self, "bare", True)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        policy = chips.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        chips.setSizePolicy(policy)
        row.addWidget(chips, 1)
        row.addWidget(counter)
        row.addWidget(tools)
