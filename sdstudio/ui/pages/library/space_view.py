"""Where the disk's space goes: a bar for each folder, kind and file, the largest first; and what is there twice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, Qt, Signal, SignalInstance
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QProgressBar,
    QPushButton,
    QStackedWidget,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeWidget,
    QTreeWidgetItem,
    QTreeWidgetItemIterator,
    QVBoxLayout,
    QWidget,
)

from sdstudio.background.signals import TypedSignal
from sdstudio.catalog.kinds import KIND_BY_KEY
from sdstudio.core.models.asset import Asset
from sdstudio.core.readable import readable_size
from sdstudio.library.scanning.places import program_of
from sdstudio.library.space import Duplicates, Portion
from sdstudio.ui.pages.library.asset_delegate import KIND_ICONS
from sdstudio.ui.theme import GRID, current_theme, icon, set_icon, tokens
from sdstudio.ui.widgets.empty_state import EmptyState

_SHARE_ROLE: Final = Qt.ItemDataRole.UserRole + 1
_ASSET_ROLE: Final = Qt.ItemDataRole.UserRole + 2
_ICON_ROLE: Final = Qt.ItemDataRole.UserRole + 3
_FILES_SHOWN: Final = 200
_BAR_PX: Final = 240


class ShareBar(QStyledItemDelegate):
    """A share of the whole as a bar."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw the bar."""
        super().paint(painter, option, index)
        share = float(index.data(_SHARE_ROLE) or 0.0)
        rect = QRectF(option.rect)
        place = QRectF(rect.left() + GRID, rect.center().y() - 3, rect.width() - 2 * GRID, 6)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        for width, colour in ((place.width(), tokens().border), (max(2.0, place.width() * share), tokens().accent)):
            painter.setBrush(QColor(colour))
            painter.drawRoundedRect(QRectF(place.left(), place.top(), width, place.height()), 3, 3)
        painter.restore()


