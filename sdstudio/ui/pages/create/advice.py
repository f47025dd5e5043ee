"""Quiet hints beside the parameters they are about: what to try, done with one click, or dismissed."""

from __future__ import annotations

from typing import Any, Final

from PIL import Image
from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from sdstudio.background.signals import BoundSignal, TypedSignal
from sdstudio.background.tasks import TaskRunner
from sdstudio.core.advice import ADVICE, Advice, ShownPicture, advice_for
from sdstudio.core.pictures.looks import Looks
from sdstudio.core.request.input_fields import INIT, MASK
from sdstudio.history.store import Entry
from sdstudio.ui.forms.editor import camel
from sdstudio.ui.pages.create.acts import Acts
from sdstudio.ui.pages.create.parameter_panel import ParameterPanel
from sdstudio.ui.pages.create.prompt.editor import PromptEditor
from sdstudio.ui.theme import GRID, mark, set_icon
from sdstudio.ui.widgets.buttons import small_button
from sdstudio.ui.widgets.elided_label import ElidedLabel

DELAY_MS: Final = 200
LINE_PX: Final = 20
LEAST_WORDS_PX: Final = 48
"""Where fewer of its words fit, a hint is its button alone."""
_LOOKED_AT: Final = ("model", "guidance_scale", "steps", "scheduler", INIT.field)
"""A picture's looks speak of these; once one of them is another, the picture does not show what the next will be."""


