"""What happens when: wishes of the widgets go from here to the controller, facts from the worker to the widgets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QApplication, QWidget

from sdstudio.background.controller import JobController
from sdstudio.background.worker import JobEvent, UnsavedPicture
from sdstudio.core.errors import HistoryError, InvalidRequest, StudioError
from sdstudio.core.events import EngineStatus, Notice
from sdstudio.core.request.request import RunOptions
from sdstudio.history.store import Entry, History
from sdstudio.jobs.queue import Group, Job, JobState
from sdstudio.ui.entries.actions import EntryActions, EntryWish
from sdstudio.ui.pages.create.queue.job_words import ended_text, title_of
from sdstudio.ui.pages.create.widgets import CreateWidgets
from sdstudio.ui.widgets.choose_folder import choose_folder
from sdstudio.ui.widgets.desktop import reveal
from sdstudio.ui.widgets.progress_words import Progress, in_whole, progress_of
from sdstudio.ui.widgets.status_line import STARTING

IN_MEMORY: Final = "kept in memory."
PAUSED: Final = "The queue is paused, and the job waits in it."


class Conductor(QObject):
    """Connects players, controller and history."""

    #: The window's title should say this; "" when nothing is being done.
    title_changed = Signal(str)
    #: The Create page should be seen now: parameters were put back, or a message stands there.
    attention_wanted = Signal()
    #: What is written was put into the queue; carries the first Job of it.
    generated = Signal(object)

    def __init__(
        self,
        players: CreateWidgets,
        actions: EntryActions,
        controller: JobController,
        history: History,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._window = parent
        self._players = players
        self._controller = controller
        self._history = history
        self._running: Job | None = None
        self._awaited: Job | None = None
        self._engine_stands = False
        self._whole: Group | None = None
        self._before = 0
        #: Returns the group whose place in the queue the next press of Generate takes, ``None`` for the end.
        self.replaces: Callable[[], int | None] = lambda: None
        self._loaded = ""
        self._last_words = ("", "")
        #: Returns an entry with its model as the library knows it; pictures of other programs name it their way.
        self.recall: Callable[[Entry], Entry] = lambda entry: entry
        self._wishes: dict[str, Callable[[Sequence[Entry]], object]] = {
            "rerun": lambda entries: self._submit(lambda: self._controller.rerun(self.recall(entries[0]))),
            "variations": lambda entries: self._submit(lambda: self._vary(self.recall(entries[0]))),
            "copy_prompt": lambda entries: QApplication.clipboard().setText(entries[0].recipe.request.prompt),
            "reveal": lambda entries: reveal(entries[0].path),
        }
        actions.wished.connect(self._on_wished)
        players.editor.generate_requested.connect(self.generate)
        players.editor.cancel_requested.connect(self.cancel)
        players.canvas.example_chosen.connect(self._on_example_chosen)
        controller.queue_changed.connect(self._on_queue_changed)
        controller.paused_changed.connect(self._on_paused_changed)
        worker = controller.worker
        worker.job_started.connect(self._on_job_started)
        worker.job_event.connect(self._on_job_event)
        worker.picture_saved.connect(self._on_picture_saved)
        worker.job_finished.connect(self._on_job_finished)
        worker.unsaved_changed.connect(self._on_unsaved_changed)
        players.message.dismissed.connect(self._on_message_dismissed)
        worker.engine_failed.connect(self._on_engine_failed)
        worker.crashed.connect(self.show_report)

    def grant(self, wishes: Mapping[str, Callable[[Sequence[Entry]], object]]) -> None:
        """Let others do what is wished for: key of `ENTRY_ACTIONS` -> what does it; may raise StudioError."""
        self._wishes.update(wishes)

    # wishes

    def generate(self, follow: bool = True) -> Job | None:
        """Make what the panel and the prompts say; return its first job, ``None`` when it was refused.

        Args:
            follow: Show it, whatever the canvas shows now.
        """
        job = self._submit(self._submit_written, follow)
        if job is not None:
            self.generated.emit(job)
        return job

    def _submit_written(self) -> Job:
        """Submit what the prompts stand for: a job for each text; the first runs first."""
        panel, editor = self._players.panel, self._players.editor
        options = panel.options()
        shares = self._players.desk.shares(panel.request(editor.prompt, editor.negative_prompt), options)
        return self._controller.submit_shares(shares, options.batch_size, self.replaces())[0]

    def cancel(self) -> None:
        """Stop what runs and what came with it; what else waits goes on."""
        try:
            self._cancel()
        except StudioError as error:
            self._players.message.say(str(error), "error")

    def _cancel(self) -> None:
        if self._running is not None:
            self._players.status.show_cancelling()
            row = self._players.queue.row(self._running.group_id)
            if row is not None:
                row.show_cancelling()
            self._controller.cancel_group(self._running.group_id)
            return
        # Submitted a moment ago: the worker has begun it, or is about to, and has not yet told.
        states = (JobState.RUNNING,) if self._controller.paused else (JobState.RUNNING, JobState.QUEUED)
        about_to_run = [job for job in self._controller.jobs() if job.state in states]
        if about_to_run:
            self._controller.cancel_group(about_to_run[0].group_id)

    def offer_examples(self) -> None:
        """Offer example prompts at the prompt: there is a picture where they stood on the canvas."""
        model = self._players.panel.model
        self._players.editor.set_examples(model.examples if model else ())

    def tell_aside(self, text: str) -> None:
        """Say how far work beside the drawing is, where no picture is being made; "" when it has ended."""
        if self._running is None:
            self._players.status.rest(text or "Ready")
            self.title_changed.emit(text.partition(" · ")[0])

    def show_report(self, report: str) -> None:
        """Offer the report of an error that is a bug."""
        first = next((line for line in reversed(report.splitlines()) if line.strip()), "")
        copy = ("Copy report", lambda: QApplication.clipboard().setText(report))
        self._players.message.say(f"Something unexpected happened: {first[:200]} The studio goes on.", "error", [copy])

    def show_status(self, status: EngineStatus) -> None:
        """The engine stands, or holds another model."""
        self._engine_stands = True
        self._loaded = status.model
        if self._running is None and self._players.status.text == STARTING:
            self._players.status.rest("Ready")

    def _on_wished(self, wish: EntryWish) -> None:
        try:
            self._wishes[wish.key](wish.entries)
        except StudioError as error:
            self._players.message.say(str(error), "error")

    def _submit(self, submit: Callable[[], Job], follow: bool = True) -> Job | None:
        players = self._players
        players.editor.clear_message()
        try:
            job = submit()
        except InvalidRequest as error:
            self.attention_wanted.emit()
            # The model's field stands in the top bar, where there is no room for a message.
            if error.field == "model" or (not players.panel.show_error(error) and not players.editor.show_error(error)):
                players.editor.show_message(error.message, error.hint)
        except StudioError as error:
            self.attention_wanted.emit()
            players.editor.show_message(error.message, error.hint)
        else:
            if follow:
                players.canvas.follow()
            self._await(job)
            if self._controller.paused:  # the queue that says so may be hidden
                players.editor.show_message(PAUSED, "Start it with Ctrl+P.", "warning")
            return job
        return None

    def _await(self, job: Job) -> None:
        """Keep the place of a picture that nothing else is made before, though the worker has not begun it yet."""
        if self._running is None and self._awaited is None and not self._controller.paused:
            self._awaited = job
            doing = "Getting ready…" if self._engine_stands else STARTING
            self._players.canvas.begin(job, doing, self._group_of(job).count)

    def _on_queue_changed(self, jobs: Sequence[Job]) -> None:
        if self._awaited is None:
            return
        live = (JobState.QUEUED, JobState.RUNNING)
        if not any(job.id == self._awaited.id and job.state in live for job in jobs):  # cancelled before it was begun
            self._players.canvas.finish(self._awaited)
            self._awaited = None

    def _on_paused_changed(self, paused: bool) -> None:
        if not paused and self._players.editor.message.startswith(PAUSED):
            self._players.editor.clear_message()

    def _vary(self, entry: Entry) -> Job:
        request = entry.recipe.request.model_copy(update={"seed": None})
        return self._controller.submit(request, RunOptions(), parent_id=entry.id)

    def _on_example_chosen(self, prompt: str) -> None:
        self._players.editor.set_prompt(prompt)
        self._players.editor.prompt_edit.setFocus(Qt.FocusReason.OtherFocusReason)

    # facts

    def _on_job_started(self, job: Job) -> None:
        self._running = job
        self._awaited = None
        goes_on = self._whole is not None and self._whole.id == job.group_id
        self._whole = self._group_of(job)
        # Of the job itself as it began: meanwhile it may have made some.
        self._before = job.made + sum(one.made for one in self._whole.jobs if one.id != job.id)
        doing = "Getting ready…" if job.request.model == self._loaded else "Loading the model…"
        if goes_on:
            self._players.canvas.go_on(job)
        else:
            made = self._history.listing.of_jobs([one.id for one in self._whole.jobs]) if self._before else ()
            self._players.canvas.begin(job, doing, self._whole.count, made)
            self._players.status.begin(doing)
        self._players.editor.set_running(True)
        self.title_changed.emit("starting")

    def _on_job_event(self, event: JobEvent) -> None:
        if self._running is None or event.job_id != self._running.id:
            return
        whole = self._whole or Group((self._running,))
        told = in_whole(event.event, self._before, whole.count)
        self._players.canvas.show_event(event.job_id, told)
        self._players.queue.show_event(self._running.group_id, told)
        if isinstance(told, Notice):
            self._players.editor.show_message(told.message, told.hint, "warning")
        progress: Progress | None = progress_of(told)
        if progress is not None:
            self._players.status.show_progress(progress)
            subject = title_of(whole)[:40] if self._running.request.prompt.strip() else ""
            self.title_changed.emit(f"{progress.short} · {subject}" if subject else progress.short)

    def _on_picture_saved(self, entry: Entry) -> None:
        self._players.model.insert([entry])
        self._players.canvas.add_picture(entry)
        self.offer_examples()
        if entry.recipe.request.seed is not None:
            self._players.panel.set_last_seed(entry.recipe.request.seed)

    def _on_job_finished(self, job: Job) -> None:
        if self._running is not None and self._running.id == job.id:
            self._running = None
        group = self._group_of(job)
        if group.ended or self._controller.paused:
            self._whole = None
            self._players.canvas.finish(job)
            self._players.editor.set_running(False)
            self.title_changed.emit("")
            self._players.status.rest(ended_text(group))
            QApplication.alert(self._window)
        words = (job.request.prompt, job.request.negative_prompt)
        if job.made and words != self._last_words:
            self._last_words = words
            self._players.desk.look_around()  # its phrases may be typed again at once, without leaving the prompt
        if job.state is JobState.FAILED:
            self._players.editor.show_message(job.message, job.hint)

    def _group_of(self, job: Job) -> Group:
        """Return what a job came with; the job alone where the queue cannot be read."""
        try:
            return self._controller.group(job.group_id) or Group((job,))
        except HistoryError:
            return Group((job,))

    def _on_engine_failed(self, error: StudioError) -> None:
        self._players.status.rest("The engine could not start")
        self._players.message.say(f"{error.message} {error.hint}".strip(), "error")

    def _on_unsaved_changed(self, unsaved: tuple[UnsavedPicture, ...]) -> None:
        message = self._players.message
        if not unsaved:
            if message.message.endswith(IN_MEMORY):
                message.dismiss()
            return
        pictures = "1 picture is" if len(unsaved) == 1 else f"{len(unsaved)} pictures are"
        said = f"{unsaved[-1].error.message} {pictures} {IN_MEMORY}"
        ways = [("Save again", lambda: self._save_unsaved()), ("Save elsewhere…", self._ask_where_to_keep)]
        message.say(said, "error", ways)

    def _on_message_dismissed(self, said: str) -> None:
        """Say again what another message has covered: there is no other way to save those pictures."""
        unsaved = self._controller.worker.unsaved
        if unsaved and not said.endswith(IN_MEMORY):
            self._on_unsaved_changed(unsaved)

    def _ask_where_to_keep(self) -> None:
        """Let the user choose a folder for the pictures that could not be saved."""

        def ask_again() -> None:
            self._on_unsaved_changed(self._controller.worker.unsaved)

        choose_folder(self._window, "Save the pictures in", self._save_unsaved, declined=ask_again)

    def _save_unsaved(self, folder: Path | None = None) -> None:
        try:
            self._controller.worker.save_unsaved(folder)
        except StudioError:
            self._on_unsaved_changed(self._controller.worker.unsaved)
