"""What is added around the picture while one paints: grips to drag its sides and corners, and how large it becomes.

Sides snap to 8 pixels. While a grip is dragged out of sight the picture gets smaller, so that the edge is seen.
"""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QLabel, QWidget

from sdstudio.background.signals import TypedSignal
from sdstudio.core.request.outpaint_fields import LARGEST_PX, Sides
from sdstudio.ui.theme import GRID, mark, tokens
from sdstudio.ui.widgets.picture_view import PictureView

SNAP_PX: Final = 8
_BAR_PX: Final = (28, 8)
"""Length and thickness of the grip of a side; a corner's is as wide as it is thick."""
_CORNER_PX: Final = 12
_AWAY_PX: Final = 3
"""Between the edge and a grip: the edge itself can be painted on."""
_WAYS: Final = {
    "left": (-1, 0), "top": (0, -1), "right": (1, 0), "bottom": (0, 1), "top left": (-1, -1), "top right": (1, -1),
    "bottom left": (-1, 1), "bottom right": (1, 1),
}  # fmt: skip
_CURSORS: Final = {
    (True, False): Qt.CursorShape.SizeHorCursor, (False, True): Qt.CursorShape.SizeVerCursor,
}  # fmt: skip


class GroundView(PictureView):
    """Shows a picture with room around it for what is added, as long as all of it is shown."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._room = Sides()

    @property
    def place(self) -> QSize:
        """How large the picture is, in its own pixels."""
        return super().fit_size()

    def set_room(self, room: Sides) -> None:
        """Keep so many of the picture's pixels free at each side."""
        if room != self._room:
            self._room = room
            self.update()
            self.zoom_changed.emit(self.zoom)

    def fit_size(self) -> QSize:
        """Return how many pixels of the picture are to be seen, those that are added counted in."""
        return QSize(*self._room.around((self.place.width(), self.place.height())))

    def picture_rect(self) -> QRectF:
        """Return where the picture lies in the view, beside the room that is kept."""
        where, room = super().picture_rect(), self._room
        if self.is_fitted and self.place.width():
            scale = where.width() / self.place.width()
            where.translate((room.left - room.right) / 2 * scale, (room.top - room.bottom) / 2 * scale)
        return where


