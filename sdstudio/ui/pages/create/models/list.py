"""The list of models as Qt's views see it, and how a line of it is drawn: cover, title, what it needs, a heart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPixmap
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from sdstudio.core.folding import folded
from sdstudio.ui.pages.create.models.covers import Covers
from sdstudio.ui.pages.create.models.rows import ModelRow
from sdstudio.ui.theme import GRID, RADIUS, SMALL_PX, TEXT_PX, pixmap, scaled, tokens
from sdstudio.ui.widgets.tooltips import wrapped

ROW_ROLE: Final = Qt.ItemDataRole.UserRole + 1
ROW_PX: Final = 56
HEADING_PX: Final = 28
_COVER_PX: Final = 40
_ICON_PX: Final = 16

Index = QModelIndex | QPersistentModelIndex


class ModelListModel(QAbstractListModel):
    """Headings and models, narrowed by words."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: tuple[ModelRow, ...] = ()
        self._rows: tuple[ModelRow, ...] = ()
        self._words: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[ModelRow, ...]:
        """What is shown."""
        return self._rows

    def show_rows(self, rows: Sequence[ModelRow]) -> None:
        """Show these, narrowed as before."""
        self._all = tuple(rows)
        self._renew()

    def narrow(self, text: str) -> None:
        """Show only models in which all the words occur, and the headings that still have some."""
        words = tuple(folded(text).split())
        if words != self._words:
            self._words = words
            self._renew()

    def row_of(self, key: str) -> QModelIndex:
        """Return where a model is shown, an invalid index when it is not."""
        for at, row in enumerate(self._rows):
            if row.model is not None and row.model.key == key:
                return self.index(at)
        return QModelIndex()

    def first(self) -> QModelIndex:
        """Return the first model that can be chosen, an invalid index when there is none."""
        return next((self.index(at) for at, row in enumerate(self._rows) if row.is_usable), QModelIndex())

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008, N802
        """Return how many lines there are."""
        return 0 if parent.isValid() else len(self._rows)

    def flags(self, index: Index) -> Qt.ItemFlag:
        """A heading cannot be walked onto; a model that cannot be used can, for its reason stands there."""
        if index.isValid() and self._rows[index.row()].model is None:
            return Qt.ItemFlag.ItemNeverHasChildren
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemNeverHasChildren

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a row, or its words for readers."""
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        row = self._rows[index.row()]
        if role == ROW_ROLE:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return row.title
        if row.model is None:
            return None
        if role == Qt.ItemDataRole.AccessibleTextRole:
            marks = [name for name, on in (("in use", row.is_current), ("favourite", row.is_favourite)) if on]
            return ", ".join((row.title, *marks, row.second_line.replace("  ·  ", ", ")))
        if role == Qt.ItemDataRole.ToolTipRole:
            reason = row.model.problem or " ".join(row.model.warnings)
            return wrapped(row.title, row.need_in_parts, str(row.model.path), reason)
        return None

    def _renew(self) -> None:
        self.beginResetModel()
        self._rows = tuple(self._narrowed()) if self._words else self._all
        self.endResetModel()

    def _narrowed(self) -> list[ModelRow]:
        kept: list[ModelRow] = []
        for row in self._all:
            if row.model is None:
                if kept and kept[-1].model is None:
                    kept.pop()  # nothing of that group is left
                kept.append(row)
            elif all(word in row.words for word in self._words):
                kept.append(row)
        if kept and kept[-1].model is None:
            kept.pop()
        return kept


def heart_rect(line: QRect) -> QRect:
    """Return where in a line its heart is."""
    return QRect(line.right() - GRID - 3 * GRID, line.center().y() - 12, 3 * GRID, 3 * GRID)


class ModelRowDelegate(QStyledItemDelegate):
    """Draws headings and models.

    Args:
        covers: Pictures of models.
        parent: As Qt has it.
    """

    def __init__(self, covers: Covers, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._covers = covers

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: N802
        """Return the height; the view knows the width."""
        px = HEADING_PX if index.data(ROW_ROLE).model is None else ROW_PX
        return QSize(0, max(px, scaled(px)))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one line."""
        row: ModelRow = index.data(ROW_ROLE)
        painter.save()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        if row.model is None:
            place = QRectF(option.rect).adjusted(GRID, 0, -GRID, -2)
            low = Qt.AlignmentFlag.AlignBottom
            _write(painter, place, row.title, SMALL_PX, "muted", QFont.Weight.DemiBold, vertical=low)
        else:
            self._draw_model(painter, option, row)
        painter.restore()

    def _draw_model(self, painter: QPainter, option: QStyleOptionViewItem, row: ModelRow) -> None:
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        if chosen or hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(tokens().selection if chosen else tokens().hover))
            painter.drawRoundedRect(QRectF(option.rect).adjusted(1, 1, -1, -1), RADIUS, RADIUS)
        inner = QRectF(option.rect).adjusted(GRID, 0, -GRID, 0)
        picture = QRectF(inner.left(), inner.center().y() - _COVER_PX / 2, _COVER_PX, _COVER_PX)
        self._draw_cover(painter, picture, row)
        ratio = painter.device().devicePixelRatioF()
        heart = heart_rect(option.rect)
        if row.is_favourite or ((hovered or chosen) and row.is_usable):
            icon = pixmap("heart-full" if row.is_favourite else "heart", "accent_text", _ICON_PX, ratio)
            painter.drawPixmap(heart.center().x() - _ICON_PX // 2 + 1, heart.center().y() - _ICON_PX // 2 + 1, icon)
        words = inner.adjusted(_COVER_PX + GRID * 1.5, GRID, 0, -GRID)
        words.setRight(heart.left() - GRID / 2)
        if row.is_current:
            check = pixmap("check", "accent_text", _ICON_PX, ratio)
            painter.drawPixmap(int(words.right()) - _ICON_PX, int(inner.center().y()) - _ICON_PX // 2, check)
            words.setRight(words.right() - _ICON_PX - GRID / 2)
        self._draw_words(painter, words, row)

    def _draw_words(self, painter: QPainter, where: QRectF, row: ModelRow) -> None:
        top = QRectF(where.left(), where.top(), where.width(), where.height() / 2)
        bottom = top.translated(0, top.height())
        colour = "text" if row.is_usable else "muted"
        _write(painter, top, row.title, TEXT_PX, colour, QFont.Weight.DemiBold, mode=Qt.TextElideMode.ElideMiddle)
        text = " ".join(row.second_line.split())
        _write(painter, bottom, text, SMALL_PX, _colour_of(row), QFont.Weight.Normal)

    def _draw_cover(self, painter: QPainter, where: QRectF, row: ModelRow) -> None:
        shape = QPainterPath()
        shape.addRoundedRect(where, RADIUS - 2, RADIUS - 2)
        painter.fillPath(shape, QColor(tokens().surface))
        ratio = painter.device().devicePixelRatioF()
        square = self._covers.square(row.cover, _COVER_PX, ratio) if row.cover is not None else QPixmap()
        if square.isNull():
            icon = pixmap("box" if row.is_usable else "triangle-alert", "muted", _ICON_PX, ratio)
            corner = where.center()
            place = QRectF(corner.x() - _ICON_PX / 2, corner.y() - _ICON_PX / 2, _ICON_PX, _ICON_PX)
            painter.drawPixmap(place, icon, QRectF(icon.rect()))
            return
        painter.setClipPath(shape)
        painter.drawPixmap(where, square, QRectF(square.rect()))
        painter.setClipping(False)


def _colour_of(row: ModelRow) -> str:
    if not row.is_usable:
        return "danger"
    return "warning" if row.is_tight else "muted"


def _write(
    painter: QPainter,
    where: QRectF,
    text: str,
    size_px: int,
    colour: str,
    weight: QFont.Weight,
    mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
    vertical: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignVCenter,
) -> None:
    font = QFont(painter.font())
    font.setPixelSize(scaled(size_px))
    font.setWeight(weight)
    painter.setFont(font)
    painter.setPen(QColor(getattr(tokens(), colour)))
    shown = QFontMetricsF(font).elidedText(text, mode, where.width())
    painter.drawText(where, Qt.AlignmentFlag.AlignLeft | vertical, shown)
