"""Two pictures in one place: one over the other with a divider to move, beside each other, or their difference.

Both are shown at one scale and one place: zooming and moving act on both, so that the same detail is seen of each.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from sdstudio.ui.theme import GRID, RADIUS, SMALL_PX, scaled, tokens

_HANDLE_PX: Final = 24
_GAP_PX: Final = GRID
_STEP: Final = 0.02
_ZOOM_MAXIMUM: Final = 32.0


class CompareMode(Enum):
    """How two pictures are shown."""

    SLIDER = "slider"
    SIDES = "sides"
    DIFFERENCE = "difference"


class CompareView(QWidget):
    """Draws two pictures; the right one is scaled to the left one's size when they differ."""

    #: The divider was moved; carries its place, 0 to 1.
    divided = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("compareView")
        self.setAccessibleName("Two pictures compared")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(320, 240)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.mode = CompareMode.SLIDER
        self.divider = 0.5
        self._left = QImage()
        self._right = QImage()
        self._difference = QImage()
        self._zoom: float | None = None
        self._centre = QPointF(0.5, 0.5)
        self._pressed: QPointF | None = None

    @property
    def zoom(self) -> float:
        """Screen pixels per pixel of the left picture."""
        return self._zoom if self._zoom is not None else self._fitted()

    def set_pictures(self, left: QImage, right: QImage) -> None:
        """Compare these."""
        self._left, self._right = left, right
        self.update()

    def set_difference(self, difference: QImage) -> None:
        """Show this as their difference."""
        self._difference = difference
        self.update()

    def set_mode(self, mode: CompareMode) -> None:
        """Show them another way."""
        self.mode = mode
        self._zoom = None
        self.unsetCursor()
        self.update()

    def set_divider(self, place: float) -> None:
        """Move the divider: the left picture is seen left of it."""
        self.divider = min(max(place, 0.0), 1.0)
        self.update()
        self.divided.emit(self.divider)

    def places(self) -> list[QRectF]:
        """Return where each picture lies: one place, or two beside each other."""
        size = QSizeF(self._left.size()) * self.zoom
        return [
            QRectF(
                area.center().x() - self._centre.x() * size.width(),
                area.center().y() - self._centre.y() * size.height(),
                size.width(),
                size.height(),
            )
            for area in self._areas()
        ]

    # painting

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the pictures as the mode asks."""
        if self._left.isNull() or self._right.isNull():
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self.zoom < 2)
        if self.mode is CompareMode.SIDES:
            for area, place, picture, name in zip(
                self._areas(), self.places(), (self._left, self._right), ("A", "B"), strict=True
            ):
                painter.setClipRect(area)
                painter.drawImage(place, picture)
                self._draw_name(painter, place.intersected(area), name, left=True)
        elif self.mode is CompareMode.SLIDER:
            self._draw_slider(painter, self.places()[0])
        elif not self._difference.isNull():
            painter.drawImage(self.places()[0], self._difference)
        painter.end()

    def _draw_slider(self, painter: QPainter, place: QRectF) -> None:
        x = self._divider_x(place)
        seen = place.intersected(QRectF(self.rect()))
        for picture, clip, name, left in (
            (self._left, QRectF(0, 0, x, self.height()), "A", True),
            (self._right, QRectF(x, 0, self.width() - x, self.height()), "B", False),
        ):
            painter.setClipRect(clip)
            painter.drawImage(place, picture)
            self._draw_name(painter, seen, name, left)
        painter.setClipping(False)
        for width, color in ((4, QColor(0, 0, 0, 110)), (2, QColor(255, 255, 255))):
            painter.setPen(QPen(color, width))
            painter.drawLine(QPointF(x, seen.top()), QPointF(x, seen.bottom()))
        handle = QRectF(x - _HANDLE_PX / 2, seen.center().y() - _HANDLE_PX / 2, _HANDLE_PX, _HANDLE_PX)
        painter.setPen(QPen(QColor(tokens().accent), 3) if self.hasFocus() else QPen(QColor(0, 0, 0, 110), 1))
        painter.setBrush(QColor(255, 255, 255))
        painter.drawEllipse(handle)
        painter.setPen(QPen(QColor(40, 40, 40), 2))
        for way in (-1, 1):
            tip = handle.center() + QPointF(way * 7, 0)
            painter.drawLine(tip, tip + QPointF(-way * 4, -4))
            painter.drawLine(tip, tip + QPointF(-way * 4, 4))

    def _draw_name(self, painter: QPainter, seen: QRectF, name: str, left: bool) -> None:
        font = painter.font()
        font.setPixelSize(scaled(SMALL_PX))
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        x = seen.left() + GRID if left else seen.right() - GRID - 22
        pill = QRectF(x, seen.top() + GRID, 22, 20)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 150))
        painter.drawRoundedRect(pill, RADIUS, RADIUS)
        painter.setPen(QColor(255, 255, 255))
        painter.drawText(pill, Qt.AlignmentFlag.AlignCenter, name)

    # geometry

    def _areas(self) -> list[QRectF]:
        whole = QRectF(self.rect())
        if self.mode is not CompareMode.SIDES:
            return [whole]
        half = (whole.width() - _GAP_PX) / 2
        return [QRectF(0, 0, half, whole.height()), QRectF(half + _GAP_PX, 0, half, whole.height())]

    def _fitted(self) -> float:
        area = self._areas()[0]
        if self._left.isNull():
            return 1.0
        return min(area.width() / self._left.width(), area.height() / self._left.height())

    def _divider_x(self, place: QRectF) -> float:
        seen = place.intersected(QRectF(self.rect()))
        return seen.left() + self.divider * seen.width()

    # mouse and keyboard

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Take the divider, or the pictures when they are zoomed in."""
        if event.button() is not Qt.MouseButton.LeftButton:
            return
        x = self._divider_x(self.places()[0])
        near = abs(event.position().x() - x) <= _HANDLE_PX
        if self.mode is CompareMode.SLIDER and (self._zoom is None or near):
            self._pressed = None
            self._divide_at(event.position().x())
        else:
            self._pressed = event.position()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Move what was taken."""
        if not event.buttons() & Qt.MouseButton.LeftButton:
            return
        if self._pressed is None:
            if self.mode is CompareMode.SLIDER:
                self._divide_at(event.position().x())
            return
        moved, size = event.position() - self._pressed, self.places()[0].size()
        self._pressed = event.position()
        if self._zoom is not None:
            self._move_centre(-moved.x() / size.width(), -moved.y() / size.height())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Let go."""
        self._pressed = None
        self.unsetCursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Show everything again."""
        self.fit()

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        """Zoom in or out, both pictures alike."""
        self.zoom_by(1.2 ** (event.angleDelta().y() / 120))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Arrows move the divider; plus, minus and 0 zoom."""
        steps = {Qt.Key.Key_Left: -_STEP, Qt.Key.Key_Right: _STEP, Qt.Key.Key_Home: -1.0, Qt.Key.Key_End: 1.0}
        if self.mode is CompareMode.SLIDER and event.key() in steps:
            self.set_divider(self.divider + steps[Qt.Key(event.key())])
        elif event.key() in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom_by(1.25)
        elif event.key() == Qt.Key.Key_Minus:
            self.zoom_by(0.8)
        elif event.key() == Qt.Key.Key_0:
            self.fit()
        else:
            super().keyPressEvent(event)

    def zoom_by(self, factor: float) -> None:
        """Zoom about the middle; smaller than fitted becomes fitted."""
        wanted = min(self.zoom * factor, _ZOOM_MAXIMUM)
        if wanted <= self._fitted():
            self.fit()
            return
        self._zoom = wanted
        self.update()

    def fit(self) -> None:
        """Show everything."""
        self._zoom = None
        self._centre = QPointF(0.5, 0.5)
        self.update()

    def _divide_at(self, x: float) -> None:
        seen = self.places()[0].intersected(QRectF(self.rect()))
        if seen.width() > 0:
            self.set_divider((x - seen.left()) / seen.width())

    def _move_centre(self, dx: float, dy: float) -> None:
        self._centre = QPointF(min(max(self._centre.x() + dx, 0.0), 1.0), min(max(self._centre.y() + dy, 0.0), 1.0))
        self.update()
