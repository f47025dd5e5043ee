"""How the window goes while something is made: what that is, the one question about it, and work without a window.

The question is asked when the window is closed, by hand or by *Quit*. A signal and the end of the session never ask:
there may be nobody to answer.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from sdstudio.core.errors import StudioError
from sdstudio.jobs.queue import Job, JobState
from sdstudio.ui.widgets.bring_forward import bring_forward
from sdstudio.ui.widgets.choose_folder import choose_folder
from sdstudio.ui.window.closing_dialog import ClosingDialog, Saving
from sdstudio.ui.window.tray import Background

if TYPE_CHECKING:
    from sdstudio.ui.pages.create.prompt.style_dialog import StyleDialog
    from sdstudio.ui.window.parts import Parts

SESSION_ENDS_S: Final = 60.0
"""For so long after the desktop announced the session's end, closing asks nothing; later, the end was called off."""

_PROMPT_LENGTH: Final = 40


@dataclass(frozen=True, slots=True)
class Work:
    """Something that closing the window would break off.

    Attributes:
        text: What it is, in one line.
        is_kept: Whether what comes of it is there when the window is gone: a picture is, a verdict shown in a window is
            not.
        saving: How it is saved by hand, where it can be.
    """

    text: str
    is_kept: bool = True
    saving: Saving | None = None


