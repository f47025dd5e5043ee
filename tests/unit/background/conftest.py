from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from PySide6.QtCore import QObject, Slot

from sdstudio.background.controller import JobController
from sdstudio.background.worker import Worker
from sdstudio.core.events import StepDone
from sdstudio.core.models.model import ModelInfo
from sdstudio.core.paths import StudioPaths
from sdstudio.core.request.request import GenerationRequest, RunOptions
from sdstudio.core.settings import Settings
from sdstudio.history.store import History
from sdstudio.jobs.queue import Job, JobQueue
from sdstudio.jobs.redrawing import unattached
from sdstudio.jobs.runner import JobEvent
from tests.unit.background.fakes import MODEL, ScriptedEngine


def request(prompt: str = "red heart", **values: Any) -> GenerationRequest:
    return GenerationRequest(**{"prompt": prompt, "width": 64, "height": 64, "steps": 3, **values})


class Heard(QObject):
    """Writes down every signal of a worker in the order it comes, and on which thread."""

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self.names: list[str] = []
        self.payloads: list[Any] = []
        self.threads: set[int] = set()
        for name in (
            "engine_ready", "engine_failed", "job_started", "job_event", "picture_saved", "job_finished",
            "status_changed", "unsaved_changed", "crashed",
        ):  # fmt: skip
            getattr(worker, name).connect(getattr(self, f"on_{name}"))

    def _hear(self, name: str, payload: Any) -> None:
        self.names.append(name)
        self.payloads.append(payload)
        self.threads.add(threading.get_ident())

    def of(self, name: str) -> list[Any]:
        return [payload for heard, payload in zip(self.names, self.payloads, strict=True) if heard == name]

    def events(self, job_id: int) -> list[Any]:
        return [told.event for told in self.of("job_event") if told.job_id == job_id]

    def steps(self, job_id: int) -> list[StepDone]:
        return [event for event in self.events(job_id) if isinstance(event, StepDone)]

    @Slot(object)
    def on_engine_ready(self, payload: object) -> None:
        self._hear("engine_ready", payload)

    @Slot(object)
    def on_engine_failed(self, payload: object) -> None:
        self._hear("engine_failed", payload)

    @Slot(object)
    def on_job_started(self, payload: object) -> None:
        self._hear("job_started", payload)

    @Slot(object)
    def on_job_event(self, payload: JobEvent) -> None:
        self._hear("job_event", payload)

    @Slot(object)
    def on_picture_saved(self, payload: object) -> None:
        self._hear("picture_saved", payload)

    @Slot(object)
    def on_job_finished(self, payload: object) -> None:
        self._hear("job_finished", payload)

    @Slot(object)
    def on_status_changed(self, payload: object) -> None:
        self._hear("status_changed", payload)

    @Slot(object)
    def on_unsaved_changed(self, payload: object) -> None:
        self._hear("unsaved_changed", payload)

    @Slot(str)
    def on_crashed(self, payload: str) -> None:
        self._hear("crashed", payload)


def find_model(key: str) -> ModelInfo:
    del key
    return MODEL


def model_hash(model: ModelInfo, *, cancel: threading.Event) -> str:
    del model, cancel
    return "0123456789abcdef"


@dataclass
class Floor:
    """Everything of one worker, ready to run."""

    qtbot: Any
    home: StudioPaths
    history: History
    queue: JobQueue
    worker: Worker
    controller: JobController
    heard: Heard
    engines: list[ScriptedEngine]
    scripts: dict[str, Any] = field(default_factory=dict)

    def submit(self, prompt: str = "red heart", count: int = 1, batch_size: int = 1, **values: Any) -> Job:
        options = RunOptions(count=count, batch_size=batch_size)
        return self.controller.submit(request(prompt, **values), options)

    def wait_for_end(self, *jobs: Job) -> None:
        wanted = {job.id for job in jobs}
        self.qtbot.waitUntil(lambda: wanted <= {job.id for job in self.heard.of("job_finished")}, timeout=10_000)

    def until(self, test: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(test, timeout=10_000)


@pytest.fixture
def build(qtbot: Any, home: StudioPaths) -> Iterator[Callable[..., Floor]]:
    """A function that builds a worker; what it takes replaces the default collaborator."""
    built: list[Floor] = []

    def make(**parts: Any) -> Floor:
        engines: list[ScriptedEngine] = []
        scripts: dict[str, Any] = {}

        def make_engine(settings: Settings) -> ScriptedEngine:
            engines.append(ScriptedEngine(settings, scripts))
            return engines[-1]

        history = parts.get("history") or History(home, trash=lambda _path: None)
        queue = JobQueue(home)
        worker = Worker(
            parts.get("make_engine", make_engine),
            queue,
            history,
            parts.get("find_model", find_model),
            parts.get("model_hash", model_hash),
            Settings(),
            resolve=parts.get("resolve", unattached),
        )
        heard = Heard(worker)
        controller = JobController(worker, queue, parts.get("find_model", find_model), parent_of=parts.get("parent_of"))
        floor = Floor(qtbot, home, history, queue, worker, controller, heard, engines, scripts)
        built.append(floor)
        return floor

    yield make
    for floor in built:
        assert floor.worker.stop()
        floor.queue.close()
        floor.history.close()


@pytest.fixture
def floor(build: Callable[..., Floor]) -> Floor:
    """A running worker with a scripted engine."""
    made = build()
    made.worker.start()
    return made
