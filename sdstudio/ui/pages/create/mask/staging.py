"""What an edit has made, to be chosen from where it will be: over the picture, one by one.

The candidates stand on the canvas, and what can be done with them in the place of the caption below. The one that is
accepted is the next input picture; all of them are entries of the history, whatever is chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt, Signal
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QWidget

from sdstudio.core.request.input_fields import INIT, MASK
from sdstudio.core.request.outpaint_fields import adds_ground
from sdstudio.history.store import Entry
from sdstudio.jobs.job import Job
from sdstudio.ui.pages.create.canvas import Canvas
from sdstudio.ui.theme import GRID, NARROW_PX, mark, set_icon


@dataclass(frozen=True, slots=True)
class StagingKey:
    """One thing to do with the candidates: a button of the bar and a key on the canvas.

    Attributes:
        key: Its stable name.
        title: On its button, where there is room.
        icon: Name of its icon.
        keys: What does it on the canvas, as Qt's portable text; "" for none.
        about: Tooltip, and what the list of keys says.
        has_words: Whether the title stands beside the icon.
    """

    key: str
    title: str
    icon: str
    keys: str
    about: str
    has_words: bool = True


STAGING_KEYS: Final = (
    StagingKey("previous", "Previous", "chevron-left", "Left", "Show the candidate before", has_words=False),
    StagingKey("next", "Next", "chevron-right", "Right", "Show the next candidate", has_words=False),
    StagingKey("accept", "Accept", "check", "Return", "Go on with this one: the next edit begins from it"),
    StagingKey("again", "Again", "repeat", "", "Draw more candidates, with other seeds"),
    StagingKey("discard", "Discard", "x", "Esc", "Take none of them: back to the mask and the picture as it was"),
)
_BY_QT_KEY: Final = {
    Qt.Key.Key_Left: "previous", Qt.Key.Key_Right: "next", Qt.Key.Key_Return: "accept", Qt.Key.Key_Enter: "accept",
}  # fmt: skip
_PLAIN: Final = (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)


class StagingBar(QFrame):
    """The buttons, in the place of the caption."""

    #: A button was pressed; carries the key of its row.
    wanted = Signal(str)

    def __init__(self, over: QWidget) -> None:
        super().__init__(over)
        self.setObjectName("candidatesBar")
        self.setAccessibleName("Candidates of this edit")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._over = over
        self._buttons: dict[str, QToolButton] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID, 0, 0, 0)
        row.setSpacing(GRID // 2)
        self.words = QLabel(self)
        mark(self.words, "role", "muted")
        for spec in STAGING_KEYS:
            button = QToolButton(self)
            button.setObjectName(f"staging_{spec.key}")
            button.setAccessibleName(spec.title)
            button.setText(f" {spec.title}")
            button.setToolTip(f"{spec.about} ({spec.keys})" if spec.keys else spec.about)
            set_icon(button, spec.icon)
            mark(button, "ghost", not spec.has_words)
            button.clicked.connect(lambda _checked=False, key=spec.key: self.wanted.emit(key))
            self._buttons[spec.key] = button
            row.addWidget(button)
            if spec.key == "next":
                row.addWidget(self.words)
                row.addStretch(1)
        over.installEventFilter(self)
        self.hide()

    def show_state(self, at: int, count: int) -> None:
        """Say which candidate is seen, counted from 1, of how many; 0 while it is being drawn."""
        self.words.setText(f"{at} of {count}" if at else f"Drawing, {count} so far" if count else "Drawing…")
        for key in ("previous", "next"):
            self._buttons[key].setEnabled(count > 1 or (not at and count > 0))
        self._buttons["accept"].setEnabled(at > 0)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt's name)
        """Lie where it belongs: the caption may have another height since."""
        super().showEvent(event)
        self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Follow the caption."""
        if event.type() == QEvent.Type.Resize and not self.isHidden():
            self._place()
        return False

    def _place(self) -> None:
        """Fill the caption's place; say in words what there is room for."""
        room = self._over.size()
        self.setGeometry(QRect(QPoint(), room))
        beside = Qt.ToolButtonStyle.ToolButtonTextBesideIcon
        for spec in STAGING_KEYS:
            has_words = spec.has_words and (room.width() >= NARROW_PX or spec.key == "accept")
            button = self._buttons[spec.key]
            button.setToolButtonStyle(beside if has_words else Qt.ToolButtonStyle.ToolButtonIconOnly)


