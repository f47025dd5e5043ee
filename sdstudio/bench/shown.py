"""When a window counts as shown: when it has painted itself for the first time. Timed children import this."""

from __future__ import annotations

import sys
from typing import Final

SHOWN: Final = "shown"
READY: Final = "ready"
"""The studio's second line: its window is furnished and drawn, one can type."""


def tell_when_shown(app: object, window: object) -> None:
    """Show a window, print a line after its first painting, and go on until the parent ends the process."""
    from PySide6.QtCore import QCoreApplication, QEvent, QObject, QTimer  # noqa: PLC0415 (the parent needs SHOWN only)
    from PySide6.QtWidgets import QWidget  # noqa: PLC0415

    assert isinstance(app, QCoreApplication)
    assert isinstance(window, QWidget)

    def tell() -> None:
        sys.stdout.write(SHOWN + "\n")
        sys.stdout.flush()

    class FirstPaint(QObject):
        painted = False

        def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
            if event.type() == QEvent.Type.Paint and not self.painted:
                self.painted = True
                QTimer.singleShot(0, tell)
            return False

    watcher = FirstPaint()
    window.installEventFilter(watcher)
    window.show()
    app.exec()
