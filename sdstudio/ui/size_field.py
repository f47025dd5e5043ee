"""The size of a picture: a model's presets by their aspect, width and height side by side, a button that swaps them."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import Final

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from sdstudio.ui import theme
from sdstudio.ui.editor import guard_wheel, small_button
from sdstudio.ui.form import Field
from sdstudio.ui.theme import GRID, ICON_PX

Size = tuple[int, int]

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
    """Width and height with presets. The two fields check and report for themselves; this only moves them together."""

    #: After every change of width or height.
    changed = Signal()

    def __init__(self, width: Field, height: Field) -> None:
        super().__init__()
        self.width_field = width
        self.height_field = height
        self.presets = QComboBox()
        self.presets.setObjectName("sizePresetComboBox")
        self.presets.setAccessibleName("Size preset")
        self.presets.setToolTip("Sizes this model draws well")
        self.presets.setIconSize(QSize(ICON_PX, ICON_PX))
        self.presets.setPlaceholderText("Custom size")
        guard_wheel(self.presets)
        self.swap = small_button("arrow-left-right", "Swap width and height", "Swap width and height")
        self.swap.setObjectName("swapSizeButton")
        self._sizes: tuple[Size, ...] = ()
        self._lay_out()
        for field in (width, height):
            field.changed.connect(self._on_size_changed)
        self.presets.activated.connect(self._on_preset_chosen)
        self.swap.clicked.connect(self._on_swapped)

    def set_sizes(self, sizes: Sequence[Size]) -> None:
        """Offer a model's presets."""
        self._sizes = tuple(sizes)
        self._fill()

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
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addWidget(self.presets)
        column.addLayout(sides)
        for field in (self.width_field, self.height_field):
            column.addWidget(field.message)  # one line of the whole width reads better than half a column

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

    def _on_size_changed(self) -> None:
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
    made = QIcon()
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
        made.addPixmap(picture)
    return made
