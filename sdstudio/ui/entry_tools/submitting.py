"""Requests made from pictures of the history go into the queue one by one, so that many do not hold up the window."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from PySide6.QtCore import QObject, QTimer

from sdstudio.background.controller import JobController
from sdstudio.background.signals import TypedSignal
from sdstudio.core.errors import StudioError
from sdstudio.core.request.request import GenerationRequest, RunOptions
from sdstudio.history.store import Entry
from sdstudio.jobs.upscale_orders import Order, Orders


@dataclass(slots=True)
class Submission:
    """Orders on their way into the queue.

    Attributes:
        waiting: Those that are not there yet.
        failed: Those that cannot be, and why.
        jobs: Ids of the jobs they became.
    """

    waiting: deque[Order]
    failed: list[tuple[Entry, StudioError]]
    jobs: list[int] = field(default_factory=list)


def what_failed(count: int, failed: Sequence[tuple[Entry, StudioError]]) -> str:
    """Return the words for orders of which some were left out: how many are in the queue, and why the first is not."""
    entry, error = failed[0]
    others = f" So did {len(failed) - 1} more." if len(failed) > 1 else ""
    begun = f"{count} in the queue. " if count else ""
    return f"{begun}Picture {entry.id} was left out: {error.message} {error.hint}".strip() + others


class Submitting(QObject):
    """Puts orders into a queue.

    Args:
        controller: The queue's.
        request_of: Returns what is asked for by an order. May raise StudioError.
        parent: As Qt has it.
    """

    #: All orders were seen to.
    ended = TypedSignal[Submission]()

    def __init__(
        self, controller: JobController, request_of: Callable[[Order], GenerationRequest], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._controller = controller
        self._request_of = request_of
        self._under_way: Submission | None = None
        self._stopped = False

    def stop(self) -> None:
        """Submit nothing more: the window closes."""
        self._stopped = True

    def submit(self, orders: Orders) -> None:
        """Put these into the queue."""
        self._under_way = Submission(deque(orders.orders), list(orders.failed))
        self._submit_next()

    def _submit_next(self) -> None:
        submission = self._under_way
        if submission is None or self._stopped:
            return
        if not submission.waiting:
            self._under_way = None
            self.ended.emit(submission)
            return
        order = submission.waiting.popleft()
        try:
            request = self._request_of(order)
            submission.jobs.append(self._controller.submit(request, RunOptions(), order.entry.id).id)
        except StudioError as error:
            submission.failed.append((order.entry, error))
        QTimer.singleShot(0, self, self._submit_next)
