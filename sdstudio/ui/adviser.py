"""Quiet hints beside the parameters they are about: what to try, done with one click, or dismissed."""

from __future__ import annotations

from typing import Any, Final

from PIL import Image
from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from sdstudio.core.advice import Advice, Situation, advice_for
from sdstudio.core.looks import Looks
from sdstudio.history.store import Entry
from sdstudio.jobs.tasks import TaskRunner
from sdstudio.ui.acts import Acts
from sdstudio.ui.editor import camel, small_button
from sdstudio.ui.parameter_panel import ParameterPanel
from sdstudio.ui.prompt_editor import PromptEditor
from sdstudio.ui.prompt_text import LOW_PX
from sdstudio.ui.theme import GRID, mark

DELAY_MS: Final = 200
_LOOKED_AT: Final = ("model", "guidance_scale", "steps", "scheduler", "init_image")
"""A picture's looks speak of these; once one of them is another, the picture says nothing about the next."""


class AdviceNote(QWidget):
    """One hint: the words, the button that does it, and the one that sends it away.

    Args:
        field: The parameter it stands beside.
    """

    #: The change is wanted; with the `Advice`.
    taken = Signal(object)
    #: It is not to be said again; with the `Advice`.
    dismissed = Signal(object)

    def __init__(self, field: str) -> None:
        super().__init__()
        self.setObjectName(camel(field) + "Advice")
        self.advice: Advice | None = None
        self._text = QLabel()
        self._text.setWordWrap(True)
        mark(self._text, "role", "caption")
        self._do = QPushButton()
        self._do.setObjectName(camel(field) + "AdviceButton")
        mark(self._do, "link", True)
        self._do.clicked.connect(lambda: self.taken.emit(self.advice))
        close = small_button("x", "Dismiss the hint", "Do not say this again today")
        mark(close, "ghost", True)
        close.setObjectName(camel(field) + "AdviceDismissButton")
        close.clicked.connect(lambda: self.dismissed.emit(self.advice))
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self._text)
        words.addWidget(self._do, 0, Qt.AlignmentFlag.AlignLeft)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID // 2)
        row.addLayout(words, 1)
        row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()

    def show_advice(self, advice: Advice | None) -> None:
        """Show a hint; ``None`` hides it."""
        if advice is None:
            self.advice = None
            self.hide()
            return
        if advice != self.advice:
            self.advice = advice
            self._text.setText(advice.text)
            self._do.setText(advice.title)
            self._do.setAccessibleName(f"{advice.title}. {advice.text}")
        self.show()


class Adviser(QObject):
    """Looks at panel, prompts and the newest picture, and says what is likely to help.

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
        self._notes: dict[str, AdviceNote] = {}
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(DELAY_MS)
        self._soon.timeout.connect(self.look)
        panel.changed.connect(self._soon.start)
        panel.model_chosen.connect(self._soon.start)
        editor.changed.connect(self._soon.start)
        editor.counted.connect(self._soon.start)

    def stop(self) -> None:
        """Say nothing more: the window closes."""
        self._stopped = True
        self._soon.stop()

    def look(self) -> None:
        """Say what holds now, and take away what does not."""
        self._soon.stop()
        now = self._situation()
        found = advice_for(now) if now is not None else ()
        wanted = {advice.field: advice for advice in found if advice.key not in self._dismissed}
        if self._editor.window().height() <= LOW_PX:
            wanted.pop("prompt", None)  # there is no room for it
        for field in wanted.keys() | self._notes.keys():
            self._note(field).show_advice(wanted.get(field))

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

    def _situation(self) -> Situation | None:
        model = self._panel.model
        if model is None:
            return None
        names = ("width", "height", "steps", "guidance_scale", "scheduler")
        values = {name: self._panel.value(name) for name in names}
        if any(value in (None, "", 0) for value in values.values()):
            return None  # something is half typed
        values |= {name: self._panel.value(name) for name in ("init_image", "strength")}
        values |= {"prompt": self._editor.prompt, "negative_prompt": self._editor.negative_prompt}
        looks = None
        if self._looks is not None:
            made_with, seen = self._looks
            same = all({**values, "model": model.key}[name] == made_with[name] for name in _LOOKED_AT)
            looks = seen if same else None
        return Situation(values, model, self._editor.chunk_count, looks)

    def _note(self, field: str) -> AdviceNote:
        if field not in self._notes:
            note = self._notes[field] = AdviceNote(field)
            note.taken.connect(self._on_taken)
            note.dismissed.connect(self._on_dismissed)
            if field == "prompt":
                self._editor.add_note(note)
            else:
                self._panel.add_note(field, note)
        return self._notes[field]

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
