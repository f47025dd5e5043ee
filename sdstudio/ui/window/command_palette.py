"""Find a command or a parameter by a few letters, run it with Enter; what was used last stands first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QPoint, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFontMetrics, QIcon, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QDialog,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from sdstudio.core.folding import folded
from sdstudio.ui.theme import GRID, ICON_PX, icon, mark, tokens
from sdstudio.ui.window.fuzzy import fit
from sdstudio.ui.window.menu_rows import MenuRow

Index = QModelIndex | QPersistentModelIndex

_WIDTH_PX: Final = 600
_ROW_PX: Final = 4 * GRID
_ROWS: Final = 12
_WALKS: Final = {
    Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1, Qt.Key.Key_PageUp: -_ROWS, Qt.Key.Key_PageDown: _ROWS,
}  # fmt: skip


class CommandPalette(QDialog):
    """Closes when a command is run, when one clicks elsewhere, and by Esc.

    Args:
        parent: The window whose commands it finds.
    """

    #: A command was run; carries its key.
    ran = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("commandPalette")
        self.setAccessibleName("Find a command")
        self._window = parent
        self._rows: Sequence[MenuRow] = ()
        self._places: Sequence[MenuRow] = ()
        self._recent: tuple[str, ...] = ()
        self.search_edit = QLineEdit(self)
        self.search_edit.setObjectName("commandPaletteEdit")
        self.search_edit.setAccessibleName("Find a command")
        self.search_edit.setPlaceholderText("Type a few letters of a command or a parameter")
        self.search_edit.addAction(icon("search", "muted"), QLineEdit.ActionPosition.LeadingPosition)
        self.search_edit.installEventFilter(self)
        self.search_edit.textChanged.connect(self._show)
        self.list = QListWidget(self)
        self.list.setObjectName("commandPaletteView")
        self.list.setAccessibleName("Commands")
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setItemDelegate(_RowDelegate(self.list))
        self.list.setUniformItemSizes(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setFixedHeight(_ROWS * _ROW_PX)
        self.list.itemClicked.connect(self._run)
        self._none = QLabel("No command and no parameter fits these letters.", self)
        self._none.setFixedHeight(_ROWS * _ROW_PX)
        self._none.setAlignment(Qt.AlignmentFlag.AlignCenter)
        mark(self._none, "role", "muted")
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID, GRID, GRID, GRID)
        column.setSpacing(GRID)
        column.addWidget(self.search_edit)
        column.addWidget(self.list)
        column.addWidget(self._none)

    def open_with(self, rows: Sequence[MenuRow], recent: Sequence[str], places: Sequence[MenuRow] = ()) -> None:
        """Open over the upper part of the window.

        Args:
            rows: All commands.
            recent: Keys of those used last, the newest first.
            places: What leads to a parameter; found by typing alone, below the commands that fit as well.
        """
        self._rows, self._recent, self._places = rows, tuple(recent), places
        self.search_edit.clear()
        self._show("")
        window = self._window
        self.setFixedWidth(min(_WIDTH_PX, window.width() - 4 * GRID))
        self.adjustSize()
        self.move(window.mapToGlobal(QPoint((window.width() - self.width()) // 2, 6 * GRID)))
        self.show()
        self.search_edit.setFocus(Qt.FocusReason.PopupFocusReason)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Walk along the list and choose from it without leaving the field."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() in _WALKS:
                self._walk(_WALKS[Qt.Key(event.key())])
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._run(self.list.currentItem())
                return True
        return super().eventFilter(watched, event)

    def _walk(self, step: int) -> None:
        """Go along the list; a single step goes on at the other end."""
        count = self.list.count()
        at = self.list.currentRow() + step
        self.list.setCurrentRow(at % max(count, 1) if abs(step) == 1 else min(max(at, 0), count - 1))

    def _show(self, typed: str) -> None:
        """Show what fits, the best first; without letters all, what was used last first."""
        order = {key: at for at, key in enumerate(self._recent)}
        ranked = [(_worth(typed, row), row) for row in self._rows]
        ranked += [(fit(typed, row.title), row) for row in self._places if _is_in(typed, row.title)]
        fitting = [(score, row) for score, row in ranked if score]
        fitting.sort(key=lambda pair: (-pair[0] if typed.strip() else 0, order.get(pair[1].key, len(order))))
        self.list.clear()
        for _score, row in fitting:
            item = QListWidgetItem(row.title)
            item.setData(Qt.ItemDataRole.UserRole, row)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, ", ".join((row.title, row.menu, row.why, *row.keys)))
            self.list.addItem(item)
        self.list.setVisible(bool(fitting))
        self._none.setVisible(not fitting)
        self.list.setCurrentRow(0)

    def _run(self, item: QListWidgetItem | None) -> None:
        row = item.data(Qt.ItemDataRole.UserRole) if item is not None else None
        if not isinstance(row, MenuRow) or not row.action.isEnabled():
            return  # the row shows why
        self.close()
        self.ran.emit(row.key)
        QTimer.singleShot(0, row.action, row.action.trigger)  # when the focus is back where it was


def _worth(typed: str, row: MenuRow) -> int:
    """Return how well a command fits; what it is also known by counts last, and whole words alone."""
    return fit(typed, row.title) or int(_is_in(typed, row.text))


def _is_in(typed: str, text: str) -> bool:
    """Return whether something is typed, and each word of it stands in a text."""
    words = folded(typed).split()
    return bool(words) and all(word in folded(text) for word in words)


class _RowDelegate(QStyledItemDelegate):
    """Icon and title, then smaller the menu or why it cannot be done, and the keys at the right."""

    def sizeHint(self, option: QStyleOptionViewItem, _index: Index) -> QSize:  # noqa: N802 (Qt's name)
        """All rows are of one height."""
        return QSize(option.rect.width(), _ROW_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one command."""
        row = index.data(Qt.ItemDataRole.UserRole)
        now = tokens()
        painter.save()
        if option.state & (QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver):
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
            painter.setBrush(QColor(now.selection if is_chosen else now.hover))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.drawRoundedRect(option.rect, GRID // 2, GRID // 2)
        inside = option.rect.adjusted(GRID, 0, -GRID, 0)
        mode = QIcon.Mode.Normal if row.action.isEnabled() else QIcon.Mode.Disabled
        place = QRect(inside.left(), inside.center().y() - ICON_PX // 2, ICON_PX, ICON_PX)
        row.action.icon().paint(painter, place, Qt.AlignmentFlag.AlignCenter, mode)
        middle = Qt.AlignmentFlag.AlignVCenter
        keys = "   ".join(row.keys[:1])
        measure = QFontMetrics(option.font)
        painter.setFont(option.font)
        painter.setPen(QColor(now.muted))
        painter.drawText(inside, middle | Qt.AlignmentFlag.AlignRight, keys)
        room = inside.adjusted(ICON_PX + GRID, 0, -measure.horizontalAdvance(keys) - 2 * GRID, 0)
        painter.setPen(QColor(now.text if row.action.isEnabled() else now.disabled))
        title = measure.elidedText(row.title, Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, middle | Qt.AlignmentFlag.AlignLeft, title)
        rest = room.adjusted(measure.horizontalAdvance(title) + 2 * GRID, 0, 0, 0)
        painter.setPen(QColor(now.muted))
        text = measure.elidedText(row.why or row.menu, Qt.TextElideMode.ElideRight, rest.width())
        painter.drawText(rest, middle | Qt.AlignmentFlag.AlignLeft, text)
        painter.restore()