class Staging(QObject):
    """Collects the candidates of an edit, and does with them what is chosen.

    Args:
        canvas: Shows them.
        accept: Begins the next edit from an entry.
        again: Draws more of what a request says, with other seeds.
        back: Shows the mask and the picture as it was.
        stop: Stops what is being drawn.
    """

    def __init__(
        self, canvas: Canvas, accept: Callable[[Entry], object], again: Callable[[Job], object],
        back: Callable[[], object], stop: Callable[[], object],
    ) -> None:  # fmt: skip
        super().__init__(canvas)
        self._canvas = canvas
        self._job: Job | None = None
        self._jobs: set[int] = set()
        self._groups: set[int] = set()
        self._made: list[Entry] = []
        self.bar = StagingBar(canvas.caption)
        self.bar.wanted.connect(self._do)
        self._acts: dict[str, Callable[[], object]] = {
            "previous": lambda: self._step(-1), "next": lambda: self._step(1), "accept": lambda: self._accept(accept),
            "again": lambda: self._again(again), "discard": lambda: self._discard(stop, back),
        }  # fmt: skip
        for part in (canvas.view, canvas.strip):
            part.installEventFilter(self)
        canvas.entry_changed.connect(self._show)

    @property
    def is_on(self) -> bool:
        """Whether candidates can be chosen from now."""
        return not self.bar.isHidden()

    def begin(self, job: Job) -> None:
        """Generate was pressed: collect what the edit makes, beside what it has made; what is no edit ends this."""
        if not MASK.picture_in(job.request) and not adds_ground(dict(job.request)):
            self._end()
            return
        if self._job is None or _edit_of(job) != _edit_of(self._job):
            self._end()
        self._job = job
        self._groups.add(job.group_id)
        self._jobs.add(job.id)
        self._show()

    def take_started(self, job: Job) -> None:
        """A job has begun."""
        if job.group_id in self._groups:
            self._jobs.add(job.id)
            self._show()

    def take_picture(self, entry: Entry) -> None:
        """A picture was made."""
        if entry.job_id in self._jobs:
            self._made.append(entry)
            self._show()

    def escape(self) -> bool:
        """Discard; False where there is nothing to choose from."""
        if self.is_on:
            self._do("discard")
            return True
        return False

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Step and accept by keys while candidates are seen."""
        if self.is_on and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            key = _BY_QT_KEY.get(Qt.Key(event.key()), "")
            if key and event.modifiers() in _PLAIN:
                self._do(key)
                return True
        return False

    def _do(self, key: str) -> None:
        self._acts[key]()

    @property
    def _at(self) -> int:
        """Return the place of the candidate that is seen, -1 for none."""
        entry = self._canvas.entry
        return next((at for at, each in enumerate(self._made) if entry is not None and each.id == entry.id), -1)

    def _step(self, by: int) -> None:
        if self._made:
            at = (self._at + by) % len(self._made) if self._at >= 0 else (0 if by > 0 else len(self._made) - 1)
            self._canvas.show_pictures(self._made)
            self._canvas.strip.choose(at)

    def _accept(self, accept: Callable[[Entry], object]) -> None:
        if self._at >= 0:
            entry = self._made[self._at]
            self._end()
            accept(entry)

    def _again(self, again: Callable[[Job], object]) -> None:
        if self._job is not None:
            again(self._job)

    def _discard(self, stop: Callable[[], object], back: Callable[[], object]) -> None:
        if self._canvas.entry is None:
            stop()
        self._end()
        back()

    def _end(self) -> None:
        self._job = None
        self._jobs.clear()
        self._groups.clear()
        self._made.clear()
        self._show()

    def _show(self, *_: object) -> None:
        """Show the bar while a candidate is seen, or the place of one that is being drawn."""
        at = self._at
        is_drawn = self._canvas.entry is None and self._canvas.job_id in self._jobs
        self.bar.setVisible(self._job is not None and (at >= 0 or is_drawn))
        self.bar.show_state(at + 1, len(self._made))
        self.bar.raise_()


def _edit_of(job: Job) -> tuple[str, ...]:
    """Return what makes two presses of Generate the same edit: picture, mask, what is added and what to draw there."""
    request = job.request
    return INIT.picture_in(request), MASK.picture_in(request), request.outpaint, request.transparency, request.prompt
