"""How an icon's file becomes pixels of one colour: each of its looks when it is first seen, most of them never."""

from __future__ import annotations

from functools import cache
from typing import Final

from PySide6.QtCore import QByteArray, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QIconEngine, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from sdstudio.core.paths import resources

_DISABLED: Final = QIcon.Mode.Disabled


@cache
def svg(name: str) -> bytes:
    """Return an icon's file, whose lines are in ``currentColor``."""
    return (resources() / "icons" / f"{name}.svg").read_bytes()


def drawn_icon(name: str, colour: str, disabled: str, size: int) -> QIcon:
    """Return an icon that is drawn when it is seen; ``size`` is the largest, in logical pixels."""
    return QIcon(_Drawn(name, colour, disabled, size))


def drawn(source: bytes, colour: str, size: int, ratio: float) -> QPixmap:
    """Draw one colour and size of an icon."""
    side = round(size * ratio)
    picture = QPixmap(side, side)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    QSvgRenderer(QByteArray(source.replace(b"currentColor", colour.encode()))).render(painter, QRectF(0, 0, side, side))
    painter.end()
    picture.setDevicePixelRatio(ratio)
    return picture


class _Drawn(QIconEngine):
    """Draws and keeps what is asked for: 65 icons are made for the first window, and 30 pixmaps of them are seen."""

    def __init__(self, name: str, colour: str, disabled: str, size: int) -> None:
        super().__init__()
        self._name, self._colour, self._disabled, self._size = name, colour, disabled, size
        self._kept: dict[tuple[str, int, float], QPixmap] = {}

    def actualSize(self, size: QSize, _mode: QIcon.Mode, _state: QIcon.State) -> QSize:  # noqa: N802 (Qt's name)
        """Return a square that fits, and is no larger than the icon."""
        side = min(size.width(), size.height(), self._size)
        return QSize(side, side)

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        """Return it for a screen of ordinary pixels."""
        return self.scaledPixmap(size, mode, state, 1.0)

    def scaledPixmap(  # noqa: N802 (Qt's name)
        self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float
    ) -> QPixmap:
        """Return it for a screen; some versions of Qt give ``size`` in its pixels, others in logical ones."""
        side = self.actualSize(size, mode, state).width()
        key = self._disabled if mode == _DISABLED else self._colour, side, scale
        if key not in self._kept:
            self._kept[key] = drawn(svg(self._name), *key)
        return self._kept[key]

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        """Draw it in the middle of a place."""
        picture = self.scaledPixmap(rect.size(), mode, state, painter.device().devicePixelRatio())
        size = picture.deviceIndependentSize().toSize()
        painter.drawPixmap(rect.center() - QPoint((size.width() - 1) // 2, (size.height() - 1) // 2), picture)

    def clone(self) -> QIconEngine:
        """Return another that draws the same."""
        return _Drawn(self._name, self._colour, self._disabled, self._size)
