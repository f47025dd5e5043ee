"""A picture as it is drawn on the screen: out of which copy, how it is resampled, alone or beside copies of itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from PySide6.QtCore import QPointF, QRectF, QSizeF
from PySide6.QtGui import QImage, QPainter

from sdstudio.ui.widgets.resampled import Resampled

AROUND = (-1, 0, 1)
"""Places of the copies of a repeated picture, across and down: three by three, the picture itself in the middle."""


class ShownPicture:
    """What a view shows.

    Args:
        picture: It, null for none.
        smaller: Copies, each half as large as the one before, of one that is larger than screens.
        is_draft: It is a small copy, shown until the picture is read.
    """

    def __init__(self, picture: QImage | None = None, smaller: Sequence[QImage] = (), is_draft: bool = False) -> None:
        self.picture = QImage() if picture is None else picture
        self._smaller = tuple(smaller)
        self._is_draft = is_draft
        self._scaled = Resampled()

    @property
    def is_there(self) -> bool:
        """Whether there is a picture."""
        return not self.picture.isNull()

    def draw(self, painter: QPainter, where: QRectF, seen: QRectF, zoom: float | None) -> None:
        """Draw it.

        Args:
            painter: Draws on the view.
            where: Its place in the view.
            seen: The view.
            zoom: Screen pixels per picture pixel; ``None`` when it is fitted into the view.
        """
        if self._is_draft or (self._smaller and zoom is not None and zoom < 1):
            self._draw_part(painter, where, seen & where)
        elif zoom is not None and zoom >= 1:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, zoom < 2)
            painter.drawImage(where, self.picture)
        else:
            target = (where.size() * painter.device().devicePixelRatioF()).toSize()
            scaled = self._scaled.of(self.picture, self._copy_for, target)
            painter.drawPixmap(where, scaled, QRectF(QPointF(), QSizeF(target)))

    def draw_repeated(self, painter: QPainter, where: QRectF, seen: QRectF, zoom: float | None) -> None:
        """Draw it with copies of it on all sides, each resampled as the part of an endless picture that it is."""
        ratio = painter.device().devicePixelRatioF()
        target = (where.size() * ratio).toSize()
        whole = self._is_draft or self._smaller or (zoom is not None and zoom >= 1)
        scaled = None if whole else self._scaled.of(self.picture, self._copy_for, target, meets=True)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, zoom is None or zoom < 2)
        for place in places(where, ratio):
            if scaled is not None:
                painter.drawPixmap(place, scaled, QRectF(QPointF(), QSizeF(target)))
            elif place.intersects(seen):
                self._draw_part(painter, place, seen & place)

    def _draw_part(self, painter: QPainter, where: QRectF, seen: QRectF) -> None:
        """Draw what is in sight out of the smallest copy that has enough pixels: its cost is that of the view."""
        source = self._copy_for(round(where.width() * painter.device().devicePixelRatioF()))
        across, down = source.width() / where.width(), source.height() / where.height()
        corner = seen.topLeft() - where.topLeft()
        part = QRectF(corner.x() * across, corner.y() * down, seen.width() * across, seen.height() * down)
        painter.drawImage(seen, source, part)

    def _copy_for(self, width: int) -> QImage:
        return next((copy for copy in reversed(self._smaller) if copy.width() >= width), self.picture)


def places(where: QRectF, ratio: float) -> Iterator[QRectF]:
    """Yield where a repeated picture and its copies lie, on whole pixels of the screen: no line is seen between them.

    Args:
        where: The place of the picture itself.
        ratio: Pixels of the screen per pixel of the view.
    """
    left, top = round(where.left() * ratio), round(where.top() * ratio)
    size = (where.size() * ratio).toSize()
    for down in AROUND:
        for across in AROUND:
            x, y = left + across * size.width(), top + down * size.height()
            yield QRectF(x / ratio, y / ratio, size.width() / ratio, size.height() / ratio)
