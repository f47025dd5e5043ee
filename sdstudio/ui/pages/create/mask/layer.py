"""What lies over the picture while one paints: the mask in its colour, the edge of the brush, and the hand.

Only what a stroke changed is painted anew, straight from the mask's own bytes: they are the indices of a picture whose
colours are the mask's colour, more and more opaque.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QImage,
    QInputDevice,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPointingDevice,
    QTabletEvent,
    QTransform,
    QWheelEvent,
    qRgba,
)
from PySide6.QtWidgets import QWidget

from sdstudio.background.signals import TypedSignal
from sdstudio.ui.pages.create.mask.brush import Hand
from sdstudio.ui.pages.create.mask.document import MaskDocument, Patch, Rect
from sdstudio.ui.pages.create.mask.keys import PaintingKeys
from sdstudio.ui.pages.create.mask.strokes import BrushStroke, PolygonStroke, ShapeStroke, Stroke, Touch
from sdstudio.ui.widgets.picture_view import PictureView

_SMALLEST_RING_PX: Final = 6
"""A brush that is drawn smaller than this is pointed with by a cross."""
_NEAR_PX: Final = 6
"""A click so near to a polygon's first corner, or to its last, closes it."""
_NONE: Final = Qt.KeyboardModifier.NoModifier
_TAKES_AWAY: Final = Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.ControlModifier
"""Many desktops keep a drag with Alt for themselves."""


