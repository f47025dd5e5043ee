"""Turns the widgets' requests into jobs, and the worker's signals into what the widgets show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QApplication

from sdstudio.background.signals import TypedSignal
from sdstudio.core.errors import HistoryError, InvalidRequest, StudioError
from sdstudio.core.events import EngineStatus, Notice
from sdstudio.core.request.request import GenerationRequest, RunOptions
from sdstudio.core.request.submission import varied_further
from sdstudio.history.store import Entry
from sdstudio.jobs.engine_tasks import Freeing
from sdstudio.jobs.progress import Progress, in_whole, progress_of
from sdstudio.jobs.queue import Group, Job, JobState
from sdstudio.jobs.runner import JobEvent
from sdstudio.jobs.saving import UnsavedPicture
from sdstudio.ui.entries.actions import EntryActions
from sdstudio.ui.pages.create.queue.job_words import ended_text, title_of
from sdstudio.ui.pages.create.repeating import Repeating
from sdstudio.ui.pages.create.widgets import CreateWidgets
from sdstudio.ui.shell import Services, Shell
from sdstudio.ui.widgets.choose_folder import choose_folder
from sdstudio.ui.widgets.desktop import reveal
from sdstudio.ui.widgets.picture_view import PictureView
from sdstudio.ui.widgets.status_line import STARTING

IN_MEMORY: Final = "kept in memory."
PAUSED: Final = "The queue is paused, and the job waits in it."


class GenerationController(QObject):
    """Connects the widgets of the Create page, the queue and the history."""

    #: The window's title should show this; "" when nothing is being done.
    title_changed = Signal(str)
    #: What is written was put into the queue; carries the first Job of it.
    generated = TypedSignal[Job]()

    def __init__(self, services: Services, shell: Shell, widgets: CreateWidgets, actions: EntryActions) -> None:
        super().__init__(shell.over)
        self._shell = shell
        self._widgets = widgets
        self._controller = controller = services.controller
        self._history = services.history
        self._running: Job | None = None
        self._awaited: Job | None = None
        self._engine_stands = False
        self._whole: Group | None = None
        self._before = 0
        #: Is shown what is about to be submitted; may raise StudioError.
        self.before_submitting: Callable[[GenerationRequest], object] = lambda _request: None
        #: Returns the picture that is seen in the middle.
        self.view_of: Callable[[], PictureView] = lambda: widgets.canvas.view
        #: Returns the group whose place in the queue the next press of Generate takes, ``None`` for the end.
        self.replaces: Callable[[], int | None] = lambda: None
        self._repeating = Repeating(widgets.canvas)
        self._loaded = ""
        self._last_words = ("", "")
        handle = actions.handle
        handle("rerun", lambda entries: self._submit(lambda: controller.rerun(shell.recall(entries[0]))))
        handle("variations", lambda entries: self._submit(lambda: self._vary(shell.recall(entries[0]))))
        handle("alike", lambda entries: self._submit(lambda: self._alike(shell.recall(entries[0]))))
        handle("copy_prompt", lambda entries: QApplication.clipboard().setText(entries[0].recipe.request.prompt))
        handle("reveal", lambda entries: reveal(entries[0].path))
        actions.failed.connect(lambda error: widgets.message.say(str(error), "error"))
        shell.side_work_changed.connect(self.show_side_work)
        widgets.editor.generate_requested.connect(self.generate)
        widgets.editor.cancel_requested.connect(self.cancel)
        widgets.canvas.example_chosen.connect(self._on_example_chosen)
        controller.queue_changed.connect(self._on_queue_changed)
        controller.paused_changed.connect(self._on_paused_changed)
        worker = controller.worker
        worker.job_started.connect(self._on_job_started)
        worker.job_event.connect(self._on_job_event)
        worker.picture_saved.connect(self._on_picture_saved)
        worker.job_finished.connect(self._on_job_finished)
        worker.unsaved_changed.connect(self._on_unsaved_changed)
        widgets.message.dismissed.connect(self._on_message_dismissed)
        worker.engine_failed.connect(self._on_engine_failed)
        worker.crashed.connect(self.show_report)

    @property
    def commands(self) -> dict[str, Callable[[], object]]:
        """What it does for which key of the menus."""
        widgets = self._widgets
        return {
            "fit": lambda: self.view_of().fit(),
            "actual_size": lambda: self.view_of().zoom_to(1.0),
            "zoom_in": lambda: self.view_of().zoom_by(1.25),
            "zoom_out": lambda: self.view_of().zoom_by(0.8),
            "repeat": lambda: self._repeating.toggle(self.view_of()),
            "generate": widgets.editor.generate_button.click,
            "forever": widgets.editor.forever_button.click,
            "cancel": self.cancel,
            "pause": widgets.queue.toggle_pause,
            "clear_queue": widgets.queue.clear,
            "free_memory": self._free_memory,
        }

    def _free_memory(self) -> None:
        """Let go of the model, when the picture that is being made is done."""
        say = self._widgets.message.say
        self._controller.worker.ask(
            Freeing(lambda: say("The model's memory is free. The next picture loads the model again.", "info", (), 6))
        )

    # what the user asks for

    def generate(self, follow: bool = True) -> Job | None:
        """Draw what the panel and the prompts ask for; return its first job, ``None`` when it was refused.

        Args:
            follow: Show it, whatever the canvas shows now.
        """
        job = self._submit(self._submit_written, follow)
        if job is not None:
            if self._widgets.message.tone == "info":  # of what has been drawn with now; it lies over the picture
                self._widgets.message.dismiss()
            self.generated.emit(job)
        return job

    def again(self, job: Job) -> Job | None:
        """Make as many pictures of a job's request once more, with other seeds; return its first job."""
        request = job.request.model_copy(update={"seed": None})
        options = RunOptions(count=job.count, batch_size=job.batch_size)
        more = self._submit(lambda: self._controller.submit(request, options))
        if more is not None:
            self.generated.emit(more)
        return more

    def _submit_written(self) -> Job:
        """Submit what the prompts stand for: a job for each text; the first runs first."""
        panel, editor = self._widgets.panel, self._widgets.editor
        options = panel.options()
        request = panel.request(editor.prompt, editor.negative_prompt)
        self.before_submitting(request)
        shares = self._widgets.prompt_controller.shares(request, options)
        return self._controller.submit_shares(shares, options.batch_size, self.replaces())[0]

    def cancel(self) -> None:
        """Stop what runs and what came with it; what else waits goes on."""
        try:
            self._cancel()
        except StudioError as error:
            self._widgets.message.say(str(error), "error")

    def _cancel(self) -> None:
        if self._running is not None:
            self._widgets.status.show_cancelling()
            row = self._widgets.queue.row(self._running.group_id)
            if row is not None:
                row.show_cancelling()
            self._controller.cancel_group(self._running.group_id)
            return
        # Submitted a moment ago: the worker has begun it, or is about to, and its signal has not arrived.
        states = (JobState.RUNNING,) if self._controller.paused else (JobState.RUNNING, JobState.QUEUED)
        about_to_run = [job for job in self._controller.jobs() if job.state in states]
        if about_to_run:
            self._controller.cancel_group(about_to_run[0].group_id)

    def offer_examples(self) -> None:
        """Offer example prompts at the prompt: there is a picture where they stood on the canvas."""
        model = self._widgets.panel.model
        self._widgets.editor.set_examples(model.examples if model else ())

    def show_side_work(self, text: str) -> None:
        """Show how far work beside the drawing is, where no picture is being made; "" when it has ended."""
        if self._running is None:
            self._widgets.status.rest(text or "Ready")
            self.title_changed.emit(text.partition(" · ")[0])

    def show_report(self, report: str) -> None:
        """Offer the report of an error that is a bug."""
        first = next((line for line in reversed(report.splitlines()) if line.strip()), "")
        copy = ("Copy report", lambda: QApplication.clipboard().setText(report))
        self._widgets.message.say(f"Something unexpected happened: {first[:200]} The studio goes on.", "error", [copy])

    def show_status(self, status: EngineStatus) -> None:
        """The engine stands, or holds another model."""
        self._engine_stands = True
        self._loaded = status.model
        if self._running is None and self._widgets.status.text == STARTING:
            self._widgets.status.rest("Ready")

    def _submit(self, submit: Callable[[], Job], follow: bool = True) -> Job | None:
        widgets = self._widgets
        widgets.editor.clear_message()
        try:
            job = submit()
        except InvalidRequest as error:
            self._shell.attention_wanted.emit()
            # The model's field stands in the top bar, where there is no room for a message.
            if error.field == "model" or (not widgets.panel.show_error(error) and not widgets.editor.show_error(error)):
                widgets.editor.show_message(error.message, error.hint)
        except StudioError as error:
            self._shell.attention_wanted.emit()
            widgets.editor.show_message(error.message, error.hint)
        else:
            if follow:
                widgets.canvas.follow()
            self._await(job)
            if self._controller.paused:  # the queue that shows it may be hidden
                widgets.editor.show_message(PAUSED, "Start it with Ctrl+P.", "warning")
            return job
        return None

    def _await(self, job: Job) -> None:
        """Keep the place of a picture that nothing else is made before, though the worker has not begun it yet."""
        if self._running is None and self._awaited is None and not self._controller.paused:
            self._awaited = job
            doing = "Getting ready…" if self._engine_stands else STARTING
            self._widgets.canvas.begin(job, doing, self._group_of(job).count)

    def _on_queue_changed(self, jobs: Sequence[Job]) -> None:
        if self._awaited is None:
            return
        live = (JobState.QUEUED, JobState.RUNNING)
        if not any(job.id == self._awaited.id and job.state in live for job in jobs):  # cancelled before it was begun
            self._widgets.canvas.finish(self._awaited)
            self._awaited = None

    def _on_paused_changed(self, paused: bool) -> None:
        if not paused and self._widgets.editor.message.startswith(PAUSED):
            self._widgets.editor.clear_message()

    def _vary(self, entry: Entry) -> Job:
        request = entry.recipe.request.model_copy(update={"seed": None})
        return self._controller.submit(request, RunOptions(), parent_id=entry.id)

    def _alike(self, entry: Entry) -> Job:
        """Draw pictures that begin from noise that is turned a little away from a picture's own."""
        varied = varied_further(entry.recipe.request)
        return self._controller.submit(varied, RunOptions(count=4, batch_size=4), parent_id=entry.id)

    def _on_example_chosen(self, prompt: str) -> None:
        self._widgets.editor.set_prompt(prompt)
        self._widgets.editor.prompt_edit.setFocus(Qt.FocusReason.OtherFocusReason)

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
            self._widgets.canvas.go_on(job)
        else:
            entries = self._history.listing.of_jobs([one.id for one in self._whole.jobs]) if self._before else ()
            self._widgets.canvas.begin(job, doing, self._whole.count, entries)
            self._widgets.status.begin(doing)
        self._widgets.editor.set_running(True)
        self.title_changed.emit("starting")

    def _on_job_event(self, event: JobEvent) -> None:
        if self._running is None or event.job_id != self._running.id:
            return
        whole = self._whole or Group((self._running,))
        counted = in_whole(event.event, self._before, whole.count)
        self._widgets.canvas.show_event(event.job_id, counted)
        self._widgets.queue.show_event(self._running.group_id, counted)
        if isinstance(counted, Notice):
            self._widgets.editor.show_message(counted.message, counted.hint, "warning")
        progress: Progress | None = progress_of(counted)
        if progress is not None:
            self._widgets.status.show_progress(progress)
            subject = title_of(whole)[:40] if self._running.request.prompt.strip() else ""
            self.title_changed.emit(f"{progress.short} · {subject}" if subject else progress.short)

    def _on_picture_saved(self, entry: Entry) -> None:
        self._widgets.model.insert([entry])
        self._widgets.canvas.add_picture(entry)
        self.offer_examples()
        request = entry.recipe.request
        for name in {"seed", request.counted}:
            seed = getattr(request, name)
            if seed is not None:
                self._widgets.panel.set_last_seed(seed, name)

    def _on_job_finished(self, job: Job) -> None:
        if self._running is not None and self._running.id == job.id:
            self._running = None
        group = self._group_of(job)
        if group.ended or self._controller.paused:
            self._whole = None
            self._widgets.canvas.finish(job)
            self._widgets.editor.set_running(False)
            self.title_changed.emit("")
            self._widgets.status.rest(ended_text(group))
            QApplication.alert(self._shell.over)
        words = (job.request.prompt, job.request.negative_prompt)
        if job.made and words != self._last_words:
            self._last_words = words
            # Its phrases may be typed again at once, without leaving the prompt.
            self._widgets.prompt_controller.look_around()
        if job.state is JobState.FAILED:
            self._widgets.editor.show_message(job.message, job.hint)

    def _group_of(self, job: Job) -> Group:
        """Return what a job came with; the job alone where the queue cannot be read."""
        try:
            return self._controller.group(job.group_id) or Group((job,))
        except HistoryError:
            return Group((job,))

    def _on_engine_failed(self, error: StudioError) -> None:
        self._widgets.status.rest("The engine could not start")
        self._widgets.message.say(f"{error.message} {error.hint}".strip(), "error")

    def _on_unsaved_changed(self, unsaved: tuple[UnsavedPicture, ...]) -> None:
        message = self._widgets.message
        if not unsaved:
            if message.message.endswith(IN_MEMORY):
                message.dismiss()
            return
        pictures = "1 picture is" if len(unsaved) == 1 else f"{len(unsaved)} pictures are"
        problem = f"{unsaved[-1].error.message} {pictures} {IN_MEMORY}"
        ways = [("Save again", lambda: self._save_unsaved()), ("Save elsewhere…", self._ask_where_to_keep)]
        message.say(problem, "error", ways)

    def _on_message_dismissed(self, said: str) -> None:
        """Show again what another message has covered: there is no other way to save those pictures."""
        unsaved = self._controller.worker.unsaved
        if unsaved and not said.endswith(IN_MEMORY):
            self._on_unsaved_changed(unsaved)

    def _ask_where_to_keep(self) -> None:
        """Let the user choose a folder for the pictures that could not be saved."""

        def ask_again() -> None:
            self._on_unsaved_changed(self._controller.worker.unsaved)

        choose_folder(self._shell.over, "Save the pictures in", self._save_unsaved, declined=ask_again)

    def _save_unsaved(self, folder: Path | None = None) -> None:
        try:
            self._controller.worker.save_unsaved(folder)
        except StudioError:
            self._on_unsaved_changed(self._controller.worker.unsaved)
