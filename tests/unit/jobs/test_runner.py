"""The runner without Qt, over a backend in another process: it draws, is cancelled, dies, and nothing is lost."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from PIL import Image

from sdstudio.core.errors import BackendLost, Cancelled
from sdstudio.core.events import EngineStatus, EventSink, ImageMade, StepDone, Unfinished
from sdstudio.core.models.resolved import ResolvedRequest
from sdstudio.core.request.recipe import Recipe
from sdstudio.core.request.request import GenerationRequest
from sdstudio.core.settings import Settings
from sdstudio.history.store import Entry, History
from sdstudio.jobs.queue import Job, JobQueue, JobState
from sdstudio.jobs.redrawing import unattached
from sdstudio.jobs.runner import BackendGone, JobEvent, JobNews, JobRunner, JobStarted, PictureSaved
from tests.unit.background.fakes import MODEL


class RemoteBackend:
    """Draws by an engine that runs in a process of its own."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.unit.jobs.remote_engine"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def _ask(self, **message: Any) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
        except OSError as error:
            raise BackendLost("The remote engine is gone.", "Run it again.") from error

    def configure(self, settings: Settings) -> None:
        del settings

    def generate(
        self, resolved: ResolvedRequest, seeds: Sequence[int], batch_size: int, on_event: EventSink,
        cancel: threading.Event,
    ) -> None:  # fmt: skip
        del batch_size
        request, made, asked = resolved.request, 0, False
        self._ask(do="generate", request=request.model_dump(mode="json"), seeds=list(seeds))
        while True:
            if cancel.is_set() and not asked:
                asked = True
                self._ask(do="cancel")
            try:
                line = self._lines.get(timeout=0.02)
            except queue.Empty:
                continue
            if not line:
                raise BackendLost("The remote engine is gone.", "Run it again.")
            message = json.loads(line)
            match message["told"]:
                case "step":
                    on_event(StepDone(message["step"], message["total"], made, 1, len(seeds), 0.01))
                case "image":
                    recipe = Recipe(app="remote", request=request.with_seed(message["seed"]))
                    on_event(ImageMade(made, Image.open(io.BytesIO(base64.b64decode(message["png"]))), recipe))
                    made += 1
                case "cancelled":
                    raise Cancelled
                case "done":
                    return

    def take_unfinished(self) -> Unfinished | None:
        return None

    def keep(self, unfinished: Unfinished, on_event: EventSink, cancel: threading.Event) -> None:
        raise BackendLost("The remote engine keeps nothing.")

    def record(self, on: bool) -> None:
        del on

    def status(self) -> EngineStatus:
        return EngineStatus("Remote", "float32")

    def unload(self) -> None:
        """It holds no model."""

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):  # what was to be said to one that is gone
                stream.close()


class Bench:
    """A queue, a history and a runner, and all that the runner told."""

    def __init__(self, home: Any) -> None:
        self.history, self.queue = History(home, trash=lambda _path: None), JobQueue(home)
        self.backend: RemoteBackend | None = None
        self.pids: list[int] = []
        self.news: list[JobNews] = []
        self.on_news: Callable[[JobNews], object] = lambda news: None
        self.cancel = threading.Event()
        self.runner = JobRunner(
            self.queue, self.history, lambda key: MODEL, unattached, lambda model, *, cancel: "0123456789abcdef",
            self._backend, self._tell, threading.Event(),
        )  # fmt: skip

    def _backend(self, job: Job) -> RemoteBackend:
        del job
        if self.backend is None:
            self.backend = RemoteBackend()
            self.pids.append(self.backend.process.pid)
        return self.backend

    def _tell(self, news: JobNews) -> None:
        self.news.append(news)
        if isinstance(news, BackendGone):
            self.close_backend()
        self.on_news(news)

    def close_backend(self) -> None:
        if self.backend is not None:
            self.backend.close()
            self.backend = None

    def run(self, job: Job) -> Job:
        self.news.clear()
        self.cancel.clear()
        ended = self.runner.run(job, self.cancel)
        assert ended is not None
        return ended

    def submit(self, prompt: str, *seeds: int) -> Job:
        return self.queue.submit(GenerationRequest(prompt=prompt, width=64, height=64, steps=3), seeds)

    @property
    def saved(self) -> list[Entry]:
        return [news.entry for news in self.news if isinstance(news, PictureSaved)]


@pytest.fixture
def bench(home: Any) -> Iterator[Bench]:
    bench = Bench(home)
    yield bench
    bench.close_backend()
    bench.runner.close()
    bench.queue.close()
    bench.history.close()


def test_a_backend_in_another_process_draws_a_job_and_its_pictures_are_saved(bench: Bench) -> None:
    job = bench.submit("red heart", 7, 8)
    ended = bench.run(job)
    assert (ended.state, ended.made, ended.step, ended.step_count) == (JobState.DONE, 2, 3, 3)
    assert [entry.recipe.request.seed for entry in bench.saved] == [7, 8]
    assert {(entry.job_id, entry.recipe.model_hash) for entry in bench.saved} == {(job.id, "0123456789")}
    with Image.open(bench.saved[1].path) as picture:
        assert picture.getpixel((0, 0)) == (8, 40, 90)
    steps = [news.event.step for news in bench.news if isinstance(news, JobEvent) and isinstance(news.event, StepDone)]
    assert isinstance(bench.news[0], JobStarted)
    assert steps == [1, 2, 3, 1, 2, 3]
    assert bench.runner.run(job, bench.cancel) is None, "a job that has ended does not wait any more"


def test_a_job_of_another_process_is_cancelled_and_the_next_one_is_drawn_by_the_same(bench: Bench) -> None:
    def cancel_at_step_two(news: JobNews) -> None:
        if isinstance(news, JobEvent) and isinstance(news.event, StepDone) and news.event.step == 2:
            bench.cancel.set()

    bench.on_news = cancel_at_step_two
    assert bench.run(bench.submit("endless", 1)).state is JobState.CANCELLED
    bench.on_news = lambda news: None
    assert bench.run(bench.submit("frog", 1)).state is JobState.DONE
    assert len(bench.pids) == 1


def test_a_killed_backend_fails_its_job_and_the_rest_of_it_is_drawn_by_another_one(bench: Bench) -> None:
    def kill_after_the_first(news: JobNews) -> None:
        if isinstance(news, PictureSaved):
            os.kill(bench.pids[0], signal.SIGKILL)

    bench.on_news = kill_after_the_first
    job = bench.submit("red heart", *range(40))
    failed = bench.run(job)
    assert (failed.state, failed.message, failed.hint) == (
        JobState.FAILED, "The remote engine is gone.", "Run it again.",
    )  # fmt: skip
    kept = bench.history.entries()
    assert 1 <= len(kept) == failed.made < 40
    assert all(entry.path.is_file() for entry in kept)
    assert not bench.runner.unsaved.pictures
    bench.on_news = lambda news: None
    assert bench.queue.retry(job.id)
    assert bench.run(bench.queue.get(job.id)).state is JobState.DONE
    assert len(bench.pids) == 2
    assert sorted(entry.recipe.request.seed for entry in bench.history.entries(limit=50)) == list(range(40))


def test_a_backend_that_died_between_two_jobs_fails_the_next_one_and_no_other(bench: Bench) -> None:
    assert bench.run(bench.submit("frog", 1)).state is JobState.DONE
    os.kill(bench.pids[0], signal.SIGKILL)
    assert bench.run(bench.submit("frog", 2)).state is JobState.FAILED
    assert bench.run(bench.submit("frog", 3)).state is JobState.DONE
