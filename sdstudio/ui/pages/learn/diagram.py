"""A drawing of the way from words to a picture, for the Learn page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from sdstudio.ui.theme import LARGE_PX, RADIUS, SMALL_PX, TEXT_PX, current_theme, tokens

# The drawing is laid out on 720 x 248 units and scaled to the width there is.
_WIDTH: Final = 720.0
_HEIGHT: Final = 248.0


@dataclass(frozen=True, slots=True)
class _Box:
    """One station: where it stands, what it is, what it does; ``learned`` ones hold trained weights."""

    rect: tuple[float, float, float, float]
    title: str
    caption: str
    learned: bool = False


_BOXES: Final = (
    _Box((0, 20, 132, 64), "Prompt", "“red heart on blue”"),
    _Box((0, 164, 132, 64), "Seed", "noise, as latents"),
    _Box((176, 20, 132, 64), "Text encoder", "words to vectors", learned=True),
    _Box((352, 92, 148, 64), "UNet", "guesses the noise", learned=True),
    _Box((352, 184, 148, 48), "Sampler", "takes some of it away"),
    _Box((552, 92, 76, 64), "VAE", "decodes", learned=True),
    _Box((664, 92, 56, 64), "Picture", ""),
)

_ARROWS: Final = (  # polylines; the last point has the head
    ((132, 52), (176, 52)),
    ((308, 52), (426, 52), (426, 92)),
    ((132, 196), (242, 196), (242, 124), (352, 124)),
    ((426, 156), (426, 184)),
    ((352, 208), (326, 208), (326, 140), (352, 140)),
    ((500, 124), (552, 124)),
    ((628, 124), (664, 124)),
)


class LearnDiagram(QWidget):
    """Scales with its width."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Diagram: prompt and seed go through text encoder, UNet and sampler to the VAE")
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        theme = current_theme()
        if theme is not None:
            theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Its natural size."""
        return QSize(int(_WIDTH), int(_HEIGHT))

    def heightForWidth(self, width: int) -> int:  # noqa: N802
        """Keep the shape."""
        return round(width * _HEIGHT / _WIDTH)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw boxes and arrows."""
        colours = tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        scale = min(self.width() / _WIDTH, self.height() / _HEIGHT)
        painter.translate((self.width() - _WIDTH * scale) / 2, 0)
        painter.scale(scale, scale)
        for arrow in _ARROWS:
            _draw_arrow(painter, [QPointF(*point) for point in arrow], QColor(colours.muted))
        for box in _BOXES:
            _draw_box(painter, box)
        painter.setPen(QColor(colours.muted))
        painter.setFont(_font(SMALL_PX))
        painter.drawText(
            QRectF(246, 164, 76, 32),
            Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
            "again, once\nfor each step",
        )
        painter.end()


def _draw_box(painter: QPainter, box: _Box) -> None:
    colours = tokens()
    where = QRectF(*box.rect)
    painter.setPen(QPen(QColor(colours.accent_text if box.learned else colours.control), 1.5 if box.learned else 1))
    painter.setBrush(QColor(colours.raised))
    painter.drawRoundedRect(where, RADIUS, RADIUS)
    painter.setPen(QColor(colours.text))
    painter.setFont(_font(TEXT_PX, bold=True))
    middle = Qt.AlignmentFlag.AlignHCenter
    if not box.caption:
        painter.drawText(where, Qt.AlignmentFlag.AlignCenter, box.title)
        return
    half = where.height() / 2
    painter.drawText(where.adjusted(0, 0, 0, -half), middle | Qt.AlignmentFlag.AlignBottom, box.title)
    painter.setPen(QColor(colours.muted))
    painter.setFont(_font(SMALL_PX))
    painter.drawText(where.adjusted(0, half + 2, 0, 0), middle | Qt.AlignmentFlag.AlignTop, box.caption)


def _draw_arrow(painter: QPainter, points: list[QPointF], colour: QColor) -> None:
    path = QPainterPath(points[0])
    for point in points[1:]:
        path.lineTo(point)
    painter.setPen(QPen(colour, 1.25))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPath(path)
    tip, before = points[-1], points[-2]
    along = (tip - before) / max(abs((tip - before).x()) + abs((tip - before).y()), 1.0)
    across = QPointF(-along.y(), along.x())
    painter.setBrush(colour)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.drawPolygon(QPolygonF([tip, tip - along * 7 + across * 4, tip - along * 7 - across * 4]))


def _font(px: int, bold: bool = False) -> QFont:
    font = QFont()
    font.setPixelSize(min(px, LARGE_PX))
    font.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
    return font
