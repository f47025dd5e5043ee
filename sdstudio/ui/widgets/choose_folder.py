"""How the user chooses a folder: the desktop's own dialog, which does not stop the window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QWidget


def choose_folder(parent: QWidget, title: str, then: Callable[[Path], object]) -> None:
    """Let the user choose a folder; ``then`` is called with it, and not at all when none is chosen."""
    dialog = QFileDialog(parent, title)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    dialog.fileSelected.connect(lambda folder: then(Path(folder)))
    dialog.open()
