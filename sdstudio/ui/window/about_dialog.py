"""What this is, which versions it runs on, and where its data lies."""

from __future__ import annotations

import platform

from PySide6 import __version__ as pyside_version
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QDialog, QFormLayout, QLabel, QPushButton, QVBoxLayout, QWidget

import sdstudio
from sdstudio.core.events import EngineStatus
from sdstudio.core.paths import StudioPaths
from sdstudio.ui.theme import GRID, mark
from sdstudio.ui.widgets.dialog_foot import ALSO, CLOSE, MARGIN, dialog_foot


class AboutDialog(QDialog):
    """Non-modal; ``status`` is ``None`` while the engine is starting."""

    def __init__(self, paths: StudioPaths, status: EngineStatus | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("aboutDialog")
        self.setWindowTitle("About SD Studio")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._facts = facts(paths, status)
        title = QLabel("SD Studio", self)
        mark(title, "role", "title")
        about = QLabel(
            "A native desktop studio for Stable Diffusion.\nNothing you type or draw leaves this computer.",
            self,
        )
        form = QFormLayout()
        form.setHorizontalSpacing(GRID * 3)
        form.setVerticalSpacing(GRID // 2)
        for name, value in self._facts:
            label, text = QLabel(name, self), QLabel(value, self)
            mark(label, "role", "muted")
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            form.addRow(label, text)
        copy = QPushButton("Copy", self)
        copy.setAccessibleName("Copy versions")
        copy.clicked.connect(lambda: QApplication.clipboard().setText("\n".join(f"{n}: {v}" for n, v in self._facts)))
        close = QPushButton("Close", self)
        close.setAccessibleName("Close")
        close.clicked.connect(self.close)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(GRID * 2)
        column.addWidget(title)
        column.addWidget(about)
        column.addLayout(form)
        column.addLayout(dialog_foot(self, [(copy, ALSO), (close, CLOSE)], close))
        close.setFocus()


def facts(paths: StudioPaths, status: EngineStatus | None) -> list[tuple[str, str]]:
    """Return versions, device and data folder."""
    lines = [
        ("SD Studio", sdstudio.__version__),
        ("Python", platform.python_version()),
        ("PySide6", pyside_version),
    ]
    if status is not None:
        lines += [(name, version) for name, version in status.versions.items()]
        lines.append(("Device", f"{status.device}, {status.dtype}"))
    return [*lines, ("System", platform.platform()), ("Data folder", str(paths.home))]
