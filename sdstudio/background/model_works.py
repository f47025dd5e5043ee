"""Merges and conversions in the background lane, one after the other's wish, for a window that does not know torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject

from sdstudio.background.signals import TypedSignal
from sdstudio.background.tasks import Task, TaskContext, TaskRunner
from sdstudio.core.errors import Cancelled
from sdstudio.core.models.asset import Asset
from sdstudio.core.models.work import ConvertOrder, MergeOrder, ModelWorks, WorkReport
from sdstudio.jobs.model_orders import HashAsset, carried_out


class Workshop(QObject):
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
        """Begin an order; the task tells how far it is and how it ended, with a WorkReport or a StudioError."""
        given = tuple(inputs)

        def work(task: TaskContext) -> WorkReport:
            if task.cancelled_event.is_set():
                raise Cancelled
            works = self._make_works()
            return carried_out(works, order, given, self._hash_asset, task.tell, task.cancelled_event)

        # Failures are told where the order was given, and only there.
        title = f"{'Merging' if isinstance(order, MergeOrder) else 'Converting'} to {order.target.name}"
        return self._tasks.run(title, work, self.made.emit, lambda _error: None, asked_for=True)
