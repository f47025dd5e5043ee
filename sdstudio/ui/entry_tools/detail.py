"""How regions of pictures of the history are redrawn: opens the dialog, and submits what it orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from sdstudio.catalog.kinds import DETECTOR
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.history.store import Entry
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.entry_tools.submitting import Submission, Submitting
from sdstudio.ui.shell import Services, Shell

if TYPE_CHECKING:
    from sdstudio.ui.entry_tools.detail_dialog import DetailDialog


class DetailController(QObject):
    """Opens the dialog, and puts its orders into the queue.

    Args:
        services: The queue takes the jobs, the library has the detectors.
        shell: What is around it.
        pictures: Where input pictures are kept.
        actions: One of them redraws regions.
    """

    #: A line for the status bar.
    status_changed = Signal(str)
    #: A detector is to be got.
    download_wanted = Signal()

    def __init__(self, services: Services, shell: Shell, pictures: InputPictures, actions: EntryActions) -> None:
        super().__init__(shell.over)
        self._shell = shell
        self._pictures = pictures
        self._library = services.library
        self._tasks = services.tasks
        self._submitting = Submitting(services.controller, lambda order: order.request, self)
        self._submitting.ended.connect(self._on_ended)
        self.dialog: DetailDialog | None = None
        shell.models_read.connect(self._on_models_read)
        actions.handle("detail", self.open)

    def stop(self) -> None:
        """Submit nothing more: the window closes."""
        self._submitting.stop()

    def open(self, entries: Sequence[Entry]) -> None:
        """Ask which regions of these pictures are to be redrawn."""
        from sdstudio.ui.entry_tools.detail_dialog import DetailDialog  # noqa: PLC0415 (not needed to show the window)

        if self.dialog is None:
            self.dialog = DetailDialog(self._pictures, self._tasks, self._model_of, self._shell.over)
            self.dialog.ordered.connect(self._submitting.submit)
            self.dialog.download_wanted.connect(self.download_wanted)
            self.dialog.bar.text_changed.connect(self._shell.side_work_changed)
        self.dialog.open_with(entries, self._library.assets(DETECTOR))

    def _model_of(self, entry: Entry) -> ModelInfo:
        """Return the model that drew a picture. Raises: ModelError."""
        return self._library.find(self._shell.recall(entry).recipe.request.model)

    def _on_models_read(self, _models: object) -> None:
        if self.dialog is not None:
            self.dialog.show_detectors(self._library.assets(DETECTOR))

    def _on_ended(self, submission: Submission) -> None:
        count = len(submission.jobs)
        if count:
            text = "1 picture with regions to redraw is in the queue" if count == 1 else f"{count:,} are in the queue"
            self.status_changed.emit(text)
        if self.dialog is not None:
            self.dialog.show_submitted(count, submission.failed)
