"""A small window for tags or collections: what there is, marked where the pictures have it; type to find or make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QFrame, QLabel, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from sdstudio.core.folding import folded, natural
from sdstudio.ui.theme import GRID, leading_icon

MarkKind = Literal["tag", "collection"]

_WIDTH_PX: Final = 240
_LIST_PX: Final = 208
_WORDS: Final = {
    "tag": ("Tags", "Type a tag, then Enter", "No tags yet: type the first one."),
    "collection": ("Collections", "Type a collection, then Enter", "No collections yet: type the first one."),
}


class MarkPopup(QFrame):
    """Closes when one clicks elsewhere or presses Esc.

    Args:
        kind: What is chosen.
        offered: What there is.
        held: Name -> how many of the pictures have it.
        count: How many pictures it is about.
        parent: As Qt has it.
    """

    #: A name was given or taken; carries it, and whether it was given.
    toggled = Signal(str, bool)

    def __init__(
        self, kind: MarkKind, offered: Sequence[str], held: Mapping[str, int], count: int,
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent, Qt.WindowType.Popup)
        title, hint, none_yet = _WORDS[kind]
        self.setObjectName(f"{kind}Popup")
        self.setProperty("card", True)
        self.setFixedWidth(_WIDTH_PX)
        heading = QLabel(title if count == 1 else f"{title} of {count:,} pictures", self)
        heading.setProperty("role", "group")
        self.edit = QLineEdit(self)
        self.edit.setObjectName(f"{kind}Edit")
        self.edit.setAccessibleName(hint)
        self.edit.setPlaceholderText(hint)
        leading_icon(self.edit, "plus")
        self.edit.textChanged.connect(self._filter)
        self.edit.returnPressed.connect(self._on_entered)
        self.list = QListWidget(self)
        self.list.setObjectName(f"{kind}List")
        self.list.setAccessibleName(title)
        self.list.setFixedHeight(_LIST_PX)
        self._none = QLabel(none_yet, self)
        self._none.setProperty("role", "muted")
        self._none.setWordWrap(True)
        for name in sorted(offered, key=natural):
            self._add(name, _state(held.get(name, 0), count))
        self.list.itemChanged.connect(self._on_changed)
        self.list.itemActivated.connect(self._flip)
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID, GRID, GRID, GRID)
        column.setSpacing(GRID)
        for widget in (heading, self.edit, self.list, self._none):
            column.addWidget(widget)
        self._filter("")

    def open_at(self, where: QPoint) -> None:
        """Open at a place of the screen, moved to where it fits."""
        self.adjustSize()
        room = self.screen().availableGeometry()
        x = min(max(where.x(), room.left()), room.right() - self.width())
        y = min(max(where.y(), room.top()), room.bottom() - self.height())
        self.move(x, y)
        self.show()
        self.edit.setFocus(Qt.FocusReason.PopupFocusReason)

    def _add(self, name: str, state: Qt.CheckState) -> QListWidgetItem:
        item = QListWidgetItem(name, self.list)
        item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable)
        item.setCheckState(state)
        return item

    def _filter(self, text: str) -> None:
        wanted = folded(text.strip())
        items = [self.list.item(row) for row in range(self.list.count())]
        for item in items:
            item.setHidden(wanted not in folded(item.text()))
        self._none.setVisible(not items)
        self.list.setVisible(bool(items))

    def _on_entered(self) -> None:
        name = " ".join(self.edit.text().split())
        if not name:
            self.close()
            return
        items = [self.list.item(row) for row in range(self.list.count())]
        same = [item for item in items if folded(item.text()) == folded(name)]
        self.edit.clear()
        if same:
            same[0].setCheckState(Qt.CheckState.Checked)
            return
        self.list.blockSignals(True)
        self._add(name, Qt.CheckState.Checked)
        self.list.blockSignals(False)
        self._filter("")
        self.toggled.emit(name, True)

    def _flip(self, item: QListWidgetItem) -> None:
        on = item.checkState() == Qt.CheckState.Checked
        item.setCheckState(Qt.CheckState.Unchecked if on else Qt.CheckState.Checked)

    def _on_changed(self, item: QListWidgetItem) -> None:
        self.toggled.emit(item.text(), item.checkState() == Qt.CheckState.Checked)


def _state(number: int, count: int) -> Qt.CheckState:
    if not number:
        return Qt.CheckState.Unchecked
    return Qt.CheckState.Checked if number >= count else Qt.CheckState.PartiallyChecked