class MaskLayer(QWidget):
    """Lies over a `PictureView`, as large as it.

    Args:
        view: Shows the picture.
        hand: What is painted with.
    """

    #: A stroke has ended; carries the `Patch` of what it changed.
    stroked = TypedSignal[Patch]()
    #: What is around this pixel is to be filled: x, y, and whether it is to be taken away.
    fill_wanted = Signal(int, int, bool)
    #: A key of the table was pressed that does something to the whole mask; carries the command's key.
    wanted = Signal(str)

    def __init__(self, view: PictureView, hand: Hand) -> None:
        super().__init__(view)
        self.setObjectName("maskLayer")
        self.setAccessibleName("Mask over the picture")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setTabletTracking(True)
        self._view = view
        self._hand = hand
        self._keys = PaintingKeys(hand, view, self.wanted.emit)
        self._document: MaskDocument | None = None
        #: The colours in which the mask is seen, one for each of its levels.
        self.colours: list[int] = []
        self.is_hidden = False
        self.is_locked = False
        self._stroke: Stroke | None = None
        self._panned_from: QPointF | None = None
        self._space = False
        self._pointer: QPointF | None = None
        self._ring = 1.0
        view.installEventFilter(self)
        view.zoom_changed.connect(lambda _zoom: self._show_cursor())
        hand.changed.connect(self._on_hand_changed)
        self._show_cursor()

    def set_document(self, document: MaskDocument | None) -> None:
        """Paint on this from now on."""
        self.break_off()
        self._document = document
        self.update()

    def set_colour(self, colour: QColor, opacity: float) -> None:
        """Show the mask in this colour."""
        red, green, blue = colour.red(), colour.green(), colour.blue()
        self.colours = [qRgba(red, green, blue, round(value * opacity)) for value in range(256)]
        self.update()

    def set_hidden(self, is_hidden: bool) -> None:
        """Show the picture without the mask, or with it."""
        self.is_hidden = is_hidden
        self.update()

    def set_locked(self, is_locked: bool) -> None:
        """Take no strokes while the whole mask is being changed."""
        self.is_locked = is_locked
        self._show_cursor()

    def show_changed(self, rect: Rect) -> None:
        """Paint anew what lies over this part of the picture."""
        self.update(self._place_of(rect))

    def break_off(self) -> bool:
        """Take back a stroke that has begun and not ended; False where there is none."""
        if self._stroke is None or self._document is None:
            return False
        self._stroke = None
        self._document.roll_back()
        self.update()
        return True

    # painting

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw the mask where it is seen, then the outline of a shape, then the brush's edge."""
        painter = QPainter(self)
        place = self._view.picture_rect()
        if self._document is not None and not self.is_hidden and not place.isEmpty():
            self._draw_mask(painter, self._document, place, QRectF(event.rect()) & place)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        outline = self._stroke.outline() if self._stroke is not None else None
        if outline is not None:
            _draw_twice(painter, lambda: painter.drawPath(self._to_view().map(outline)))
        radius = self._ring_radius()
        if self._pointer is not None and radius and self._panned_from is None and not self._space:
            centre = self._pointer
            _draw_twice(painter, lambda: painter.drawEllipse(centre, radius, radius))
        if self.hasFocus():
            self._view.draw_focus_ring(painter, place)
        painter.end()

    def _draw_mask(self, painter: QPainter, document: MaskDocument, place: QRectF, seen: QRectF) -> None:
        if seen.isEmpty():
            return
        width, height = document.width, document.height
        image = QImage(document.pixels.data, width, height, width, QImage.Format.Format_Indexed8)
        image.setColorTable(self.colours)
        across, down = width / place.width(), height / place.height()
        corner = seen.topLeft() - place.topLeft()
        part = QRectF(corner.x() * across, corner.y() * down, seen.width() * across, seen.height() * down)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, across > 0.5)
        painter.drawImage(seen, image, part)

    # the hand

    def eventFilter(self, watched: object, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Stay as large as the view."""
        if event.type() == QEvent.Type.Resize:
            self.setGeometry(self._view.rect())
        return False

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Begin a stroke, or a pan."""
        self._press(event.position(), event.button(), event.modifiers(), 1.0)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Go on with it."""
        self._move(event.position(), 1.0)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """End it."""
        if event.button() in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            self._release()

    def tabletEvent(self, event: QTabletEvent) -> None:  # noqa: N802 (Qt's name)
        """Do the same for a pen: its pressure is what the settings say, its other end erases."""
        is_eraser = event.pointerType() == QPointingDevice.PointerType.Eraser
        has_pressure = bool(event.pointingDevice().capabilities() & QInputDevice.Capability.Pressure)
        pressure = event.pressure() if has_pressure else 1.0
        match event.type():
            case QEvent.Type.TabletPress:
                self._press(event.position(), event.button(), event.modifiers(), pressure, is_eraser)
            case QEvent.Type.TabletMove:
                self._move(event.position(), pressure)
            case QEvent.Type.TabletRelease:
                self._release()
        event.accept()  # else Qt makes mouse events of it, which know no pressure

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802 (Qt's name)
        """Show no brush where there is no hand."""
        self._point_at(None)
        super().leaveEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 (Qt's name)
        """Zoom; with Ctrl, change the brush's size."""
        notches = event.angleDelta().y() / 120
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._hand.resize(notches)
        elif notches:
            self._view.zoom_by(1.2**notches, event.position())
        event.accept()

    def _press(
        self, at: QPointF, button: Qt.MouseButton, keys: Qt.KeyboardModifier, pressure: float, is_eraser: bool = False
    ) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        if button == Qt.MouseButton.MiddleButton or (button == Qt.MouseButton.LeftButton and self._space):
            self._panned_from = at
            self._show_cursor()
        elif button == Qt.MouseButton.LeftButton and self._document is not None and not self.is_locked:
            self._begin(at, bool(keys & _TAKES_AWAY), pressure, is_eraser)

    def _begin(self, at: QPointF, inverts: bool, pressure: float, is_eraser: bool) -> None:
        document, tool = self._document, self._hand.tool
        if isinstance(self._stroke, PolygonStroke):
            self._put_corner(self._stroke, at)
            return
        if document is None or self._stroke is not None:
            return
        erases = is_eraser or (tool.erases != inverts)
        if tool.key == "fill":
            point = self._to_picture().map(at)
            x, y = math.floor(point.x()), math.floor(point.y())
            if 0 <= x < document.width and 0 <= y < document.height:
                self.fill_wanted.emit(x, y, erases)
            return
        if tool.is_brush or is_eraser:
            self._stroke = BrushStroke(document, erases, self._hand.hardness / 100)
        elif tool.key == "polygon":
            polygon = self._stroke = PolygonStroke(document, erases)
            self._put_corner(polygon, at)
        else:
            self._stroke = ShapeStroke(document, erases, tool.key)
        self._move(at, pressure)

    def _put_corner(self, polygon: PolygonStroke, at: QPointF) -> None:
        to_picture = self._to_picture()
        if polygon.put(to_picture.map(at), _NEAR_PX * to_picture.m11()):
            self._end_stroke()
        else:
            self._move(at, 1.0)

    def _take_corner_back(self) -> None:
        if isinstance(self._stroke, PolygonStroke) and not self._stroke.take_back():
            self.break_off()
        self.update()

    def _move(self, at: QPointF, pressure: float) -> None:
        if self._panned_from is not None:
            self._view.pan_by(at - self._panned_from)
            self._panned_from = at
        elif self._stroke is not None:
            point = self._to_picture().map(at)
            before = self._stroke.outline()
            self.show_changed(self._stroke.move(Touch(point.x(), point.y(), *self._hand.under(pressure))))
            for outline in (before, self._stroke.outline()):
                if outline is not None:
                    seen = self._to_view().mapRect(outline.boundingRect())
                    self.update(seen.toAlignedRect().adjusted(-3, -3, 3, 3))
        self._point_at(at)

    def _release(self) -> None:
        if self._panned_from is not None:
            self._panned_from = None
            self._show_cursor()
        if not isinstance(self._stroke, PolygonStroke):
            self._end_stroke()

    def _end_stroke(self) -> None:
        stroke, document = self._stroke, self._document
        if stroke is None or document is None:
            return
        outline = stroke.outline()
        if outline is not None:
            seen = self._to_view().mapRect(outline.boundingRect())
            self.update(seen.toAlignedRect().adjusted(-3, -3, 3, 3))
        self.show_changed(stroke.end())
        self._stroke = None
        patch: Patch | None = document.commit()
        if patch is not None:
            self.stroked.emit(patch)

    # keys

    def event(self, event: QEvent) -> bool:
        """Take the keys of painting before the menus do."""
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.ShortcutOverride
            and self._found(event) is not None
        ):
            event.accept()
            return True
        return super().event(event)

    def _found(self, event: QKeyEvent) -> Callable[[], object] | None:
        """Return what a key does: to the polygon that is being drawn, else what the table says."""
        if isinstance(self._stroke, PolygonStroke):
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                return self._end_stroke
            if event.key() == Qt.Key.Key_Backspace or event.matches(QKeySequence.StandardKey.Undo):
                return self._take_corner_back
        return self._keys.found(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 (Qt's name)
        """Do what a key of the table says; another plain key means nothing here, and nothing behind either."""
        does = self._found(event)
        if event.key() == Qt.Key.Key_Space and event.modifiers() == _NONE:
            self._hold_space(self._space or not event.isAutoRepeat())
        elif does is not None:
            does()
        elif event.modifiers() != _NONE or not event.text() or not event.text().isprintable():
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:  # noqa: N802 (Qt's name)
        """Space is let go: the hand paints again."""
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._hold_space(False)
        else:
            super().keyReleaseEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw the frame that says where the keys go."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802 (Qt's name)
        """Take it away; Space may be let go elsewhere."""
        super().focusOutEvent(event)
        self._hold_space(False)
        self.update()

    def _hold_space(self, is_held: bool) -> None:
        self._space = is_held
        self._show_cursor()

    # geometry

    def _to_view(self) -> QTransform:
        place = self._view.picture_rect()
        scale = place.width() / self._document.width if self._document is not None else 1.0
        return QTransform.fromTranslate(place.left(), place.top()).scale(scale, scale)

    def _to_picture(self) -> QTransform:
        return self._to_view().inverted()[0]

    def _place_of(self, rect: Rect) -> QRect:
        if rect[0] >= rect[2]:
            return QRect()
        part = QRectF(rect[0], rect[1], rect[2] - rect[0], rect[3] - rect[1])
        return self._to_view().mapRect(part).toAlignedRect().adjusted(-1, -1, 1, 1)

    def _ring_radius(self) -> float:
        """Return how large the brush is drawn, 0 where a cross points better."""
        if not self._hand.tool.is_brush or self._document is None:
            return 0.0
        radius = self._hand.size_px / 2 * self._view.picture_rect().width() / self._document.width
        return radius if 2 * radius >= _SMALLEST_RING_PX else 0.0

    def _point_at(self, at: QPointF | None) -> None:
        for each in (self._pointer, at):
            if each is not None:
                reach = self._ring + 3
                self.update(QRectF(each.x() - reach, each.y() - reach, 2 * reach, 2 * reach).toAlignedRect())
        self._pointer = at

    def _on_hand_changed(self) -> None:
        if isinstance(self._stroke, PolygonStroke) and self._hand.tool.key != "polygon":
            self._end_stroke()
        self._point_at(self._pointer)
        self._show_cursor()
        self._point_at(self._pointer)

    def _show_cursor(self) -> None:
        self._ring = self._ring_radius()
        if self.is_locked:
            shape = Qt.CursorShape.WaitCursor
        elif self._panned_from is not None:
            shape = Qt.CursorShape.ClosedHandCursor
        elif self._space:
            shape = Qt.CursorShape.OpenHandCursor
        else:
            shape = Qt.CursorShape.BlankCursor if self._ring else Qt.CursorShape.CrossCursor
        self.setCursor(shape)


def _draw_twice(painter: QPainter, draw: Callable[[], object]) -> None:
    """Draw a line that is seen on any ground: dark, and lighter and thinner in it."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for colour, width in ((QColor(0, 0, 0, 160), 3.0), (QColor(255, 255, 255, 230), 1.0)):
        painter.setPen(QPen(colour, width))
        draw()
