"""What may be a model in and below a folder: real files and diffusers folders, each once however many links lead there.

A folder that cannot be read, a name that is not UTF-8 and a link that leads nowhere are listed as troubles; pipes,
sockets and devices are passed over, since opening one may wait for ever.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sdstudio.catalog.kinds import CHECKPOINT, KIND_BY_KEY, OTHER, VAE
from sdstudio.catalog.programs import SKIPPED_FOLDERS
from sdstudio.core.models.folder import INDEX_FILE
from sdstudio.library.scanning.places import Place, Trouble, hint_of, places_of

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""A terminal or a log would act on them."""

_NOT_MODELS: Final = ("datasets--", "spaces--")
"""Beginnings of names in Hugging Face's cache."""

# Files that lie beside models under endings of models: optimiser states, training checkpoints.
_NOT_FILES: Final = frozenset({"optimizer.bin", "optimizer.pt", "scheduler.pt", "scheduler.bin", "training_args.bin"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something to examine.

    Attributes:
        path: The file, or the diffusers folder.
        root: The folder of the user's through which it was found.
        hint: The kind that its folder is for, "" for none.
        size_bytes: Of the file; 0 for a folder.
        mtime_ns: Of the file; 0 for a folder.
    """

    path: Path
    root: Path
    hint: str
    size_bytes: int = 0
    mtime_ns: int = 0

    @property
    def is_folder(self) -> bool:
        """Whether it is a diffusers folder."""
        return self.mtime_ns == 0


class Walk:
    """One look at the disk; keeps in mind what it has seen, so that a link to a model is that model once."""

    def __init__(self) -> None:
        self.troubles: list[Trouble] = []
        self.folders: list[str] = []
        self._folders: set[tuple[int, int]] = set()
        self._files: set[str] = set()

    def skip(self, folder: Path) -> None:
        """Pass over a folder that is known already, whatever links lead there."""
        status = folder.stat()
        self._folders.add((status.st_dev, status.st_ino))

    def candidates(self, root: Path) -> Iterator[Candidate]:
        """Yield what may be a model in a folder the user named, sorted by name within each folder."""
        try:
            root.stat()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            message = "the folder is not there (unplugged, moved or deleted)."
            gone = isinstance(error, FileNotFoundError | NotADirectoryError)
            self.troubles.append(Trouble.of(root, message if gone else f"the folder could not be read: {reason}."))
            return
        places, troubles = places_of(root)
        self.troubles += troubles
        for place in places:
            yield from self._folder(os.fspath(place.folder), place, root, place.depth, place.hint)

    def _folder(self, folder: str, place: Place, root: Path, depth: int, hint: str) -> Iterator[Candidate]:
        try:
            status = os.stat(folder)
            mark = (status.st_dev, status.st_ino)
            if mark in self._folders and status.st_ino:
                return
            self._folders.add(mark)
            with os.scandir(folder) as entries:
                children = sorted(entries, key=lambda child: child.name)
            self.folders.append(folder)
        except OSError as error:
            self.troubles.append(Trouble.of(folder, f"the folder could not be read: {error.strerror}."))
            return
        real = os.path.realpath(folder)
        is_model = any(child.name == INDEX_FILE for child in children)
        if is_model:
            yield Candidate(Path(folder), root, CHECKPOINT)
        for child in children:
            if child.name.startswith(".") or child.name in _NOT_FILES:
                continue
            try:
                child.name.encode("utf-8")
                if _CONTROL.search(child.name):
                    self.troubles.append(Trouble.of(child.path, "its name holds control characters; rename it."))
                    continue
                if child.is_dir():
                    if not is_model and depth > 0 and _is_entered(child.name):
                        deeper = hint_of(child.name) or hint
                        yield from self._folder(child.path, place, root, depth - 1, deeper)
                else:
                    yield from self._file(child, real, root, hint)
            except UnicodeEncodeError:
                self.troubles.append(Trouble.of(child.path, "its name is not UTF-8; rename it to use it."))
            except OSError as error:
                self.troubles.append(Trouble.of(child.path, f"it could not be read: {error.strerror}."))

    def _file(self, child: os.DirEntry[str], real_folder: str, root: Path, hint: str) -> Iterator[Candidate]:
        stem, suffix = os.path.splitext(child.name.lower())
        if stem.endswith(".vae"):
            hint = VAE
        if suffix not in KIND_BY_KEY[hint or CHECKPOINT].suffixes:
            return
        if hint == OTHER and suffix != ".safetensors":
            return
        if child.is_symlink():
            real = os.path.realpath(child.path)
            if not os.path.exists(real):
                self.troubles.append(Trouble.of(child.path, "the link leads to nothing."))
                return
        else:
            real = os.path.join(real_folder, child.name)
        if not child.is_file() or real in self._files:
            return
        self._files.add(real)
        status = child.stat()
        yield Candidate(Path(child.path), root, hint, status.st_size, max(1, status.st_mtime_ns))


def _is_entered(name: str) -> bool:
    return name.lower() not in SKIPPED_FOLDERS and not name.startswith(_NOT_MODELS)
