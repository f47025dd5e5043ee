"""The open list of models, below the box that names the chosen one: type to search, Enter to choose, Esc to go back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QEvent, QModelIndex, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QMouseEvent, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from sdstudio.ui.pages.create.models.covers import Covers
from sdstudio.ui.pages.create.models.list import ROW_ROLE, ModelListModel, ModelRowDelegate, heart_rect
from sdstudio.ui.pages.create.models.rows import ModelRow
from sdstudio.ui.theme import GRID, leading_icon, mark, set_icon

USE_ANOTHER: Final = "Use models of another program…"
DOWNLOAD: Final = "Download a model…"

_LEAST_WIDTH_PX: Final = 528
_HEIGHT_PX: Final = 560
_LEAST_HEIGHT_PX: Final = 240
_WALKS: Final = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


class ModelPicker(QFrame):
    """Closes when a model is chosen, when one clicks elsewhere, and by Esc.

    Args:
        covers: Pictures of models.
        parent: As Qt has it.
    """

    #: A model was chosen; carries its key.
    chosen = Signal(str)
    #: A model is to be a favourite, or no longer; carries its key.
    favourite_toggled = Signal(str)
    #: A model is to be downloaded.
    download_wanted = Signal()
    #: Models of another program are to be used.
    programs_wanted = Signal()

    def __init__(self, covers: Covers, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("modelPicker")
        self.setAccessibleName("Models")
        self.setProperty("card", True)
        self.setAttribute(Qt.WidgetAttribute.WA_NoMouseReplay)  # or a click on the box closes and opens at once
        self.search_edit = QLineEdit(self)
        self.search_edit.setObjectName("modelPickerSearchEdit")
        self.search_edit.setAccessibleName("Search models")
        self.search_edit.setPlaceholderText("Search by name, folder or family")
        self.search_edit.setClearButtonEnabled(True)
        leading_icon(self.search_edit, "search")
        self.model = ModelListModel(self)
        self.list = _ModelListView(self.model, covers, self)
        self._none = QLabel("No model of this name.", self)
        self._none.setProperty("role", "muted")
        self._none.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.programs_button = self._foot_button("pickerProgramsButton", USE_ANOTHER, "folder-plus")
        self.download_button = self._foot_button("pickerDownloadButton", DOWNLOAD, "download")
        self._lay_out()
        self.search_edit.textChanged.connect(self._on_typed)
        self.search_edit.returnPressed.connect(self._on_entered)
        self.search_edit.installEventFilter(self)
        self.list.entered_at.connect(self._choose)
        self.list.heart_pressed.connect(self._toggle)
        self.list.letter_typed.connect(self._on_letter)
        self.download_button.clicked.connect(self.close)
        self.download_button.clicked.connect(self.download_wanted)
        self.programs_button.clicked.connect(self.close)
        self.programs_button.clicked.connect(self.programs_wanted)
        covers.made.connect(self.list.viewport().update)
        favourite = QShortcut(QKeySequence("Ctrl+D"), self)
        favourite.activated.connect(lambda: self._toggle(self.list.currentIndex()))

    def show_rows(self, rows: Sequence[ModelRow]) -> None:
        """Show these models; what is walked to and the place of the list stay."""
        before, place = self._current_key(), self.list.verticalScrollBar().value()
        self.model.show_rows(rows)
        self._walk_to(self.model.row_of(before) if before else QModelIndex())
        self.list.verticalScrollBar().setValue(place)

    def open_below(self, box: QWidget, rows: Sequence[ModelRow], typed: str = "") -> None:
        """Open below the box, or above it where there is more room, with the chosen model in view.

        Args:
            box: What it belongs to.
            rows: What there is.
            typed: Begins the search.
        """
        self.search_edit.setText("")
        self.model.show_rows(rows)
        window = box.window()
        room = self.screen().availableGeometry()
        corner = box.mapToGlobal(box.rect().bottomLeft())
        width = min(max(box.width(), _LEAST_WIDTH_PX), room.width())
        below, above = room.bottom() - corner.y() - GRID, corner.y() - box.height() - room.top() - GRID
        low = window.mapToGlobal(window.rect().bottomLeft()).y() - corner.y() - GRID  # not beyond the window, if it can
        height = min(_HEIGHT_PX, max(low, _LEAST_HEIGHT_PX), max(below, above))
        self.setFixedSize(width, height)
        x = corner.x() + (box.width() - width) // 2
        y = corner.y() + GRID // 2 if below >= min(height, above) else corner.y() - box.height() - height
        self.move(min(max(x, room.left()), room.right() - width), max(y, room.top()))
        self.show()
        self.search_edit.setFocus(Qt.FocusReason.PopupFocusReason)
        current = next((row.model.key for row in rows if row.model is not None and row.is_current), "")
        self._walk_to(self.model.row_of(current))
        self.search_edit.setText(typed)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Up and Down walk the list while one types."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.key() in _WALKS:
            QApplication.sendEvent(self.list, event)
            return True
        return super().eventFilter(watched, event)

    def _lay_out(self) -> None:
        self._foot = QHBoxLayout()
        self._foot.setSpacing(GRID)
        self._foot.addWidget(self.programs_button)
        self._foot.addWidget(self.download_button)
        self._foot.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID, GRID, GRID, GRID)
        column.setSpacing(GRID)
        column.addWidget(self.search_edit)
        column.addWidget(self.list, 1)
        column.addWidget(self._none, 1)
        column.addLayout(self._foot)
        self._none.hide()

    def _foot_button(self, name: str, title: str, icon_name: str) -> QPushButton:
        button = QPushButton(f" {title}", self)
        button.setObjectName(name)
        button.setAccessibleName(title)
        button.setAutoDefault(False)
        mark(button, "ghost", True)
        set_icon(button, icon_name)
        return button

    def _on_typed(self, text: str) -> None:
        before = self._current_key()
        self.model.narrow(text)
        shown = bool(self.model.rows)
        self.list.setVisible(shown)
        self._none.setVisible(not shown)
        self._walk_to(self.model.first() if text.strip() else self.model.row_of(before))

    def _on_letter(self, letter: str) -> None:
        self.search_edit.setFocus(Qt.FocusReason.OtherFocusReason)
        self.search_edit.insert(letter)

    def _on_entered(self) -> None:
        self._choose(self.list.currentIndex())

    def _choose(self, index: QModelIndex) -> None:
        row: ModelRow | None = index.data(ROW_ROLE)
        if row is not None and row.model is not None and row.is_usable:
            self.close()
            self.chosen.emit(row.model.key)

    def _toggle(self, index: QModelIndex) -> None:
        row: ModelRow | None = index.data(ROW_ROLE)
        if row is not None and row.model is not None and row.is_usable:
            self.favourite_toggled.emit(row.model.key)

    def _walk_to(self, index: QModelIndex) -> None:
        index = index if index.isValid() else self.model.first()
        self.list.setCurrentIndex(index)
        if index.isValid():
            self.list.scrollTo(index, QAbstractItemView.ScrollHint.EnsureVisible)

    def _current_key(self) -> str:
        row: ModelRow | None = self.list.currentIndex().data(ROW_ROLE)
        return row.model.key if row is not None and row.model is not None else ""


class _ModelListView(QListView):
    #: Enter, or a click; carries the index.
    entered_at = Signal(QModelIndex)
    #: The heart of a line was clicked; carries the index.
    heart_pressed = Signal(QModelIndex)
    #: A letter was typed: it belongs to the search.
    letter_typed = Signal(str)

    def __init__(self, model: ModelListModel, covers: Covers, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("modelPickerList")
        self.setAccessibleName("Models")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)  # lines keep their width while one types
        self.setItemDelegate(ModelRowDelegate(covers, self))
        self.setModel(model)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Enter chooses, letters search."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.entered_at.emit(self.currentIndex())
        elif event.text().isprintable() and event.text().strip() and not event.modifiers():
            self.letter_typed.emit(event.text())
        else:
            super().keyPressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """A click chooses; on the heart it makes a favourite."""
        super().mouseReleaseEvent(event)
        index = self.indexAt(event.position().toPoint())
        if event.button() != Qt.MouseButton.LeftButton or not index.isValid():
            return
        on_heart = heart_rect(self.visualRect(index)).contains(event.position().toPoint())
        (self.heart_pressed if on_heart else self.entered_at).emit(index)
