"""The pictures that requests begin from, kept under their sha256: a request holds this id and never a path.

So a picture can be made again, verified and restored although the file that was once chosen is gone. Beside each stands
a small note: how that file was called, and which entry of the history it was.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from sdstudio.core.errors import InvalidRequest, PictureUnreadable, SaveFailed
from sdstudio.core.files import copy_whole, write_whole
from sdstudio.core.paths import StudioPaths
from sdstudio.core.pictures.opening import load_whole, opened_picture, shown, unreadable, upright_size
from sdstudio.core.request.input_fields import INIT, InputRole

log = logging.getLogger(__name__)

_ENDINGS: Final = {"PNG": ".png", "JPEG": ".jpg", "MPO": ".jpg", "WEBP": ".webp"}
"""MPO is what Pillow calls the JPEG of a camera that holds a second picture."""
_NOTE: Final = ".json"
_NOTE_MAXIMUM_BYTES: Final = 100_000
_ID: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class KeptPicture:
    """One picture that is kept.

    Attributes:
        id: The sha256 of its file: what the field of an `InputRole` holds.
        path: Where it lies.
        name: How the file was called that it came from, "" when that is not known.
        entry_id: The entry of the history that it is, ``None`` for any other picture.
    """

    id: str
    path: Path
    name: str = ""
    entry_id: int | None = None


class InputPictures:
    """The store of input pictures, without state of its own: any thread and any process may use one.

    Args:
        paths: The data folder it lies in; its spare folder is written where there is one, and both are read.
    """

    def __init__(self, paths: StudioPaths) -> None:
        self._folder = paths.spare_inputs or paths.inputs
        self._folders = tuple(dict.fromkeys((self._folder, paths.inputs)))

    def keep(self, path: Path, entry_id: int | None = None) -> KeptPicture:
        """Copy a picture's file, after looking whether it is one and whole. The same bytes are kept once.

        The whole picture is decoded for it: a second for a large one.

        Args:
            path: The file.
            entry_id: The entry of the history whose file it is.

        Raises:
            PictureUnreadable: Missing, damaged, cut off, too large, or no picture that can be read.
            SaveFailed: Disk full, or the folder cannot be written.
        """
        with opened_picture(path) as image:
            load_whole(path, image)
            ending = _ENDINGS[image.format or ""]
        key = _hash(path)
        target = self.path_of(key) if self.is_whole(key) else None
        if target is None:
            target = self._folder / f"{key}{ending}"
            copy_whole(path, target)
            if _hash(target) != key:
                target.unlink(missing_ok=True)
                raise SaveFailed(f"File = {shown(path.name)}: it changed while it was copied.", "Choose it again.")
        known = self._noted(key)
        note = {"name": shown(path.name), "entry": known.get("entry") if entry_id is None else entry_id}
        if note != known:
            self._write_note(key, note)
        else:
            with suppress(OSError):
                os.utime(self._note(key))  # its time of change is when it was last chosen
        return self._kept(key, target)

    def find(self, key: str) -> KeptPicture | None:
        """Return a kept picture by its id, ``None`` when there is none."""
        if not _ID.fullmatch(key):
            return None
        names = [f"{key}{ending}" for ending in dict.fromkeys(_ENDINGS.values())]
        places = (folder / name for folder in self._folders for name in names)
        path = next((place for place in places if place.is_file()), None)
        return None if path is None else self._kept(key, path)

    def path_of(self, key: str, role: InputRole = INIT) -> Path:
        """Return where a picture lies.

        Args:
            key: Its id.
            role: What it is to a request, for the message.

        Raises:
            InvalidRequest: It is gone.
        """
        picture = self.find(key)
        if picture is not None:
            return picture.path
        name = self._noted(key).get("name") if _ID.fullmatch(key) else None
        message = f"{role.title} = {name or key[:12]}: it is gone from {self._folder}."
        raise InvalidRequest(role.field, message, "Choose the picture again, restore a backup, or do without it.")

    def size_of(self, key: str) -> tuple[int, int]:
        """Return a picture's width and height, as they are when it stands upright. Raises: as `path_of`."""
        with opened_picture(self.path_of(key)) as image:
            return upright_size(image)

    def parent_of(self, key: str) -> int | None:
        """Return the entry of the history that a picture is, ``None`` when it is none or that is not known."""
        entry_id = self._noted(key).get("entry") if _ID.fullmatch(key) else None
        return entry_id if isinstance(entry_id, int) and not isinstance(entry_id, bool) else None

    def all(self) -> Iterator[KeptPicture]:
        """Yield every picture that is kept."""
        for path in sorted(path for folder in self._folders for path in folder.glob("*")):
            if _ID.fullmatch(path.stem) and path.suffix in _ENDINGS.values():
                yield self._kept(path.stem, path)

    def kept_at(self, key: str) -> float:
        """Return when a picture was last kept, in seconds since 1970; 0 when that is not known."""
        try:
            return self._note(key).stat().st_mtime
        except OSError:
            return 0.0

    def is_whole(self, key: str) -> bool:
        """Return whether a picture's file is there and still what it was."""
        picture = self.find(key)
        try:
            return picture is not None and _hash(picture.path) == key
        except PictureUnreadable:
            return False

    def files_of(self, key: str) -> tuple[Path, ...]:
        """Return the files of a picture that are there: itself and its note."""
        picture = self.find(key)
        places = (picture.path, self._note(key)) if picture is not None else ()
        return tuple(place for place in places if place.is_file())

    def _kept(self, key: str, path: Path) -> KeptPicture:
        return KeptPicture(key, path, str(self._noted(key).get("name") or ""), self.parent_of(key))

    def _note(self, key: str) -> Path:
        """Return where a picture's note is, or would be written."""
        places = [folder / f"{key}{_NOTE}" for folder in self._folders]
        return next((place for place in places if place.is_file()), places[0])

    def _write_note(self, key: str, note: dict[str, Any]) -> None:
        def write(to: BinaryIO) -> None:
            to.write(json.dumps(note, ensure_ascii=False).encode())

        write_whole(self._folder / f"{key}{_NOTE}", write)

    def _noted(self, key: str) -> dict[str, Any]:
        try:
            with self._note(key).open("rb") as file:
                values = json.loads(file.read(_NOTE_MAXIMUM_BYTES))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            log.warning("the note on the input picture %s cannot be read: %s", key[:12], error)
            return {}
        return values if isinstance(values, dict) else {}


def _hash(path: Path) -> str:
    """Return a file's sha256. Raises: PictureUnreadable."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(path, error) from error
