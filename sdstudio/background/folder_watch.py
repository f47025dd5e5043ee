"""When folders with models change: reported after a moment without changes, because a download changes them often.

Every folder that was looked into is watched by itself, since Qt watches no trees. Where the system allows no more
watches, the rest is not watched, and *Rescan folders* is there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

from PySide6.QtCore import QFileSystemWatcher, QObject, QTimer, Signal

QUIET_MS: Final = 1500
FOLDERS_MAXIMUM: Final = 2000


class FolderWatch(QObject):
    """Watches the folders that models were found in."""

    #: Something was added, renamed or removed in one of the folders, and all have been quiet since.
    changed = Signal()

    def __init__(self, parent: QObject | None = None, quiet_ms: int = QUIET_MS) -> None:
        super().__init__(parent)
        self._watcher = QFileSystemWatcher(self)
        self._quiet = QTimer(self)
        self._quiet.setSingleShot(True)
        self._quiet.setInterval(quiet_ms)
        self._quiet.timeout.connect(self.changed)
        self._watcher.directoryChanged.connect(lambda _path: self._quiet.start())

    @property
    def folders(self) -> frozenset[str]:
        """What is watched."""
        return frozenset(self._watcher.directories())

    def watch(self, folders: Iterable[str]) -> None:
        """Watch these folders and no others; those that are gone are passed over."""
        wanted = set(list(folders)[:FOLDERS_MAXIMUM])
        before = set(self._watcher.directories())
        if before - wanted:
            self._watcher.removePaths(sorted(before - wanted))
        new = [folder for folder in sorted(wanted - before) if os.path.isdir(folder)]
        if new:
            self._watcher.addPaths(new)

    def stop(self) -> None:
        """Report nothing any more."""
        self._quiet.stop()
        if self._watcher.directories():
            self._watcher.removePaths(self._watcher.directories())
