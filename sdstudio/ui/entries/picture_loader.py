"""Pictures in full, read on another thread: the one that is looked at first, then those it may be followed by.

A picture larger than any screen comes with copies of half, a quarter ... its size, so that no zoom has to make one of
all its pixels while the window waits. Only what is wanted is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from PIL import Image
from PySide6.QtCore import QObject, QSize, Signal
from PySide6.QtGui import QImage, QImageReader

from sdstudio.background.tasks import TaskRunner
from sdstudio.core.pictures.opening import PIXELS_MAXIMUM
from sdstudio.history.store import Entry

WHOLE_SIDE_PX: Final = 2048
"""Pictures up to this side are scaled by the view itself: a few milliseconds."""
AHEAD_MAXIMUM_PX: Final = 24_000_000
"""Pixels of a picture that is read before it is looked at: 96 MB."""
_AT_ONCE: Final = 2
_MEGABYTES: Final = PIXELS_MAXIMUM * 4 // 2**20 + 1


@dataclass(frozen=True, slots=True)
class LoadedPicture:
    """What was read of one picture.

    Attributes:
        image: Null when it cannot be shown.
        smaller: Copies, each half as large as the one before.
        problem: Why it cannot be shown, in words.
    """

    image: QImage
    smaller: tuple[QImage, ...] = ()
    problem: str = ""


class PictureLoader(QObject):
    """Reads the pictures of entries.

    Args:
        tasks: Where they are read.
        parent: As Qt has it.
    """

    #: A wanted picture was read, or cannot be; carries its entry's id.
    loaded = Signal(int)

    def __init__(self, tasks: TaskRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tasks = tasks
        self._wanted: dict[int, Entry] = {}
        self._held: dict[int, LoadedPicture | None] = {}
        self._reading: set[int] = set()

    def want(self, entries: Sequence[Entry]) -> None:
        """Keep and read these, the first one first; it is looked at. All others are forgotten."""
        self._wanted = {entry.id: entry for entry in entries}
        first = entries[0].id if entries else 0
        self._held = {
            key: held for key, held in self._held.items() if key in self._wanted and (held is not None or key != first)
        }
        self._read()

    def get(self, entry_id: int) -> LoadedPicture | None:
        """Return a picture that was read, ``None`` until then."""
        return self._held.get(entry_id)

    def forget(self, entry_id: int) -> None:
        """A picture's file changed or came back: it is read anew."""
        self._held.pop(entry_id, None)

    def _read(self) -> None:
        for at, entry in enumerate(list(self._wanted.values())):
            if len(self._reading) >= _AT_ONCE:
                return
            if entry.id not in self._held and entry.id not in self._reading:
                self._begin(entry, ahead=at > 0)

    def _begin(self, entry: Entry, ahead: bool) -> None:
        self._reading.add(entry.id)
        most = AHEAD_MAXIMUM_PX if ahead else 0
        self._tasks.run(
            "Reading a picture",
            lambda _task: read_picture_file(entry.path, most),
            lambda loaded: self._on_read(entry.id, loaded),
            lambda error: self._on_read(entry.id, LoadedPicture(QImage(), problem=str(error))),
            urgent=not ahead,
        )

    def _on_read(self, entry_id: int, loaded: LoadedPicture | None) -> None:
        self._reading.discard(entry_id)
        if entry_id in self._wanted and not (loaded is None and next(iter(self._wanted)) == entry_id):
            self._held[entry_id] = loaded
        self._read()
        if loaded is not None and entry_id in self._wanted:
            self.loaded.emit(entry_id)


def read_picture_file(path: Path, most_px: int = 0) -> LoadedPicture | None:
    """Read a picture and its smaller copies, or return in words why that cannot be. On any thread.

    Args:
        path: Its file.
        most_px: Return ``None`` for one of more pixels; 0 reads all.
    """
    if not path.is_file():
        return LoadedPicture(QImage(), problem=f"The file is gone: {path.name}")
    # Qt's own limit counts 256 MB, which a picture of the largest size that is opened would just miss.
    QImageReader.setAllocationLimit(max(QImageReader.allocationLimit(), _MEGABYTES))
    reader = QImageReader(str(path))
    reader.setAutoTransform(True)
    reader.setDecideFormatFromContent(True)
    size = reader.size()
    if most_px and size.width() * size.height() > most_px:
        return None
    image = reader.read()
    if image.isNull():
        return LoadedPicture(QImage(), problem=f"The file is damaged and cannot be shown: {path.name}")
    clear = image.hasAlphaChannel()
    image.convertTo(QImage.Format.Format_ARGB32_Premultiplied if clear else QImage.Format.Format_RGB32)
    smaller = []
    last = image
    while max(last.width(), last.height()) > WHOLE_SIDE_PX:
        last = _half(last)
        smaller.append(last)
    return LoadedPicture(image, tuple(smaller))


def _half(image: QImage) -> QImage:
    """Return a copy of half the size. Pillow lets the window's thread go on meanwhile; Qt's scaling does not."""
    bits = cast("bytes", image.constBits())  # a view, not a copy
    whole = Image.frombuffer("RGBX", (image.width(), image.height()), bits, "raw", "RGBX", 0, 1)
    small = whole.reduce(2)
    return QImage(small.tobytes(), small.width, small.height, small.width * 4, image.format()).copy()


def size_of_file(path: Path) -> QSize:
    """Return a picture's size, empty where there is none: only the head of its file is read."""
    reader = QImageReader(str(path))
    reader.setDecideFormatFromContent(True)
    return reader.size()


def size_like(small: QImage, wanted: QSize) -> QSize:
    """Return the size of a picture of which there is a small copy: as it was asked for, or at least of its shape."""
    if small.isNull() or abs(small.width() * wanted.height() - small.height() * wanted.width()) <= max(
        wanted.width(), wanted.height()
    ):
        return wanted
    return small.size() * max(1, max(wanted.width(), wanted.height()) // max(small.width(), small.height()))
