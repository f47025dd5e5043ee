"""Pictures of models as small squares: read in the background when they are painted first, kept in memory."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, QRect, QSize, Qt, Signal
from PySide6.QtGui import QImage, QImageReader, QPixmap

from sdstudio.background.tasks import TaskRunner
from sdstudio.core.errors import StudioError

_KEPT: Final = 400
_AT_ONCE: Final = 8

Key = tuple[Path, int]


class Covers(QObject):
    """Squares by file and side.

    Args:
        tasks: Where they are read.
        parent: As Qt has it.
    """

    #: Some were read.
    made = Signal()

    def __init__(self, tasks: TaskRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tasks = tasks
        self._squares: OrderedDict[Key, QPixmap] = OrderedDict()
        self._wanted: dict[Key, None] = {}
        self._reading = False

    def square(self, file: Path, side_px: int, ratio: float) -> QPixmap:
        """Return the middle of a picture; null while it is read, and for what is none.

        Args:
            file: The picture.
            side_px: In logical pixels.
            ratio: The screen's pixels per logical one.
        """
        key = (file, round(side_px * ratio))
        if key not in self._squares:
            self._wanted[key] = None
            self._read()
            return QPixmap()
        self._squares.move_to_end(key)
        return self._squares[key]

    def _read(self) -> None:
        if self._reading or not self._wanted:
            return
        batch = list(self._wanted)[: -_AT_ONCE - 1 : -1]  # what was painted last is looked at
        for key in batch:
            del self._wanted[key]
        self._reading = True
        self._tasks.run(
            "Reading covers", lambda _task: [(key, _square(*key)) for key in batch], self._on_read, self._on_failed,
            urgent=True,
        )  # fmt: skip

    def _on_read(self, squares: list[tuple[Key, QImage]]) -> None:
        self._reading = False
        for key, image in squares:
            self._squares[key] = QPixmap.fromImage(image)
        while len(self._squares) > _KEPT:
            self._squares.popitem(last=False)
        self._read()
        self.made.emit()

    def _on_failed(self, _error: StudioError) -> None:
        """It is in the log; the others are read."""
        self._reading = False
        self._read()


def _square(file: Path, side: int) -> QImage:
    """Return the middle of a picture, a null image for what is none. On any thread."""
    reader = QImageReader(str(file))
    reader.setAutoTransform(True)
    size = reader.size()
    least = min(size.width(), size.height())
    if least > 2 * side:  # a JPEG is read at a fraction of its size
        reader.setScaledSize(size * (2 * side / least))
    image = reader.read()
    if image.isNull():
        return image
    least = min(image.width(), image.height())
    middle = QRect((image.width() - least) // 2, (image.height() - least) // 2, least, least)
    wanted, mode = QSize(side, side), Qt.TransformationMode.SmoothTransformation
    return image.copy(middle).scaled(wanted, Qt.AspectRatioMode.IgnoreAspectRatio, mode)
