"""What the parts of the window pass to one another: model, parameters, pages, and what was read of the disk."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject

from sdstudio.core.errors import StudioError
from sdstudio.core.events import EngineStatus
from sdstudio.core.models.model import ModelInfo
from sdstudio.jobs.job import Job
from sdstudio.ui.window.commands import Commands
from sdstudio.ui.window.pages import HasBrowser
from sdstudio.ui.window.parts import Parts


class Wiring(QObject):
    """Connects the parts of one window.

    Args:
        parts: What it consists of.
        commands: Its commands.
    """

    def __init__(self, parts: Parts, commands: Commands) -> None:
        super().__init__(parts.shell)
        self._parts = parts
        self._services = parts.services
        self._commands = commands
        self._connect_shell()
        self._connect_pages()
        self._connect_create()

    def begin(self) -> None:
        """Show what was remembered: the model, its parameters, and what can be done now."""
        model = self._parts.panel.model
        self._on_model_chosen(model.key if model is not None else "")
        self._on_parameters_changed()
        self._commands.show_possible()

    def _connect_shell(self) -> None:
        shell, parts = self._parts.shell, self._parts
        shell.attention_wanted.connect(self._show_create)
        shell.rescan_wanted.connect(self._rescan)
        shell.models_read.connect(lambda _models: parts.prompt_controller.look_around())
        shell.remarks_changed.connect(lambda: parts.panel.set_models(self._services.library.models()))
        shell.model_wanted.connect(self._on_model_wanted)
        shell.status_changed.connect(self._on_status)

    def _connect_pages(self) -> None:
        parts, show_possible = self._parts, self._commands.show_possible
        parts.top_bar.page_chosen.connect(parts.pages.open)
        parts.top_bar.settings_requested.connect(parts.settings_controller.open)
        parts.pages.opened.connect(self._on_page_opened)
        parts.pages.added.connect(self._on_page_added)
        parts.canvas.entry_changed.connect(show_possible)
        parts.loupe_controller.toggled.connect(show_possible)
        parts.browser.view.selectionModel().selectionChanged.connect(show_possible)
        parts.browser.entry_chosen.connect(parts.canvas.show_entry)

    def _connect_create(self) -> None:
        parts = self._parts
        parts.panel.model_chosen.connect(self._on_model_chosen)
        parts.panel.changed.connect(self._on_parameters_changed)
        parts.panel.words_wanted.connect(parts.editor.append_prompt)
        parts.panel.wanted.connect(parts.create_page.show_panel)
        self._services.controller.queue_changed.connect(self._on_queue_changed)

    # pages

    def _show_create(self) -> None:
        self._parts.loupe_controller.leave()
        self._commands.leave_full_screen()
        self._parts.pages.open("Create")

    def _on_page_opened(self, key: str) -> None:
        self._parts.top_bar.show_page(key)
        self._commands.show_possible()

    def _on_page_added(self, page: object) -> None:
        if isinstance(page, HasBrowser):
            page.browser.view.selectionModel().selectionChanged.connect(self._commands.show_possible)

    # models

    def _rescan(self) -> None:
        shell, library = self._parts.shell, self._services.library
        shell.scanning.emit(True)
        self._services.tasks.run(
            "Reading the model folders", lambda _task: library.rescan(), self._on_scanned, self._on_scan_failed
        )

    def _on_scanned(self, models: tuple[ModelInfo, ...]) -> None:
        self._parts.shell.scanning.emit(False)
        self._parts.shell.models_read.emit(models)

    def _on_scan_failed(self, error: StudioError) -> None:
        self._parts.shell.scanning.emit(False)
        self._parts.shell.say(str(error), "error")

    def _on_model_wanted(self, key: str) -> None:
        self._parts.panel.set_model(key)
        self._parts.pages.open("Create")

    def _on_model_chosen(self, key: str) -> None:
        parts, model = self._parts, self._parts.panel.model
        parts.editor.clear_message()  # it may be about the model before
        parts.prompt_controller.set_model(model)
        parts.canvas.set_examples(model.name if model else "", model.examples if model else ())
        parts.library_controller.set_current(key)

    def _on_status(self, status: EngineStatus) -> None:
        self._parts.top_bar.show_status(status)
        self._parts.generation.show_status(status)

    # what is written

    def _on_parameters_changed(self) -> None:
        parts, value = self._parts, self._parts.panel.value
        parts.editor.set_guidance(float(value("guidance_scale") or 1.0))
        reading = value("prompt_syntax"), value("compatibility")
        parts.prompt_controller.set_reading(*reading, int(value("steps") or 20), value("wildcards") != "off")

    def _on_queue_changed(self, jobs: Sequence[Job]) -> None:
        running = {job.group_id for job in jobs if not job.is_waiting and not job.state.ended}
        self._parts.editor.set_waiting(len({job.group_id for job in jobs if job.is_waiting} - running))
