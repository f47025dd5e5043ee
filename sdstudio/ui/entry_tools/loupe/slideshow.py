"""When a slideshow goes on: so long after a picture is really there, not after it was asked for."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal

INTERVALS_S: Final = (2, 3, 5, 10, 30)


class Slideshow(QObject):
    """Counts the seconds of one picture after the other."""

    #: The next picture's turn has come.
    turned = Signal()
    #: It was started or stopped.
    toggled = Signal(bool)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.interval_s = INTERVALS_S[1]
        self.runs = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.turned)

    def run(self, runs: bool, is_picture_there: bool = False) -> None:
        """Start or stop it."""
        self.runs = runs
        self._timer.stop()
        if runs and is_picture_there:
            self.count()
        self.toggled.emit(runs)

    def wait(self) -> None:
        """Another picture was asked for: its time begins when it is there."""
        self._timer.stop()

    def count(self) -> None:
        """The picture is there: its time begins."""
        if self.runs:
            self._timer.start(self.interval_s * 1000)
