"""Merges and conversions in the background, for a window that does not import torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject

from sdstudio.background.signals import TypedSignal
from sdstudio.background.tasks import Task, TaskContext, TaskRunner
from sdstudio.core.errors import Cancelled
from sdstudio.core.models.asset import Asset
from sdstudio.core.models.work import ConvertOrder, MergeOrder, ModelWorks, WorkReport
from sdstudio.jobs.model_orders import HashAsset, carried_out


class ModelWorkRunner(QObject):
    """Carries orders out.

    Args:
        tasks: Where the work runs.
        hash_asset: See `HashAsset`.
        make_works: Called on the work's thread, where it imports torch.
        parent: As Qt has it.
    """

    #: A new model is on disk: the WorkReport.
    made = TypedSignal[WorkReport]()

    def __init__(
        self,
        tasks: TaskRunner,
        hash_asset: HashAsset,
        make_works: Callable[[], ModelWorks],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._tasks = tasks
        self._hash_asset = hash_asset
        self._make_works = make_works

    def begin(self, order: MergeOrder | ConvertOrder, inputs: Sequence[Asset]) -> Task[WorkReport]:
        """Begin an order; the task emits its progress, then a WorkReport or a StudioError."""
        given = tuple(inputs)

        def work(task: TaskContext) -> WorkReport:
            if task.cancelled_event.is_set():
                raise Cancelled
            works = self._make_works()
            return carried_out(works, order, given, self._hash_asset, task.report, task.cancelled_event)

        # The dialog that gave the order shows failures, and nothing else does.
        title = f"{'Merging' if isinstance(order, MergeOrder) else 'Converting'} to {order.target.name}"
        return self._tasks.run(title, work, self.made.emit, lambda _error: None, asked_for=True)
