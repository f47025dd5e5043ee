"""The pictures of one job side by side, a kept place for each that is still to come."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QSizePolicy, QWidget

from sdstudio.background.signals import TypedSignal
from sdstudio.history.store import Entry
from sdstudio.ui.entries.keys import LOOK, pressed_key
from sdstudio.ui.theme import GRID, tokens

SIDE_PX: Final = 56
LOW_SIDE_PX: Final = 36


class BatchStrip(QWidget):
    """Thumbnails to choose from; for a job of one picture their place stays empty, so that nothing moves."""

    #: One of the job's pictures was chosen; carries its `Entry`.
    chosen = TypedSignal[Entry]()
    #: One of the job's pictures is to be looked at large; carries its `Entry`.
    opened = TypedSignal[Entry]()
    #: A picture was made; carries its `Entry`.
    added = TypedSignal[Entry]()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Pictures of this job")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.side_px = SIDE_PX
        self._count = 0
        self._entries: list[Entry] = []
        self._pixmaps: list[QPixmap] = []
        self._current = -1
        self.group_id: int | None = None
        policy = self.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.setSizePolicy(policy)
        self.hide()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The pictures made so far."""
        return tuple(self._entries)

    @property
    def current(self) -> int:
        """Index of the chosen picture, -1 for none."""
        return self._current

    def set_low(self, is_low: bool) -> None:
        """Draw it smaller where there is little room."""
        side = LOW_SIDE_PX if is_low else SIDE_PX
        if side != self.side_px:
            self.side_px = side
            self.updateGeometry()
            self.update()

    def begin(self, count: int, group_id: int | None = None) -> None:
        """Keep places for a new job's pictures."""
        self.group_id = group_id
        self._count = count
        self._entries.clear()
        self._pixmaps.clear()
        self._current = -1
        self.setVisible(count > 1)
        self.update()

    def add(self, entry: Entry, choose: bool = True) -> None:
        """Put a finished picture into the next place."""
        self._entries.append(entry)
        self._pixmaps.append(QPixmap(str(entry.thumbnail)))
        if choose:
            self._current = len(self._entries) - 1
        self.update()
        self.added.emit(entry)

    def remove(self, entry_id: int) -> None:
        """Take a deleted picture out."""
        for at, entry in enumerate(self._entries):
            if entry.id == entry_id:
                del self._entries[at], self._pixmaps[at]
                self._count -= 1
                self._current = min(self._current, len(self._entries) - 1)
                break
        self.setVisible(self._count > 1)
        self.update()

    def renew(self, entry: Entry) -> None:
        """Take a picture whose marks changed."""
        self._entries = [entry if each.id == entry.id else each for each in self._entries]

    def mark(self, entry_id: int) -> None:
        """Frame a picture as the one that is shown."""
        self._current = next((at for at, each in enumerate(self._entries) if each.id == entry_id), -1)
        self.update()

    def finish(self) -> None:
        """Give up the places of pictures that will not come."""
        self._count = len(self._entries)
        self.setVisible(self._count > 1)
        self.update()

    def choose(self, at: int) -> None:
        """Choose one of the finished pictures."""
        if 0 <= at < len(self._entries):
            self._current = at
            self.update()
            self.chosen.emit(self._entries[at])

    def sizeHint(self) -> QSize:  # noqa: N802
        """One row."""
        return QSize(self.side_px * 3, self.side_px + GRID * 2)

    def slot_rect(self, at: int) -> QRectF:
        """Return where place ``at`` is drawn: centred while all fit, else scrolled so that the current one is seen."""
        pitch = self.side_px + GRID
        total = self._count * pitch - GRID
        left = (self.width() - total) / 2
        if total > self.width() - 2 * GRID:
            wanted = self.width() / 2 - (max(self._current, 0) + 0.5) * pitch
            left = min(GRID, max(wanted, self.width() - total - GRID))
        return QRectF(left + at * pitch, GRID, self.side_px, self.side_px)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the places."""
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        colours = tokens()
        for at in range(self._count):
            where = self.slot_rect(at)
            shape = QPainterPath()
            shape.addRoundedRect(where, 4, 4)
            painter.fillPath(shape, QColor(colours.raised))
            if at < len(self._pixmaps) and not self._pixmaps[at].isNull():
                painter.save()
                painter.setClipPath(shape)
                painter.drawPixmap(where, self._pixmaps[at], _cropped(self._pixmaps[at]))
                painter.restore()
            if at == self._current:
                painter.setPen(QPen(QColor(colours.accent_text), 2))
            else:
                painter.setPen(QPen(QColor(colours.border), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawPath(shape)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Choose what was pressed."""
        at = self._at(event.position())
        if at is not None:
            self.choose(at)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Ask for a large look at what was pressed."""
        at = self._at(event.position())
        if at is not None:
            self.choose(at)
            self.opened.emit(self._entries[at])

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Left and right choose the neighbour, Space and Enter ask for a large look."""
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()), 0)
        if step:
            self.choose(self._current + step)
        elif pressed_key(event) == LOOK and self._current >= 0:
            self.opened.emit(self._entries[self._current])
        else:
            super().keyPressEvent(event)

    def _at(self, position: QPointF) -> int | None:
        return next((at for at in range(len(self._entries)) if self.slot_rect(at).contains(position)), None)


def _cropped(picture: QPixmap) -> QRectF:
    """Return the middle square."""
    size = picture.size()
    side = min(size.width(), size.height())
    corner = QPointF((size.width() - side) / 2, (size.height() - side) / 2)
    return QRectF(corner.x(), corner.y(), side, side)