class Closing(QObject):
    """Decides whether the window may be closed.

    Args:
        parts: What the window consists of.
        window: The window.
    """

    #: Whatever the window remembers is to be written down now.
    keep_wanted = Signal()

    def __init__(self, parts: Parts, window: QWidget) -> None:
        super().__init__(window)
        self._parts = parts
        self._services = parts.services
        self._window = window
        self._asks = True
        self._session_ends_s = -SESSION_ENDS_S
        self._dialog: ClosingDialog | None = None
        self._background = Background(window, self._kept_works, self)
        self._background.over.connect(self._on_over)
        self._background.stop_wanted.connect(self._leave)
        app = QGuiApplication.instance()
        assert isinstance(app, QGuiApplication)
        # Answered before the session goes on ending, so while the signal is being delivered.
        app.commitDataRequest.connect(self._on_session_ends, Qt.ConnectionType.DirectConnection)
        window.installEventFilter(self)

    @property
    def in_background(self) -> bool:
        """Whether the window is away and the work goes on."""
        return self._background.is_on

    def works(self) -> tuple[Work, ...]:
        """Return what closing the window now would break off."""
        services, works = self._services, list[Work]()
        jobs = [job for job in services.controller.jobs() if not job.state.ended]
        works += [Work(text) for text in _job_lines(jobs, services.controller.paused)]
        works += [Work(f"Downloading {download.title}") for download in self._parts.download_controller.under_way]
        works += [Work(title) for title in services.tasks.asked_for]
        works += [Work(task.title, task.is_kept) for task in services.controller.worker.engine_tasks]
        unsaved = len(services.controller.worker.unsaved)
        if unsaved:
            pictures = "1 picture that" if unsaved == 1 else f"{unsaved} pictures that"
            saving = Saving("Save elsewhere…", self._save_elsewhere)
            works.append(Work(f"{pictures} could not be saved, and would be lost", is_kept=False, saving=saving))
        for dialog in self._parts.prompt_controller.changed_dialogs:
            title = dialog.windowTitle()
            saving = Saving(f"Save “{title}”", partial(_save_styles, dialog))
            works.append(Work(f"Changes in “{title}” that are not saved", is_kept=False, saving=saving))
        return tuple(works)

    def lets_go(self) -> bool:
        """Return whether the window may close now; where it may not, the user is asked."""
        if not self._asks or time.monotonic() - self._session_ends_s < SESSION_ENDS_S:
            return True
        works = self.works()
        if not works:
            return True
        if self._dialog is None:
            self._ask(works)
        else:
            bring_forward(self._dialog)
        return False

    def ask_nothing(self) -> None:
        """Let the window close without a question from now on."""
        self._asks = False

    def _leave(self) -> None:
        """Close the window without a question."""
        self.ask_nothing()
        self._window.close()

    def take_leave(self) -> None:
        """Stop what belongs to the window, and wait for nothing."""
        if self._dialog is not None:
            self._dialog.close()
        self._background.end()
        self._parts.settings_controller.close()
        self._parts.conversion_notice.close()
        self._parts.download_controller.stop()
        self._parts.library_controller.stop()
        self._parts.model_controller.close()
        self._parts.prompt_controller.stop()
        self._parts.pages.close_all()

    def end_threads(self, patience_s: float) -> bool:
        """Wait for the threads that belong to the window; False when one did not end in time."""
        until = time.monotonic() + patience_s
        ended = self._parts.library_controller.close(patience_s)
        return self._parts.download_controller.close(max(0.0, until - time.monotonic())) and ended

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Notice that the window has come back: it was started again, or chosen in the tray."""
        if watched is self._window and event.type() == QEvent.Type.Show:
            self._background.end()
        return super().eventFilter(watched, event)

    def _ask(self, works: Sequence[Work]) -> None:
        self._dialog = ClosingDialog(
            [work.text for work in works],
            any(work.is_kept for work in works),
            self._parts.editor.forever_button.isChecked(),
            self._window,
            [work.saving for work in works if work.saving is not None],
            is_working=any(work.saving is None for work in works),
        )
        self._dialog.saved.connect(self._window.close)  # asks again where there is more
        self._dialog.background_chosen.connect(self._on_background_chosen)
        self._dialog.stop_chosen.connect(self._leave)
        self._dialog.finished.connect(self._on_answered)
        self._dialog.open()

    def _save_elsewhere(self, dialog: ClosingDialog) -> None:
        """Let the user choose a folder for the pictures that could not be saved."""

        def save(folder: Path) -> None:
            try:
                self._services.controller.worker.save_unsaved(folder)
            except StudioError as error:
                dialog.show_error(str(error))
            else:
                dialog.tell_saved()

        choose_folder(dialog, "Save the pictures in", save)

    def _on_answered(self) -> None:
        self._dialog = None

    def _on_background_chosen(self) -> None:
        self._parts.editor.forever_button.setChecked(False)
        self.keep_wanted.emit()
        self._background.begin()

    def _on_over(self) -> None:
        """Nothing is left to be done without a window; what could not be saved is the user's to decide about."""
        if self._services.controller.worker.unsaved or self._parts.prompt_controller.changed_dialogs:
            bring_forward(self._window)
        else:
            self._leave()

    def _on_session_ends(self) -> None:
        self._session_ends_s = time.monotonic()
        self.keep_wanted.emit()

    def _kept_works(self) -> tuple[str, ...]:
        return tuple(work.text for work in self.works() if work.is_kept)


def _save_styles(styles: StyleDialog, dialog: ClosingDialog) -> None:
    """Save what was changed in a dialog; where it cannot be, that dialog shows why and is brought forward."""
    styles.save()
    if styles.isVisible():
        dialog.reject()
        bring_forward(styles)
    else:
        dialog.tell_saved()


def _job_lines(jobs: Sequence[Job], is_paused: bool) -> list[str]:
    """Return a line for the job that runs and one for those that wait; a paused queue waits for the user."""
    texts = []
    for job in jobs:
        if job.state is JobState.RUNNING:
            words = " ".join(job.request.prompt.split())
            what = f"“{words[:_PROMPT_LENGTH]}{'…' if len(words) > _PROMPT_LENGTH else ''}”" if words else "a picture"
            count = len(job.seeds)
            texts.append(f"Drawing {what}" + (f", {job.made} of {count} pictures are finished" if count > 1 else ""))
    waiting = 0 if is_paused else sum(job.is_waiting for job in jobs)
    if waiting:
        more = " more" if texts else ""
        texts.append(f"1{more} job waits in the queue" if waiting == 1 else f"{waiting}{more} jobs wait in the queue")
    return texts
