"""What the queue asks of the window: a waiting job back in panel and prompts, its pictures, what was kept of it.

While a job is edited, a line above the prompt shows it, and the next press of Generate takes its place in the queue.
However it ends, what was written before and what was changed meanwhile can both be brought back by undo.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QToolButton

from sdstudio.core.errors import StudioError
from sdstudio.jobs.kept import KeptPictures
from sdstudio.jobs.queue import Group, Job, JobState
from sdstudio.ui.pages.create.acts import Acts
from sdstudio.ui.pages.create.controller import GenerationController
from sdstudio.ui.pages.create.queue.job_words import pictures, quoted
from sdstudio.ui.pages.create.widgets import CreateWidgets
from sdstudio.ui.shell import Services, Shell
from sdstudio.ui.undo import Change
from sdstudio.ui.widgets.message_bar import MessageBar

_EDIT: Final = "Edit {}"


class QueueController(QObject):
    """Does it.

    Args:
        services: The queue, and the history: it knows which pictures a job made, and how long pictures took.
        shell: What is around the page.
        widgets: Those of the page.
        generation: Submits what is written.
        acts: Takes back what editing brings into panel and prompts.
    """

    def __init__(
        self, services: Services, shell: Shell, widgets: CreateWidgets, generation: GenerationController, acts: Acts
    ) -> None:
        super().__init__(shell.over)
        self._shell = shell
        self._widgets = widgets
        self._controller = controller = services.controller
        self._history = history = services.history
        self._acts = acts
        self._edited: Group | None = None
        self._before = self._begun = acts.standing()
        self.bar = MessageBar("editingJobMessage", widgets.editor)
        close = self.bar.findChild(QToolButton, "dismissMessageButton")
        assert isinstance(close, QToolButton)
        close.hide()  # the line stands as long as a job is edited
        widgets.editor.add_note(self.bar)
        queue = widgets.queue
        queue.time.seconds_per_step = lambda request: history.listing.seconds_per_step(
            request.model, request.width, request.height
        )
        queue.show_wanted.connect(self.show_pictures)
        queue.edit_wanted.connect(self.edit)
        generation.replaces = lambda: self._edited.id if self._edited is not None else None
        generation.generated.connect(lambda _job: self._end_for_good())
        controller.queue_changed.connect(self._on_queue_changed)
        controller.worker.kept.connect(self._on_kept)

    def edit(self, group: Group) -> None:
        """Put a waiting group into panel and prompts; the next press of Generate replaces it."""
        first, panel, now = group.jobs[0], self._widgets.panel, self._acts.standing()
        if self._edited is None:
            self._before = now
        elif now != self._begun:  # another is edited already, and was changed
            self._acts.keep_since(_EDIT.format(_named(self._edited)), self._before)
        self._edited = group
        panel.restore(first.request)
        # With every combination all jobs have the same seeds, with a pick for each picture each has its own.
        panel.field("count").set_value(len({seed for job in group.jobs for seed in job.seeds}))
        panel.field("batch_size").set_value(first.batch_size)
        self._widgets.prompt_controller.use_words(first.request)
        self._begun = self._acts.standing()
        text = " ".join(part for part in ("Editing job", quoted(group)) if part)
        self.bar.say(f"{text}: Generate puts it back in its place.", "info", [("Cancel", self.stop_editing)])
        self._shell.attention_wanted.emit()
        self._widgets.editor.prompt_edit.setFocus()

    @property
    def is_editing(self) -> bool:
        """Whether a job is being edited."""
        return self._edited is not None

    def stop_editing(self) -> None:
        """Leave the job as it is, and bring back what was written before."""
        if self._edited is None:
            return
        name, was_changed = _named(self._edited), self._acts.standing() != self._begun
        self._end()
        if not was_changed:
            self._acts.show(self._before)
            return
        change = self._acts.do(f"Leave {name} as it is", lambda: self._acts.show(self._before))
        self._acts.tell(change, f"The {name} stays as it is, and what was written before is back.")

    def show_pictures(self, group_id: int) -> None:
        """Show the pictures that a group made."""
        try:
            group = self._controller.group(group_id)
            entries = self._history.listing.of_jobs([job.id for job in group.jobs]) if group is not None else []
        except StudioError as error:
            self._widgets.queue.bar.say(str(error), "error")
            return
        if entries:
            self._widgets.canvas.show_pictures(entries)
        else:
            self._widgets.queue.bar.say("Its pictures are in the trash.", "info")

    def _end(self) -> None:
        self._edited = None
        self.bar.dismiss()

    def _end_for_good(self) -> Change | None:
        """What is written stays; undo brings back what was written before the job was edited."""
        if self._edited is None:
            return None
        text = _EDIT.format(_named(self._edited))
        self._end()
        return self._acts.keep_since(text, self._before)

    def _on_queue_changed(self, jobs: Sequence[Job]) -> None:
        edited = self._edited
        if edited is None or any(job.is_waiting and job.group_id == edited.id for job in jobs):
            return
        waited = {job.id for job in edited.jobs if job.is_waiting}
        has_begun = any(job.id in waited and job.state is not JobState.CANCELLED for job in jobs)
        change = self._end_for_good()
        if has_begun:
            message = f"The {_named(edited)} has begun as it was. Generate makes a new one of what is written."
            self._acts.tell(change, message, "warning")

    def _on_kept(self, kept: KeptPictures) -> None:
        if kept.error is not None:
            self._widgets.queue.bar.say(str(kept.error), "error")
        elif kept.entries:
            if self._widgets.canvas.follows:
                self._widgets.canvas.show_pictures(kept.entries)
            unfinished = kept.entries[0].recipe.unfinished
            at = "as far as step {} of {}".format(*unfinished) if unfinished is not None else "to the end"
            self._widgets.status.rest(f"Kept: {pictures(len(kept.entries))}, drawn {at}")


def _named(group: Group) -> str:
    return f"job {quoted(group)}".rstrip()
