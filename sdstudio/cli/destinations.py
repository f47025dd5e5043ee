"""Where ``generate`` puts its pictures: under the names ``--out`` asks for, or into the history."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from PIL import Image

from sdstudio.core.errors import InvalidRequest, SaveFailed
from sdstudio.core.files import TEMPORARY, save_failed
from sdstudio.core.paths import expanded
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.picture_text.pnginfo import write_png
from sdstudio.history.store import History


@dataclass(frozen=True, slots=True)
class Saved:
    """A picture on disk; ``entry_id`` is its number in the history, ``None`` outside of it."""

    path: Path
    entry_id: int | None = None


class Destination(Protocol):
    """Somewhere to put pictures."""

    def prepare(self) -> None:
        """Make sure that pictures can be written, before any work is done. Raises: SaveFailed, HistoryError."""

    def save(self, index: int, pixels: Image.Image, recipe: Recipe) -> Saved:
        """Write the picture at this place of the job, whole or not at all. Raises: SaveFailed."""

    def abandon(self) -> None:
        """Take back what `prepare` made, when no picture came of it."""


class HistoryDestination:
    """The history, as the window does it."""

    def __init__(
        self, history: History, parent_of: Callable[[GenerationRequest], int | None], note: Callable[[str], object]
    ) -> None:
        self._history = history
        self._parent_of = parent_of
        self._note = note
        self._noted = ""

    def prepare(self) -> None:
        """Make sure that the history can be written, and return where pictures go. Raises: HistoryError."""
        self._history.check_writable()
        self._tell()

    def save(self, index: int, pixels: Image.Image, recipe: Recipe) -> Saved:
        """Save a picture as a new entry."""
        entry = self._history.save(pixels, recipe, parent_id=self._parent_of(recipe.request))
        self._tell()
        return Saved(entry.path, entry.id)

    def abandon(self) -> None:
        """Nothing to take back."""

    def _tell(self) -> None:
        """Print once why pictures go to the data folder and not where the settings want them."""
        problem = self._history.placing.problem
        message = "" if problem is None else f"note: {problem.message} Pictures are kept in the data folder meanwhile."
        if message and message != self._noted:
            self._note(message)
        self._noted = message


@dataclass(slots=True)
class PathDestination:
    """A PNG file, or a folder in which each picture gets a name of its own.

    ``heart.png`` stands for heart.png, heart-1.png, heart-2.png ..; an existing file is replaced. Anything without the
    ending ``.png`` is a folder, in which nothing is replaced.
    """

    out: Path
    _made: list[Path] = field(default_factory=list)
    _written: bool = False

    @classmethod
    def of(cls, text: str) -> PathDestination:
        """Read the value of ``--out``. Raises: InvalidRequest."""
        path = expanded(text).absolute()
        if not text or "\0" in text:
            raise InvalidRequest("out", f"--out = {text!r}: allowed is a .png file or a folder.", "Give a name.")
        suffix = path.suffix.lower()
        if suffix in {".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"} and not os.path.isdir(path):
            raise InvalidRequest(
                "out", f"--out = {text}: allowed is a .png file or a folder.", f"Use {path.with_suffix('.png').name}."
            )
        return cls(path)

    @property
    def _is_file(self) -> bool:
        return self.out.suffix.lower() == ".png" and not os.path.isdir(self.out)

    @property
    def _folder(self) -> Path:
        return self.out.parent if self._is_file else self.out

    def prepare(self) -> None:
        """Make the folder and write a file into it once; access rights alone do not show what a mount allows."""
        try:
            missing = [folder for folder in (self._folder, *self._folder.parents) if not folder.exists()]
            for folder in reversed(missing):
                folder.mkdir()
                self._made.append(folder)
            handle, probe = tempfile.mkstemp(prefix=".sdstudio-", dir=self._folder)
            os.close(handle)
            Path(probe).unlink()
            with suppress(FileNotFoundError):  # whether the name is possible, with what it ends in while it is written
                os.lstat(f"{self.out}{TEMPORARY}")
        except OSError as error:
            self.abandon()
            if error.errno == errno.ENAMETOOLONG:
                raise save_failed(self.out, error) from error
            message = f"--out = {self.out}: the folder {self._folder} cannot be written ({error.strerror})."
            raise SaveFailed(message, "Choose another folder.") from error

    def save(self, index: int, pixels: Image.Image, recipe: Recipe) -> Saved:
        """Write a picture whole or not at all."""
        path = self._path(index, recipe)
        write_png(path, pixels, recipe)
        self._written = True
        return Saved(path)

    def abandon(self) -> None:
        """Remove the folders that were made for pictures which never came."""
        if self._written:
            return
        for folder in reversed(self._made):
            try:
                folder.rmdir()
            except OSError:  # somebody else has put something there
                return

    def _path(self, index: int, recipe: Recipe) -> Path:
        if self._is_file:
            return self.out if index == 0 else self.out.with_name(f"{self.out.stem}-{index}{self.out.suffix}")
        words = re.sub(r"[^a-z0-9]+", "-", recipe.request.prompt.lower())[:40].strip("-")
        name = "-".join(part for part in (words, str(recipe.request.seed)) if part)
        path, number = self.out / f"{name}.png", 1
        while path.exists():
            path, number = self.out / f"{name}-{number}.png", number + 1
        return path