class AdviceNote(QWidget):
    """One hint in one line: the words, the button that does it, and the one that sends it away.

    Its place is kept while there is none, so that no field moves when it comes.

    Args:
        field: The parameter it stands beside.
    """

    #: The change is wanted; with the `Advice`.
    taken = TypedSignal[Advice]()
    #: It is not to be shown again; with the `Advice`.
    dismissed = TypedSignal[Advice]()

    def __init__(self, field: str) -> None:
        super().__init__()
        self.setObjectName(camel(field) + "Advice")
        self.advice: Advice | None = None
        self._text = ElidedLabel()
        mark(self._text, "role", "caption")
        self._do = QPushButton()
        self._do.setObjectName(camel(field) + "AdviceButton")
        self._do.setAccessibleName("Take the hint")
        mark(self._do, "link", True)
        mark(self._do, "small", True)
        self._do.clicked.connect(lambda: self._emit(self.taken))
        close = self._close = small_button("x", "Dismiss the hint", "Do not say this again today")
        mark(close, "ghost", True)
        mark(close, "tiny", True)
        set_icon(close, "x", "muted", 12)
        close.setObjectName(camel(field) + "AdviceDismissButton")
        close.clicked.connect(lambda: self._emit(self.dismissed))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID // 2)
        row.addWidget(self._text, 1)
        row.addWidget(self._do)
        row.addWidget(close)
        self.setFixedHeight(LINE_PX)
        policy = self.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.setSizePolicy(policy)
        self.hide()

    def _emit(self, signal: BoundSignal[Advice]) -> None:
        if self.advice is not None:  # a press that comes late: there is nothing to be done any more
            signal.emit(self.advice)

    def show_advice(self, advice: Advice | None) -> None:
        """Show a hint; ``None`` hides it."""
        if advice is None:
            self.advice = None
            self.hide()
            return
        if advice != self.advice:
            self.advice = advice
            self._text.say(advice.text)
            self._fit()
            self._do.setAccessibleName(f"{advice.title}. {advice.text}")
        self.show()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 (Qt's name)
        """Cut no button: its words end in … where even they do not fit."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if self.advice is not None:
            room = self.width() - self._close.sizeHint().width() - 2 * GRID
            wanted = self._do.fontMetrics().horizontalAdvance(self.advice.title)
            self._text.setVisible(room - wanted >= LEAST_WORDS_PX)
            text = self._do.fontMetrics().elidedText(self.advice.title, Qt.TextElideMode.ElideRight, room)
            self._do.setText(text)


class Adviser(QObject):
    """Looks at panel, prompts and the newest picture, and shows what is likely to help.

    Args:
        panel: The parameters.
        editor: The prompts.
        acts: What is done can be taken back.
        tasks: Where pictures are looked at.
        parent: As Qt has it.
    """

    def __init__(
        self, panel: ParameterPanel, editor: PromptEditor, acts: Acts, tasks: TaskRunner, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._panel = panel
        self._editor = editor
        self._acts = acts
        self._tasks = tasks
        self._stopped = False
        self._dismissed: set[str] = set()
        self._looks: tuple[dict[str, Any], Looks] | None = None
        self._notes = {field: self._note(field) for field in dict.fromkeys(row.field for row in ADVICE)}
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(DELAY_MS)
        self._soon.timeout.connect(self.look)
        panel.changed.connect(self._soon.start)
        panel.model_chosen.connect(self._soon.start)
        editor.changed.connect(self._soon.start)
        editor.counted.connect(self._soon.start)

    def stop(self) -> None:
        """Show nothing more: the window closes."""
        self._stopped = True
        self._soon.stop()

    def look(self) -> None:
        """Show what holds now, and take away what does not."""
        self._soon.stop()
        now = self._situation()
        found = advice_for(now) if now is not None else ()
        wanted = {advice.field: advice for advice in found if advice.key not in self._dismissed}
        for field, note in self._notes.items():
            note.show_advice(wanted.get(field))

    def take_picture(self, entry: Entry) -> None:
        """Look at a picture that was just made, in the background."""
        if self._stopped:
            return
        if not entry.recipe.blocked:
            self._tasks.run("Looking at the picture", lambda _task: _looks_of(entry), self._take_looks)

    def _take_looks(self, looks: tuple[dict[str, Any], Looks] | None) -> None:
        if not self._stopped:
            self._looks = looks
            self.look()

    def _situation(self) -> ShownPicture | None:
        model = self._panel.model
        if model is None:
            return None
        names = ("width", "height", "steps", "guidance_scale", "scheduler")
        values = {name: self._panel.value(name) for name in names}
        if any(value in (None, "", 0) for value in values.values()):
            return None  # something is half typed
        over_a_picture = (INIT.field, MASK.field, "masked_content", "strength", "outpaint", "transparency")
        values |= {name: self._panel.value(name) for name in over_a_picture}
        values |= {"prompt": self._editor.prompt, "negative_prompt": self._editor.negative_prompt}
        looks = None
        if self._looks is not None:
            made_with, seen = self._looks
            same = all({**values, "model": model.key}[name] == made_with[name] for name in _LOOKED_AT)
            looks = seen if same else None
        return ShownPicture(values, model, self._editor.chunk_count, looks)

    def _note(self, field: str) -> AdviceNote:
        note = AdviceNote(field)
        note.taken.connect(self._on_taken)
        note.dismissed.connect(self._on_dismissed)
        if field == "prompt":
            self._editor.add_note(note)
        else:
            self._panel.add_note(field, note)
        return note

    def _on_taken(self, advice: Advice) -> None:
        self._acts.do(advice.title, lambda: self._follow(advice))
        self.look()

    def _follow(self, advice: Advice) -> None:
        for name, value in advice.change.items():
            if name == "prompt":
                self._editor.set_prompt(value)
            else:
                self._panel.field(name).set_value(value)

    def _on_dismissed(self, advice: Advice) -> None:
        self._dismissed.add(advice.key)
        self.look()


def _looks_of(entry: Entry) -> tuple[dict[str, Any], Looks] | None:
    made_with = {name: getattr(entry.recipe.request, name) for name in _LOOKED_AT}
    try:
        with Image.open(entry.thumbnail if entry.thumbnail.exists() else entry.path) as picture:
            return made_with, Looks.of(picture)
    except OSError:  # deleted meanwhile
        return None
