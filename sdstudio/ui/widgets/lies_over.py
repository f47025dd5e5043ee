"""What comes and goes lies over its neighbours and moves none of them: messages, errors at a field.

A layout gives whatever appears a place by pushing the rest aside, just when the user is about to press it.
"""

from __future__ import annotations

from typing import Final, Literal

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSize
from PySide6.QtWidgets import QScrollArea, QStackedWidget, QWidget

from sdstudio.ui.theme import GRID

Side = Literal["above", "below", "top", "bottom"]
"""Outside an anchor, above or below it; or inside, at its top or bottom."""

_LEAST_PX: Final = 280
"""Words need so much, whatever margin they should leave."""
_MOVES = (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.LayoutRequest, QEvent.Type.ParentChange)


class LiesOver(QObject):
    """Keeps a widget beside another one, over whatever is there, whenever it is shown.

    Args:
        widget: What lies over; it is taken out of its layout.
        anchor: What it stays beside.
        side: On which side.
        widest: It is no wider than this, and centred.
        margin: What it leaves free of its anchor at the left and at the right, where that is possible.
    """

    def __init__(self, widget: QWidget, anchor: QWidget, side: Side, widest: int = 1 << 20, margin: int = 0) -> None:
        super().__init__(widget)
        self._widget = widget
        self._anchor = anchor
        self._side: Side = side
        self._widest = widest
        self._margin = margin
        self.lift = 0
        """So much of the anchor's foot is free, and may be lain over."""
        self.uncut: QWidget | None = None
        """Words that are covered whole rather than to a half."""
        self._watched: list[QWidget] = []
        self._is_placing = False
        widget.installEventFilter(self)
        self._settle()  # what it lies beside is watched from when it is shown: most messages never are

    def stay_beside(self, anchor: QWidget) -> None:
        """Stay beside something else from now on."""
        for watched in self._watched:
            watched.removeEventFilter(self)
        self._watched = []
        self._anchor = anchor
        self._settle()

    def lie_at(self, side: Side, margin: int) -> None:
        """Lie on another side from now on, and leave so much free at the left and at the right."""
        self._side, self._margin = side, margin
        if not self._widget.isHidden():
            self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Follow what it lies beside."""
        if event.type() in _MOVES and not self._is_placing and not self._widget.isHidden():
            self._place()
        return False

    def _settle(self) -> None:
        """Take the widget into what it may lie over: what scrolls or is turned with its anchor, or the window."""
        is_hidden = self._widget.isHidden()
        ground = _ground_of(self._anchor)
        if self._widget.parentWidget() is not ground:
            self._widget.setParent(ground)
            self._widget.setHidden(is_hidden)
        step: QWidget | None = self._anchor
        while step is not None and not is_hidden:
            if step not in self._watched:
                step.installEventFilter(self)
                self._watched.append(step)
            step = None if step is ground else step.parentWidget()

    def _place(self) -> None:
        self._is_placing = True
        self._settle()
        ground = self._widget.parentWidget()
        if ground is not None:
            beside = QRect(self._anchor.mapTo(ground, QPoint()), self._anchor.size())
            place = self._within(beside, ground.size())
            if self.uncut is not None and self.uncut.isVisible():
                words = QRect(self.uncut.mapTo(ground, QPoint()), self.uncut.size())
                if words.top() < place.top() <= words.bottom():
                    place.setTop(words.top())
            self._widget.setGeometry(place)
            self._widget.raise_()
        self._is_placing = False

    def _within(self, beside: QRect, room: QSize) -> QRect:
        inside = self._side in ("top", "bottom")
        room_px = beside.width() - 2 * GRID * inside
        width = max(min(room_px - 2 * self._margin, self._widest), min(_LEAST_PX, room_px))
        self._widget.ensurePolished()
        layout = self._widget.layout()
        if layout is not None:
            layout.activate()
        has_height = self._widget.hasHeightForWidth()
        height = self._widget.heightForWidth(width) if has_height else self._widget.sizeHint().height()
        gap = GRID if inside else GRID // 2
        top = {
            "above": beside.top() - gap - height,
            "below": beside.bottom() + 1 + gap - self.lift,
            "top": beside.top() + gap,
            "bottom": beside.bottom() + 1 - gap - height,
        }[self._side]
        if self._side == "below" and top + height > room.height():
            top = beside.top() - gap - height
        return QRect(beside.center().x() - width // 2, max(0, top), width, height)


def _ground_of(anchor: QWidget) -> QWidget:
    step = anchor
    while (above := step.parentWidget()) is not None and not step.isWindow():
        if isinstance(above, QStackedWidget):  # over another page it would be about what is not seen there
            return step
        area = above.parentWidget()
        if isinstance(area, QScrollArea) and area.widget() is step:
            return step
        step = above
    return step
