"""What is in the hand: which tool, how wide and how hard, and how a key or the wheel changes that."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QObject, Signal

from sdstudio.ui.pages.create.mask.rows import TOOL_BY_KEY, MaskTool

SIZES_PX: Final = range(1, 1001)
FIRST_SIZE_PX: Final = 64
_FIRST_SHARE: Final = 12
"""Until a size is chosen, the brush is as wide as this part of the picture's longer side."""
_FACTOR: Final = 1.15
HARDNESS_STEP: Final = 10
"""In percent, as everything of hardness that is shown."""


class Hand(QObject):
    """What is painted with."""

    #: The tool, its size or its hardness is another.
    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.tool: MaskTool = TOOL_BY_KEY["brush"]
        self.size_px = FIRST_SIZE_PX
        self.hardness = 100
        self.pressure = "width"
        self._is_chosen = False

    def under(self, pressure: float) -> tuple[float, float]:
        """Return the radius in pixels and the opacity (0..1) of the brush under a pressure from 0 to 1."""
        wide = pressure if self.pressure in ("width", "both") else 1.0
        return max(0.5, self.size_px * wide / 2), pressure if self.pressure in ("opacity", "both") else 1.0

    def suit(self, side_px: int) -> None:
        """Take a size that suits a picture with this longer side, unless one was chosen."""
        if not self._is_chosen:
            self.set_size(side_px // _FIRST_SHARE)
            self._is_chosen = False

    def take(self, key: str) -> None:
        """Take a tool."""
        self.tool = TOOL_BY_KEY[key]
        self.changed.emit()

    def flip(self) -> None:
        """Change between brush and eraser."""
        self.take("brush" if self.tool.key == "eraser" else "eraser")

    def set_size(self, size_px: int) -> None:
        """Paint as wide as this."""
        self._is_chosen = True
        self.size_px = min(max(size_px, SIZES_PX[0]), SIZES_PX[-1])
        self.changed.emit()

    def resize(self, notches: float) -> None:
        """Paint wider, or less wide where ``notches`` is below 0."""
        wanted = round(self.size_px * _FACTOR**notches)
        if wanted == self.size_px:
            wanted += 1 if notches > 0 else -1
        self.set_size(wanted)

    def set_hardness(self, percent: int) -> None:
        """Paint with an edge as hard as this."""
        self.hardness = min(max(percent, 0), 100)
        self.changed.emit()
