"""What pictures of the history are asked about their making: can it be repeated, and how do they lie as a grid?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from sdstudio.background.signals import TypedSignal
from sdstudio.core.errors import HistoryError, StudioError
from sdstudio.core.request.request import RunOptions
from sdstudio.history.store import Entry
from sdstudio.jobs.progress import Progress, progress_of
from sdstudio.jobs.runner import JobEvent
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.shell import Services, Shell
from sdstudio.ui.widgets.bring_forward import bring_forward

if TYPE_CHECKING:
    from sdstudio.history.xy_grid import Cell
    from sdstudio.ui.entry_tools.grid_window import GridWindow
    from sdstudio.ui.entry_tools.verify_window import VerifyWindow


class VerifyAndGrid(QObject):
    """Opens the windows that answer, each built when it is first asked for.

    Args:
        services: The queue makes what a grid lacks.
        shell: What is around it.
        actions: Two of them are done here.
    """

    #: A picture is to be shown: its Entry.
    entry_wanted = TypedSignal[Entry]()
    #: How far verifying is: a `Progress`, for the status line.
    progressed = TypedSignal[Progress]()
    #: What the window's title should show of it; "" when it ended.
    title_changed = Signal(str)
    #: Verifying ended; the text of the status line.
    rested = Signal(str)

    def __init__(self, services: Services, shell: Shell, actions: EntryActions) -> None:
        super().__init__(shell.over)
        self._shell = shell
        self._controller = services.controller
        self._tasks = services.tasks
        self._verify: VerifyWindow | None = None
        self._grid: GridWindow | None = None
        actions.handle("verify", self.verify)
        actions.handle("grid", self.lay_out)

    def verify(self, entries: Sequence[Entry]) -> VerifyWindow:
        """Make pictures again and show whether they are the same."""
        if self._verify is None:
            from sdstudio.background.verifying import Verifier  # noqa: PLC0415 (not needed to show the window)
            from sdstudio.ui.entry_tools.verify_window import VerifyWindow  # noqa: PLC0415 (as above)

            verifier = Verifier(self._controller.worker, self)
            verifier.progressed.connect(self._on_progressed)
            verifier.finished.connect(self._on_verified)
            self._verify = VerifyWindow(verifier, self._shell.over)
        self._verify.verify([self._shell.recall(entry) for entry in entries])
        bring_forward(self._verify)
        return self._verify

    def lay_out(self, entries: Sequence[Entry]) -> GridWindow:
        """Lay pictures out by two parameters."""
        if self._grid is None:
            from sdstudio.ui.entry_tools.grid_window import GridWindow  # noqa: PLC0415 (as above)

            self._grid = GridWindow(self._tasks, self._shell.over)
            self._grid.make_wanted.connect(self._on_make_wanted)
            self._grid.entry_wanted.connect(self.entry_wanted)
            self._controller.worker.picture_saved.connect(self._grid.add_entry)
        self._grid.show_entries(entries)
        bring_forward(self._grid)
        return self._grid

    def _on_progressed(self, event: JobEvent) -> None:
        progress = progress_of(event.event)
        if progress is not None:
            self.progressed.emit(replace(progress, text=f"verifying · {progress.text}"))
            self.title_changed.emit(f"verifying {progress.short}")

    def _on_verified(self) -> None:
        self.title_changed.emit("")
        summary = self._verify.summary if self._verify is not None else ""
        self.rested.emit(f"Verified: {summary}" if summary else "Verifying cancelled")

    def _on_make_wanted(self, cells: Sequence[Cell]) -> None:
        assert self._grid is not None
        queued: list[Cell] = []
        refused: list[tuple[Cell, StudioError]] = []
        for cell in cells:
            try:
                self._controller.submit(cell.request, RunOptions(), cell.like.id)
                queued.append(cell)
            except HistoryError as error:  # the queue cannot be written: no other cell would do better
                refused.append((cell, error))
                break
            except StudioError as error:  # this cell's values do not go together
                refused.append((cell, error))
        self._grid.answered(queued, refused)
