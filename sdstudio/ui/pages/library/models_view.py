"""The models of the library: a row of filters, the list, and beside it all that is known about the chosen one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PySide6.QtCore import QModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from sdstudio.background.signals import TypedSignal
from sdstudio.catalog.families import FAMILIES
from sdstudio.catalog.kinds import CHECKPOINT, KINDS
from sdstudio.ui.pages.library.asset_delegate import AssetDelegate
from sdstudio.ui.pages.library.asset_details import AssetDetails
from sdstudio.ui.pages.library.asset_model import SORTS, UNKNOWN_FAMILY, AssetModel, ShownAsset
from sdstudio.ui.theme import GRID, leading_icon
from sdstudio.ui.widgets.breaking_row import BreakingRow
from sdstudio.ui.widgets.choice_box import ChoiceBox
from sdstudio.ui.widgets.empty_state import EmptyState

_ONE_ROW_PX: Final = 800
_POPUP_PX: Final = 184
_SEARCH_DELAY_MS: Final = 120


class AssetList(QListView):
    """The cards; Enter uses one, Delete moves it to the trash."""

    #: The chosen one is to be drawn with.
    use_pressed = Signal()
    #: The chosen one is to go to the trash.
    trash_pressed = Signal()

    def __init__(self, model: AssetModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("modelView")
        self.setAccessibleName("Models")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._delegate = AssetDelegate(self)
        self.setItemDelegate(self._delegate)
        self.setModel(model)
        self.doubleClicked.connect(lambda _index: self.use_pressed.emit())

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Enter and Delete act; letters do not jump about, since there is a search field."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.use_pressed.emit()
        elif event.matches(QKeySequence.StandardKey.Delete):
            self.trash_pressed.emit()
        else:
            super().keyPressEvent(event)


class LibraryView(QWidget):
    """Filters, list and details."""

    #: Another thing is chosen, or none; carries its `ShownAsset` or None.
    chosen = TypedSignal[ShownAsset | None]()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("libraryView")
        self.model = AssetModel(self)
        self.search_edit = QLineEdit(self)
        self.search_edit.setObjectName("modelFilterEdit")
        self.search_edit.setAccessibleName("Search models")
        self.search_edit.setPlaceholderText("Name, folder, trigger word, hash…")
        self.search_edit.setClearButtonEnabled(True)
        leading_icon(self.search_edit, "search")
        self.kind_combo = _combo("modelKindComboBox", "Kind", self)
        self.family_combo = _combo("modelFamilyComboBox", "Family", self)
        self.sort_combo = _combo("modelSortComboBox", "Order", self)
        self.kind_combo.addItem("All kinds", "")
        self.list = AssetList(self.model, self)  # after the filters above it, for Tab goes in the order of making
        self.details = AssetDetails(self)
        for kind in KINDS:
            self.kind_combo.addItem(kind.plural, kind.key)
        self.family_combo.addItem("All families", "")
        for family in FAMILIES:
            if family.text_width:
                self.family_combo.addItem(family.title, family.key)
        self.family_combo.addItem("Other or unknown", UNKNOWN_FAMILY)
        for key, (title, _order) in SORTS.items():
            self.sort_combo.addItem(title, key)
        self.count = QLabel(self)
        self.count.setProperty("role", "muted")
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_SEARCH_DELAY_MS)
        self._soon.timeout.connect(self._narrow)
        self.search_edit.textChanged.connect(self._soon.start)
        self.search_edit.returnPressed.connect(self._narrow)
        for combo in (self.kind_combo, self.family_combo, self.sort_combo):
            combo.currentIndexChanged.connect(self._narrow)
        self.none = EmptyState("box", "Nothing matches", "Other words, another kind or family would.", self)
        self.none.chosen.connect(lambda _text: self.show_all())
        self.none.suggest(("Show everything",))
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self.list)
        self._stack.addWidget(self.none)
        self._lay_out()
        selection = self.list.selectionModel()
        selection.currentChanged.connect(self._on_current_changed)
        self.list.use_pressed.connect(self._on_use_pressed)
        self.list.trash_pressed.connect(self._on_trash_pressed)

    @property
    def current(self) -> ShownAsset | None:
        """What is chosen."""
        return self.model.row_of(self.list.currentIndex())

    def show_assets(self, rows: Sequence[ShownAsset]) -> None:
        """Show these; what is chosen stays chosen and what is seen in sight; in the beginning the model in use."""
        bar = self.list.verticalScrollBar()
        seen = bar.value()
        before = self.current
        if before is None:
            before = next((row for row in rows if row.in_use), None)
        self.model.show_assets(rows)
        self._choose(before)
        self._on_narrowed()
        self.list.doItemsLayout()  # else there is nothing to scroll yet
        bar.setValue(seen)

    def change(self, row: ShownAsset) -> None:
        """Show something new about one of them."""
        self.model.change(row)
        if self.details.shown is not None and self.details.shown.asset.path == row.asset.path:
            self.details.renew(row)

    def show_all(self) -> None:
        """Take every filter away."""
        self.search_edit.clear()
        self.kind_combo.setCurrentIndex(0)
        self.family_combo.setCurrentIndex(0)
        self._narrow()

    def choose(self, path: Path) -> None:
        """Choose the thing at a path and bring it into view; filters that hide it are taken away."""
        if not self.model.index_of(path).isValid():
            self.show_all()
        index = self.model.index_of(path)
        self.list.setCurrentIndex(index)
        self.list.scrollTo(index)

    def _lay_out(self) -> None:
        filters = BreakingRow(_ONE_ROW_PX, self)
        filters.first.addWidget(self.search_edit, 1)
        filters.first.addWidget(self.count)
        for combo in (self.kind_combo, self.family_combo, self.sort_combo):
            filters.second.addWidget(combo, len(combo.itemText(0)))
        left = QVBoxLayout()
        left.setSpacing(GRID + GRID // 2)
        left.addWidget(filters)
        left.addWidget(self._stack, 1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID * 2)
        row.addLayout(left, 1)
        row.addWidget(self.details)

    def _narrow(self) -> None:
        self._soon.stop()
        before = self.current
        self.model.narrow(
            self.kind_combo.currentData(), self.family_combo.currentData(), self.search_edit.text(),
            self.sort_combo.currentData(),
        )  # fmt: skip
        self._choose(before)
        self._on_narrowed()

    def _choose(self, before: ShownAsset | None) -> None:
        index = self.model.index_of(before.asset.path) if before is not None else QModelIndex()
        if index.isValid():
            self.list.setCurrentIndex(index)
        else:
            self.chosen.emit(None)

    def _on_narrowed(self) -> None:
        shown, everything = self.model.rowCount(), len(self.model.everything)
        files = "1 file" if everything == 1 else f"{everything:,} files"
        self.count.setText(f"{shown:,} of {everything:,}" if shown != everything else files)
        self._stack.setCurrentWidget(self.list if shown or not everything else self.none)

    def _on_current_changed(self, index: QModelIndex) -> None:
        row = self.model.row_of(index)
        if row is not None:
            self.chosen.emit(row)

    def _on_trash_pressed(self) -> None:
        row = self.current
        if row is not None:
            self.details.trash_pressed.emit(row.asset)  # the code that does it reports why one of them stays

    def _on_use_pressed(self) -> None:
        row = self.current
        if row is not None:
            button = self.details.use_button if row.asset.kind == CHECKPOINT else self.details.prompt_button
            if not button.isHidden():
                button.click()


def _combo(name: str, title: str, parent: QWidget) -> QComboBox:
    combo = ChoiceBox()
    combo.setParent(parent)
    combo.setObjectName(name)
    combo.setAccessibleName(title)
    combo.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(4)
    combo.view().setMinimumWidth(_POPUP_PX)
    combo.currentTextChanged.connect(lambda text: combo.setToolTip(f"{title}: {text}"))
    return combo
