"""How pictures of the history are made larger: opens the dialog, and submits what it orders, a job for each picture."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from sdstudio.catalog.kinds import UPSCALER
from sdstudio.core.errors import ModelError, StudioError
from sdstudio.core.pictures.input_store import InputPictures
from sdstudio.core.request.request import GenerationRequest, RunOptions
from sdstudio.history.store import Entry
from sdstudio.jobs.upscale_orders import Order, Orders
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.shell import Services, Shell

if TYPE_CHECKING:
    from sdstudio.ui.entry_tools.upscale_dialog import UpscaleDialog


@dataclass(slots=True)
class _Submission:
    waiting: deque[Order]
    failed: list[tuple[Entry, StudioError]]
    jobs: list[int] = field(default_factory=list)


class UpscaleController(QObject):
    """Opens the dialog, and puts its orders into the queue one by one, so that many of them do not hold up the window.

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
        self._controller = services.controller
        self._library = services.library
        self._tasks = services.tasks
        self._under_way: _Submission | None = None
        self._stopped = False
        self.dialog: UpscaleDialog | None = None
        actions.handle("upscale", self.open)

    def stop(self) -> None:
        """Submit nothing more: the window closes."""
        self._stopped = True

    def open(self, entries: Sequence[Entry]) -> None:
        """Ask how these pictures are to be made larger."""
        from sdstudio.ui.entry_tools.upscale_dialog import UpscaleDialog  # noqa: PLC0415 (not needed to show the window)

        if self.dialog is None:
            self.dialog = UpscaleDialog(self._pictures, self._tasks, self._shell.over)
            self.dialog.ordered.connect(self._on_ordered)
            self.dialog.bar.text_changed.connect(self._shell.side_work_changed)
        self.dialog.open_with(entries, self._library.assets(UPSCALER))

    def _on_ordered(self, orders: Orders) -> None:
        self._under_way = _Submission(deque(orders.orders), list(orders.failed))
        self._submit_next()

    def _submit_next(self) -> None:
        submission = self._under_way
        if submission is None or self._stopped:
            return
        if not submission.waiting:
            self._end(submission)
            return
        order = submission.waiting.popleft()
        try:
            request = self._with_model(order)
            submission.jobs.append(self._controller.submit(request, RunOptions(), order.entry.id).id)
        except StudioError as error:
            submission.failed.append((order.entry, error))
        QTimer.singleShot(0, self, self._submit_next)

    def _with_model(self, order: Order) -> GenerationRequest:
        """Return a request with its model as the library knows it; where nothing is drawn, any model will do."""
        key = self._shell.recall(order.entry).recipe.request.model
        if not order.request.strength and self._shell.model is not None:
            try:
                self._library.find(key)
            except ModelError:
                key = self._shell.model.key
        return order.request.model_copy(update={"model": key})

    def _end(self, submission: _Submission) -> None:
        self._under_way = None
        count = len(submission.jobs)
        if count:
            text = "1 picture to upscale is in the queue" if count == 1 else f"{count:,} are in the queue"
            self.status_changed.emit(text)
        if self.dialog is not None:
            self.dialog.show_submitted(count, submission.failed)
