"""How one picture lies on the screen: fitted or zoomed about the cursor, its place kept before it exists."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image
from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, QSizeF, Qt, QVariantAnimation, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFocusEvent,
    QImage,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPalette,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QSizePolicy, QWidget

from sdstudio.core.events import PreviewFrame
from sdstudio.ui.theme import tokens
from sdstudio.ui.widgets.images import as_qimage
from sdstudio.ui.widgets.shown_picture import AROUND, ShownPicture

MARGIN_PX = 24
_LOW_MARGIN_PX = 8
_LOW_PX = 280
CORNER_PX = 6
ZOOM_MINIMUM = 0.05
ZOOM_MAXIMUM = 32.0
_PREVIEW_SIDE_PX = 256  # bicubic up to here is under a millisecond; the painter's bilinear does the rest
_FADE_MS = 160


class PictureView(QWidget):
    """A picture, the preview of one, or the empty place where one will be.

    Fitted, the left button drags the picture out as a file; zoomed in, it pans.
    """

    #: The scale or the fitting changed; carries the scale, 1.0 is one picture pixel on one screen pixel.
    zoom_changed = Signal(float)
    #: The user drags the fitted picture out of the window.
    drag_out_started = Signal()
    #: The context menu is wanted at this global position.
    menu_requested = Signal(QPoint)
    #: It was double clicked at this place; `toggle_zoom` is what most want then.
    double_clicked = Signal(QPointF)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 120)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self._place = QSize()
        self._shown = ShownPicture()
        self._preview = QImage()
        self._caption = ""
        self._dimmed = False
        self._repeated = False
        self._zoom: float | None = None
        self._centre = QPointF()
        self._pressed: QPointF | None = None
        self._fade = QVariantAnimation(self)
        self._fade.setDuration(_FADE_MS)
        self._fade.setStartValue(0.0)
        self._fade.setEndValue(1.0)
        self._fade.valueChanged.connect(lambda _value: self.update())

    @property
    def is_fitted(self) -> bool:
        """Whether the picture follows the size of the view."""
        return self._zoom is None

    @property
    def zoom(self) -> float:
        """Screen pixels per picture pixel."""
        return self._fit_scale() if self._zoom is None else self._zoom

    @property
    def picture(self) -> QImage:
        """The finished picture, null when there is none."""
        return self._shown.picture

    @property
    def is_repeated(self) -> bool:
        """Whether copies of the picture lie on all sides of it."""
        return self._repeated

    @property
    def has_preview(self) -> bool:
        """Whether a preview of the picture to come is shown."""
        return not self._preview.isNull()

    @property
    def caption(self) -> str:
        """What is written on the empty place."""
        return self._caption

    def reserve(self, size: QSize, caption: str = "") -> None:
        """Keep the place of a picture of ``size`` pixels; one of the same shape stays, dimmed, until it is replaced."""
        same_shape = self._shown.is_there and self._shown.picture.size() == size
        self._preview = QImage()
        self._caption = caption
        self._dimmed = same_shape
        if not same_shape:
            self._shown = ShownPicture()
        self._place = size
        self._fade.stop()
        self.update()

    def lay_under(self, picture: QImage | None) -> None:
        """Show what the picture begins from, if anything, dimmed and in its place, until there is a preview."""
        if picture is None:
            return
        self._shown = ShownPicture(picture)
        self._dimmed = True
        self.update()

    def set_caption(self, caption: str) -> None:
        """Write on the place that waits for its picture."""
        if caption != self._caption:
            self._caption = caption
            self.update()

    def set_blank(self, caption: str) -> None:
        """Show words in the picture's place instead of a picture."""
        self._shown = ShownPicture()
        self._preview = QImage()
        self._dimmed = False
        self._caption = caption
        self.update()

    def set_preview(self, frame: PreviewFrame) -> None:
        """Show an unfinished picture in the reserved place."""
        small = Image.frombytes("RGB", (frame.width, frame.height), frame.rgb)
        factor = max(1, _PREVIEW_SIDE_PX // max(frame.width, frame.height))
        soft = small.resize((frame.width * factor, frame.height * factor), Image.Resampling.BICUBIC)
        self._preview = as_qimage(soft)
        self._shown = ShownPicture()
        self._dimmed = False
        self._caption = ""
        self.update()

    def set_draft(self, small: QImage, size: QSize) -> None:
        """Show a small copy of a picture of ``size`` pixels in its place until it is read; the zoom is kept."""
        self.set_picture(small, keep_zoom=True, size=size)
        self._shown = ShownPicture(small, is_draft=True)

    def set_picture(
        self, picture: QImage, keep_zoom: bool = False, smaller: Sequence[QImage] = (), size: QSize | None = None
    ) -> None:
        """Show a finished picture; after a preview it is faded in.

        Args:
            picture: It.
            keep_zoom: Keep zoom and place when it is as large as the one before.
            smaller: Copies, each half as large as the one before, of one that is larger than screens.
            size: Its size where ``picture`` is a copy of another.
        """
        came_from_preview = self.has_preview
        size = size or picture.size()
        if not keep_zoom or size != self._place:
            self._zoom = None
        self._place = size
        self._shown = ShownPicture(picture, smaller)
        self._dimmed = False
        self._caption = ""
        if came_from_preview and self.isVisible():
            self._fade.start()
        else:
            self._preview = QImage()
        self.update()
        self.zoom_changed.emit(self.zoom)

    def clear(self) -> None:
        """Show nothing."""
        self._place = QSize()
        self._shown = ShownPicture()
        self._preview = QImage()
        self._caption = ""
        self._zoom = None
        self.update()

    def fit(self) -> None:
        """Let the whole picture follow the size of the view."""
        self._zoom = None
        self.update()
        self.zoom_changed.emit(self.zoom)

    def set_repeated(self, repeated: bool) -> None:
        """Show the picture with copies of it on all sides, fitted as a whole; or alone again."""
        if repeated != self._repeated:
            self._repeated = repeated
            self._keep_in_sight()
            self.update()
            self.zoom_changed.emit(self.zoom)

    def zoom_to(self, zoom: float, about: QPointF | None = None) -> None:
        """Show ``zoom`` screen pixels per picture pixel, keeping the picture's point under ``about`` where it is."""
        if self._place.isEmpty():
            return
        anchor = about or QPointF(self.rect().center())
        point = self._picture_point(anchor)
        self._zoom = min(max(zoom, ZOOM_MINIMUM), ZOOM_MAXIMUM)
        offset = (anchor - QPointF(self.rect().center())) / self._logical(self._zoom)
        self._centre = point - offset
        self._keep_in_sight()
        self.update()
        self.zoom_changed.emit(self.zoom)

    def zoom_by(self, factor: float, about: QPointF | None = None) -> None:
        """Zoom in or out; smaller than fitted becomes fitted."""
        wanted = self.zoom * factor
        if factor < 1 and wanted <= self._fit_scale():
            self.fit()
        else:
            self.zoom_to(wanted, about)

    def pan_by(self, moved: QPointF) -> None:
        """Move the picture by so many pixels of the view; a fitted one stays as large as it is."""
        if self._place.isEmpty():
            return
        if self._zoom is None:
            self.zoom_to(self.zoom)
        self._centre -= moved / self._logical(self.zoom)
        self._keep_in_sight()
        self.update()

    def toggle_zoom(self, about: QPointF | None = None) -> None:
        """Change between fitted and 100 %."""
        if self.is_fitted:
            self.zoom_to(1.0, about)
        else:
            self.fit()

    def picture_rect(self) -> QRectF:
        """Return where the picture, or its reserved place, lies in the view."""
        size = QSizeF(self._place) * self._logical(self.zoom)
        middle = QPointF(self.rect().center())
        if self._zoom is not None:
            middle -= (self._centre - QPointF(self._place.width() / 2, self._place.height() / 2)) * self._logical(
                self._zoom
            )
        return QRectF(middle.x() - size.width() / 2, middle.y() - size.height() / 2, size.width(), size.height())

    def covered_rect(self) -> QRectF:
        """Return what the picture and the copies of it cover."""
        where = self.picture_rect()
        if self._repeated:
            where.adjust(-where.width(), -where.height(), where.width(), where.height())
        return where

    # painting

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the place, then the preview, then the picture over it."""
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        where = QRectF(self.rect()) if self._place.isEmpty() else self.covered_rect()
        if not self._place.isEmpty():
            self._draw(painter, where)
        if self.hasFocus():
            self.draw_focus_ring(painter, where)
        painter.end()

    def draw_focus_ring(self, painter: QPainter, where: QRectF) -> None:
        """Draw the ring that shows the focus, around what is seen of the picture."""
        ring = where.intersected(QRectF(self.rect()).adjusted(4, 4, -4, -4)).adjusted(-2.5, -2.5, 2.5, 2.5)
        painter.setPen(QPen(QColor(tokens().accent_text), 2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(ring, CORNER_PX + 2, CORNER_PX + 2)

    def _draw(self, painter: QPainter, where: QRectF) -> None:
        if self._zoom is None:
            shape = QPainterPath()
            shape.addRoundedRect(where, CORNER_PX, CORNER_PX)
            painter.setClipPath(shape)
        if not self._shown.is_there and self._preview.isNull():
            painter.fillRect(where, self.palette().color(QPalette.ColorRole.AlternateBase))
        fading = self._fade.state() == QVariantAnimation.State.Running
        if not self._preview.isNull() and (not self._shown.is_there or fading):
            self._draw_one(painter, ShownPicture(self._preview, is_draft=True))
        if self._shown.is_there:
            painter.setOpacity(0.35 if self._dimmed else float(self._fade.currentValue()) if fading else 1.0)
            self._draw_one(painter, self._shown)
            painter.setOpacity(1.0)
        painter.setClipping(False)
        if not self._shown.is_there or self._dimmed:
            self._draw_place(painter, where)

    def _draw_one(self, painter: QPainter, shown: ShownPicture) -> None:
        draw = shown.draw_repeated if self._repeated else shown.draw
        draw(painter, self.picture_rect(), QRectF(self.rect()), self._zoom)

    def _draw_place(self, painter: QPainter, where: QRectF) -> None:
        line = QColor(self.palette().color(QPalette.ColorRole.Mid))
        painter.setPen(QPen(line, 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(where.adjusted(0.5, 0.5, -0.5, -0.5), CORNER_PX, CORNER_PX)
        if self._caption:
            painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
            area = where.adjusted(16, 16, -16, -16)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._caption)

    # mouse and keyboard

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        """Draw the ring that shows the focus."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        """Take the ring away."""
        super().focusOutEvent(event)
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        """Zoom about the cursor."""
        if self._place.isEmpty() or not event.angleDelta().y():
            event.ignore()
            return
        self.zoom_by(1.2 ** (event.angleDelta().y() / 120), event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Begin a pan or a drag."""
        if event.button() is Qt.MouseButton.LeftButton:
            self._pressed = event.position()
            if not self.is_fitted:
                self.setCursor(Qt.CursorShape.ClosedHandCursor)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Pan the zoomed picture, or start dragging the fitted one out."""
        if self._pressed is None:
            return
        moved = event.position() - self._pressed
        if self._zoom is not None:
            self._pressed = event.position()
            self.pan_by(moved)
        elif moved.manhattanLength() >= QApplication.startDragDistance() and self.covered_rect().contains(
            self._pressed
        ):
            self._pressed = None
            self.drag_out_started.emit()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """End a pan."""
        self._pressed = None
        self.unsetCursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Emit it."""
        self.double_clicked.emit(event.position())

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:  # noqa: N802
        """Ask for the menu."""
        self.menu_requested.emit(event.globalPos())

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Emit the new scale of a fitted picture."""
        super().resizeEvent(event)
        if not self._place.isEmpty():
            self.zoom_changed.emit(self.zoom)

    # geometry

    def _logical(self, zoom: float) -> float:
        return zoom / self.devicePixelRatioF()

    def _fit_scale(self) -> float:
        if self._place.isEmpty():
            return 1.0
        margin = MARGIN_PX if self.height() >= _LOW_PX else _LOW_MARGIN_PX
        copies = len(AROUND) if self._repeated else 1
        size = self.fit_size()
        across = max(1, self.width() - 2 * margin) / size.width() / copies
        down = max(1, self.height() - 2 * margin) / size.height() / copies
        return min(across, down) * self.devicePixelRatioF()

    def fit_size(self) -> QSize:
        """Return how many pixels of the picture are to be seen while it is fitted."""
        return self._place

    def _picture_point(self, position: QPointF) -> QPointF:
        return (position - self.picture_rect().topLeft()) / self._logical(self.zoom)

    def _keep_in_sight(self) -> None:
        width, height = self._place.width(), self._place.height()
        beyond = float(self._repeated)
        self._centre = QPointF(
            min(max(self._centre.x(), -beyond * width), (1 + beyond) * width),
            min(max(self._centre.y(), -beyond * height), (1 + beyond) * height),
        )
