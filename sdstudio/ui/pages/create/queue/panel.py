"""The queue: what runs, what waits, and what has ended, until it is cleared; in the order in which it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidgetItem,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from sdstudio.background.controller import JobController
from sdstudio.background.signals import TypedSignal
from sdstudio.core.errors import StudioError
from sdstudio.core.events import EngineEvent
from sdstudio.jobs.queue import Group, Job, JobState, TakenOff, groups_of
from sdstudio.ui.pages.create.queue.menu import queue_menu
from sdstudio.ui.pages.create.queue.row import QueueRow
from sdstudio.ui.pages.create.queue.time_left import QueueTime
from sdstudio.ui.theme import GRID, mark, set_icon
from sdstudio.ui.undo import Change, Undos
from sdstudio.ui.widgets.card_list import CardList
from sdstudio.ui.widgets.empty_state import EmptyState
from sdstudio.ui.widgets.message_bar import MessageBar

_MOST_CARDS: Final = 40
"""A card takes 2 ms to build, and a thousand presses of Generate may wait."""
_ENDED_CARDS: Final = 8
"""Of these so many always have a card."""
_UNDO_SHOWN_S: Final = 10.0


class QueuePanel(QWidget):
    """Shows the controller's jobs by their groups and hands presses back to it."""

    #: The pictures of a group are to be shown; carries its id.
    show_wanted = Signal(int)
    #: A waiting group is to be put back into panel and prompts; carries the Group.
    edit_wanted = TypedSignal[Group]()

    def __init__(self, controller: JobController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._rows: dict[int, tuple[QListWidgetItem, QueueRow]] = {}
        self._waiting: list[Group] = []
        self._says_paused = False
        self._dragged = 0
        waiting = (job.id for job in controller.jobs() if job.is_waiting)
        self._last_time = frozenset(waiting if controller.paused else ())
        #: Where removals can be taken back; the window puts its own here.
        self.undos = Undos(self)
        self.time = QueueTime()
        self.bar = MessageBar("queueMessage", self)
        self.view = CardList("queueView", "Queue", self)
        self._line = QFrame(self.view.viewport())
        self._line.setObjectName("queueDropLine")
        self._line.setFixedHeight(2)
        self._line.hide()
        self._empty = EmptyState(
            "list-ordered", "Nothing is waiting", "Press Generate as often as you like; jobs run one by one.", self, 28
        )
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self.view)
        self._count = QLabel(self)
        self._count.setProperty("role", "caption")
        self._clear_finished = _tool("clearFinishedButton", "Clear finished", "check", self)
        self._clear_finished.setToolTip("Take what is done or cancelled off the list; the pictures stay")
        self._clear_finished.clicked.connect(lambda: self._try_to_remove(self._controller.clear_finished))
        self._pause = _tool("pauseButton", "Pause the queue", "pause", self)
        self._pause.clicked.connect(self.toggle_pause)
        self._clear = _tool("clearQueueButton", "Clear the queue", "trash-2", self)
        self._clear.setToolTip("Remove everything but the running job; the pictures stay")
        self._clear.clicked.connect(self.clear)
        self._lay_out()
        controller.queue_changed.connect(self.show_jobs)
        controller.paused_changed.connect(self._on_paused_changed)
        self.show_jobs(controller.jobs())

    def row(self, group_id: int) -> QueueRow | None:
        """Return a group's card."""
        item_and_row = self._rows.get(group_id)
        return item_and_row[1] if item_and_row else None

    def show_event(self, group_id: int, event: EngineEvent) -> None:
        """Show how the running job goes on; its pictures are counted as the group's."""
        row = self.row(group_id)
        if row is not None:
            row.show_event(event)
        if self.time.take(event):
            self._show_count()

    def show_jobs(self, jobs: Sequence[Job]) -> None:
        """Bring the cards up to date; unchanged ones stay as they are."""
        groups = groups_of(jobs)
        active = [group for group in groups if not group.ended]
        ended = sorted((group for group in groups if group.ended), key=lambda group: -group.jobs[0].id)
        self._waiting = [group for group in active if group.state is JobState.QUEUED]
        ended = ended[: max(_MOST_CARDS - len(active), _ENDED_CARDS)]
        shown = [*active[: _MOST_CARDS - len(ended)], *ended]
        wanted = {group.id for group in shown}
        for gone in [group_id for group_id in self._rows if group_id not in wanted]:
            self._take_card(gone)
        focused = next((group_id for group_id, (_item, row) in self._rows.items() if row.hasFocus()), None)
        for group in shown:
            item_and_row = self._rows.get(group.id)
            if item_and_row is not None and item_and_row[1].group.ended is not group.ended:
                self._take_card(group.id)  # it goes elsewhere; those around it stay, also one that is being dragged
        waiting_before = 0
        for at, group in enumerate(shown):
            self._place(group, at, waiting_before)
            waiting_before += group.state is JobState.QUEUED
        if focused is not None and focused in self._rows:
            self._rows[focused][1].setFocus(Qt.FocusReason.OtherFocusReason)
        self.view.fit()
        if self._dragged not in {group.id for group in self._waiting}:
            self._line.hide()  # its job began while it was dragged
        self._cards_waiting = waiting_before
        self.time.expect(active)
        self._show_count()
        self._clear.setEnabled(bool(ended) or bool(self._waiting))
        finished = (JobState.DONE, JobState.CANCELLED)
        self._clear_finished.setVisible(any(group.state in finished for group in ended))
        self._stack.setCurrentWidget(self.view if shown else self._empty)
        self._on_paused_changed(self._controller.paused)

    def clear(self) -> None:
        """Take out everything but the running job, what has no card too."""
        self._try_to_remove(self._controller.clear)

    def toggle_pause(self) -> None:
        """Pause the queue after the running job, or start it again."""
        if self._controller.paused:
            self._controller.resume()
        else:
            self._controller.pause()

    # one card

    def _place(self, group: Group, at: int, waiting_before: int) -> None:
        item_and_row = self._rows.get(group.id)
        # A card's widget cannot move: make it anew.
        if item_and_row is not None and self.view.row(item_and_row[0]) != at:
            self._take_card(group.id)
            item_and_row = None
        if item_and_row is None:
            row = QueueRow(group)
            self._connect_row(row)
            item_and_row = self._rows[group.id] = (self.view.insert_card(at, row), row)
        kept = next((job.id for job in group.jobs if self._controller.can_keep(job.id)), 0)
        item_and_row[1].update_group(group, waiting_before, kept)

    def _take_card(self, group_id: int) -> None:
        item, _row = self._rows.pop(group_id)
        self.view.takeItem(self.view.row(item))
        if group_id == self._dragged:
            self._line.hide()  # it is not let go any more

    def _connect_row(self, row: QueueRow) -> None:
        row.cancel_pressed.connect(self._cancel)
        row.retry_pressed.connect(lambda group_id: self._try(lambda: self._controller.retry(group_id)))
        row.keep_pressed.connect(lambda job_id: self._try(lambda: self._controller.keep(job_id)))
        row.remove_pressed.connect(self._take_off)
        row.show_pressed.connect(self.show_wanted)
        row.move_pressed.connect(self._move_by)
        row.menu_wanted.connect(self._open_menu)
        row.dragged.connect(self._on_dragged)
        # Once Qt has laid out what was unfolded: until then the card does not know its height.
        row.height_changed.connect(lambda: QTimer.singleShot(0, self.view, self.view.fit))

    def _open_menu(self, group_id: int, where: QPoint) -> None:
        row = self.row(group_id)
        if row is None:
            return
        does: dict[str, Callable[[Group], object]] = {
            "run_next": lambda group: self._move_to(group.id, 0),
            "up": lambda group: self._move_by(group.id, -1),
            "down": lambda group: self._move_by(group.id, 1),
            "retry": lambda group: self._try(lambda: self._controller.retry(group.id)),
            "show": lambda group: self.show_wanted.emit(group.id),
            "edit": self.edit_wanted.emit,
            "duplicate": lambda group: self._try(lambda: self._controller.duplicate(group.id)),
            "details": self._show_details,
            "cancel": lambda group: self._cancel(group.id),
            "remove": lambda group: self._take_off([job.id for job in group.jobs]),
        }
        queue_menu(row.group, does, self).popup(where)

    def _show_details(self, group: Group) -> None:
        from sdstudio.ui.pages.create.queue.job_details import JobDetails  # noqa: PLC0415 (rarely opened)

        JobDetails(group, self).open()

    def _cancel(self, group_id: int) -> None:
        row = self.row(group_id)
        if row is not None and row.group.state is JobState.RUNNING:
            row.show_cancelling()
        self._try(lambda: self._controller.cancel_group(group_id))

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except StudioError as error:
            self.bar.say(str(error), "error")
            self._says_paused = False

    def _take_off(self, job_ids: Sequence[int]) -> None:
        self._try_to_remove(lambda: self._controller.take_off(job_ids))

    def _try_to_remove(self, remove: Callable[[], Sequence[TakenOff]]) -> None:
        self._try(lambda: self._say_removed(remove()))

    def _say_removed(self, taken: Sequence[TakenOff]) -> None:
        if not taken:
            return
        text = "1 job removed from the queue" if len(taken) == 1 else f"{len(taken)} jobs removed from the queue"
        change = Change(text, lambda: self._controller.put_back(taken))
        self.undos.push(change)
        self._says_paused = False
        self.bar.say(f"{text}.", "info", [("Undo", lambda: self.undos.undo(change))], dismiss_after_s=_UNDO_SHOWN_S)

    # order

    def _move_by(self, group_id: int, by: int) -> None:
        at = next((at for at, group in enumerate(self._waiting) if group.id == group_id), None)
        if at is not None:
            self._move_to(group_id, at + by)

    def _move_to(self, group_id: int, at: int) -> None:
        """Let a waiting group stand at a place among those that wait."""
        before = [group.id for group in self._waiting]
        if group_id not in before or not 0 <= at < len(before):
            return
        order = [one for one in before if one != group_id]
        order.insert(at, group_id)
        if order != before:
            jobs = {group.id: [job.id for job in group.jobs if job.is_waiting] for group in self._waiting}
            old, new = ([job_id for one in each for job_id in jobs[one]] for each in (before, order))
            self._try(lambda: self._arrange(old, new))

    def _arrange(self, old: Sequence[int], new: Sequence[int]) -> None:
        self._controller.arrange(new)
        self.undos.push(Change("Order of the queue changed", lambda: self._controller.arrange(old)))

    def _on_dragged(self, group_id: int, where: QPoint, let_go: bool) -> None:
        inside = self.view.viewport().mapFromGlobal(where)
        cards = [(group.id, self._rows[group.id][0]) for group in self._waiting if group.id in self._rows]
        waits = any(one == group_id for one, _item in cards)
        self._line.setVisible(waits and not let_go)
        self._dragged = 0 if let_go else group_id
        if not waits:
            return  # it began meanwhile
        rects = [self.view.visualItemRect(item) for _id, item in cards]
        above = sum(inside.y() > rect.center().y() for rect in rects)
        if let_go:
            own = next(at for at, (one, _item) in enumerate(cards) if one == group_id)
            self._move_to(group_id, above - (own < above))
            return
        y = rects[above].top() if above < len(rects) else rects[-1].bottom() - GRID // 2
        self._line.setGeometry(GRID // 2, max(y - 2, 0), self.view.viewport().width() - GRID, 2)
        self._line.raise_()
        self.view.scrollToItem(cards[min(above, len(cards) - 1)][1])

    # the whole

    def _show_count(self) -> None:
        waiting = len(self._waiting)
        parts = [f"{waiting} waiting"] if waiting else []
        if self._cards_waiting < waiting:
            parts.append(f"the next {self._cards_waiting} shown")
        left = self.time.words()
        if left:
            parts.append(left)
        self._count.setText(" · ".join(parts))

    def _on_paused_changed(self, paused: bool) -> None:
        set_icon(self._pause, "play" if paused else "pause")
        name = "Start the queue" if paused else "Pause the queue"
        self._pause.setToolTip(name if paused else f"{name} after the running job")
        self._pause.setAccessibleName(name)
        if paused and self._waiting:
            count = len(self._waiting)
            jobs = "1 job is waiting" if count == 1 else f"{count} jobs are waiting"
            is_old = all(job.id in self._last_time for group in self._waiting for job in group.jobs)
            text = f"{jobs} from last time." if is_old else f"Paused: {jobs}."
            self.bar.say(text, "info", [("Start", self._controller.resume), ("Clear", self.clear)])
            self._says_paused = True
        elif self._says_paused:
            self.bar.dismiss()
            self._says_paused = False

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setContentsMargins(GRID + GRID // 2, 0, GRID, 0)
        top.addWidget(self._count, 1)
        for button in (self._clear_finished, self._pause, self._clear):
            top.addWidget(button)
        middle = QVBoxLayout()
        middle.setContentsMargins(GRID + GRID // 2, 0, GRID + GRID // 2, 0)
        middle.addWidget(self.bar)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, GRID // 2)
        column.setSpacing(GRID // 2)
        column.addLayout(top)
        column.addLayout(middle)
        cards = QVBoxLayout()
        cards.setContentsMargins(GRID + GRID // 2, 0, GRID, 0)
        cards.addWidget(self._stack)
        column.addLayout(cards, 1)


def _tool(name: str, title: str, icon_name: str, parent: QWidget) -> QToolButton:
    button = QToolButton(parent)
    button.setObjectName(name)
    button.setAccessibleName(title)
    button.setToolTip(title)
    mark(button, "ghost", True)
    set_icon(button, icon_name)
    return button
