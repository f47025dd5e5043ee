"""One job in the queue as a card: what it draws, how far it is, what went wrong, and what can be done about it."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from sdstudio.core.events import Decoding, EngineEvent, Enlarging, ModelLoading, StepDone
from sdstudio.jobs.queue import Job, JobState
from sdstudio.ui.theme import GRID, current_theme, mark, pixmap, set_icon, tokens
from sdstudio.ui.window_words import in_window

_ICONS: dict[JobState, tuple[str, str]] = {  # icon, field of `Tokens`
    JobState.RUNNING: ("play", "accent_text"),
    JobState.QUEUED: ("clock", "muted"),
    JobState.FAILED: ("circle-alert", "danger"),
    JobState.INTERRUPTED: ("triangle-alert", "warning"),
}


class QueueRow(QFrame):
    """A card that is updated in place, so that nothing flickers and the focus stays."""

    #: Stop the running job, or take a waiting one out; carries its id.
    cancel_pressed = Signal(int)
    #: Run a failed or interrupted job again; carries its id.
    retry_pressed = Signal(int)
    #: Take a failed or interrupted job out of the list; carries its id.
    remove_pressed = Signal(int)

    def __init__(self, job: Job, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("card", True)
        self._job = job
        self._icon = QLabel(self)
        self._icon.setFixedSize(16, 16)
        self._title = _ElidedLabel(self)
        self._detail = QLabel(self)
        self._detail.setProperty("role", "caption")
        self._doing = QLabel(self)
        self._doing.setProperty("role", "caption")
        self._bar = ProgressLine(self)
        self._bar.setAccessibleName("Progress of this job")
        self._message = QLabel(self)
        self._message.setWordWrap(True)
        self._message.setTextFormat(Qt.TextFormat.PlainText)
        self._message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._close = QToolButton(self)
        mark(self._close, "ghost", True)
        set_icon(self._close, "x", "muted", 14)
        self._close.clicked.connect(self._on_close_pressed)
        self._retry = QPushButton("Retry", self)
        self._retry.clicked.connect(lambda: self.retry_pressed.emit(self._job.id))
        self._copy = QPushButton("Copy report", self)
        self._copy.setAccessibleName("Copy report")
        self._copy.setToolTip("Copy what happened, for a bug report or a friend")
        self._copy.clicked.connect(lambda: QApplication.clipboard().setText(report(self._job)))
        self._lay_out()
        theme = current_theme()
        if theme is not None:
            theme.changed.connect(self._draw_icon)
        self.update_job(job, 0)

    @property
    def job(self) -> Job:
        """The job as it was last told."""
        return self._job

    def update_job(self, job: Job, place: int) -> None:
        """Show the job's state; ``place`` is how many wait before it."""
        came = job.state is not self._job.state
        self._job = job
        prompt = job.request.prompt.strip().replace("\n", " ") or "No prompt"
        self._title.set_text(prompt)
        self.setAccessibleName(f"Job {prompt[:80]}, {job.state.name.lower()}")
        running, broken = job.state is JobState.RUNNING, job.state in (JobState.FAILED, JobState.INTERRUPTED)
        self._bar.setVisible(running)
        self._doing.setVisible(running)
        self._detail.setVisible(not running)
        if not running or came:
            self._bar.set_fraction(0.0)
            self._doing.clear()
            self._detail.setText(_detail(job, place))
        self._message.setVisible(broken)
        self._retry.setVisible(broken)
        self._copy.setVisible(job.state is JobState.FAILED)
        if broken:
            failed = job.state is JobState.FAILED
            mark(self._message, "role", "error" if failed else "warning")
            self._message.setText(in_window(f"{job.message} {job.hint}".strip()))
            self._retry.setText("Retry" if failed else "Run again")
            self._retry.setAccessibleName(self._retry.text())
        self._close.setToolTip("Cancel" if running else "Remove from the queue")
        self._close.setAccessibleName("Cancel this job" if running else "Remove this job")
        self._draw_icon()

    def show_event(self, event: EngineEvent) -> None:
        """Show how the running job goes on."""
        count = len(self._job.seeds)
        match event:
            case ModelLoading(fraction=fraction):
                self._doing.setText(f"loading {fraction:.0%}" if fraction < 1 else "starting")
                self._bar.set_fraction(fraction if fraction < 1 else 0.0)
            case Enlarging(tile=tile, total=total):
                self._doing.setText(f"enlarging {tile / total:.0%}")
                self._bar.set_fraction(tile / total)
            case StepDone(step=step, total=total, image=image, count=batch):
                self._doing.setText(f"{step} / {total}" + (f" · {image + 1} of {count}" if count > 1 else ""))
                self._bar.set_fraction((image + batch * step / total) / count)
            case Decoding():
                self._doing.setText("decoding")
            case _:
                pass

    def show_cancelling(self) -> None:
        """Say that the wish to stop was heard."""
        self._doing.setText("cancelling…")
        self._close.setEnabled(False)

    def _on_close_pressed(self) -> None:
        if self._job.state in (JobState.RUNNING, JobState.QUEUED):
            self.cancel_pressed.emit(self._job.id)
        else:
            self.remove_pressed.emit(self._job.id)

    def _draw_icon(self) -> None:
        name, color = _ICONS.get(self._job.state, ("circle-check", "muted"))
        self._icon.setPixmap(pixmap(name, color, 16, self.devicePixelRatioF()))

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(GRID)
        top.addWidget(self._icon)
        top.addWidget(self._title, 1)
        top.addWidget(self._detail)
        top.addWidget(self._close)
        buttons = QHBoxLayout()
        buttons.setSpacing(GRID)
        buttons.addWidget(self._retry)
        buttons.addWidget(self._copy)
        buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID + GRID // 2, GRID // 2, GRID // 2, GRID // 2)
        column.setSpacing(GRID // 2)
        below = QHBoxLayout()  # not beside the title, of which a narrow dock would leave three dots
        below.setSpacing(GRID)
        below.addWidget(self._bar, 1)
        below.addWidget(self._doing)
        column.addLayout(top)
        column.addLayout(below)
        column.addWidget(self._message)
        column.addLayout(buttons)


class ProgressLine(QWidget):
    """A thin line that fills."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._fraction = 0.0
        self.setFixedHeight(GRID)

    @property
    def fraction(self) -> float:
        """How much of it is filled, 0..1."""
        return self._fraction

    def set_fraction(self, fraction: float) -> None:
        """Fill it so far."""
        if fraction != self._fraction:
            self._fraction = min(max(fraction, 0.0), 1.0)
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        whole = QRectF(0, 1, self.width() - GRID, 3)
        painter.setBrush(QColor(tokens().control))
        painter.drawRoundedRect(whole, 1.5, 1.5)
        painter.setBrush(QColor(tokens().accent))
        painter.drawRoundedRect(QRectF(whole.left(), whole.top(), whole.width() * self._fraction, 3), 1.5, 1.5)
        painter.end()


class _ElidedLabel(QLabel):
    """One line that ends in dots when it does not fit."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def set_text(self, text: str) -> None:
        """Show a text; the tooltip has all of it."""
        self.setText(text)
        self.setToolTip(text[:1000])

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """As narrow as wanted."""
        return QSize(24, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw what fits."""
        painter = QPainter(self)
        elided = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, elided)
        painter.end()


def report(job: Job) -> str:
    """Return what to send along when asking for help about a failed job."""
    made = f"{job.made} of {job.count} made"
    return f"{job.message}\n{job.hint}\n\nJob {job.id}, {made}\n{job.request.model_dump_json(indent=2)}\n"


def _detail(job: Job, place: int) -> str:
    count = f"{len(job.seeds)} pictures" if len(job.seeds) > 1 else ""
    if job.state is JobState.QUEUED:
        when = "next" if place == 0 else f"#{place + 1}"
        return f"{count} · {when}" if count else when
    return ""
