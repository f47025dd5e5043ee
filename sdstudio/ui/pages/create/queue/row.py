"""What one press of Generate put into the queue, as a card: what it draws, how far it is, what can be done about it."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QFocusEvent, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QApplication, QFrame, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from sdstudio.background.signals import TypedSignal
from sdstudio.core.events import EngineEvent
from sdstudio.core.readable import readable_duration
from sdstudio.jobs.progress import progress_of
from sdstudio.jobs.queue import Group, Job, JobState
from sdstudio.ui.pages.create.queue.job_words import in_history, pictures, stopped_where, title_of
from sdstudio.ui.pages.create.queue.members import QueueMembers
from sdstudio.ui.pages.create.queue.ways import QueueWays
from sdstudio.ui.theme import GRID, current_theme, mark, pixmap, set_icon
from sdstudio.ui.widgets.elided_label import ElidedLabel
from sdstudio.ui.widgets.progress_line import ProgressLine
from sdstudio.ui.widgets.window_words import in_window

_ICONS: Final[dict[JobState, tuple[str, str]]] = {  # icon, field of `Tokens`
    JobState.RUNNING: ("play", "accent_text"),
    JobState.QUEUED: ("clock", "muted"),
    JobState.DONE: ("circle-check", "muted"),
    JobState.FAILED: ("circle-alert", "danger"),
    JobState.CANCELLED: ("x", "muted"),
    JobState.INTERRUPTED: ("triangle-alert", "warning"),
}
_ROLES: Final = {JobState.FAILED: "error", JobState.INTERRUPTED: "warning", JobState.CANCELLED: "muted"}
"""States that have words of their own and can be run again, and how the words look."""
_MEMBERS_AT: Final = 3
"""Below the detail, above the message."""


class QueueRow(QFrame):
    """A card that is updated in place, so that nothing flickers and the focus stays. It can be dragged."""

    #: Stop what runs of the group; carries its id.
    cancel_pressed = Signal(int)
    #: Run what is missing of the group again; carries its id.
    retry_pressed = Signal(int)
    #: Keep what a cancelled job was drawing; carries the job's id.
    keep_pressed = Signal(int)
    #: Take jobs off the list; carries their ids.
    remove_pressed = TypedSignal[list[int]]()
    #: Show the pictures of the group; carries its id.
    show_pressed = Signal(int)
    #: Move a waiting group up (-1) or down (1); carries its id and the direction.
    move_pressed = Signal(int, int)
    #: A menu is wanted here; carries the group's id and where on the screen.
    menu_wanted = Signal(int, QPoint)
    #: It is being dragged, or (True) was let go; carries its id, where on the screen, whether it was let go.
    dragged = Signal(int, QPoint, bool)
    #: It needs another height.
    height_changed = Signal()

    def __init__(self, group: Group, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("card", True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._group = group
        self._kept_job = 0
        self._shown: tuple[Group, int, int] | None = None
        self._pressed: QPoint | None = None
        self._dragging = False
        self._icon = QLabel(self)
        self._icon.setFixedSize(16, 16)
        self._title = ElidedLabel(self)
        self._place = QLabel(self)
        self._place.setProperty("role", "caption")
        self._detail = QLabel(self)
        self._detail.setProperty("role", "caption")
        self._doing = QLabel(self)
        self._doing.setProperty("role", "caption")
        self._bar = ProgressLine(self)
        self._bar.setAccessibleName("Progress of this job")
        self._message = QLabel(self)
        self._message.setWordWrap(True)
        self._message.setTextFormat(Qt.TextFormat.PlainText)
        self._close = QToolButton(self)
        mark(self._close, "ghost", True)
        set_icon(self._close, "x", "muted", 14)
        self._close.clicked.connect(self._on_close_pressed)
        self._ways: QueueWays | None = None
        self._members: QueueMembers | None = None
        self._lay_out()
        theme = current_theme()
        if theme is not None:
            theme.changed.connect(self._draw_icon)
        self.update_group(group, 0, 0)

    @property
    def group(self) -> Group:
        """What it shows, as it was last set."""
        return self._group

    @property
    def job(self) -> Job:
        """The job of the group that matters most: the one that runs, waits first, or went wrong."""
        return next(job for job in self._group.jobs if job.state is self._group.state)

    def update_group(self, group: Group, place: int, kept_job: int) -> None:
        """Show how the group stands.

        Args:
            group: As it is now.
            place: How many wait before it.
            kept_job: The job of it whose last step can be kept, 0 for none.
        """
        if self._shown == (group, place, kept_job):
            return
        came = self._shown is None or group.state is not self._group.state
        self._shown = (group, place, kept_job)
        self._group, self._kept_job = group, kept_job
        state, title = group.state, title_of(group)
        self._title.say(title)
        self.setAccessibleName(f"Job {title[:80]}, {state.name.lower()}")
        running = state is JobState.RUNNING
        self._bar.setVisible(running)
        self._doing.setVisible(running)
        self._place.setText("next" if place == 0 else f"#{place + 1}")
        self._place.setVisible(state is JobState.QUEUED)
        self._detail.setText(_detail(group))
        self._detail.setVisible(bool(self._detail.text()))
        if not running or came:
            self._bar.set_fraction(0.0)
            self._doing.clear()
            self._close.setEnabled(True)
        self._show_words()
        if len(group.jobs) > 1 and self._members is None:
            self._members = QueueMembers(self)
            self._members.remove_pressed.connect(lambda job_id: self.remove_pressed.emit([job_id]))
            self._members.folded.connect(self.height_changed)
            self._column.insertWidget(_MEMBERS_AT, self._members)
        if self._members is not None:
            self._members.setVisible(len(group.jobs) > 1)
            self._members.show_group(group)
        self._close.setToolTip("Cancel" if running else "Remove from the queue")
        self._close.setAccessibleName("Cancel this job" if running else "Remove this job")
        self.setCursor(Qt.CursorShape.PointingHandCursor if group.made else Qt.CursorShape.ArrowCursor)
        self._draw_icon()

    def show_event(self, event: EngineEvent) -> None:
        """Show how the running job goes on; its pictures are counted as the group's."""
        progress = progress_of(event)
        if progress is None or not progress.card:
            return
        self._doing.setText(progress.card)
        if progress.fraction >= 0:
            self._bar.set_fraction(progress.fraction)

    def show_cancelling(self) -> None:
        """Show that it is being cancelled."""
        self._doing.setText("cancelling…")
        self._close.setEnabled(False)

    # mouse and keyboard

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Alt with up and down moves it, Delete takes it off, Enter shows its pictures, the menu key its menu."""
        alt = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
        match event.key():
            case Qt.Key.Key_Up if alt:
                self.move_pressed.emit(self._group.id, -1)
            case Qt.Key.Key_Down if alt:
                self.move_pressed.emit(self._group.id, 1)
            case Qt.Key.Key_Up:
                self.focusPreviousChild()
            case Qt.Key.Key_Down:
                self.focusNextChild()
            case Qt.Key.Key_Delete:
                self._close.click()
            case Qt.Key.Key_Return | Qt.Key.Key_Enter if self._group.made and self.hasFocus():
                self.show_pressed.emit(self._group.id)
            case Qt.Key.Key_Menu:
                self._ask_menu(self.rect().center())
            case _:
                super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:  # noqa: N802
        """Ask for the menu."""
        self._ask_menu(event.pos())

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        """Show the focus."""
        mark(self, "focused", True)
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802
        """Show that it is gone."""
        mark(self, "focused", False)
        super().focusOutEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Begin a click or a drag."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed = event.globalPosition().toPoint()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Drag it, where it waits."""
        if self._pressed is None or self._group.state is not JobState.QUEUED:
            return
        where = event.globalPosition().toPoint()
        if self._dragging or (where - self._pressed).manhattanLength() >= QApplication.startDragDistance():
            self._dragging = True
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
            self.dragged.emit(self._group.id, where, False)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Let it go, or show its pictures."""
        was_pressed, was_dragging = self._pressed is not None, self._dragging
        self._pressed, self._dragging = None, False
        if was_dragging:
            self.setCursor(Qt.CursorShape.ArrowCursor)
            self.dragged.emit(self._group.id, event.globalPosition().toPoint(), True)
        elif was_pressed and self._group.made and self.rect().contains(event.position().toPoint()):
            self.show_pressed.emit(self._group.id)

    # what is shown

    def _ask_menu(self, where: QPoint) -> None:
        self.setFocus(Qt.FocusReason.PopupFocusReason)
        self.menu_wanted.emit(self._group.id, self.mapToGlobal(where))

    def _show_words(self) -> None:
        group, state = self._group, self._group.state
        can_run = state in _ROLES
        self._message.setVisible(can_run)
        if self._ways is not None:
            self._ways.setVisible(can_run)
        if not can_run:
            return
        if state is JobState.CANCELLED:
            kept = in_history(group)
            text = f"Cancelled {stopped_where(group)}." + (f" {kept}." if kept else "")
        else:
            text = in_window(f"{self.job.message} {self.job.hint}")
        mark(self._message, "role", _ROLES[state])
        self._message.setText(text.strip())
        if self._ways is None:
            self._ways = QueueWays(self)
            self._ways.retry_pressed.connect(lambda: self.retry_pressed.emit(self._group.id))
            self._ways.keep_pressed.connect(lambda: self.keep_pressed.emit(self._kept_job))
            self._ways.copy_pressed.connect(lambda: QApplication.clipboard().setText(report(self.job)))
            self._column.addWidget(self._ways)
        self._ways.offer(state, state is JobState.CANCELLED and bool(self._kept_job))

    def _on_close_pressed(self) -> None:
        if self._group.state is JobState.RUNNING:
            self.cancel_pressed.emit(self._group.id)
        else:
            self.remove_pressed.emit([job.id for job in self._group.jobs])

    def _draw_icon(self) -> None:
        name, color = _ICONS[self._group.state]
        self._icon.setPixmap(pixmap(name, color, 16, self.devicePixelRatioF()))

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(GRID)
        top.addWidget(self._icon)
        top.addWidget(self._title, 1)
        top.addWidget(self._place)
        top.addWidget(self._close)
        column = self._column = QVBoxLayout(self)
        column.setContentsMargins(GRID + GRID // 2, GRID // 2, GRID // 2, GRID // 2)
        column.setSpacing(GRID // 2)
        below = QHBoxLayout()  # not beside the title, of which a narrow dock would leave three dots
        below.setSpacing(GRID)
        below.addWidget(self._bar, 1)
        below.addWidget(self._doing)
        column.addLayout(top)
        column.addLayout(below)
        column.addWidget(self._detail)
        column.addWidget(self._message)


def report(job: Job) -> str:
    """Return what to send along when asking for help about a failed job."""
    pictures_made = f"{job.made} of {job.count} made"
    return f"{job.message}\n{job.hint}\n\nJob {job.id}, {pictures_made}\n{job.request.model_dump_json(indent=2)}\n"


def _detail(group: Group) -> str:
    if group.state is JobState.DONE:
        return f"done · {pictures(group.made)} · {readable_duration(group.duration_s)}"
    return pictures(group.count) if group.state is JobState.QUEUED and group.count > 1 else ""
