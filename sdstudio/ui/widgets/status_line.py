"""The line at the foot of the window: what is being done, how far it is, and a place for the button that stops it."""

from __future__ import annotations

from typing import Final

from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QWidget

from sdstudio.jobs.progress import Progress
from sdstudio.ui.theme import GRID

STARTING: Final = "Starting the engine…"
_BAR_PARTS: Final = 1000


class StatusLine(QFrame):
    """Always there, so that nothing jumps when work begins; bar and button only while there is work.

    Args:
        cancel_button: Given a place here: it is seen from every page.
        parent: As Qt has it.
    """

    def __init__(self, cancel_button: QPushButton, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("statusLine")
        self._text = QLabel(STARTING, self)
        self._text.setObjectName("statusText")
        self._text.setProperty("role", "muted")
        self._text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.bar = QProgressBar(self)
        self.bar.setObjectName("progressBar")
        self.bar.setAccessibleName("Progress")
        self.bar.setRange(0, _BAR_PARTS)
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(280)
        self._cancel_button = cancel_button
        self._stopping = False
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID * 2, 0, GRID, 0)
        row.setSpacing(GRID * 2)
        row.addWidget(self._text, 1)
        row.addWidget(self.bar)
        row.addWidget(cancel_button)
        self.setFixedHeight(GRID * 5 - GRID // 2)
        self.rest(STARTING)

    @property
    def text(self) -> str:
        """The text that is shown."""
        return self._text.text()

    def show_progress(self, progress: Progress) -> None:
        """Show how far the running job is, unless it is to stop."""
        if self._stopping:
            return
        self._text.setText(progress.text[:1].upper() + progress.text[1:])
        if progress.fraction >= 0:
            self.bar.setValue(round(progress.fraction * _BAR_PARTS))
        self._set_busy(True)

    def begin(self, text: str) -> None:
        """A job has started."""
        self.bar.setValue(0)
        self._text.setText(text)
        self._stopping = False
        self._set_busy(True)

    def show_cancelling(self) -> None:
        """Show that it is being cancelled."""
        self._text.setText("Cancelling…")
        self._stopping = True
        self._cancel_button.setEnabled(False)

    def rest(self, text: str) -> None:
        """Nothing is being done; show what was, or that all is ready."""
        self._stopping = False
        self.bar.setValue(0)
        self._text.setText(text)
        self._set_busy(False)

    def _set_busy(self, busy: bool) -> None:
        self.bar.setVisible(busy)
