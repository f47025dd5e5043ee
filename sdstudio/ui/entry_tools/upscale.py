"""How pictures of the history are made larger: opens the dialog, and submits what it orders, a job for each picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from sdstudio.catalog.kinds import UPSCALER
from sdstudio.core.errors import ModelError
from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.store import Entry
from sdstudio.jobs.upscale_orders import Order
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.entry_tools.submitting import Submission, Submitting
from sdstudio.ui.shell import Services, Shell

if TYPE_CHECKING:
    from sdstudio.ui.entry_tools.upscale_dialog import UpscaleDialog


class UpscaleController(QObject):
    """Opens the dialog, and puts its orders into the queue.

    Args:
        services: The queue takes the jobs, the library has the upscalers.
        shell: What is around it; its model stands in for one that is gone, where nothing is drawn.
        pictures: Where input pictures are kept.
        actions: One of them makes pictures larger.
    """

    #: A line for the status bar.
    status_changed = Signal(str)

    def __init__(self, services: Services, shell: Shell, pictures: InputPictures, actions: EntryActions) -> None:
        super().__init__(shell.over)
        self._shell = shell
        self._pictures = pictures
        self._library = services.library
        self._tasks = services.tasks
        self._submitting = Submitting(services.controller, self._with_model, self)
        self._submitting.ended.connect(self._on_ended)
        self.dialog: UpscaleDialog | None = None
        actions.handle("upscale", self.open)

    def stop(self) -> None:
        """Submit nothing more: the window closes."""
        self._submitting.stop()

    def open(self, entries: Sequence[Entry]) -> None:
        """Ask how these pictures are to be made larger."""
        from sdstudio.ui.entry_tools.upscale_dialog import UpscaleDialog  # noqa: PLC0415 (not needed to show the window)

        if self.dialog is None:
            self.dialog = UpscaleDialog(self._pictures, self._tasks, self._shell.over)
            self.dialog.ordered.connect(self._submitting.submit)
            self.dialog.bar.text_changed.connect(self._shell.side_work_changed)
        self.dialog.open_with(entries, self._library.assets(UPSCALER))

    def _with_model(self, order: Order) -> GenerationRequest:
        """Return a request with its model as the library knows it; where nothing is drawn, any model will do."""
        key = self._shell.recall(order.entry).recipe.request.model
        if not order.request.strength and self._shell.model is not None:
            try:
                self._library.find(key)
            except ModelError:
                key = self._shell.model.key
        return order.request.model_copy(update={"model": key})

    def _on_ended(self, submission: Submission) -> None:
        count = len(submission.jobs)
        if count:
            text = "1 picture to upscale is in the queue" if count == 1 else f"{count:,} are in the queue"
            self.status_changed.emit(text)
        if self.dialog is not None:
            self.dialog.show_submitted(count, submission.failed)
