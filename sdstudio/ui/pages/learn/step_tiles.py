"""Pictures of recorded steps, as large as can be seen: tiles with a title, and a strip of steps to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QIcon, QImage, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from sdstudio.ui.theme import GRID, mark

TILE_PX: Final = 156
STRIP_PX: Final = 72

Pixels = npt.NDArray[np.float32]
"""(h, w, 3), 0..1 is what a screen shows."""


def pixmap_of(pixels: Pixels, side_px: int, ratio: float = 1.0, smooth: bool = True) -> QPixmap:
    """Return a picture whose longer side is ``side_px`` logical pixels; what is beyond a screen is cut off."""
    bytes_ = np.ascontiguousarray(np.clip(pixels * 255 + 0.5, 0, 255).astype(np.uint8))
    height, width = bytes_.shape[:2]
    image = QImage(bytes_.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
    side = round(side_px * ratio)
    how = Qt.TransformationMode.SmoothTransformation if smooth else Qt.TransformationMode.FastTransformation
    pixmap = QPixmap.fromImage(image.scaled(side, side, Qt.AspectRatioMode.KeepAspectRatio, how))
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


class StepTile(QWidget):
    """One picture with a title above and a line below.

    Args:
        name: objectName.
        title: What it is called in the text.
        about: What it is.
        smooth: Whether pixels run into each other; latents are shown as they are.
    """

    def __init__(self, name: str, title: str, about: str, smooth: bool = True) -> None:
        super().__init__()
        self.setObjectName(name)
        self._smooth = smooth
        self._title = QLabel(title)
        self._picture = QLabel()
        self._picture.setFixedSize(TILE_PX, TILE_PX)
        self._picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._picture.setAccessibleName(f"{title}: {about}")
        self._about = QLabel(about)
        self._about.setWordWrap(True)
        self._about.setFixedWidth(TILE_PX)
        self._about.setAlignment(Qt.AlignmentFlag.AlignTop)
        mark(self._title, "role", "group")
        mark(self._about, "role", "caption")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        for label in (self._title, self._picture, self._about):
            column.addWidget(label)
        column.addStretch(1)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)

    def show_pixels(self, pixels: Pixels | None) -> None:
        """Show a picture; ``None`` for one that was not made."""
        if pixels is None:
            self._picture.setPixmap(QPixmap())
            self._picture.setText("not asked")
            return
        self._picture.setPixmap(pixmap_of(pixels, TILE_PX, self.devicePixelRatioF(), self._smooth))

    def show_pixmap(self, pixmap: QPixmap) -> None:
        """Show a finished picture."""
        ratio = self.devicePixelRatioF()
        side = round(TILE_PX * ratio)
        keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        scaled = pixmap.scaled(side, side, keep, smooth)
        scaled.setDevicePixelRatio(ratio)
        self._picture.setPixmap(scaled)

    def set_about(self, text: str) -> None:
        """Change the line below."""
        self._about.setText(text)


class StepStrip(QWidget):
    """A few steps side by side; a click on one chooses it."""

    #: A step was chosen: its place among all recorded ones.
    chosen = Signal(int)

    def __init__(self, count: int) -> None:
        super().__init__()
        self.setObjectName("stepStrip")
        self.setFixedHeight(STRIP_PX + 4 * GRID)  # the style sheet's least height of buttons would let it be squeezed
        self._buttons = [self._button(place) for place in range(count)]
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        for button in self._buttons:
            row.addWidget(button)
        row.addStretch(1)
        self._places: list[int] = []

    def show_steps(self, pictures: Sequence[Pixels], titles: Sequence[str]) -> None:
        """Show evenly spread steps, the first and the last among them."""
        last = len(pictures) - 1
        spread = [round(last * place / max(1, len(self._buttons) - 1)) for place in range(len(self._buttons))]
        self._places = list(dict.fromkeys(spread))
        for place, button in enumerate(self._buttons):
            button.setVisible(place < len(self._places))
            if place < len(self._places):
                at = self._places[place]
                button.setIcon(QIcon(pixmap_of(pictures[at], STRIP_PX, self.devicePixelRatioF())))
                button.setText(titles[at])
                button.setAccessibleName(f"Show {titles[at]}")

    def mark_place(self, place: int) -> None:
        """Mark the step that is shown."""
        for at, button in zip(self._places, self._buttons, strict=False):
            button.setChecked(at == place)

    def _button(self, place: int) -> QToolButton:
        button = QToolButton()
        button.setObjectName(f"stepStripButton{place}")
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setIconSize(QSize(STRIP_PX, STRIP_PX))
        button.setFixedSize(STRIP_PX + 2 * GRID, STRIP_PX + 4 * GRID)
        button.setAccessibleName(f"Step {place + 1} of the strip")
        button.setCheckable(True)
        mark(button, "ghost", True)
        button.clicked.connect(lambda _checked=False: self._on_clicked(place))
        return button

    def _on_clicked(self, place: int) -> None:
        self.chosen.emit(self._places[place])
        self.mark_place(self._places[place])


def mixed(uncond: Any, cond: Any, scale: float) -> Pixels:
    """Return the picture that a guidance scale makes of two predictions."""
    found: Pixels = uncond + np.float32(scale) * (cond - uncond)
    return found
