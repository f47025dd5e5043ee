"""How the user chooses a folder: the desktop's own dialog, which does not stop the window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QWidget


def choose_folder(
    parent: QWidget,
    title: str,
    then: Callable[[Path], object],
    within: Path | None = None,
    declined: Callable[[], object] | None = None,
) -> None:
    """Let the user choose a folder; ``then`` is called with it.

    Args:
        parent: Behind the dialog.
        title: Of the dialog.
        then: What to do with the folder.
        within: Where to begin; the user's own folder where it is not given or not there.
        declined: What to do when none is chosen.
    """
    begin = within if within is not None and within.is_dir() else Path.home()
    dialog = QFileDialog(parent, title, str(begin))
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    dialog.fileSelected.connect(lambda folder: then(Path(folder)))
    if declined is not None:
        dialog.rejected.connect(declined)
    dialog.open()
