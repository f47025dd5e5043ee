"""Copies of pictures that record nothing of how they were made, for dragging or copying out of the studio."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PySide6.QtCore import QMimeData

from sdstudio.core.errors import SaveFailed
from sdstudio.history.store import Entry
from sdstudio.ui.widgets.picture_drag import BareFiles

log = logging.getLogger(__name__)

BARE_MAXIMUM: Final = 30
"""Most pictures that are written while somebody waits for what was dropped."""


class BareCopies:
    """Writes pictures of the history as pixels only, into a folder of its own that goes with the studio."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def written(self, entries: Sequence[Entry]) -> list[Path]:
        """Write copies. Raises: SaveFailed: None could be written."""
        from sdstudio.history.exchange.export import ExportOptions, export_folder  # noqa: PLC0415 (the window opens before)

        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="sdstudio-copies-")
        report = export_folder(entries, Path(self._folder.name), ExportOptions(metadata=False))
        if entries and not report.written:
            reason = report.stopped or report.failed[0].reason
            raise SaveFailed(f"The picture cannot be copied: {reason.rstrip('.')}.", "Look at it in the history.")
        return report.written

    def mime_of(self, entries: Sequence[Entry]) -> QMimeData:
        """Return pictures as what is dragged: bare copies to anyone, none where there are more than `BARE_MAXIMUM`."""
        entries = list(entries)

        def write() -> list[Path]:
            try:
                return self.written(entries)
            except SaveFailed as error:  # the caller gets nothing: there is no place here to show it
                log.warning("%s", error)
                return []

        return BareFiles(entries, write if len(entries) <= BARE_MAXIMUM else None)
