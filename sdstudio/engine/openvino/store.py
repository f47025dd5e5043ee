"""Where converted networks are kept: a folder for each model, named by all that decides what it holds, and bounded."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from sdstudio.core.json_text import json_of

log = logging.getLogger(__name__)

LIMIT_BYTES: Final = 30 * 2**30
"""What all converted models may take together: about ten of Stable Diffusion 1, or two of XL."""

_FORMAT: Final = 2
_FACTS: Final = "converted.json"
_WRITING: Final = ".writing-"
_ABANDONED_S: Final = 24 * 3600
"""What is still being written may be another process's; after a day it is not."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What decides converted networks.

    Attributes:
        model: The file or folder that they were read from.
        stamp: Changes when a file of it does.
        dtype: Number format they were computed in.
        versions: Of OpenVINO, torch and diffusers.
        form: Of what is kept.
    """

    model: str
    stamp: int
    dtype: str
    versions: tuple[str, ...]
    form: int = _FORMAT

    @property
    def key(self) -> str:
        """A folder's name."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:32]


class Store:
    """Converted networks of models.

    Args:
        folder: Holds a folder for each model; made when the first is written.
        limit_bytes: The models used longest ago go when all take more.
    """

    def __init__(self, folder: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes

    def find(self, origin: Origin) -> Path | None:
        """Return the folder with what was converted of a model; ``None`` where it has not been, or is stale."""
        folder = self._folder / origin.key
        facts = folder / _FACTS
        if not facts.is_file():
            return None
        try:
            os.utime(facts)
        except OSError as error:  # a folder that can only be read is used all the same
            log.info("cannot note the use of %s: %s", folder, error)
        return folder

    @contextmanager
    def writing(self, origin: Origin) -> Iterator[Path]:
        """Give an empty folder to write networks into; it takes its place when the block ends well, else it goes.

        Raises:
            OSError: It cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=_WRITING, dir=self._folder))
        try:
            yield temporary
            (temporary / _FACTS).write_text(json.dumps(asdict(origin)), encoding="utf-8")
            target = self._folder / origin.key
            shutil.rmtree(target, ignore_errors=True)
            temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self.tidy(origin)

    def tidy(self, newest: Origin) -> None:
        """Remove what is stale or has no model any more, and what was used longest ago beyond the limit.

        Args:
            newest: Stays in any case; its versions are those in force.
        """
        kept: list[tuple[float, int, Path]] = []
        for folder in self._folder.iterdir():
            facts = folder / _FACTS
            if folder.name.startswith(_WRITING):
                if time.time() - folder.stat().st_mtime > _ABANDONED_S:
                    shutil.rmtree(folder, ignore_errors=True)
                continue
            origin = _origin(facts)
            stale = origin is None or origin.versions != newest.versions or origin.form != newest.form
            replaced = origin is not None and origin.model == newest.model and origin.stamp != newest.stamp
            if stale or replaced or (origin is not None and not Path(origin.model).exists()):
                shutil.rmtree(folder, ignore_errors=True)
            elif folder.name != newest.key:
                kept.append((facts.stat().st_mtime, _size_bytes(folder), folder))
        room = self._limit_bytes - _size_bytes(self._folder / newest.key)
        for _, size_bytes, folder in sorted(kept, reverse=True):
            room -= size_bytes
            if room < 0:
                shutil.rmtree(folder, ignore_errors=True)


def _origin(facts: Path) -> Origin | None:
    try:
        values = json_of(facts.read_text(encoding="utf-8"))
        return Origin(**{**values, "versions": tuple(values["versions"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _size_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*") if file.is_file())
