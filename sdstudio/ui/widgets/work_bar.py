"""A line in a dialog that shows how far long work is, how much time is left, and stops it."""

from __future__ import annotations

from typing import Any, Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from sdstudio.background.long_work import LongWork, WorkProgress
from sdstudio.core.readable import readable_duration
from sdstudio.ui.theme import GRID, mark

_PARTS: Final = 1000


class WorkBar(QWidget):
    """Hidden while nothing is done.

    Args:
        name: Beginning of the objectNames: "import" names importProgress and importStopButton.
        parent: As Qt has it.
    """

    #: What is being done and how far it is, for the window around it; "" when it has ended.
    text_changed = Signal(str)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._work: LongWork[Any] | None = None
        self._doing = ""
        self.text = QLabel(self)
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        mark(self.text, "role", "muted")
        self.bar = QProgressBar(self)
        self.bar.setObjectName(f"{name}Progress")
        self.bar.setAccessibleName("Progress")
        self.bar.setRange(0, _PARTS)
        self.bar.setTextVisible(False)
        self.stop_button = QPushButton("Cancel", self)
        self.stop_button.setObjectName(f"{name}StopButton")
        self.stop_button.setAccessibleName("Cancel")
        self.stop_button.setAutoDefault(False)
        self.stop_button.clicked.connect(self.stop)
        words = QVBoxLayout()
        words.setSpacing(GRID // 2)
        words.addWidget(self.text)
        words.addWidget(self.bar)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID * 2)
        row.addLayout(words, 1)
        row.addWidget(self.stop_button)
        self.hide()

    def watch(self, work: LongWork[Any], doing: str) -> None:
        """Show this work until it ends, and begin it."""
        self._work = work
        self._doing = doing
        self.bar.setValue(0)
        self.text.setText(f"{doing}…")
        self.stop_button.setEnabled(True)
        work.progressed.connect(self._on_progressed)
        for end in (work.done, work.failed, work.stopped):
            end.connect(self._on_ended)
        self.show()
        work.begin()

    def stop(self) -> None:
        """Ask the work to end early."""
        if self._work is not None and self._work.is_running:
            self._work.stop()
            self.text.setText("Cancelling…")
            self.stop_button.setEnabled(False)

    def _on_progressed(self, progress: WorkProgress) -> None:
        self.bar.setValue(round(progress.fraction * _PARTS))
        if self.stop_button.isEnabled():
            parts = [f"{progress.done:,} of {progress.total:,}"]
            if progress.left_s >= 0 and progress.done < progress.total:
                parts.append(f"{readable_duration(progress.left_s)} left")
            self.text_changed.emit(f"{self._doing} {' · '.join(parts)}")
            if progress.name:
                parts.append(progress.name)
            self.text.setText(" · ".join(parts))

    def _on_ended(self, *_came: object) -> None:
        self.hide()
        self.text_changed.emit("")