class Grip(QWidget):
    """One side or corner that is dragged."""

    #: It is dragged: by so many pixels of the screen since the last time.
    moved = Signal(QPointF)
    #: It was let go.
    released = Signal()
    #: The hand is on it.
    pressed = Signal()

    def __init__(self, name: str, way: tuple[int, int], parent: QWidget) -> None:
        super().__init__(parent)
        self.way = way
        self.setObjectName(f"ground_{name.replace(' ', '_')}")
        self.setAccessibleName(f"Extend the picture: {name}")
        self.setToolTip(f"Drag to draw more at the {name.replace(' ', ' and ')}")
        across, down = bool(way[0]), bool(way[1])
        falling = Qt.CursorShape.SizeFDiagCursor if way[0] == way[1] else Qt.CursorShape.SizeBDiagCursor
        self.setCursor(_CURSORS.get((across, down), falling))
        long, thick = _BAR_PX
        size = (_CORNER_PX, _CORNER_PX) if across and down else (thick, long) if across else (long, thick)
        self.setFixedSize(*size)
        self._at: QPointF | None = None

    @property
    def is_held(self) -> bool:
        """Whether the hand is on it."""
        return self._at is not None

    def let_go(self) -> None:
        """Move no further, whatever the hand does."""
        self._at = None

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw it so that it is seen on any ground."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(0, 0, 0, 170), 1))
        painter.setBrush(QColor(tokens().accent if self.underMouse() or self.is_held else "#ffffff"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
        painter.end()

    def enterEvent(self, event: QEvent) -> None:  # noqa: N802 (Qt's name)
        """Light up."""
        self.update()

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802 (Qt's name)
        """Be as before."""
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Begin."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._at = event.globalPosition()
            self.pressed.emit()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Go on."""
        if self._at is not None:
            by, self._at = event.globalPosition() - self._at, event.globalPosition()
            self.moved.emit(by)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """End."""
        if event.button() == Qt.MouseButton.LeftButton and self._at is not None:
            self._at = None
            self.released.emit()


class GroundLayer(QWidget):
    """Lies over a `GroundView`, and takes no mouse but at its grips.

    Args:
        view: Shows the picture.
    """

    #: A drag has ended: what was added before it, and what is added now.
    dragged = TypedSignal[tuple[Sides, Sides]]()

    def __init__(self, view: GroundView) -> None:
        super().__init__(view)
        self.setObjectName("groundLayer")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._view = view
        self._sides = Sides()
        self._begun: Sides | None = None
        self._exact = QSizeF()
        self._look = QImage()
        self.words = QLabel(view)
        self.words.setObjectName("groundSize")
        self.words.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        mark(self.words, "role", "pill")
        self.grips = {name: Grip(name, way, view) for name, way in _WAYS.items()}
        for grip in self.grips.values():
            grip.pressed.connect(self._on_pressed)
            grip.moved.connect(lambda by, grip=grip: self._on_moved(grip, by))
            grip.released.connect(self._on_released)
        view.installEventFilter(self)
        view.zoom_changed.connect(lambda _zoom: self.place())
        self.place()

    @property
    def sides(self) -> Sides:
        """What is added."""
        return self._sides

    def show_sides(self, sides: Sides) -> None:
        """Show what is added."""
        if self._begun is None and sides != self._sides:
            self._sides, self._look = sides, QImage()
            self._view.set_room(sides)
            self.place()

    def show_look(self, look: QImage) -> None:
        """Show what the ground begins from: the whole picture with it, in any size."""
        self._look = look
        self.update()

    def break_off(self) -> bool:
        """Take back a drag that has begun and not ended; False where there is none."""
        if self._begun is None:
            return False
        before, self._begun = self._begun, None
        for grip in self.grips.values():
            grip.let_go()
        self.show_sides(before)
        return True

    def outline(self) -> QRectF:
        """Return where the picture with what is added lies in the view."""
        where, sides, scale = self._view.picture_rect(), self._sides, self._scale()
        return where.adjusted(-sides.left * scale, -sides.top * scale, sides.right * scale, sides.bottom * scale)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Stay as large as the view, and where the picture is."""
        if event.type() == QEvent.Type.Resize:
            self.setGeometry(self._view.rect())
            self.place()
        elif event.type() == QEvent.Type.Paint and self.outline() != self._placed_at:
            self.place()  # panned
        return False

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw the ground around the picture, and its edge."""
        if not any(self._sides):
            return
        painter = QPainter(self)
        outline, own = self.outline(), self._view.picture_rect()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        for strip in _around(outline, own):
            if self._look.isNull():
                painter.fillRect(strip, QColor(128, 128, 128, 90))
            else:
                across, down = self._look.width() / outline.width(), self._look.height() / outline.height()
                at = strip.topLeft() - outline.topLeft()
                part = QRectF(at.x() * across, at.y() * down, strip.width() * across, strip.height() * down)
                painter.drawImage(strip, self._look, part)
        for colour, width, style in (
            (QColor(0, 0, 0, 160), 3.0, Qt.PenStyle.SolidLine), (QColor(255, 255, 255, 230), 1.0, Qt.PenStyle.DashLine),
        ):  # fmt: skip
            painter.setPen(QPen(colour, width, style))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(outline)
        painter.end()

    def place(self) -> None:
        """Put grips and words where the edge is."""
        outline, there = self.outline(), self._view.place.width() > 0
        self._placed_at = QRectF(outline)
        room = QRectF(self._view.rect())
        for grip in self.grips.values():
            half = QPointF(grip.width() / 2, grip.height() / 2)
            x = outline.center().x() + grip.way[0] * (outline.width() / 2 + half.x() + _AWAY_PX)
            y = outline.center().y() + grip.way[1] * (outline.height() / 2 + half.y() + _AWAY_PX)
            grip.setVisible(there and (self._view.is_fitted or room.contains(QPointF(x, y))))
            x = min(max(x, half.x()), room.width() - half.x())
            y = min(max(y, half.y()), room.height() - half.y())
            grip.move((QPointF(x, y) - half).toPoint())
        self._place_words(outline)
        self.update()

    def _place_words(self, outline: QRectF) -> None:
        shape = self._view.place.width(), self._view.place.height()
        wide, high = self._sides.around(shape)
        self.words.setText(f"{wide:,} × {high:,} px")
        self.words.setVisible((any(self._sides) or self._begun is not None) and shape[0] > 0)
        self.words.adjustSize()
        x = outline.center().x() - self.words.width() / 2
        y = min(outline.bottom(), self._view.height()) - self.words.height() - GRID
        self.words.move(round(max(x, 0)), round(max(y, 0)))
        self.words.raise_()

    def _scale(self) -> float:
        return self._view.picture_rect().width() / max(self._view.place.width(), 1)

    def _on_pressed(self) -> None:
        self._begun = self._sides
        self._exact = QSizeF(0, 0)
        self._place_words(self.outline())

    def _on_moved(self, grip: Grip, by: QPointF) -> None:
        if self._begun is None:
            return
        self._exact += QSizeF(by.x() / self._scale(), by.y() / self._scale())
        begun, place = self._begun, self._view.place
        values = begun._asdict()
        for way, length, names, whole in (
            (grip.way[0], self._exact.width(), ("left", "right"), begun.left + begun.right + place.width()),
            (grip.way[1], self._exact.height(), ("top", "bottom"), begun.top + begun.bottom + place.height()),
        ):
            if way:
                name = names[way > 0]
                most = LARGEST_PX - (whole - values[name])
                snapped = round((values[name] + way * length) / SNAP_PX) * SNAP_PX
                values[name] = max(min(snapped, most // SNAP_PX * SNAP_PX), 0)
        sides = Sides(**values)
        if sides != self._sides:
            self._sides, self._look = sides, QImage()
            if not QRectF(self._view.rect()).contains(self.outline()):
                self._view.set_room(sides)
            self.place()

    def _on_released(self) -> None:
        if self._begun is None:
            return
        before, self._begun = self._begun, None
        self._view.set_room(self._sides)
        self.place()
        if self._sides != before:
            self.dragged.emit((before, self._sides))


def _around(outer: QRectF, inner: QRectF) -> list[QRectF]:
    """Return what lies between two rectangles, as four strips."""
    return [
        QRectF(outer.left(), outer.top(), outer.width(), inner.top() - outer.top()),
        QRectF(outer.left(), inner.bottom(), outer.width(), outer.bottom() - inner.bottom()),
        QRectF(outer.left(), inner.top(), inner.left() - outer.left(), inner.height()),
        QRectF(inner.right(), inner.top(), outer.right() - inner.right(), inner.height()),
    ]