class SpaceView(QWidget):
    """Both trees and the buttons; who hashes and links is not its concern."""

    #: Files with the same bytes are to be looked for.
    search_pressed = Signal()
    #: The search is to stop.
    cancel_pressed = Signal()
    #: Copies are to become hard links; carries the groups, a tuple of `Duplicates`.
    link_pressed = TypedSignal[tuple[Duplicates, ...]]()
    #: A file is to be shown among the models; carries its path.
    file_chosen = TypedSignal[Path]()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("spaceView")
        self._found: tuple[Duplicates, ...] = ()
        self.summary = QLabel(self)
        self.summary.setProperty("role", "muted")
        self.tree = _tree("spaceTree", "Disk usage by folder and kind", ("Folder, kind, file", "Size", "Share"), self)
        self.tree.setItemDelegateForColumn(2, ShareBar(self.tree))
        self.tree.itemActivated.connect(self._on_activated)
        self._nothing = EmptyState(
            "hard-drive", "No files yet",
            "Files of the model folders stand here by size. Download a model, or add a folder that has some.", self,
        )  # fmt: skip
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self._nothing)
        self._stack.addWidget(self.tree)
        columns = ("Files with the same bytes", "Could be free")
        self.twice = _tree("duplicatesTree", "Files with the same bytes", columns, self)
        self.twice.itemSelectionChanged.connect(self._on_selection_changed)
        self.twice_said = QLabel("Files of one size are read and compared by their hashes.", self)
        self.twice_said.setWordWrap(True)
        self.twice_said.setProperty("role", "muted")
        self.search_button = self._button("findDuplicatesButton", "Find duplicates", "search", self.search_pressed)
        self.cancel_button = self._button("cancelDuplicatesButton", "Cancel", "x", self.cancel_pressed)
        self.link_button = QPushButton(" Replace copies by hard links", self)
        self.link_button.setObjectName("linkCopiesButton")
        self.link_button.setAccessibleName("Replace copies by hard links")
        self.link_button.setToolTip(
            "Every name stays, and the bytes are on the disk once. A program that changes one changes all: most write "
            "model files anew instead."
        )
        set_icon(self.link_button, "link")
        self.link_button.clicked.connect(lambda: self.link_pressed.emit(self._wanted()))
        self.progress = QProgressBar(self)
        self.progress.setRange(0, 1000)
        self.progress.setAccessibleName("Progress of the search")
        theme = current_theme()
        if theme is not None:
            theme.changed.connect(self._renew_icons)
        self._lay_out()
        self.set_searching(False)
        self.show_duplicates((), searched=False)

    def show_space(self, rows: Sequence[Portion]) -> None:
        """Show where the space goes."""
        whole = sum(row.size_bytes for row in rows) or 1
        tops = [self.tree.topLevelItem(at) for at in range(self.tree.topLevelItemCount())]
        closed = {item.text(0) for item in tops if item is not None and not item.isExpanded()}
        self.tree.clear()
        folders: dict[Path, QTreeWidgetItem] = {}
        for row in rows:
            if row.root not in folders:
                size = sum(other.size_bytes for other in rows if other.root == row.root)
                program = program_of(row.root)
                title = f"{row.root}  ({program.title})" if program is not None else str(row.root)
                folders[row.root] = _item(title, size, whole, "folder")
                self.tree.addTopLevelItem(folders[row.root])
            plural = KIND_BY_KEY[row.kind].plural
            icon_name = KIND_ICONS.get(row.kind, "file-image")
            kind = _item(f"{plural}  ({len(row.assets):,})", row.size_bytes, whole, icon_name)
            folders[row.root].addChild(kind)
            for asset in row.assets[:_FILES_SHOWN]:
                child = _item(asset.name, asset.size_bytes, whole)
                child.setData(0, _ASSET_ROLE, asset)
                child.setToolTip(0, str(asset.path))
                kind.addChild(child)
            if len(row.assets) > _FILES_SHOWN:
                kind.addChild(QTreeWidgetItem([f"and {len(row.assets) - _FILES_SHOWN:,} smaller ones"]))
        for item in folders.values():
            item.setExpanded(item.text(0) not in closed)
        files = sum(len(row.assets) for row in rows)
        self.summary.setText(f"{_counted(files)}, {readable_size(whole)}" if rows else "")
        self._stack.setCurrentWidget(self.tree if rows else self._nothing)
        self.search_button.setEnabled(files > 1)

    def show_duplicates(self, groups: Sequence[Duplicates], searched: bool = True) -> None:
        """Show which files hold the same bytes."""
        self._found = tuple(groups)
        self.twice.clear()
        for group in groups:
            first = group.assets[0]
            item = QTreeWidgetItem([f"{first.name}  ({len(group.assets)} files)", readable_size(group.wasted_bytes)])
            item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.twice.addTopLevelItem(item)
            for asset in group.assets:
                item.addChild(QTreeWidgetItem([str(asset.path), ""]))
            item.setExpanded(True)
        wasted = sum(group.wasted_bytes for group in groups)
        if searched:
            self.twice_said.setText(
                f"{readable_size(wasted)} could be free: the bytes of {len(groups)} "
                f"{'file are' if len(groups) == 1 else 'files are'} there more than once."
                if groups else "No two files hold the same bytes."
            )  # fmt: skip
        self.twice.setVisible(bool(groups))
        self._on_selection_changed()

    def set_searching(self, searching: bool) -> None:
        """Return whether files are being read."""
        self.search_button.setVisible(not searching)
        self.cancel_button.setVisible(searching)
        self.progress.setVisible(searching)
        self.progress.setValue(0)

    def tell(self, fraction: float, left: str = "") -> None:
        """Show how far the search is."""
        self.progress.setValue(round(fraction * 1000))
        self.twice_said.setText(f"Reading files of one size: {fraction:.0%}{left}")

    def _renew_icons(self) -> None:
        items = QTreeWidgetItemIterator(self.tree)
        while (item := items.value()) is not None:
            if item.data(0, _ICON_ROLE):
                item.setIcon(0, icon(item.data(0, _ICON_ROLE), "muted"))
            items += 1

    def _wanted(self) -> tuple[Duplicates, ...]:
        """Return the chosen groups, all when none is chosen."""
        chosen = {self.twice.indexOfTopLevelItem(item.parent() or item) for item in self.twice.selectedItems()}
        return tuple(group for at, group in enumerate(self._found) if at in chosen or not chosen)

    def _on_selection_changed(self) -> None:
        count = len(self._wanted()) if self._found else 0
        chosen = bool(self.twice.selectedItems())
        self.link_button.setVisible(bool(self._found))
        self.link_button.setText(f" Replace copies by hard links ({'selected' if chosen else 'all'}: {count})")

    def _on_activated(self, item: QTreeWidgetItem) -> None:
        asset: Asset | None = item.data(0, _ASSET_ROLE)
        if asset is not None:
            self.file_chosen.emit(asset.path)

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(GRID)
        row.addWidget(self.twice_said, 1)
        for widget in (self.progress, self.cancel_button, self.link_button, self.search_button):
            row.addWidget(widget)
        self.progress.setFixedWidth(GRID * 20)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addWidget(self.summary)
        column.addWidget(self._stack, 3)
        column.addLayout(row)
        column.addWidget(self.twice, 2)

    def _button(self, name: str, title: str, icon_name: str, pressed: SignalInstance) -> QPushButton:
        button = QPushButton(f" {title}", self)
        button.setObjectName(name)
        button.setAccessibleName(title)
        set_icon(button, icon_name)
        button.clicked.connect(lambda: pressed.emit())
        return button


def _counted(files: int) -> str:
    return "1 file" if files == 1 else f"{files:,} files"


def _tree(name: str, title: str, columns: Sequence[str], parent: QWidget) -> QTreeWidget:
    tree = QTreeWidget(parent)
    tree.setObjectName(name)
    tree.setAccessibleName(title)
    tree.setHeaderLabels(list(columns))
    tree.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
    tree.setUniformRowHeights(True)
    header = tree.header()
    header.setStretchLastSection(False)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    for at in range(1, len(columns)):
        header.setSectionResizeMode(at, QHeaderView.ResizeMode.Fixed)
        header.resizeSection(at, _BAR_PX if at == 2 else GRID * 14)
    return tree


def _item(text: str, size_bytes: int, whole: int, icon_name: str = "") -> QTreeWidgetItem:
    item = QTreeWidgetItem([text, readable_size(size_bytes), ""])
    item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    item.setData(2, _SHARE_ROLE, size_bytes / whole)
    item.setData(2, Qt.ItemDataRole.AccessibleTextRole, f"{size_bytes / whole:.0%}")
    if icon_name:
        item.setData(0, _ICON_ROLE, icon_name)
        item.setIcon(0, icon(icon_name, "muted"))
    return item
