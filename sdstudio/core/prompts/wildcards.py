"""Wildcards: text files whose lines stand in for ``__name__`` in a prompt, in the data folder and some that ship.

``colour.txt`` is ``__colour__``, ``light/studio.txt`` is ``__light/studio__``. Blank lines and comments are left out: a
``#`` and what stands behind it. A file of the user's goes before a shipped one of its name.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from sdstudio.core.files import is_utf8
from sdstudio.core.paths import StudioPaths, resources
from sdstudio.core.prompts.template_comments import without_comments
from sdstudio.core.text_files import decoded

log = logging.getLogger(__name__)

FILES_MAXIMUM: Final = 10_000
FILE_MAXIMUM_BYTES: Final = 4_000_000
VALUE_MAXIMUM: Final = 4_000


@dataclass(frozen=True, eq=False)
class Wildcards:
    """All wildcards, as they were when the folders were read.

    Attributes:
        folder: Where the user's files lie.
        files: Name -> file, in the order of names.
    """

    folder: Path
    files: Mapping[str, Path] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def read(cls, paths: StudioPaths) -> Wildcards:
        """Look at both folders; a folder that is not there holds none. Files are opened when they are asked for."""
        files = dict(_files(resources() / "wildcards"))
        files.update(_files(paths.wildcards))
        return cls(paths.wildcards, MappingProxyType(dict(sorted(files.items()))))

    def has(self, name: str) -> bool:
        """Whether a name in a prompt finds a file: its own, one of the name in some folder, or all of a pattern."""
        plain = name.strip("/")
        return "*" in plain or plain in self.files or any(known.endswith(f"/{plain}") for known in self.files)

    def values(self, name: str) -> tuple[str, ...]:
        """Return the lines of a wildcard; none when there is no such file or it cannot be read."""
        file = self.files.get(name)
        if file is None:
            return ()
        try:
            with file.open("rb") as stream:
                raw = stream.read(FILE_MAXIMUM_BYTES)
        except OSError:
            return ()
        if len(raw) == FILE_MAXIMUM_BYTES:  # the last line may be cut off within a character
            raw = raw[: raw.rfind(b"\n") + 1] or raw
        text = decoded(raw)
        lines = (without_comments(line.strip()) for line in text.splitlines())
        return tuple(line[:VALUE_MAXIMUM] for line in lines if line)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield names and files of a folder and those in it, links out of it left aside."""
    root = folder.resolve()
    seen = 0
    for place, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(place, name)
            if name.startswith("._") or file.suffix.lower() != ".txt" or not file.resolve().is_relative_to(root):
                continue
            seen += 1
            if seen > FILES_MAXIMUM:
                return
            if not is_utf8(str(file)):  # nobody could type it
                log.warning("a wildcard was left out, its name is not UTF-8: %s", ascii(str(file)))
                continue
            yield file.relative_to(root).with_suffix("").as_posix(), file
