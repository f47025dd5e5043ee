"""What the desktop does for a picture: the clipboard, the file manager and the trash."""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6.QtCore import QFile, QMimeData, QProcess, QStandardPaths, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication, QImage

from sdstudio.core.errors import SaveFailed


def copy_picture(path: Path) -> None:
    """Put a picture on the clipboard, as pixels and as a file.

    Raises:
        SaveFailed: The file is gone.
    """
    image = QImage(str(path))
    if image.isNull():
        raise SaveFailed(f"The picture cannot be copied: {path} is gone or unreadable.", "Re-run makes it again.")
    mime = QMimeData()
    mime.setImageData(image)
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    QGuiApplication.clipboard().setMimeData(mime)


def reveal(path: Path) -> None:
    """Show a file in the file manager; where that cannot point at a file, show its folder."""
    if sys.platform == "win32":
        QProcess.startDetached("explorer.exe", ["/select,", str(path)])
    elif sys.platform == "darwin":
        QProcess.startDetached("open", ["-R", str(path)])
    else:
        folder = path if path.is_dir() else path.parent
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))


def move_to_trash(path: Path) -> Path | None:
    """Move a file to the system's trash.

    Returns:
        Where it lies there, ``None`` when the system does not return it.

    Raises:
        OSError: The system has no trash for this file or refused.
    """
    # Qt makes the trash itself but not the folder it stands in, which a fresh account lacks ("Bad file descriptor").
    Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericDataLocation)).mkdir(
        parents=True, exist_ok=True
    )
    file = QFile(str(path))
    if not file.moveToTrash():
        raise OSError(file.errorString())
    moved = Path(file.fileName())
    return moved if moved != path else None
