"""A list of what came of work on many files: which file, what about it; filtered by kind, copied as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from sdstudio.ui.theme import GRID, icon, mark, set_icon

Index = QModelIndex | QPersistentModelIndex
_TITLES: Final = ("File", "What")


@dataclass(frozen=True, slots=True)
class ResultKind:
    """One kind of line: the title of its button ("failed"), and its icon with the field of `Tokens` for its colour."""

    key: str
    title: str
    icon: str
    color: str


@dataclass(frozen=True, slots=True)
class Result:
    """One line: the key of its kind, the file's name, the text, and more for the tooltip."""

    kind: str
    name: str
    text: str
    more: str = ""


class ResultsModel(QAbstractTableModel):
    """Lines of the kinds that are shown."""

    def __init__(self, kinds: Sequence[ResultKind], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._kinds = {kind.key: kind for kind in kinds}
        self._all: tuple[Result, ...] = ()
        self._shown: tuple[Result, ...] = ()

    @property
    def shown(self) -> tuple[Result, ...]:
        """The lines that are shown."""
        return self._shown

    def set_results(self, results: Sequence[Result], kind: str = "") -> None:
        """Take these lines and show those of one kind, "" for all."""
        self.beginResetModel()
        self._all = tuple(results)
        self._shown = tuple(result for result in self._all if kind in ("", result.kind))
        self.endResetModel()

    def show_kind(self, kind: str) -> None:
        """Show the lines of one kind, "" for all."""
        self.set_results(self._all, kind)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008, N802
        """Return how many lines are shown."""
        return 0 if parent.isValid() else len(self._shown)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008, N802
        """File, and what about it."""
        return 0 if parent.isValid() else len(_TITLES)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: N802
        """Return a column's title."""
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return _TITLES[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a line's words, its kind's icon, or all of it as a tooltip."""
        result = self._shown[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return result.name if index.column() == 0 else result.text
        if role == Qt.ItemDataRole.DecorationRole and index.column() == 0:
            kind = self._kinds[result.kind]
            return icon(kind.icon, kind.color)
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{result.name}\n{result.text}" + (f"\n{result.more}" if result.more else "")
        return None


class _NameDelegate(QStyledItemDelegate):
    """Cuts names in the middle: they differ in their numbers and endings."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: Index) -> None:  # noqa: N802
        super().initStyleOption(option, index)
        option.textElideMode = Qt.TextElideMode.ElideMiddle


class ResultsView(QWidget):
    """Buttons for the kinds, and the list. Hidden while there are no lines.

    Args:
        name: objectName of the list.
        kinds: In the order of their buttons.
        parent: As Qt has it.
    """

    def __init__(self, name: str, kinds: Sequence[ResultKind], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kinds = tuple(kinds)
        self.model = ResultsModel(kinds, self)
        self.view = QTableView(self)
        self.view.setObjectName(name)
        self.view.setAccessibleName("Results")
        self.view.setModel(self.model)
        self.view.setShowGrid(False)
        self.view.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.view.setWordWrap(False)
        self.view.verticalHeader().hide()
        self.view.verticalHeader().setDefaultSectionSize(GRID * 4)
        header = self.view.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setHighlightSections(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(True)
        self.view.setColumnWidth(0, 260)
        self.view.setItemDelegateForColumn(0, _NameDelegate(self.view))
        self._buttons: dict[str, QPushButton] = {}
        row = QHBoxLayout()
        row.setSpacing(GRID)
        for kind in self._kinds:
            button = QPushButton(self)
            button.setObjectName(f"{name}_{kind.key}")
            button.setAccessibleName(kind.title)
            button.setCheckable(True)
            button.setAutoDefault(False)
            mark(button, "ghost", True)
            set_icon(button, kind.icon, kind.color, 14)
            button.clicked.connect(lambda _checked=False, key=kind.key: self._on_kind_pressed(key))
            self._buttons[kind.key] = button
            row.addWidget(button)
        row.addStretch(1)
        self._copy = QPushButton(" Copy list", self)
        self._copy.setObjectName(f"{name}Copy")
        self._copy.setAccessibleName("Copy list")
        self._copy.setAutoDefault(False)
        mark(self._copy, "ghost", True)
        set_icon(self._copy, "copy", "muted", 14)
        self._copy.clicked.connect(lambda: QApplication.clipboard().setText(self.text()))
        row.addWidget(self._copy)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addLayout(row)
        column.addWidget(self.view, 1)
        self.hide()

    def show_results(self, results: Sequence[Result]) -> None:
        """Show these lines, all kinds of them."""
        self.model.set_results(results)
        for kind in self._kinds:
            count = sum(result.kind == kind.key for result in results)
            button = self._buttons[kind.key]
            button.setText(f" {count:,} {kind.title}")
            button.setAccessibleName(f"{count:,} {kind.title}")
            button.setVisible(count > 0)
            button.setChecked(False)
        self.setVisible(bool(results))

    def text(self) -> str:
        """Return the lines that are shown as text."""
        return "\n".join(f"{result.name}\t{result.text}" for result in self.model.shown)

    def _on_kind_pressed(self, key: str) -> None:
        for other, button in self._buttons.items():
            if other != key:
                button.setChecked(False)
        self.model.show_kind(key if self._buttons[key].isChecked() else "")
