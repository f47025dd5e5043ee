"""What the window remembers from one start to the next, and how it is kept: one ini file beside the data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QObject, QSettings


class WindowMemory:
    """Bytes and JSON values by name; what cannot be read is as if it had never been written."""

    def __init__(self, path: Path, parent: QObject) -> None:
        self._settings = QSettings(str(path), QSettings.Format.IniFormat, parent)

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

    def write(self) -> None:
        """Put everything on disk now."""
        self._settings.sync()
