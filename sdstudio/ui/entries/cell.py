"""How one entry of the history is drawn: its square, a ring when chosen, its marks, its words under the pointer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QLinearGradient, QPainter, QPainterPath, QPen, QPixmap

from sdstudio.history.store import Entry
from sdstudio.ui.theme import RADIUS, SMALL_PX, pixmap, scaled, tokens

GAP_PX: Final = 4
_ICON_PX: Final = 24
_MARK_PX: Final = 14
STAR: Final = "#ffd166"
_HEART: Final = "#ff6b81"


@dataclass(frozen=True, slots=True)
class Cell:
    """What there is to draw: ``entry`` is ``None`` while it is being read, ``square`` null while it is not there."""

    entry: Entry | None
    square: QPixmap
    is_gone: bool = False
    is_selected: bool = False
    is_current: bool = False
    is_hovered: bool = False


def draw_cell(painter: QPainter, where: QRectF, cell: Cell) -> None:
    """Draw one cell; nearly always this is one picture put where it belongs."""
    blocked = cell.entry is not None and bool(cell.entry.recipe.blocked)
    if cell.square.isNull() or blocked:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens().raised))
        painter.drawRoundedRect(where, RADIUS, RADIUS)
        if blocked or cell.is_gone:
            _draw_icon(painter, where, "shield" if blocked else "image-off")
    else:
        painter.drawPixmap(where, cell.square, QRectF(cell.square.rect()))
    if cell.entry is None:
        return
    if cell.is_hovered:
        _draw_words(painter, where, cell.entry)
    elif cell.entry.rating or cell.entry.favourite:
        _draw_marks(painter, where, cell.entry)
    if cell.is_selected or cell.is_current:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        color = QColor(tokens().accent_text)
        painter.setPen(QPen(color, 2) if cell.is_selected else QPen(color, 1, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(where, RADIUS, RADIUS)
    if cell.is_selected and cell.is_current:  # a ring within the frame: here the keys go on from
        painter.setPen(QPen(QColor(tokens().on_accent), 1))
        painter.drawRoundedRect(where.adjusted(2, 2, -2, -2), RADIUS - 2, RADIUS - 2)


def _draw_icon(painter: QPainter, where: QRectF, name: str) -> None:
    icon = pixmap(name, "muted", _ICON_PX, painter.device().devicePixelRatioF())
    corner = where.center() - QPointF(_ICON_PX, _ICON_PX) / 2
    painter.drawPixmap(QRectF(corner.x(), corner.y(), _ICON_PX, _ICON_PX), icon, QRectF(icon.rect()))


def _shade(painter: QPainter, where: QRectF, begin: float, strength: int) -> None:
    """Darken the foot of a picture, so that white is read on it in both themes."""
    shade = QLinearGradient(where.topLeft(), where.bottomLeft())
    shade.setColorAt(begin, QColor(0, 0, 0, 0))
    shade.setColorAt(1.0, QColor(0, 0, 0, strength))
    shape = QPainterPath()
    shape.addRoundedRect(where, RADIUS, RADIUS)
    painter.fillPath(shape, shade)


def _draw_marks(painter: QPainter, where: QRectF, entry: Entry) -> None:
    _shade(painter, where, 0.7, 170)
    font = painter.font()
    font.setPixelSize(_MARK_PX)
    painter.setFont(font)
    foot = where.adjusted(8, 0, -8, -4)
    if entry.rating:
        painter.setPen(QColor(STAR))
        painter.drawText(foot, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, "★" * entry.rating)
    if entry.favourite:
        painter.setPen(QColor(_HEART))
        painter.drawText(foot, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, "♥")


def _draw_words(painter: QPainter, where: QRectF, entry: Entry) -> None:
    _shade(painter, where, 0.35, 210)
    font = painter.font()
    font.setPixelSize(scaled(SMALL_PX))
    painter.setFont(font)
    metrics = QFontMetricsF(font)
    line = metrics.height()
    inner = where.adjusted(8, 0, -8, -6)
    request = entry.recipe.request
    marks = "★" * entry.rating + ("  ♥" if entry.favourite else "")
    lines = [(request.prompt or "no prompt", 255), (f"seed {request.seed}", 190), *([(marks, 255)] if marks else [])]
    for at, (text, alpha) in enumerate(reversed(lines)):
        painter.setPen(QColor(255, 255, 255, alpha))
        place = QRectF(inner.left(), inner.bottom() - (at + 1) * line, inner.width(), line)
        elided = metrics.elidedText(text.replace("\n", " ")[:200], Qt.TextElideMode.ElideRight, inner.width())
        painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, elided)
