"""The grid of thumbnails, of which only what is seen exists: where a row lies is computed, never stored.

QListView lays out every item of its model: at 100,000 that is seconds, for each change. Here all cells are one square
size, so that a row's place is a division, and a repaint touches the cells in sight alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QCursor,
    QDrag,
    QHelpEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPixmap,
    QRegion,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractItemView, QFrame, QToolTip, QWidget

from sdstudio.ui.entries.bare_copies import BARE_MAXIMUM
from sdstudio.ui.entries.cell import GAP_PX, Cell, draw_cell
from sdstudio.ui.entries.keys import LOOK, pressed_key
from sdstudio.ui.entries.model import HistoryModel

Index = QModelIndex | QPersistentModelIndex

_DRAGGED_PX = 96
_TIP_BELOW_PX = 16
_WALKS = frozenset({Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Home, Qt.Key.Key_End})


class HistoryView(QAbstractItemView):
    """Square thumbnails that fill the width in as many columns as fit."""

    #: The selected entries are to be deleted (Delete was pressed).
    delete_pressed = Signal()
    #: A key that stands for an action was pressed on the selection; carries the key as text, "3" or "f".
    key_pressed = Signal(str)
    #: Space or Enter was pressed on an entry, or it was double clicked; carries its index.
    opened = Signal(QModelIndex)
    #: Larger or smaller thumbnails are wanted (Ctrl and the wheel); carries by how many steps.
    resize_wished = Signal(int)
    #: The keys led to another entry; carries its index.
    walked_to = Signal(QModelIndex)

    def __init__(self, model: HistoryModel, least_side_px: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = model
        self._least_side_px = least_side_px
        self._hovered = -1
        self.side_px = least_side_px
        self.columns = 1
        self._anchor = (0, 0)
        self._is_keeping = False
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setMouseTracking(True)
        self.setModel(model)
        model.rowsInserted.connect(lambda _parent, first, last: self._on_rows_changed(first, last - first + 1))
        model.rowsRemoved.connect(lambda _parent, first, last: self._on_rows_changed(first, first - last - 1))
        self.doubleClicked.connect(self.opened)

    def set_least_side(self, least_side_px: int) -> None:
        """Show thumbnails at least so large; what is at the top stays there."""
        self._least_side_px = least_side_px
        self.updateGeometries()

    def selected_rows(self) -> list[int]:
        """Return the selected rows in ascending order; thousands are no list of indexes."""
        rows: set[int] = set()
        selection = self.selectionModel().selection()
        for at in range(selection.count()):
            part = selection.at(at)
            rows.update(range(part.top(), part.bottom() + 1))
        return sorted(rows)

    @property
    def selected_count(self) -> int:
        """How many rows are selected."""
        selection = self.selectionModel().selection()
        parts = (selection.at(at) for at in range(selection.count()))
        return sum(part.bottom() - part.top() + 1 for part in parts)

    # geometry

    def visualRect(self, index: Index) -> QRect:  # noqa: N802
        """Return where a row lies in the viewport, in sight or not."""
        if not index.isValid():
            return QRect()
        line, column = divmod(index.row(), self.columns)
        return QRect(column * self.side_px, line * self.side_px - self.verticalOffset(), self.side_px, self.side_px)

    def indexAt(self, point: QPoint) -> QModelIndex:  # noqa: N802
        """Return which row lies at a point of the viewport."""
        column, line = point.x() // self.side_px, (point.y() + self.verticalOffset()) // self.side_px
        row = line * self.columns + column
        if 0 <= column < self.columns and 0 <= row < self._rows.rowCount():
            return self._rows.index(row)
        return QModelIndex()

    def scrollTo(  # noqa: N802
        self, index: Index, hint: QAbstractItemView.ScrollHint = QAbstractItemView.ScrollHint.EnsureVisible
    ) -> None:
        """Bring a row into sight."""
        rect, height = self.visualRect(index), self.viewport().height()
        if not rect.isValid():
            return
        bar = self.verticalScrollBar()
        centred = hint == QAbstractItemView.ScrollHint.PositionAtCenter
        if centred:
            bar.setValue(bar.value() + rect.center().y() - height // 2)
        elif rect.top() < 0 or hint == QAbstractItemView.ScrollHint.PositionAtTop:
            bar.setValue(bar.value() + rect.top())
        elif rect.bottom() > height:
            bar.setValue(bar.value() + rect.bottom() - height + 1)

    def horizontalOffset(self) -> int:  # noqa: N802
        """Return 0: all columns fit."""
        return 0

    def verticalOffset(self) -> int:  # noqa: N802
        """Return how far it is scrolled."""
        return self.verticalScrollBar().value()

    def isIndexHidden(self, index: Index) -> bool:  # noqa: N802
        """Return False: every row is shown."""
        return False

    def updateGeometries(self) -> None:  # noqa: N802
        """Share the width among the columns and set the scroll bar to the number of lines."""
        # The scroll bar's room is kept free, or its coming and going would change the columns and so itself.
        width = self.width() - self.verticalScrollBar().sizeHint().width() - 2
        top = self.verticalOffset() // self.side_px * self.columns
        columns = max(1, width // self._least_side_px)
        side = max(32, width // columns)
        changed = (columns, side) != (self.columns, self.side_px)
        self.columns, self.side_px = columns, side
        lines = -(-self._rows.rowCount() // columns)
        bar = self.verticalScrollBar()
        bar.setSingleStep(max(1, side // 2))
        bar.setPageStep(self.viewport().height())
        bar.setRange(0, max(0, lines * side - self.viewport().height()))
        if changed and top:
            bar.setValue(top // columns * side)  # what was at the top stays there
        self.viewport().update()
        super().updateGeometries()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Take the new width."""
        super().resizeEvent(event)
        self.updateGeometries()

    def scrollContentsBy(self, dx: int, dy: int) -> None:  # noqa: N802
        """Move what is drawn, so that only what came into sight is painted."""
        self._hover(-1)
        if not self._is_keeping:
            line, within = divmod(self.verticalOffset(), self.side_px)
            self._anchor = line * self.columns, within
        self.viewport().scroll(dx, dy)

    def _on_rows_changed(self, first: int, more: int) -> None:
        """Keep in sight what is seen, though rows came or went in front of it; at the very top, show what comes."""
        row, within = self._anchor
        if self.verticalOffset() and first <= row:
            self._anchor = max(first, row + more), within
        self._is_keeping = True
        self.updateGeometries()  # the base class looks only at what it holds itself
        if self.verticalOffset():
            line = self._anchor[0] // self.columns
            self.verticalScrollBar().setValue(line * self.side_px + min(within, self.side_px - 1))
        self._is_keeping = False

    # selection

    def moveCursor(  # noqa: N802
        self, action: QAbstractItemView.CursorAction, modifiers: Qt.KeyboardModifier
    ) -> QModelIndex:
        """Return where a key leads."""
        count = self._rows.rowCount()
        if not count:
            return QModelIndex()
        page = max(1, self.viewport().height() // self.side_px) * self.columns
        steps = {
            QAbstractItemView.CursorAction.MoveLeft: -1,
            QAbstractItemView.CursorAction.MovePrevious: -1,
            QAbstractItemView.CursorAction.MoveRight: 1,
            QAbstractItemView.CursorAction.MoveNext: 1,
            QAbstractItemView.CursorAction.MoveUp: -self.columns,
            QAbstractItemView.CursorAction.MoveDown: self.columns,
            QAbstractItemView.CursorAction.MovePageUp: -page,
            QAbstractItemView.CursorAction.MovePageDown: page,
            QAbstractItemView.CursorAction.MoveHome: -count,
            QAbstractItemView.CursorAction.MoveEnd: count,
        }
        current = self.currentIndex()
        if not current.isValid():
            return self._rows.index(0)
        row, step = current.row(), steps[action]
        if abs(step) == self.columns and not 0 <= row + step < count:
            return current  # up from the first line, down from the last: not sideways
        return self._rows.index(min(max(row + step, 0), count - 1))

    def setSelection(self, rect: QRect, command: QItemSelectionModel.SelectionFlag) -> None:  # noqa: N802
        """Select what a rubber band touches, or everything from one corner's cell to the other's in reading order."""
        selection = QItemSelection()
        if self.state() == QAbstractItemView.State.DragSelectingState:
            for first, last in self._lines_within(rect.normalized()):
                selection.select(self._rows.index(first), self._rows.index(last))
        else:
            first, last = self.indexAt(rect.topLeft()).row(), self.indexAt(rect.bottomRight()).row()
            if first >= 0 and last >= 0:
                selection.select(self._rows.index(min(first, last)), self._rows.index(max(first, last)))
        self.selectionModel().select(selection, command)

    def visualRegionForSelection(self, selection: QItemSelection) -> QRegion:  # noqa: N802
        """Return everything: repainting what is in sight costs less than finding out."""
        return QRegion(self.viewport().rect())

    def _lines_within(self, rect: QRect) -> Iterator[tuple[int, int]]:
        """Yield the first and last row of each line that a rectangle of the viewport touches."""
        left, right = max(0, rect.left() // self.side_px), min(self.columns - 1, rect.right() // self.side_px)
        top = max(0, (rect.top() + self.verticalOffset()) // self.side_px)
        bottom = (rect.bottom() + self.verticalOffset()) // self.side_px
        count = self._rows.rowCount()
        for line in range(top, min(bottom, (count - 1) // self.columns) + 1):
            first, last = line * self.columns + left, min(line * self.columns + right, count - 1)
            if first <= last:
                yield first, last

    # painting

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the cells that the exposed rectangle touches."""
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self.font())
        ratio, inner = self.devicePixelRatioF(), self.side_px - 2 * GAP_PX
        chosen, current = self.selectionModel(), self.currentIndex().row() if self.hasFocus() else -1
        thumbnails = self._rows.thumbnails
        for first, last in self._lines_within(event.rect()):
            for row in range(first, last + 1):
                index = self._rows.index(row)
                entry = self._rows.entry_at(row)
                square = QPixmap() if entry is None else thumbnails.square(entry, inner, ratio)
                cell = Cell(
                    entry, square,
                    is_gone=entry is not None and thumbnails.is_impossible(entry.id),
                    is_selected=chosen.isSelected(index),
                    is_current=row == current,
                    is_hovered=row == self._hovered,
                )  # fmt: skip
                draw_cell(painter, QRectF(self.visualRect(index)).adjusted(GAP_PX, GAP_PX, -GAP_PX, -GAP_PX), cell)
        painter.end()

    def _hover(self, row: int) -> None:
        for changed in {row, self._hovered} - {-1}:
            self.viewport().update(self.visualRect(self._rows.index(changed)))
        self._hovered = row

    # mouse and keyboard

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Show prompt and seed under the pointer."""
        super().mouseMoveEvent(event)
        row = self.indexAt(event.position().toPoint()).row()
        if row != self._hovered:
            self._hover(row)

    def viewportEvent(self, event: QEvent) -> bool:  # noqa: N802
        """Take the words away when the pointer leaves."""
        if event.type() == QEvent.Type.Leave:
            self._hover(-1)
        if isinstance(event, QHelpEvent):
            self._tell_below(event.pos())
            return True
        return super().viewportEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        """Scroll; with Ctrl, ask for another size."""
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.resize_wished.emit(1 if event.angleDelta().y() > 0 else -1)
            event.accept()
        else:
            super().wheelEvent(event)

    def _tell_below(self, at: QPoint) -> None:
        """Show the tooltip below the picture: prompt and seed stand on it."""
        index = self.indexAt(at)
        cell = self.visualRect(index)
        text = str(index.data(Qt.ItemDataRole.ToolTipRole) or "") if index.isValid() else ""
        # Qt puts a tooltip so far below the point it is given.
        point = self.viewport().mapToGlobal(QPoint(cell.left(), cell.bottom() - _TIP_BELOW_PX + GAP_PX))
        QToolTip.showText(point, text, self.viewport(), cell)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """A double click counts also when the first click went to what lay there before a picture was put on top."""
        self.mousePressEvent(event)
        super().mouseDoubleClickEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Delete deletes; the arrows show what they reach, and a deletion what takes the place."""
        before = self.currentIndex()
        plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        deleting = event.matches(QKeySequence.StandardKey.Delete) or event.key() == Qt.Key.Key_Backspace
        if deleting:
            self.delete_pressed.emit()
        elif pressed_key(event) == LOOK:
            chosen = self.selected_rows()
            if before.isValid() or chosen:
                self.opened.emit(before if before.isValid() else self._rows.index(chosen[0]))
        elif pressed_key(event):
            self.key_pressed.emit(pressed_key(event))
        else:
            super().keyPressEvent(event)
        reached = self.currentIndex()
        is_walking = plain and event.key() in _WALKS
        is_taken = (deleting or is_walking) and not self.selectionModel().isSelected(reached)
        if is_taken:  # it had the focus's frame alone: the first of all, or what took a deleted one's place
            self.selectionModel().select(reached, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        if reached.isValid() and (deleting or is_taken or reached != before):
            self.walked_to.emit(reached)

    def startDrag(self, supportedActions: Qt.DropAction) -> None:  # noqa: N802, N803
        """Drag the selected pictures out as files."""
        rows = self.selected_rows()
        if not rows:
            return
        mime = self._rows.files_of(rows)
        if not mime.hasUrls():
            message = f"At most {BARE_MAXIMUM} pictures are handed out without what they tell: export them instead."
            QToolTip.showText(QCursor.pos(), message, self)
        drag = QDrag(self)
        drag.setMimeData(mime)
        first = self._rows.chosen(rows[:1])[0]
        picture = QPixmap(str(first.thumbnail))
        if not picture.isNull():
            drag.setPixmap(picture.scaledToHeight(_DRAGGED_PX, Qt.TransformationMode.SmoothTransformation))
        drag.exec(Qt.DropAction.CopyAction)
