"""The size of a picture: sizes by their shape, width and height, a swap, and a lock that keeps the shape."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import gcd
from typing import Final

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from sdstudio.core.pictures.sizes import RATIOS, Size, side_for, size_of
from sdstudio.ui import theme
from sdstudio.ui.forms.editor import guard_wheel
from sdstudio.ui.forms.field import Field
from sdstudio.ui.forms.number_editor import IntegerBox
from sdstudio.ui.theme import GRID, ICON_PX, set_icon
from sdstudio.ui.widgets.buttons import small_button

ASPECTS: Final = (
    (1, 1), (5, 4), (4, 3), (7, 5), (3, 2), (5, 3), (16, 9), (2, 1), (21, 9),
    (4, 5), (3, 4), (5, 7), (2, 3), (3, 5), (9, 16), (1, 2), (9, 21),
)  # fmt: skip
"""Names people know; a preset takes the nearest within `ASPECT_TOLERANCE`, else its exact ratio."""
ASPECT_TOLERANCE: Final = 0.03


def aspect_name(width: int, height: int) -> str:
    """Return the name of an aspect: ``2:3`` for 832 x 1216, whose sides are rounded to what a model can draw."""
    ratio = width / height
    near = min(ASPECTS, key=lambda aspect: abs(aspect[0] / aspect[1] / ratio - 1))
    if abs(near[0] / near[1] / ratio - 1) <= ASPECT_TOLERANCE:
        return f"{near[0]}:{near[1]}"
    common = gcd(width, height)
    return f"{width // common}:{height // common}"


class SizeField(QWidget):
    """Width and height with sizes to choose. Both fields check and report for themselves; this moves them together."""

    #: After every change of width or height.
    changed = Signal()

    def __init__(self, width: Field, height: Field) -> None:
        super().__init__()
        self.width_field = width
        self.height_field = height
        self.presets = QComboBox()
        self.presets.setObjectName("sizePresetComboBox")
        self.presets.setAccessibleName("Size preset")
        self.presets.setToolTip("Sizes this model draws well, and common shapes with as many pixels")
        self.presets.setIconSize(QSize(ICON_PX, ICON_PX))
        self.presets.setPlaceholderText("Custom size")
        guard_wheel(self.presets)
        self.swap = small_button("arrow-left-right", "Swap width and height", "Swap width and height")
        self.swap.setObjectName("swapSizeButton")
        self.lock = small_button("lock-open", "Keep the aspect ratio", "")
        self.lock.setObjectName("aspectLockButton")
        self.lock.setCheckable(True)
        self._sizes: tuple[Size, ...] = ()
        self._shape = 1.0
        self._following = False
        self._lay_out()
        for field, other in ((width, height), (height, width)):
            field.changed.connect(self._on_size_changed)
            box = field.editor.field
            assert isinstance(box, IntegerBox)
            box.moved.connect(partial(self._follow, field, other))
        self.lock.toggled.connect(self._on_locked)
        self._on_locked(False)
        self.presets.activated.connect(self._on_preset_chosen)
        self.swap.clicked.connect(self._on_swapped)

    def set_sizes(self, sizes: Sequence[Size]) -> None:
        """Offer a model's sizes, and those of common shapes with as many pixels as it draws of itself."""
        rows = self.width_field.row, self.height_field.row
        pixels = int(rows[0].default) * int(rows[1].default)
        bounds = rows[0].multiple_of or 1, int(rows[0].minimum or 1), int(rows[0].maximum or pixels)
        there = {aspect_name(*size) for size in sizes}
        shapes = [ratio for ratio in RATIOS if f"{ratio[0]}:{ratio[1]}" not in there]
        self._sizes = tuple(dict.fromkeys((*sizes, *(size_of(ratio, pixels, *bounds) for ratio in shapes))))
        self._fill()

    def keep_line(self, note: QWidget) -> None:
        """Keep a line below both sides for a hint."""
        self._column.addWidget(note)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw the little pictures of the presets anew in another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._sizes:
            self._fill()

    def _lay_out(self) -> None:
        sides = QHBoxLayout()
        sides.setSpacing(GRID // 2)
        sides.addWidget(self.width_field, 1)
        sides.addWidget(self.swap, 0, Qt.AlignmentFlag.AlignBottom)
        sides.addWidget(self.height_field, 1)
        column = self._column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        top = QHBoxLayout()
        top.setSpacing(GRID // 2)
        top.addWidget(self.presets, 1)
        top.addWidget(self.lock)
        column.addLayout(top)
        column.addLayout(sides)
        for field in (self.width_field, self.height_field):
            field.say_below(self)  # one line of the whole width reads better than half a column

    def _size(self) -> Size:
        return self.width_field.value(), self.height_field.value()

    def _fill(self) -> None:
        self.presets.blockSignals(True)
        self.presets.clear()
        for width, height in self._sizes:
            text = f"{aspect_name(width, height)}    {width} × {height}"
            self.presets.addItem(_aspect_icon(width, height), text, (width, height))
        self.presets.blockSignals(False)
        self._show_preset()

    def _show_preset(self) -> None:
        size = self._size()
        self.presets.setCurrentIndex(self._sizes.index(size) if size in self._sizes else -1)

    def _on_locked(self, is_locked: bool) -> None:
        set_icon(self.lock, "lock" if is_locked else "lock-open")
        self.lock.setToolTip("The aspect ratio is kept" if is_locked else "Keep the aspect ratio")
        self._take_shape()

    def _take_shape(self) -> None:
        width, height = self._size()
        if width > 0 and height > 0:
            self._shape = width / height

    def _follow(self, field: Field, other: Field, side: int) -> None:
        """Make the other side follow one that the user changes."""
        if not self.lock.isChecked() or side <= 0:
            return
        row = other.row
        shape = 1 / self._shape if field is self.width_field else self._shape
        bounds = row.multiple_of or 1, int(row.minimum or 1), int(row.maximum or 1)
        self._following = True
        other.set_value(side_for(side, shape, *bounds))
        self._following = False

    def _on_size_changed(self) -> None:
        by_hand = any(field.editor.field.hasFocus() for field in (self.width_field, self.height_field))
        if not self._following and not by_hand:
            self._take_shape()  # another size was put in as a whole: its shape is kept from now on
        self._show_preset()
        self.changed.emit()

    def _on_preset_chosen(self, place: int) -> None:
        width, height = self._sizes[place]
        self.width_field.set_value(width)
        self.height_field.set_value(height)
        self._show_preset()

    def _on_swapped(self) -> None:
        width, height = self._size()
        self.width_field.set_value(height)
        self.height_field.set_value(width)


def _aspect_icon(width: int, height: int) -> QIcon:
    icon = QIcon()
    longest = max(width, height)
    for ratio in (1.0, 2.0):
        picture = QPixmap(round(ICON_PX * ratio), round(ICON_PX * ratio))
        picture.fill(Qt.GlobalColor.transparent)
        picture.setDevicePixelRatio(ratio)
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(theme.tokens().muted), 1.5))
        w, h = 13 * width / longest, 13 * height / longest
        painter.drawRoundedRect(QRectF((ICON_PX - w) / 2, (ICON_PX - h) / 2, w, h), 1.5, 1.5)
        painter.end()
        icon.addPixmap(picture)
    return icon
