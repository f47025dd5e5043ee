"""How an icon's file becomes pixels of one colour."""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from sdstudio.core.paths import resources


@cache
def svg(name: str) -> bytes:
    """Return an icon's file, whose lines are in ``currentColor``."""
    return (resources() / "icons" / f"{name}.svg").read_bytes()


def drawn_icon(name: str, colour: str, disabled: str, size: int) -> QIcon:
    """Draw an icon for 1x and 2x screens, usable and disabled; ``size`` is in logical pixels."""
    made = QIcon()
    source = svg(name)
    for mode, shade in ((QIcon.Mode.Normal, colour), (QIcon.Mode.Disabled, disabled)):
        for ratio in (1.0, 2.0):
            made.addPixmap(drawn(source, shade, size, ratio), mode)
    return made


def drawn(source: bytes, colour: str, size: int, ratio: float) -> QPixmap:
    """Draw one colour and size of it."""
    side = round(size * ratio)
    picture = QPixmap(side, side)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    QSvgRenderer(QByteArray(source.replace(b"currentColor", colour.encode()))).render(painter, QRectF(0, 0, side, side))
    painter.end()
    picture.setDevicePixelRatio(ratio)
    return picture
