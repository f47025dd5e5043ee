"""Has a model converted for OpenVINO once a picture was drawn with it, and shows how far that is."""

from __future__ import annotations

from PySide6.QtCore import QObject

from sdstudio.background.conversions import Conversion
from sdstudio.core.events import NotConverted
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.paths import StudioPaths
from sdstudio.jobs.job import Job, JobState
from sdstudio.jobs.runner import JobEvent
from sdstudio.ui.shell import Services, Shell


class ConversionNotice(QObject):
    """Converts one model at a time; one that was cancelled or failed is not tried again until the next start.

    Args:
        services: Whose worker draws.
        shell: Shows progress and messages.
    """

    def __init__(self, services: Services, shell: Shell) -> None:
        super().__init__(shell.over)
        self._shell = shell
        self._paths: StudioPaths = services.paths
        self._wanted: dict[int, ModelInfo] = {}
        self._tried: set[str] = set()
        self._current: Conversion | None = None
        worker = services.controller.worker
        worker.job_event.connect(self._on_event)
        worker.job_finished.connect(self._on_finished)

    @property
    def current(self) -> Conversion | None:
        """What is being converted."""
        return self._current

    def close(self) -> None:
        """The window closes: what is being converted is given up."""
        if self._current is not None:
            self._current.cancel()
            self._current = None

    def _on_event(self, event: JobEvent) -> None:
        if isinstance(event.event, NotConverted):
            self._wanted[event.job_id] = event.event.model

    def _on_finished(self, job: Job) -> None:
        model = self._wanted.pop(job.id, None)
        if model is None or job.state is not JobState.DONE or self._current is not None or model.key in self._tried:
            return
        self._tried.add(model.key)
        self._current = Conversion(model, self._paths, self)
        self._current.progressed.connect(self._show)
        self._current.ended.connect(self._on_ended)
        message = f"{model.name} is being converted for OpenVINO, once. Torch draws with it meanwhile."
        self._shell.say(message, "info", [("Cancel", self._cancel)])
        self._current.start()

    def _show(self, share: float) -> None:
        if self._current is not None:
            self._shell.side_work_changed.emit(f"Converting {self._current.model.name} for OpenVINO · {share:.0%}")

    def _cancel(self) -> None:
        self.close()
        self._shell.side_work_changed.emit("")

    def _on_ended(self, problem: str) -> None:
        ended, self._current = self._current, None
        self._shell.side_work_changed.emit("")
        if ended is None:
            return
        ended.deleteLater()
        if problem:
            message = f"{ended.model.name} was not converted for OpenVINO: {problem} Torch goes on drawing with it."
            self._shell.say(message, "warning")
        else:
            self._shell.say(f"{ended.model.name} is converted: OpenVINO draws with it from the next picture on.")
