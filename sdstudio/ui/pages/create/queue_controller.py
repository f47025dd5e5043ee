"""What the queue asks of the window: a waiting job back in panel and prompts, its pictures, what was kept of it.

While a job is edited, a line above the prompt says so, and the next press of Generate takes its place in the queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QToolButton

from sdstudio.background.controller import JobController
from sdstudio.background.worker import KeptPictures
from sdstudio.core.errors import StudioError
from sdstudio.history.store import History
from sdstudio.jobs.queue import Group, Job
from sdstudio.ui.pages.create.controller import Conductor
from sdstudio.ui.pages.create.queue.job_words import pictures, quoted
from sdstudio.ui.pages.create.widgets import CreateWidgets
from sdstudio.ui.widgets.message_bar import MessageBar


class QueueDesk(QObject):
    """Does it.

    Args:
        players: The widgets.
        conductor: Submits what is written.
        controller: The queue.
        history: Knows which pictures a job made, and how long pictures took.
        parent: Qt's.
    """

    def __init__(
        self, players: CreateWidgets, conductor: Conductor, controller: JobController, history: History, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._players = players
        self._conductor = conductor
        self._controller = controller
        self._history = history
        self._edited: Group | None = None
        self._before: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        self.bar = MessageBar("editingJobMessage", players.editor)
        close = self.bar.findChild(QToolButton, "dismissMessageButton")
        assert isinstance(close, QToolButton)
        close.hide()  # the line stands as long as a job is edited
        players.editor.add_note(self.bar)
        queue = players.queue
        queue.time.seconds_per_step = lambda request: history.listing.seconds_per_step(
            request.model, request.width, request.height
        )
        queue.show_wanted.connect(self.show_pictures)
        queue.edit_wanted.connect(self.edit)
        conductor.replaces = lambda: self._edited.id if self._edited is not None else None
        conductor.generated.connect(lambda _job: self._end())
        controller.queue_changed.connect(self._on_queue_changed)
        controller.worker.kept.connect(self._on_kept)

    def edit(self, group: Group) -> None:
        """Put a waiting group into panel and prompts; the next press of Generate replaces it."""
        if self._edited is None:
            self._before = self._players.panel.state(), self._players.editor.state()
        first, panel = group.jobs[0], self._players.panel
        self._edited = group
        panel.restore(first.request)
        # With every combination all jobs have the same seeds, with a pick for each picture each has its own.
        panel.field("count").set_value(len({seed for job in group.jobs for seed in job.seeds}))
        panel.field("batch_size").set_value(first.batch_size)
        self._players.desk.use_words(first.request)
        said = " ".join(part for part in ("Editing job", quoted(group)) if part)
        self.bar.say(f"{said}: Generate puts it back in its place.", "info", [("Cancel", self.stop_editing)])
        self._conductor.attention_wanted.emit()
        self._players.editor.prompt_edit.setFocus()

    @property
    def is_editing(self) -> bool:
        """Whether a job is being edited."""
        return self._edited is not None

    def stop_editing(self) -> None:
        """Leave the job as it is, and bring back what was written before."""
        if self._edited is None:
            return
        self._end()
        panel, editor = self._before
        self._players.panel.reset()
        self._players.panel.restore_state(panel)
        self._players.editor.restore_state(editor)

    def show_pictures(self, group_id: int) -> None:
        """Show the pictures that a group made."""
        try:
            group = self._controller.group(group_id)
            entries = self._history.listing.of_jobs([job.id for job in group.jobs]) if group is not None else []
        except StudioError as error:
            self._players.queue.bar.say(str(error), "error")
            return
        if entries:
            self._players.canvas.show_pictures(entries)
        else:
            self._players.queue.bar.say("Its pictures are in the trash.", "info")

    def _end(self) -> None:
        self._edited = None
        self.bar.dismiss()

    def _on_queue_changed(self, jobs: Sequence[Job]) -> None:
        edited = self._edited
        if edited is not None and not any(job.is_waiting and job.group_id == edited.id for job in jobs):
            self._end()

    def _on_kept(self, kept: KeptPictures) -> None:
        if kept.error is not None:
            self._players.queue.bar.say(str(kept.error), "error")
        elif kept.entries:
            if self._players.canvas.follows:
                self._players.canvas.show_pictures(kept.entries)
            unfinished = kept.entries[0].recipe.unfinished
            at = "as far as step {} of {}".format(*unfinished) if unfinished is not None else "to the end"
            self._players.status.rest(f"Kept: {pictures(len(kept.entries))}, drawn {at}")
