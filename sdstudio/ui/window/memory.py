"""What the window remembers from one start to the next, and how it is kept: one ini file beside the data."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QByteArray, QObject, QSettings, QTimer

WRITTEN_AFTER_MS: Final = 1500
"""A change is on disk after so long, and no more is lost when the power fails."""


class WindowMemory:
    """Bytes and JSON values by name; what cannot be read is as if it had never been written.

    Args:
        path: The file.
        keep: Hands everything over and writes; see `write_soon`.
        parent: Qt's.
    """

    def __init__(self, path: Path, keep: Callable[[], object], parent: QObject) -> None:
        self._settings = QSettings(str(path), QSettings.Format.IniFormat, parent)
        self._soon = QTimer(parent)
        self._soon.setSingleShot(True)
        self._soon.setInterval(WRITTEN_AFTER_MS)
        self._soon.timeout.connect(keep)

    def bytes_of(self, name: str) -> bytes:
        """Return what was kept, empty when nothing was."""
        value = self._settings.value(name)
        return bytes(value.data()) if isinstance(value, QByteArray) else b""

    def keep_bytes(self, name: str, value: bytes) -> None:
        """Keep bytes."""
        self._settings.setValue(name, QByteArray(value))

    def json_of(self, name: str) -> dict[str, Any]:
        """Return what was kept, empty when nothing was."""
        try:
            value = json.loads(str(self._settings.value(name, "{}")))
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def keep_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Keep a mapping."""
        self._settings.setValue(name, json.dumps(value, ensure_ascii=True))

    def write_soon(self) -> None:
        """Something changed. Who goes on writing, or draws picture after picture, puts nothing off by that."""
        if not self._soon.isActive():
            self._soon.start()

    def write(self) -> None:
        """Put everything on disk now."""
        self._soon.stop()
        self._settings.sync()
