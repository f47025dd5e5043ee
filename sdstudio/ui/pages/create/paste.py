"""What is pasted on the Create page: a picture becomes the input picture, parameters as text are offered to be used."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractSpinBox, QApplication, QLineEdit, QWidget

from sdstudio.background.tasks import TaskRunner
from sdstudio.core.errors import StudioError
from sdstudio.core.params import parameters
from sdstudio.core.request.request import GenerationRequest
from sdstudio.history.picture_text.foreign.origin import Reading
from sdstudio.ui.pages.create.prompt.editor import PromptEditor
from sdstudio.ui.widgets.lying_bar import LyingBar
from sdstudio.ui.widgets.picture_drag import Offer, means_picture, pasted_picture

NAME: Final = "the pasted text"
_SHORTEST: Final = 20
"""No shorter text holds a prompt or steps with two more keys, in characters."""


class PasteController(QObject):
    """Looks at what is pasted.

    Args:
        page: The Create page; what is pasted anywhere on it counts.
        editor: The prompts on it.
        tasks: Where texts are read.
        parent: The window.
    """

    def __init__(self, page: QWidget, editor: PromptEditor, tasks: TaskRunner, parent: QWidget) -> None:
        super().__init__(parent)
        self._page = page
        self._editor = editor
        self._tasks = tasks
        self._number = 0
        self._text = ""
        self._stopped = False
        self.bar = LyingBar("pastedParametersMessage", editor)
        #: Uses what was read, under a name.
        self.use: Callable[[Reading, str], object] = lambda reading, name: None
        #: Takes an offered picture as the input picture.
        self.take: Callable[[Offer], object] = lambda offer: None
        for edit in (editor.prompt_edit, editor.negative_edit):
            edit.text_pasted.connect(self.look_at)
            edit.picture_pasted.connect(lambda offer: self.take(offer))
        editor.changed.connect(self._on_changed)
        parent.installEventFilter(self)  # keys that nobody on the page wanted
        for kind in (QLineEdit, QAbstractSpinBox):
            for field in page.findChildren(kind):
                field.installEventFilter(self)

    def stop(self) -> None:
        """Begin nothing more in the background: the window closes."""
        self._stopped = True

    def look_at(self, text: str) -> None:
        """Offer to use a pasted text's parameters, if it has any."""
        self._number += 1
        if len(text) < _SHORTEST or self._stopped:
            return
        self._tasks.run(
            "Reading pasted text", lambda _task: _read(text), partial(self._on_read, self._number, text), _ignore,
            urgent=True,
        )  # fmt: skip

    def _on_read(self, number: int, text: str, reading: Reading | None) -> None:
        if number != self._number or reading is None:
            return
        self._text = text
        summary, program = _summary(reading), reading.program or "SD Studio"
        unused = ""
        if reading.not_mapped and not reading.program:  # of other programs it is shown when they are used
            from sdstudio.history.picture_text.foreign.unused import unused_settings  # noqa: PLC0415 (as in `_read`)

            unused = f"{unused_settings(reading.not_mapped)}."
        if not summary and not reading.recipe.request.prompt:
            message = f"This reads like parameters of {program}, but none can be used"
            self.bar.say(f"{message}: {unused.partition(': ')[2]}" if unused else f"{message}.", "warning")
            return
        message = f"Parameters of a picture made with {program}: {summary or 'a prompt'}. {unused}".strip()
        ways = [("Use as parameters", lambda: self.use(reading, NAME))]
        self.bar.say(message, "warning" if unused else "info", ways)

    def _on_changed(self) -> None:
        if self.bar.message and not any(
            _plain(self._text) in _plain(text) for text in (self._editor.prompt, self._editor.negative_prompt)
        ):
            self.bar.dismiss()  # it was taken out again

    # keys

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Take what is pasted where no text is expected, and pictures where one is."""
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.KeyPress
            and event.matches(QKeySequence.StandardKey.Paste)
            and self._page.isVisible()
        ):
            return self.paste(takes_text=watched is self.parent())
        return super().eventFilter(watched, event)

    def can_paste(self) -> bool:
        """Return whether there is a picture on the clipboard and the page is seen."""
        return self._page.isVisible() and means_picture(QApplication.clipboard().mimeData(), beside_text=True)

    def paste(self, takes_text: bool = True) -> bool:
        """Take what is on the clipboard, a picture or parameters; False when it is neither."""
        mime = QApplication.clipboard().mimeData()
        offer = pasted_picture(mime, beside_text=takes_text)
        if offer is not None:
            self.take(offer)
        elif takes_text and mime is not None and mime.hasText():
            self.look_at(mime.text())
        else:
            return False
        return True


def _read(text: str) -> Reading | None:
    from sdstudio.history.picture_text.foreign.pasted import read_pasted  # noqa: PLC0415 (brings in every program's reader)

    return read_pasted(text)


def _summary(reading: Reading) -> str:
    request = reading.recipe.request
    sampler = next(row for row in parameters(GenerationRequest) if row.name == "scheduler")
    title = next((choice.title for choice in sampler.choices if choice.value == request.scheduler), request.scheduler)
    facts = [
        ("Width", f"{request.width} × {request.height}"), ("Steps", f"{request.steps} steps"), ("Sampler", title),
        ("Guidance scale", f"guidance {request.guidance_scale:g}"),
    ]  # fmt: skip
    if request.seed is not None:
        facts.append(("Seed", f"seed {request.seed}"))
    return ", ".join(text for name, text in facts if name not in reading.assumed)


def _plain(text: str) -> str:
    """Qt keeps line ends of its own kind."""
    return "".join(text.split())


def _ignore(_error: StudioError) -> None:
    """A text that cannot be read is a prompt like any other."""
