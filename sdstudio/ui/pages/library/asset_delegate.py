"""How one thing of the library is drawn in the list: its cover or icon, what it is, where it lies, what is wrong."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPen, QPixmap, QPixmapCache
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from sdstudio.catalog.kinds import CHECKPOINT, DETECTOR, EMBEDDING, LORA, UPSCALER, VAE
from sdstudio.ui.pages.library.asset_model import ASSET_ROLE, ShownAsset
from sdstudio.ui.theme import GRID, LARGE_PX, RADIUS, SMALL_PX, TEXT_PX, pixmap, scaled, tokens

ROW_PX: Final = 80
_PICTURE_PX: Final = 56
_ICON_PX: Final = 24

KIND_ICONS: Final = {
    CHECKPOINT: "box",
    LORA: "layers",
    VAE: "image",
    EMBEDDING: "type",
    UPSCALER: "scaling",
    DETECTOR: "scan",
}


class AssetDelegate(QStyledItemDelegate):
    """Cards of one height, as wide as the list."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:  # noqa: N802
        """Return the height; the view knows the width."""
        return QSize(0, max(ROW_PX, scaled(ROW_PX)))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw one card."""
        row: ShownAsset = index.data(ASSET_ROLE)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        where = QRectF(option.rect).adjusted(1, 1, -GRID // 2, -GRID // 2 - 1)
        shape = QPainterPath()
        shape.addRoundedRect(where, RADIUS, RADIUS)
        painter.save()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillPath(shape, QColor(tokens().hover if hovered and not chosen else tokens().raised))
        focused = bool(option.state & QStyle.StateFlag.State_HasFocus)
        painter.setPen(QPen(QColor(tokens().accent_text if chosen else tokens().border), 2 if focused else 1))
        painter.drawPath(shape)
        inner = where.adjusted(GRID + GRID // 2, 0, -GRID * 2, 0)
        picture = QRectF(inner.left(), inner.center().y() - _PICTURE_PX / 2, _PICTURE_PX, _PICTURE_PX)
        _draw_picture(painter, picture, row)
        words = inner.adjusted(_PICTURE_PX + GRID * 2, GRID, 0, -GRID)
        _draw_words(painter, words, row)
        painter.restore()


def cover_pixmap(row: ShownAsset, side_px: int, ratio: float) -> QPixmap:
    """Return an asset's cover, null when it has none that can be read."""
    picture = QPixmap()
    if row.cover is None:
        return picture
    key = f"cover:{row.cover}:{side_px}:{ratio}"
    if QPixmapCache.find(key, picture):
        return picture
    if picture.load(str(row.cover)):
        side = round(side_px * ratio)
        picture = picture.scaled(
            side, side, Qt.AspectRatioMode.KeepAspectRatioByExpanding, Qt.TransformationMode.SmoothTransformation
        )
        QPixmapCache.insert(key, picture)
    return picture


def _draw_picture(painter: QPainter, where: QRectF, row: ShownAsset) -> None:
    shape = QPainterPath()
    shape.addRoundedRect(where, RADIUS - 2, RADIUS - 2)
    ratio = painter.device().devicePixelRatioF()
    picture = cover_pixmap(row, _PICTURE_PX, ratio)
    painter.fillPath(shape, QColor(tokens().surface))
    if picture.isNull():
        name = KIND_ICONS.get(row.asset.kind, "file-image")
        icon = pixmap(name, "muted" if row.asset.problem else "accent_text", _ICON_PX, ratio)
        corner = where.center()
        place = QRectF(corner.x() - _ICON_PX / 2, corner.y() - _ICON_PX / 2, _ICON_PX, _ICON_PX)
        painter.drawPixmap(place, icon, QRectF(icon.rect()))
        return
    side = min(picture.width(), picture.height())
    source = QRectF((picture.width() - side) / 2, (picture.height() - side) / 2, side, side)
    painter.setClipPath(shape)
    painter.drawPixmap(where, picture, source)
    painter.setClipping(False)


def _draw_words(painter: QPainter, where: QRectF, row: ShownAsset) -> None:
    asset = row.asset
    pill = _draw_pill(painter, where, "In use") + GRID if row.in_use else 0.0
    problem = asset.problem
    last = (problem, SMALL_PX, "danger") if problem else (str(asset.path), SMALL_PX, "muted")
    lines = ((row.title, LARGE_PX, "text"), (row.facts, TEXT_PX, "muted"), last)
    height = where.height() / len(lines)
    for at, (text, size_px, colour) in enumerate(lines):
        font = QFont(painter.font())
        font.setPixelSize(scaled(size_px))
        font.setWeight(QFont.Weight.DemiBold if at == 0 else QFont.Weight.Normal)
        painter.setFont(font)
        painter.setPen(QColor(getattr(tokens(), colour)))
        # The end of a name or path is more useful than its middle, the beginning of a problem more than its end.
        is_name = at == 0 or (at == 2 and not problem)
        mode = Qt.TextElideMode.ElideMiddle if is_name else Qt.TextElideMode.ElideRight
        room = where.width() - (pill if at == 1 else 0.0)  # beside the line in the middle
        shown = QFontMetricsF(font).elidedText(text.replace("\n", " "), mode, room)
        place = QRectF(where.left(), where.top() + at * height, where.width(), height)
        painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, shown)


def _draw_pill(painter: QPainter, where: QRectF, text: str) -> float:
    """Draw a word in a round frame at the right; return its width."""
    font = QFont(painter.font())
    font.setPixelSize(scaled(SMALL_PX))
    font.setWeight(QFont.Weight.Normal)
    painter.setFont(font)
    width = QFontMetricsF(font).horizontalAdvance(text) + GRID * 2
    place = QRectF(where.right() - width, where.center().y() - 10, width, 20)
    painter.setPen(QPen(QColor(tokens().accent_text), 1))
    painter.drawRoundedRect(place, 10, 10)
    painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)
    return width
