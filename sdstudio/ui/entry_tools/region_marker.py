"""A picture on which regions are marked as boxes, with the mouse: drag one, click one, delete it, take that back."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QKeySequence, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from sdstudio.core.request.detail_fields import REGIONS_MAXIMUM, Box
from sdstudio.ui.theme import tokens

_HEIGHT: Final = 260
_LEAST_HEIGHT: Final = 120
_LEAST_DRAG: Final = 4
"""A shorter way of the mouse is a click."""
_LABEL: Final = 18
_SHADE: Final = 40


class RegionMarker(QWidget):
    """Boxes over a picture, in its own pixels; those of a picture that is not there yet are kept."""

    #: The boxes were changed by hand.
    edited = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("regionMarker")
        self.setAccessibleName("Regions of the picture")
        self.setAccessibleDescription("Drag to mark a region. Delete removes the chosen one, Ctrl+Z takes that back.")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(_LEAST_HEIGHT)
        self._image = QImage()
        self._size = QSize(1, 1)
        self._boxes: tuple[Box, ...] = ()
        self._before: list[tuple[Box, ...]] = []
        self._chosen = -1
        self._from: QPoint | None = None
        self._to = QPoint()

    def show_picture(self, image: QImage, width: int, height: int) -> None:
        """Show a picture of this size; ``image`` may be smaller. Boxes of the one before are forgotten."""
        self._image, self._size = image, QSize(width, height)
        self._boxes, self._before, self._chosen, self._from = (), [], -1, None
        self.update()

    @property
    def boxes(self) -> tuple[Box, ...]:
        """The boxes, in the order in which they were marked."""
        return self._boxes

    def set_boxes(self, boxes: tuple[Box, ...]) -> None:
        """Show these boxes; what was before can be taken back to."""
        if boxes != self._boxes:
            self._before.append(self._boxes)
            self._boxes, self._chosen = boxes, -1
            self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """As high as shows a picture well."""
        return QSize(_HEIGHT, _HEIGHT)

    # by hand

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Begin a box, or choose one."""
        if event.button() == Qt.MouseButton.LeftButton and not self._image.isNull():
            self._from = self._to = event.position().toPoint()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw the box larger."""
        if self._from is not None:
            self._to = event.position().toPoint()
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Keep the box; a mere click chooses the one that is there."""
        if self._from is None:
            return
        begin, end, self._from = self._from, event.position().toPoint(), None
        if (end - begin).manhattanLength() < _LEAST_DRAG:
            self._choose(end)
        else:
            box = self._box_between(begin, end)
            if box is not None and len(self._boxes) < REGIONS_MAXIMUM:
                self._change((*self._boxes, box))
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 (Qt's name)
        """Remove the chosen box, or take back what was last done to them."""
        if event.matches(QKeySequence.StandardKey.Undo) and self._before:
            self._boxes, self._chosen = self._before.pop(), -1
            self.edited.emit()
            self.update()
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and self._boxes:
            at = self._chosen if self._chosen >= 0 else len(self._boxes) - 1
            self._change(tuple(box for place, box in enumerate(self._boxes) if place != at))
        else:
            super().keyPressEvent(event)

    def _change(self, boxes: tuple[Box, ...]) -> None:
        self.set_boxes(boxes)
        self.edited.emit()

    def _choose(self, at: QPoint) -> None:
        held = [place for place, box in enumerate(self._boxes) if self._shown(box).contains(QPointF(at))]
        self._chosen = held[-1] if held else -1

    def _box_between(self, begin: QPoint, end: QPoint) -> Box | None:
        """Return the box between two points of the widget, in pixels of the picture; ``None`` for nothing of it."""
        place, scale = self._place, self._scale
        whole = QRectF(0, 0, self._size.width(), self._size.height())
        corners = [QPointF((point.x() - place.x()) / scale, (point.y() - place.y()) / scale) for point in (begin, end)]
        box = QRectF(*corners).normalized().intersected(whole)
        left, top = int(box.left()), int(box.top())
        right, bottom = (min(round(side + 0.5), most) for side, most in
                         ((box.right(), self._size.width()), (box.bottom(), self._size.height())))  # fmt: skip
        return (left, top, right, bottom) if left < right and top < bottom else None

    # what is seen

    @property
    def _scale(self) -> float:
        return min(self.width() / self._size.width(), self.height() / self._size.height())

    @property
    def _place(self) -> QRectF:
        """Where the picture is seen."""
        width, height = self._size.width() * self._scale, self._size.height() * self._scale
        return QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height)

    def _shown(self, box: Box) -> QRectF:
        left, top, right, bottom = (side * self._scale for side in box)
        return QRectF(left, top, right - left, bottom - top).translated(self._place.topLeft())

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw the picture, the boxes with their numbers, and the one that is being marked."""
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self.rect(), QColor(tokens().window))
        if not self._image.isNull():
            painter.drawImage(self._place, self._image)
        for number, box in enumerate(self._boxes):
            self._draw(painter, self._shown(box), str(number + 1), number == self._chosen)
        if self._from is not None:
            self._draw(painter, QRectF(QRect(self._from, self._to).normalized()), "", True)
        if self.hasFocus():
            painter.setPen(QPen(QColor(tokens().accent_text), 2))
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))

    def _draw(self, painter: QPainter, place: QRectF, number: str, chosen: bool) -> None:
        shade = QColor(tokens().accent)
        shade.setAlpha(2 * _SHADE if chosen else _SHADE)
        painter.fillRect(place, shade)
        painter.setPen(QPen(QColor(tokens().accent), 3 if chosen else 2))
        painter.drawRect(place)
        if number:
            label = QRectF(place.left(), place.top(), _LABEL, _LABEL)
            painter.fillRect(label, QColor(tokens().accent))
            painter.setPen(QColor(tokens().on_accent))
            painter.drawText(label, Qt.AlignmentFlag.AlignCenter, number)
