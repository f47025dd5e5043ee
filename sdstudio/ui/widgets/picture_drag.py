"""What is dragged and copied: pictures as files, those of the history with their numbers; which can be begun from.

Where copies are to record nothing of how they were made, others are handed bare copies, written when they ask for them;
the studio's own windows still get the pictures themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QMetaType, QMimeData, QUrl
from PySide6.QtGui import QImage

from sdstudio.core.pictures.opening import ENDINGS

if TYPE_CHECKING:
    from sdstudio.history.store import Entry

ENTRIES_TYPE: Final = "application/x-sdstudio-entries"
"""Ids of entries as decimal numbers with commas between, in the order of the files beside them."""


URIS_TYPE: Final = "text/uri-list"
IMAGE_TYPE: Final = "application/x-qt-image"


@dataclass(frozen=True, slots=True)
class Offer:
    """A picture to begin from.

    Attributes:
        path: Its file, ``None`` where there are only pixels.
        image: Its pixels where there is no file: a part of a web page, a screenshot.
        entry_id: The entry of the history that it is.
        count: How many pictures came with it, itself among them.
    """

    path: Path | None = None
    image: QImage | None = None
    entry_id: int | None = None
    count: int = 1


def mime_of(entries: Sequence[Entry]) -> QMimeData:
    """Return pictures of the history as what is dragged: files to anyone, entries to the studio."""
    mime = QMimeData()
    each = [(entry.id, entry.path) for entry in entries]  # once: each may be read from the history for it
    mime.setUrls([QUrl.fromLocalFile(str(path)) for _id, path in each])
    mime.setData(ENTRIES_TYPE, ",".join(str(number) for number, _path in each).encode())
    return mime


class BareFiles(QMimeData):
    """Pictures of the history that are handed to others as bare copies, and to the studio as they are.

    Args:
        entries: The pictures.
        write: Writes the copies, when they are first asked for, and returns their paths; ``None`` hands out none.
    """

    def __init__(self, entries: Sequence[Entry], write: Callable[[], list[Path]] | None) -> None:
        super().__init__()
        self.originals = [entry.path for entry in entries]
        self.setData(ENTRIES_TYPE, ",".join(str(entry.id) for entry in entries).encode())
        self._write = write
        self._written: list[Path] | None = None
        self._types = [URIS_TYPE, *[IMAGE_TYPE] * (len(entries) == 1)] if write is not None else []

    def formats(self) -> list[str]:
        """Return what it can hand out."""
        return [*super().formats(), *self._types]

    def hasFormat(self, mime_type: str) -> bool:  # noqa: N802
        """Return whether it can hand that out."""
        return mime_type in self._types or super().hasFormat(mime_type)

    def retrieveData(self, mime_type: str, preferred_type: QMetaType | QMetaType.Type) -> Any:  # noqa: N802
        """Hand something out."""
        if mime_type not in self._types or self._write is None:
            return super().retrieveData(mime_type, preferred_type)
        if self._written is None:
            self._written = self._write()
        if mime_type == IMAGE_TYPE:
            return QImage(str(self._written[0])) if self._written else QImage()
        return [QUrl.fromLocalFile(str(path)) for path in self._written]


def files_of(mime: QMimeData) -> list[Path]:
    """Return the local files and folders among what is dragged."""
    if isinstance(mime, BareFiles):
        return list(mime.originals)
    return [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile() and url.toLocalFile()]


def offer_of(mime: QMimeData) -> Offer | None:
    """Return the first picture of what is dragged or on the clipboard, ``None`` when there is none."""
    files = [path for path in files_of(mime) if path.is_file()]
    if files:
        return Offer(files[0], entry_id=_first_entry(mime), count=len(files))
    if mime.hasImage():
        image = QImage(mime.imageData())
        return None if image.isNull() else Offer(image=image)
    return None


def means_picture(mime: QMimeData | None, beside_text: bool = False) -> bool:
    """Return whether a picture is meant by what is on the clipboard; nothing is decoded for it.

    Args:
        mime: What is on the clipboard.
        beside_text: A picture that stands beside text is meant, too: spreadsheets and word processors offer both.
    """
    if mime is None:
        return False
    if any(path.suffix.lower() in ENDINGS for path in files_of(mime)):
        return True
    return mime.hasImage() and (beside_text or not mime.hasText()) and not mime.hasUrls()


def pasted_picture(mime: QMimeData | None, beside_text: bool = False) -> Offer | None:
    """Return the picture that is meant by what is on the clipboard, ``None`` when none is; see `means_picture`."""
    return offer_of(mime) if mime is not None and means_picture(mime, beside_text) else None


def _first_entry(mime: QMimeData) -> int | None:
    first = bytes(mime.data(ENTRIES_TYPE).data()).partition(b",")[0]
    return int(first) if first.isdigit() and len(first) < 19 else None
