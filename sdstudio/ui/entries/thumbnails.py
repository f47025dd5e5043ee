"""Thumbnails in memory, as square and as large as they are drawn: read, cut and scaled in the background.

A cell that is painted asks for its picture and is painted again when it is there. What was asked for last is read
first, and what scrolled away meanwhile is not read at all, so that the reader keeps up with any scroll bar.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from PySide6.QtCore import QObject, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPainterPath, QPixmap

from sdstudio.background.signals import TypedSignal
from sdstudio.background.tasks import TaskRunner
from sdstudio.core.errors import StudioError
from sdstudio.history.store import Entry, History
from sdstudio.ui.theme import RADIUS

CACHE_BYTES: Final = 96 * 2**20
"""About 800 squares of 176 pixels."""
AT_ONCE: Final = 12
WAITING_MAXIMUM: Final = 400

Key = tuple[int, int]
"""(entry's id, side in the screen's pixels)."""


class Thumbnails(QObject):
    """Squares of entries.

    Args:
        history: Makes a missing thumbnail again.
        tasks: Where they are read.
        parent: As Qt has it.
    """

    #: Some were read, or found to be impossible; carries the ids as a frozenset.
    made = TypedSignal[frozenset[int]]()

    def __init__(self, history: History, tasks: TaskRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._history = history
        self._tasks = tasks
        self._squares: OrderedDict[Key, QPixmap] = OrderedDict()
        self._size_bytes = 0
        self._sides: dict[int, int] = {}
        self._wanted: dict[Key, tuple[Entry, float]] = {}
        self._impossible: set[int] = set()
        self._reading = False
        self._in_flight: set[Key] = set()

    def square(self, entry: Entry, side_px: int, ratio: float = 1.0) -> QPixmap:
        """Return an entry's square, null when it is not there yet or cannot be; `made` is emitted when it is.

        While it is read, one of another size is handed out if there is one: a window that is resized does not flicker.

        Args:
            entry: Whose.
            side_px: In logical pixels.
            ratio: The screen's pixels per logical one.
        """
        key = (entry.id, round(side_px * ratio))
        square = self._squares.get(key)
        if square is not None:
            self._squares.move_to_end(key)
            return square
        if entry.id not in self._impossible:
            self._wanted.pop(key, None)
            self._wanted[key] = (entry, ratio)
            self._read()
        return self._squares.get((entry.id, self._sides.get(entry.id, 0)), QPixmap())

    def is_impossible(self, entry_id: int) -> bool:
        """Return whether a picture was looked for and is gone or broken."""
        return entry_id in self._impossible

    def forget(self, entry: Entry) -> None:
        """An entry came back from the trash: its thumbnail went with it and is to be made again."""
        self._impossible.discard(entry.id)
        self._sides.pop(entry.id, None)
        # What is being read now may have been looked for while it lay in the trash.
        self._in_flight = {key for key in self._in_flight if key[0] != entry.id}
        for key in [key for key in self._squares if key[0] == entry.id]:
            self._size_bytes -= _bytes_of(self._squares.pop(key))

    def _read(self) -> None:
        if self._reading or not self._wanted:
            return
        while len(self._wanted) > WAITING_MAXIMUM:
            del self._wanted[next(iter(self._wanted))]
        batch = [(key, *self._wanted.pop(key)) for key in list(self._wanted)[: -AT_ONCE - 1 : -1]]
        self._reading = True
        self._in_flight = {key for key, _entry, _ratio in batch}
        self._tasks.run(
            "Reading thumbnails",
            lambda _task: [(key, _square(self._history, entry, key[1], ratio)) for key, entry, ratio in batch],
            self._on_read,
            self._on_failed,
            urgent=True,
        )

    def _on_read(self, squares: list[tuple[Key, QImage | None]]) -> None:
        self._reading = False
        for key, image in squares:
            if key not in self._in_flight:
                continue  # forgotten meanwhile: painted again below, it is asked for again
            if image is None:
                self._impossible.add(key[0])
                continue
            self._squares[key] = QPixmap.fromImage(image)
            self._sides[key[0]] = key[1]
            self._size_bytes += _bytes_of(self._squares[key])
        while self._size_bytes > CACHE_BYTES:
            self._size_bytes -= _bytes_of(self._squares.popitem(last=False)[1])
        self._read()
        self.made.emit(frozenset(key[0] for key, _ in squares))

    def _on_failed(self, _error: StudioError) -> None:
        """It is in the log; the others are read."""
        self._reading = False
        self._read()


def _square(history: History, entry: Entry, side: int, ratio: float) -> QImage | None:
    """Return the middle of a thumbnail with round corners, ``None`` when the picture is gone. On any thread."""
    image = QImage(str(entry.thumbnail))
    if image.isNull():
        try:
            image = QImage(str(history.thumbnail(entry)))
        except StudioError:
            return None
    if image.isNull():
        return None
    least = min(image.width(), image.height())
    middle = QRect((image.width() - least) // 2, (image.height() - least) // 2, least, least)
    cut = image.copy(middle).scaled(
        QSize(side, side), Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
    square = QImage(side, side, QImage.Format.Format_ARGB32_Premultiplied)
    square.fill(Qt.GlobalColor.transparent)
    painter = QPainter(square)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    shape = QPainterPath()
    shape.addRoundedRect(QRectF(0, 0, side, side), RADIUS * ratio, RADIUS * ratio)
    painter.setClipPath(shape)
    painter.drawImage(0, 0, cut)
    painter.end()
    square.setDevicePixelRatio(ratio)
    return square


def _bytes_of(square: QPixmap) -> int:
    return square.width() * square.height() * 4
