"""What the canvas shows at the start: the newest picture of the history, read where the window does not wait for it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject

from sdstudio.background.tasks import TaskRunner
from sdstudio.history.store import Entry, History
from sdstudio.ui.entries.picture_loader import LoadedPicture, read_picture_file
from sdstudio.ui.pages.create.canvas import Canvas


class LastPicture(QObject):
    """Brings the newest picture to the canvas, once.

    Args:
        canvas: Shows it, unless it shows something by then.
        history: Where it is kept.
        tasks: Where it is read.
        shown: Called when the canvas has taken it.
        parent: As Qt has it.
    """

    def __init__(
        self, canvas: Canvas, history: History, tasks: TaskRunner, shown: Callable[[], object], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._canvas = canvas
        self._history = history
        self._tasks = tasks
        self._shown = shown
        self._stopped = False

    def stop(self) -> None:
        """Bring nothing more: the window closes."""
        self._stopped = True

    def bring(self) -> None:
        """Read it in the background."""
        if self._stopped:
            return
        self._tasks.run("Reading the last picture", lambda _task: _newest(self._history), self._take, urgent=True)

    def _take(self, newest: tuple[Entry, LoadedPicture] | None) -> None:
        if newest is not None and not self._stopped and self._canvas.show_at_start(*newest):
            self._shown()


def _newest(history: History) -> tuple[Entry, LoadedPicture] | None:
    entries = history.entries(limit=1)
    read = read_picture_file(entries[0].path) if entries else None
    return (entries[0], read) if read is not None else None
