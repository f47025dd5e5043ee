"""All keys of the studio in one list with a search: those of the menus, and those that hold at one place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QDialog,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from sdstudio.core.folding import folded
from sdstudio.ui.theme import GRID, icon, mark
from sdstudio.ui.widgets.window_size import open_at
from sdstudio.ui.window.key_table import KEY_TABLES
from sdstudio.ui.window.menu_rows import MenuRow, native

_SIZE: Final = QSize(560, 640)
_JOINT: Final = "  or  "


class ShortcutList(QDialog):
    """Not modal.

    Args:
        rows: All commands of the menu bar.
        parent: The window they are of.
    """

    def __init__(self, rows: Sequence[MenuRow], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("shortcutList")
        self.setWindowTitle("Keyboard shortcuts")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.search_edit = QLineEdit(self)
        self.search_edit.setObjectName("shortcutListSearchEdit")
        self.search_edit.setAccessibleName("Search shortcuts")
        self.search_edit.setPlaceholderText("Search by what it does or by its keys")
        self.search_edit.setClearButtonEnabled(True)
        self.search_edit.addAction(icon("search", "muted"), QLineEdit.ActionPosition.LeadingPosition)
        self.search_edit.textChanged.connect(self._show_fitting)
        self.view = QTreeWidget(self)
        self.view.setObjectName("shortcutListView")
        self.view.setAccessibleName("Shortcuts")
        self.view.setHeaderHidden(True)
        self.view.setColumnCount(2)
        self.view.setRootIsDecorated(False)
        self.view.setIndentation(2 * GRID)
        self.view.setItemsExpandable(False)
        self.view.header().setStretchLastSection(False)
        self.view.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.view.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self._items: list[tuple[QTreeWidgetItem, list[QTreeWidgetItem]]] = []
        self._none = QLabel("No shortcut fits these letters.", self)
        self._none.setAlignment(Qt.AlignmentFlag.AlignCenter)
        mark(self._none, "role", "muted")
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        column.setSpacing(GRID)
        column.addWidget(self.search_edit)
        column.addWidget(self.view, 1)
        column.addWidget(self._none, 1)
        self._fill(rows)
        self._show_fitting("")
        open_at(self, _SIZE)

    def _fill(self, rows: Sequence[MenuRow]) -> None:
        places: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
        for row in rows:
            if row.keys:
                places.setdefault(f"{row.menu} menu", []).append((row.title, row.keys))
        for table in KEY_TABLES:
            places[table.place] = [(row.title, tuple(dict.fromkeys(map(native, row.keys)))) for row in table.rows]
        for place, keys in places.items():
            heading = QTreeWidgetItem(self.view, [place])
            heading.setFirstColumnSpanned(True)
            heading.setFlags(Qt.ItemFlag.ItemIsEnabled)
            font = heading.font(0)
            font.setWeight(font.Weight.DemiBold)
            heading.setFont(0, font)
            items = [QTreeWidgetItem(heading, [title, _JOINT.join(combinations)]) for title, combinations in keys]
            for item in items:
                item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self._items.append((heading, items))
            heading.setExpanded(True)

    def _show_fitting(self, typed: str) -> None:
        """Hide what has none of the words, and headings with nothing below."""
        words, is_any = folded(typed).split(), False
        for heading, items in self._items:
            for item in items:
                text = folded(f"{item.text(0)} {item.text(1)} {heading.text(0)}")
                item.setHidden(not all(word in text for word in words))
            is_shown = not all(item.isHidden() for item in items)
            heading.setHidden(not is_shown)
            is_any = is_any or is_shown
        self.view.setVisible(is_any)
        self._none.setVisible(not is_any)
